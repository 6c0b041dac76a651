"""Every button of a section's row works, with and without scripts."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.student import press, sign_in
from tests.support.people import ADA

pytestmark = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


async def _press(page: Page, name: str, message: str) -> None:
    await press(page, name, exact=True)
    await expect(page.locator("#messages")).to_contain_text(message)


async def test_a_student_enrolls_swaps_and_drops(base_url: str, page: Page) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await _press(page, "Enroll in PYT 101, section 01", "You’re enrolled in PYT 101 for Fall 2026.")
    await page.goto(f"{base_url}/courses/Fall")
    await _press(page, "Swap PYT 101 for this PYT 101, section 02", "you’re now enrolled in PYT 101, section 02")
    await _press(page, "Drop PYT 101", "You dropped PYT 101 for Fall 2026.")


async def test_a_student_joins_a_waitlist_and_leaves_it(base_url: str, page: Page) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/course/3333?term=Fall")
    await _press(
        page, "Join waitlist for PHP 202, section 01", "You’re on the waitlist for PHP 202, section 01: 1 of 1."
    )
    await page.get_by_role("button", name="Leave waitlist for PHP 202").click()
    await _press(page, "Leave waitlist", "You left the waitlist for PHP 202.")


async def test_a_student_sets_an_alert_and_removes_it(base_url: str, page: Page, scripts: bool) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await _press(page, "Notify me if a seat opens in PHP 202, section 01", "We’ll notify you when a seat in PHP 202")
    await expect(page).to_have_url(f"{base_url}/courses/Fall" if scripts else f"{base_url}/enrollment")
    await _press(page, "Remove alert for PHP 202, section 01", "Alert removed for PHP 202, section 01.")


async def test_a_student_plans_a_section_and_enrolls_in_the_plan(base_url: str, page: Page, scripts: bool) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await _press(page, "Add to plan : PYT 101, section 02", "Added to your plan for Fall 2026: PYT 101, section 02.")
    await expect(page).to_have_url(f"{base_url}/courses/Fall" if scripts else f"{base_url}/plan?term=Fall+2026")
    await page.goto(f"{base_url}/plan")
    await _press(page, "Enroll in this course", "You’re enrolled in PYT 101 for Fall 2026.")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("#messages")).to_contain_text("signed out")
