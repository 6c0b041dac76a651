"""Everything a student does works by keyboard alone, with and without scripts."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.keyboard import open_details, press, tab_to, type_text
from tests.support.people import PASSWORD

FILTER_RAIL_WIDTH = 1100
"""From this width, in pixels, the filters are beside the results, and always open."""


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_everything_from_registering_to_signing_out_works_by_keyboard(
    base_url: str, page: Page, scripts: bool
) -> None:
    await page.goto(base_url)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await press(page, "Create an account", "link")
    for label, text in (("Email", "zoe@school.example"), ("Password", PASSWORD), ("Confirm password", PASSWORD)):
        await type_text(page, label, text)
    await type_text(page, "First name", "Zoe")
    await type_text(page, "Last name", "Adler")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("Welcome, Zoe")

    await press(page, "Courses", "link")
    await type_text(page, "Search", "introduction haddad")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("1 course found")).to_be_visible()
    await open_details(page, "PYT 101")
    await press(page, "All about PYT 101", "link")
    await press(page, "Enroll in PYT 101, section 02")
    await expect(page.get_by_text("You’re enrolled in PYT 101 for Fall 2026.")).to_be_visible()

    await _search(page, "PYT")
    await open_details(page, "PYT 101")
    await press(page, "Swap PYT 101 for this PYT 101, section 01")
    await expect(page.get_by_text("Swap complete: you’re now enrolled in PYT 101, section 01.")).to_be_visible()

    await _search(page, "PHP")
    await open_details(page, "PHP 202")
    await press(page, "Join waitlist for PHP 202, section 01")
    await expect(page.get_by_text("You’re on the waitlist for PHP 202, section 01: 1 of 1.")).to_be_visible()

    await press(page, "Courses", "link")
    await press(page, "Spring 2027", "link")
    await open_details(page, "JAV 201")
    await press(page, "Add to plan : JAV 201, section 01")
    await expect(page.get_by_text("Added to your plan for Spring 2027: JAV 201, section 01.")).to_be_visible()
    await press(page, "Plan", "link")
    await expect(page.locator(".enroll-bar").get_by_text("4 of 18 credits planned")).to_be_visible()

    await press(page, "Your schedule", "link")
    await expect(page.get_by_role("row", name="PYT 101")).to_be_visible()
    await press(page, "Drop PYT 101")
    await expect(page.get_by_text("You dropped PYT 101 for Fall 2026.")).to_be_visible()
    await press(page, "Sign out")
    await expect(page.get_by_text("You’re signed out.")).to_be_visible()


async def _search(page: Page, words: str) -> None:
    await press(page, "Courses", "link")
    await type_text(page, "Search", words)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("1 course found")).to_be_visible()


@pytest.mark.parametrize("width", [800, 1280])
async def test_a_filter_is_chosen_by_keyboard(base_url: str, page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(f"{base_url}/courses/Fall")
    if width < FILTER_RAIL_WIDTH:
        await open_details(page, "Filter and sort")
    await tab_to(page, page.get_by_label("Open seats only"))
    await page.keyboard.press("Space")
    await expect(page.get_by_text("1 course found")).to_be_visible()
    await tab_to(page, page.get_by_role("link", name="Clear all"))
