"""axe finds no problem on any page for any role: in light mode on a phone, in dark mode on a desktop."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from axe_playwright_python.async_playwright import Axe
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page, expect

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.enrollment import waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.student import press, register, sign_in
from tests.support.people import ADA, BOB, PASSWORD, PASSWORD_HASH, RITA, UMA
from tests.support.staff import PHP, add_opening, fill_staff_pages, staff_pages

AXE = Axe("")
"""Runs axe's script, which each page loads once."""

VIEWS = (("light", 390), ("dark", 1280))
"""Each theme, with the width in which it is checked: colors depend on the theme alone, all else on the width."""

OPTIONS = {"resultTypes": ["violations"], "preload": False}

PARTS = 4
"""Tests that share the registrar's pages, for a computer with as many cores."""

FORM = "/enrollment/form?courseID="
PHP_SECTION = "term=Fall+2026&courseID=3333&section=01"
PAGES = {
    "nobody": (
        *("/", "/courses/", "/courses/?q=nothing+like+it", "/login", "/register", "/help", "/api/v1/docs"),
        *("/password/forgot", "/password/reset/no-link", f"{FORM}0", "/courses/Never"),
    ),
    "student": (
        *("/", "/courses/Fall", "/course/2222", "/enrollment", "/enrollment/history", f"{FORM}1111", "/plan?term=Fall"),
        *(
            "/courses/Fall?q=pyhton&unmet=y",
            "/plan",
            "/plan/build",
            "/account",
            "/account/password",
            "/account/delete",
            "/account/email/change",
            "/account/emails",
            "/account/name",
            "/account/timezone",
            "/account/tokens",
            "/enrollment/links",
            "/enrollment/permission-number?term=Fall+2026&courseID=3333",
        ),
    ),
    "registrar": (
        *("/account", "/staff/audit?actor=no", "/staff/dashboard?report=opening&live=y"),
        *staff_pages(PHP, ADA.user_id),
    ),
    "auditor": (
        *("/staff", f"/staff/section?{PHP_SECTION}", f"/staff/roster?{PHP_SECTION}"),
        *("/staff/course?courseID=3333", "/staff/term?term=Fall+2026", f"/staff/students/{BOB.user_id}"),
    ),
}


async def test_axe_finds_no_problem_on_the_pages_of_a_visitor(base_url: str, page: Page) -> None:
    await _check_pages(page, base_url, PAGES["nobody"])


async def test_axe_finds_no_problem_on_the_pages_of_a_student(base_url: str, page: Page) -> None:
    await register(page, base_url)
    for name in ("Enroll in PYT 101, section 01", "Join waitlist for PHP 202"):
        await page.goto(f"{base_url}/courses/Fall")
        await press(page, name)
    await page.goto(f"{base_url}/course/2222")
    await press(page, "Add to plan")
    await expect(page.get_by_text("Added to your plan")).to_be_visible()
    await page.goto(f"{base_url}/enrollment")
    await page.get_by_role("link", name="Create private link").click()
    await _assert_accessible(page)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create private link").click()
    await expect(page.get_by_label("Your private calendar link")).to_be_visible()
    await _assert_accessible(page)
    await page.goto(f"{base_url}/account/tokens")
    await page.get_by_label("Name").fill("calendar")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create token").click()
    await expect(page.get_by_text("qe_")).to_be_visible()
    await _assert_accessible(page)
    await page.goto(f"{base_url}/enrollment/links?content=plan&term=Fall+2026")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create link").click()
    await page.goto(await page.locator("#shared-url").input_value())
    await expect(page.get_by_role("heading", name="plan for Fall 2026")).to_be_visible()
    await _assert_accessible(page)
    await _check_pages(page, base_url, PAGES["student"])


