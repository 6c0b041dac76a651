"""A roster in the browser: it follows the seats, and leads to an email and to the drop of no-shows."""

from datetime import UTC, datetime

from playwright.async_api import Page, expect

from quart_enroll.db.client import Database
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.student import sign_in
from tests.support.people import ADA, BOB, RITA

ROSTER = "/staff/roster?term=Fall+2026&courseID=3333&section=01"


async def _wait_for_a_seat(db: Database) -> None:
    await waitlist.join(EnrollmentContext(db), ADA.user_id, SectionRequest("3333", section="01"), datetime.now(UTC))


async def test_a_roster_follows_the_seats(base_url: str, page: Page, db: Database) -> None:
    await sign_in(page, base_url, RITA)
    await page.goto(base_url + ROSTER)
    await expect(page.get_by_role("table", name="Enrolled")).to_contain_text("Bob Okafor")
    await _wait_for_a_seat(db)
    await expect(page.get_by_role("table", name="On the waitlist")).to_contain_text("Ada Winters")
    await enroll.drop(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), datetime.now(UTC))
    await expect(page.get_by_role("table", name="Enrolled")).to_contain_text("Ada Winters")
    await expect(page.get_by_role("table", name="Dropped")).to_contain_text("Bob Okafor")


async def test_a_no_show_is_dropped_after_a_preview(base_url: str, page: Page, db: Database) -> None:
    await _wait_for_a_seat(db)
    await sign_in(page, base_url, RITA)
    await page.goto(base_url + ROSTER)
    await page.get_by_role("link", name="Drop no-shows").click()
    await page.get_by_role("button", name="Preview").click()
    await page.get_by_role("link", name="Choose the students who didn’t attend.").click()
    await page.get_by_label("Bob Okafor").check()
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("main")).to_contain_text("Ada Winters (3333-01)")
    await page.get_by_role("button", name="Drop students").click()
    await expect(page.get_by_role("table", name="Dropped")).to_contain_text("no-show")


async def test_an_email_is_sent_after_a_preview(base_url: str, page: Page) -> None:
    await sign_in(page, base_url, RITA)
    await page.goto(base_url + ROSTER)
    await page.get_by_role("link", name="Email the students").click()
    await page.get_by_label("Subject").fill("First class")
    await page.get_by_label("Text").fill("We meet in Lab 2.\nBring a book.")
    await page.get_by_role("button", name="Preview").click()
    await page.get_by_role("button", name="Change the text").click()
    await expect(page.get_by_label("Text")).to_have_value("We meet in Lab 2.\nBring a book.")
    await page.get_by_role("button", name="Preview").click()
    await page.get_by_role("button", name="Send email").click()
    await expect(page.get_by_role("status")).to_contain_text("1 student will get your email.")
