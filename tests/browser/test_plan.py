"""Planning before a term opens, the moment it opens, and updates of an open page."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from quart_enroll.db.client import Database
from quart_enroll.domain.models import SectionRequest, Term
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.student import press, reveal, sign_in, wait_until_catalog_is_current
from tests.support.people import ADA, BOB, FALL, RITA, SPRING

HOUR = timedelta(hours=1)


@pytest.fixture
def school_terms() -> list[Term]:
    """The terms: fall opens in an hour, spring is open."""
    now = datetime.now(UTC)
    later = dict.fromkeys(("add_deadline", "drop_deadline", "withdraw_deadline"), now + 60 * 24 * HOUR)
    return [replace(FALL, opens_at=now + HOUR, **later), replace(SPRING, opens_at=now - HOUR, **later)]


async def _open_fall(db: Database, base_url: str) -> None:
    await db.term.update_one({"season": "Fall"}, {"$set": {"opens_at": datetime.now(UTC) - HOUR}})
    await wait_until_catalog_is_current(db, base_url)


async def test_the_enroll_button_of_a_plan_becomes_active_when_the_term_opens(
    base_url: str, db: Database, page: Page
) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    for name in ("PYT 101, section 01", "PHP 202, section 01"):
        await press(page, f"Add to plan : {name}")
        await expect(page.get_by_text(f"Added to your plan for Fall 2026: {name}.")).to_be_visible()
        await expect(page.get_by_role("button", name=f"Remove from plan : {name}")).to_be_focused()

    await page.clock.install()
    await page.goto(f"{base_url}/plan")
    button = page.get_by_role("button", name="Enroll in both courses")
    await expect(button).to_have_attribute("aria-disabled", "true")
    await expect(page.get_by_text("Enrollment opens in 59 minutes.")).to_be_visible()
    live_region = page.locator("main > [role=status]")
    await expect(live_region).to_be_empty()
    await page.clock.fast_forward(50 * 60_000)
    await expect(live_region).to_contain_text("Enrollment opens in 9 minutes")
    await button.click(force=True)  # nothing happens yet
    await expect(page).to_have_url(f"{base_url}/plan")

    await page.clock.fast_forward(10 * 60_000)
    await expect(live_region).to_have_text("Enrollment is open.")
    await expect(button).not_to_have_attribute("aria-disabled", "true")
    await button.click()  # too early by the server's clock
    await expect(page.get_by_text("Enrollment for Fall 2026 opens on")).to_have_count(2)

    await _open_fall(db, base_url)
    await page.clock.fast_forward(60 * 60_000)
    await button.click()
    await expect(page.get_by_text("You’re enrolled in PYT 101 for Fall 2026.")).to_be_visible()
    await expect(page.get_by_text("You’re enrolled in PHP 202 for Fall 2026.")).to_be_visible()


@pytest.mark.parametrize("path", ["/course/1111?term=Fall", "/courses/Fall?q=PYT"])
async def test_enroll_buttons_appear_when_the_term_opens(base_url: str, db: Database, page: Page, path: str) -> None:
    await sign_in(page, base_url, ADA)
    await page.clock.install()
    await page.goto(base_url + path)
    await reveal(page.get_by_role("button", name="Add to plan : PYT 101, section 01", include_hidden=True))
    await expect(page.get_by_role("button", name="Add to plan")).to_have_count(2)
    await _open_fall(db, base_url)
    await page.clock.fast_forward(60 * 60_000)
    await page.clock.fast_forward(2_000)
    await expect(page.get_by_role("button", name="Enroll in PYT 101, section 01")).to_be_visible()  # it is still open


async def _plan(page: Page, base_url: str, *names: str) -> None:
    """Plan these sections in fall as ada, and open the plan."""
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    for name in names:
        await press(page, f"Add to plan : {name}")
        await expect(page.get_by_text(f"Added to your plan for Fall 2026: {name}.")).to_be_visible()
    await page.goto(f"{base_url}/plan?term=Fall")


async def test_planned_courses_change_places_by_keyboard(base_url: str, page: Page) -> None:
    await _plan(page, base_url, "PYT 101, section 01", "PHP 202, section 01")
    titles = page.locator("#planned h3")
    await expect(titles).to_have_text(["PYT 101", "PHP 202"])
    up = page.get_by_role("button", name="Move up : PHP 202")
    await up.focus()
    await page.keyboard.press("Enter")
    announcement = page.locator("#messages[aria-live=polite]")
    await expect(announcement).to_have_text("PHP 202 is now number 1 of 2 in your plan.")
    await expect(titles).to_have_text(["PHP 202", "PYT 101"])
    await expect(up).to_be_focused()
    await expect(up).to_have_attribute("aria-disabled", "true")
    await page.get_by_role("button", name="Move down : PHP 202").focus()
    await page.keyboard.press("Enter")
    await expect(announcement).to_have_text("PHP 202 is now number 2 of 2 in your plan.")
    await expect(titles).to_have_text(["PYT 101", "PHP 202"])
    await expect(page.get_by_role("button", name="Move down : PHP 202")).to_be_focused()


@pytest.mark.parametrize(("width", "edge"), [(1280, "top"), (390, "bottom")])
async def test_the_enroll_button_of_a_plan_stays_in_sight(base_url: str, page: Page, width: int, edge: str) -> None:
    await page.set_viewport_size({"width": width, "height": 500})
    await _plan(page, base_url, "PYT 101, section 01", "PHP 202, section 01")
    bar = page.locator(".enroll-bar")
    middle = "() => scrollTo(0, (document.documentElement.scrollHeight - innerHeight) / 2)"
    await page.evaluate(middle)
    await expect(page.get_by_role("button", name="Enroll in both courses")).to_be_in_viewport(ratio=1)
    await expect(bar.get_by_text("7 of 18 credits planned")).to_be_in_viewport(ratio=1)
    await expect(bar.get_by_text("Enrollment opens in")).to_be_in_viewport(ratio=1)
    box = await bar.bounding_box()
    assert box is not None
    assert (box["y"] if edge == "top" else 500 - box["y"] - box["height"]) == pytest.approx(0, abs=1)


async def test_a_built_week_replaces_the_sections_of_the_plan(base_url: str, db: Database, page: Page) -> None:
    await db.section.update_one(
        {"courseID": "3333"}, {"$set": {"meetings": [{"days": "MWF", "start": "09:30", "end": "10:20"}]}}
    )
    await wait_until_catalog_is_current(db, base_url)
    await _plan(page, base_url, "PYT 101, section 01", "PHP 202, section 01")
    await expect(page.get_by_text("PHP 202 conflicts with PYT 101")).to_have_count(1)
    await page.get_by_role("link", name="Build a week without conflicts").click()
    await page.get_by_label("No meetings before").select_option("09:00")
    await page.get_by_role("button", name="Build weeks").click()
    await expect(page).to_have_url(re.compile("start=09%3A00"))
    await page.get_by_role("button", name="Use this week : Option 1").click()
    await expect(page.get_by_text("Your plan for Fall 2026 now uses this week.")).to_be_visible()
    await expect(page.locator("#planned")).to_contain_text("section 02, TR 6:00–7:15 PM")
    await expect(page.get_by_text("conflicts with")).to_have_count(0)


@pytest.mark.parametrize("scripts", [False])
async def test_without_javascript_the_plan_names_the_opening_and_its_button_works(
    base_url: str, db: Database, page: Page
) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await press(page, "Add to plan : PHP 202, section 01")
    await expect(page).to_have_url(re.compile(rf"{base_url}/courses/Fall#\w+"))
    await page.goto(f"{base_url}/plan")
    await expect(page.get_by_text("Enrollment for Fall 2026 opens on")).to_be_visible()
    await _open_fall(db, base_url)
    await page.get_by_role("button", name="Enroll in this course").click()
    await expect(page.get_by_text("You’re enrolled in PHP 202 for Fall 2026.")).to_be_visible()


async def test_open_seats_are_updated_on_an_open_page(base_url: str, db: Database, page: Page) -> None:
    await page.add_init_script("drawn = []; addEventListener('htmx:sseMessage', (e) => drawn.push(e.detail.data))")
    await page.goto(f"{base_url}/course/2222?term=Spring")
    await expect(page.get_by_text("30 of 30 seats open")).to_be_visible()
    for student, seats in ((BOB, 29), (RITA, 28)):
        await enroll.enroll(EnrollmentContext(db), student.user_id, SectionRequest("2222"), datetime.now(UTC))
        await expect(page.get_by_text(f"{seats} of 30 seats open")).to_be_visible()
    assert [re.sub("<.*?>", "", news).strip() for news in await page.evaluate("drawn")] == [
        *("29 of 30 seats open", "28 of 30 seats open")  # and nothing that was shown already
    ]