async def test_axe_finds_no_problem_in_opened_courses(base_url: str, page: Page) -> None:
    await sign_in(page, base_url, ADA)
    for path in ("/courses/Fall", "/course/1111?term=Fall", "/plan?term=Fall"):
        await page.goto(base_url + path)
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        await expect(page.get_by_role("button", name="PYT 101")).not_to_have_count(0)
        await _assert_accessible(page)
        if path.startswith("/course/"):
            await press(page, "Add to plan : PYT 101, section 02")
            await expect(page.get_by_text("Added to your plan")).to_be_visible()


@pytest.mark.parametrize("part", range(PARTS))
async def test_axe_finds_no_problem_on_the_pages_of_the_registrar(
    base_url: str, page: Page, db: Database, part: int
) -> None:
    await add_opening(db)
    files = await fill_staff_pages(db, datetime.now(UTC))
    await sign_in(page, base_url, RITA)
    await _check_pages(page, base_url, (*PAGES["registrar"], *files)[part::PARTS])


async def test_axe_finds_no_problem_on_the_pages_of_an_auditor(base_url: str, page: Page, db: Database) -> None:
    await users.add(db, UMA, PASSWORD_HASH)
    await sign_in(page, base_url, UMA)
    await _check_pages(page, base_url, PAGES["auditor"])


async def test_axe_finds_no_problem_on_pages_with_errors_and_previews(base_url: str, page: Page, db: Database) -> None:
    wish = SectionRequest("3333", "Fall 2026", "01")
    await waitlist.join(EnrollmentContext(db), ADA.user_id, wish, datetime.now(UTC))
    await sign_in(page, base_url, RITA)
    for path, field, text, button in (
        (f"/staff/section?{PHP_SECTION}", "Capacity", "many", "Save"),
        (f"/staff/section?{PHP_SECTION}", "Capacity", "2", "Save"),
        ("/staff/term?term=Fall+2026", "Last day to drop", "2026-08-01", "Save"),
        (f"/staff/roster/email?{PHP_SECTION}", "Subject", "", "Preview"),
        (f"/staff/students/{BOB.user_id}/act?action=drop&{PHP_SECTION}", "Reason", "", "Confirm"),
    ):
        await page.goto(base_url + path)
        await page.get_by_label(field, exact=True).fill(text)
        await page.get_by_role("button", name=button).click()
        await _assert_accessible(page)
    await page.goto(f"{base_url}/staff/people/1")
    await page.get_by_label("Scheduler").check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("There’s a problem")).to_be_visible()
    await _assert_accessible(page)
    await page.get_by_label("Scheduler").uncheck()
    await page.get_by_label("Auditor").check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Save these changes?")).to_be_visible()
    await _assert_accessible(page)
    await page.goto(f"{base_url}/staff/roll")
    await page.get_by_label("Into").select_option("Fall 2026")
    await page.get_by_role("button", name="Show sections").click()
    await _assert_accessible(page)


async def test_axe_finds_no_problem_on_the_pages_of_a_student_that_the_registrar_sees(
    base_url: str, page: Page
) -> None:
    await sign_in(page, base_url, RITA)
    headers = {"Sec-Fetch-Site": "same-origin"}
    await page.request.post(f"{base_url}/staff/view-as", form={"user_id": str(ADA.user_id)}, headers=headers)
    await _check_pages(page, base_url, ("/", "/course/1111", "/plan", "/account", "/account/tokens", "/staff"))


async def _check_pages(page: Page, base_url: str, paths: tuple[str, ...]) -> None:
    for path in paths:
        await page.goto(base_url + path)
        await _assert_accessible(page)


async def _assert_accessible(page: Page) -> None:
    """Run axe on the open page, in each view; all IDs are different, which axe no longer checks."""
    ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(({ id }) => id)")
    assert [one for one, count in Counter(ids).items() if count > 1] == [], page.url
    await page.evaluate(AXE_SCRIPT)
    for theme, width in VIEWS:
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        results = await AXE.run(page, options=OPTIONS)
        assert results.violations_count == 0, f"{page.url}, {width}, {theme}\n{results.generate_report()}"
