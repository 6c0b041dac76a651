"""A registrar's day in the browser, with and without scripts: from three spreadsheets to the next term."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from openpyxl import load_workbook
from playwright.async_api import Page, expect

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.imports import WORK_MILLISECONDS, expect_refusal, expect_too_large, import_workbook
from tests.browser.keyboard import press, tab_to, type_text
from tests.browser.student import sign_in, wait_until_catalog_is_current
from tests.support.people import ADA, BOB, CAL, PASSWORD_HASH, RITA, SCHOOL

TERM = "Summer 2031"
DATES = ("opens_at", "add_deadline", "drop_deadline", "withdraw_deadline")
TERM_COLUMNS = ("term", "timezone", "max_credits", *DATES)
COURSE_COLUMNS = ("courseID", "title", "credits", "term", "subject")
SECTION_COLUMNS = ("term", "courseID", "section", "Seats", "waitlist_capacity", "meetings", "room")


def _term_row(*, add_deadline_in_days: int) -> Sequence[object]:
    """Return a term that opens in ten days."""
    days = [datetime.now(SCHOOL).date() + timedelta(days=number) for number in (10, add_deadline_in_days, 60, 90)]
    return (TERM, SCHOOL.key, 12, *map(str, days))


def _course_row(credits: object) -> Sequence[object]:
    return ("7001", "Summer Workshop", credits, "Summer", "Computing")


def _section_row(number: str, seats: object) -> Sequence[object]:
    return (TERM, "7001", number, seats, 5, f"MW {number}:00-{number}:50", "Hall 1")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_a_registrars_day(base_url: str, page: Page, db: Database, scripts: bool) -> None:
    await users.add(db, CAL, PASSWORD_HASH)
    await sign_in(page, base_url, RITA)
    await press(page, "Staff", "link")
    await _set_up_a_term(page, scripts=scripts)
    await wait_until_catalog_is_current(db, base_url)
    await _open_the_term(page)
    await _watch_students_enroll(page, db, scripts=scripts)
    await _raise_the_capacity(page)
    await _cancel_a_section(page)
    await _act_against_a_rule_and_undo_it(page)
    await _export_the_roster(page)
    await _roll_the_term(page)


async def _set_up_a_term(page: Page, *, scripts: bool) -> None:
    """Import a term, its course and its sections, each from a file that has a mistake at first."""
    wrong, right = _term_row(add_deadline_in_days=5), _term_row(add_deadline_in_days=40)
    await _choose_in_menu(page, "Imports")
    await page.get_by_role("link", name="Import a file").click()
    if scripts:
        await expect_too_large(page)
    await expect_refusal(page, "Terms", TERM_COLUMNS, [wrong], row="2", reason="This must come after opens_at.")
    await import_workbook(page, "Terms", TERM_COLUMNS, [right])
    await _choose_in_menu(page, "Imports")
    await page.get_by_role("link", name="Import a file").click()
    reason = "This must be a number from 0 to 30."
    await expect_refusal(page, "Courses", COURSE_COLUMNS, [_course_row("three")], row="2", reason=reason)
    await import_workbook(page, "Courses", COURSE_COLUMNS, [_course_row(3)])
    await _choose_in_menu(page, "Imports")
    await page.get_by_role("link", name="Import a file").click()
    sections = [_section_row("09", 1), _section_row("11", "many")]
    reason = "This must be a whole number"
    await expect_refusal(page, "Sections", SECTION_COLUMNS, sections, row="3", reason=reason)
    await import_workbook(page, "Sections", SECTION_COLUMNS, [*sections[:1], _section_row("11", 8)])


async def _open_the_term(page: Page) -> None:
    await _choose_in_menu(page, "Terms")
    await page.get_by_role("link", name=TERM).click()
    a_minute_ago = datetime.now(SCHOOL) - timedelta(minutes=1)
    await page.get_by_label("Enrollment opens").fill(f"{a_minute_ago:%Y-%m-%dT%H:%M}")
    await page.get_by_role("button", name="Save").click()
    await _expect_message(page, "Saved.")


async def _watch_students_enroll(page: Page, db: Database, *, scripts: bool) -> None:
    """See ada take the only seat and bob wait; with scripts, the page shows it by itself."""
    await _choose_in_menu(page, "Dashboard")
    await page.get_by_role("navigation", name="Reports").get_by_role("link", name="Sections", exact=True).click()
    await page.get_by_label("Term").select_option(TERM)
    await page.get_by_role("button", name="Show").click()
    shown = page.get_by_role("row", name="7001-09")
    await expect(shown).to_be_visible()
    context, request = EnrollmentContext(db), SectionRequest("7001", TERM, "09")
    await enroll.enroll(context, ADA.user_id, request, datetime.now(UTC))
    await waitlist.join(context, BOB.user_id, request, datetime.now(UTC))
    if scripts:
        await expect(shown.locator("[data-label=Waiting]")).to_have_text("1", timeout=WORK_MILLISECONDS)


async def _raise_the_capacity(page: Page) -> None:
    """Read who gets a seat before and after saving, by keyboard."""
    await _open_section(page, "7001-09")
    await tab_to(page, page.get_by_label("Capacity"))
    await page.keyboard.type("2")
    await press(page, "Save")
    await expect(page.get_by_role("main")).to_contain_text("1 student gets a seat from the waitlist:")
    await expect(page.get_by_role("main")).to_contain_text("Bob Okafor (7001-09)")
    await press(page, "Save")
    await _expect_message(page, "1 student got a seat from the waitlist: Bob Okafor")
    await expect(page.get_by_role("main")).to_contain_text("2 of 2 seats taken, 0 waiting")


async def _cancel_a_section(page: Page) -> None:
    await _open_section(page, "7001-11")
    await page.get_by_role("link", name="Cancel section").click()
    await expect(page.get_by_role("main")).to_contain_text("Nobody is enrolled or waiting.")
    await page.get_by_role("button", name="Cancel section").click()
    await expect(page.get_by_role("alert")).to_contain_text("Enter a reason.")
    await page.get_by_label("Reason").fill("Too few students.")
    await page.get_by_role("button", name="Cancel section").click()
    await _expect_message(page, "Section canceled.")


async def _act_against_a_rule_and_undo_it(page: Page) -> None:
    """Enroll cal in the full section, and take that back, by keyboard."""
    await _choose_in_menu(page, "Students")
    await press(page, CAL.full_name, "link")
    await press(page, "Enroll or check eligibility", "link")
    await page.get_by_label("Term").select_option(TERM)
    await type_text(page, "Course number", "7001")
    await type_text(page, "Section", "09")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_contain_text("Override: “Exceed the capacity”")
    await press(page, "Enroll the student", "link")
    await tab_to(page, page.get_by_label("Exceed the capacity"))
    await page.keyboard.press("Space")
    await _confirm(page, "The dean agreed.")
    await press(page, f"Undo Enrolled in Summer Workshop, section 09, for {TERM}.", "link")
    await _confirm(page, "The dean was wrong.")
    await expect(page.get_by_role("heading", name=TERM)).to_have_count(0)


async def _confirm(page: Page, reason: str) -> None:
    await type_text(page, "Reason", reason)
    await page.keyboard.press("Enter")
    await _expect_message(page, f"{CAL.full_name} will be notified.")


async def _export_the_roster(page: Page) -> None:
    await _open_section(page, "7001-09")
    await page.get_by_role("link", name="Roster").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="XLSX").click()
    file = await (await download.value).path()
    sheet = load_workbook(io.BytesIO(file.read_bytes())).active  # the path has no suffix
    texts = {str(value) for row in sheet.iter_rows(values_only=True) for value in row}
    assert texts >= {ADA.email, BOB.email, CAL.email}


async def _roll_the_term(page: Page) -> None:
    await _choose_in_menu(page, "Terms")
    await page.get_by_role("link", name="Copy sections to another term").click()
    await page.get_by_label("From").select_option(TERM)
    await page.get_by_label("Into").select_option("Spring 2027")
    await page.get_by_role("button", name="Show sections").click()
    await expect(page.get_by_role("heading", name="1 new section")).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("1 canceled section won’t be copied.")
    await page.get_by_role("button", name="Copy").click()
    await _expect_message(page, "1 section copied.")
    await expect(page.get_by_role("row", name="7001-09")).to_be_visible()


async def _choose_in_menu(page: Page, entry: str) -> None:
    await page.get_by_role("navigation", name="Staff").get_by_role("link", name=entry, exact=True).click()


async def _open_section(page: Page, name: str) -> None:
    await _choose_in_menu(page, "Sections")
    await page.get_by_label("Term").select_option(TERM)
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("link", name=name).click()


async def _expect_message(page: Page, text: str) -> None:
    await expect(page.get_by_role("status").filter(has_text=text)).to_be_visible()
