"""Every button of a section's row works, with and without scripts."""

import re

import pytest
from playwright.async_api import Page, Route, expect

from quart_enroll.db.client import Database
from tests.browser.student import press, reveal, sign_in, wait_until_catalog_is_current
from tests.support.people import ADA

pytestmark = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


async def _press(page: Page, name: str, message: str) -> None:
    await press(page, name, exact=True)
    await expect(page.locator("#messages")).to_contain_text(message)


async def _expect_same_place(page: Page, url: str, scripts: bool) -> None:
    """Expect the page at the same URL; without scripts, the fragment leads to the row of the button."""
    await expect(page).to_have_url(url if scripts else re.compile(re.escape(url) + "#."))


@pytest.mark.parametrize("path", ["/courses/Fall?q=pyt&open=y", "/course/1111?term=Fall"])
async def test_planning_a_section_keeps_the_search_the_place_and_the_focus(
    base_url: str, page: Page, scripts: bool, path: str
) -> None:
    await page.set_viewport_size({"width": 1280, "height": 300})
    await sign_in(page, base_url, ADA)
    await page.goto(base_url + path)
    for button, message in (("Add to plan", "Added to your plan"), ("Remove from plan", "Removed from your plan")):
        await _press(page, f"{button} : PYT 101, section 02", message)
        await _expect_same_place(page, base_url + path, scripts)
        await expect(page.locator(".section", has_text="Section 02")).to_be_in_viewport()
        if scripts:
            await expect(page.locator(":focus")).to_contain_text("plan")


async def test_a_student_enrolls_swaps_and_drops_in_place(base_url: str, page: Page, scripts: bool) -> None:
    await page.set_viewport_size({"width": 1280, "height": 300})
    await sign_in(page, base_url, ADA)
    url = f"{base_url}/courses/Fall?q=pyt"
    await page.goto(url)
    for button, message in (
        ("Enroll in PYT 101, section 01", "You’re enrolled in PYT 101 for Fall 2026."),
        ("Swap PYT 101 for this PYT 101, section 02", "you’re now enrolled in PYT 101, section 02"),
        ("Drop PYT 101", "You dropped PYT 101 for Fall 2026."),
    ):
        await _press(page, button, message)
        await expect(page.get_by_text(message)).to_be_in_viewport()
        await _expect_same_place(page, url, scripts)
        if scripts:
            await expect(page.locator(".section:focus")).to_be_in_viewport()  # not the button that is there now
            await expect(page.locator(".course-row")).to_have_attribute("open", "")
    if scripts:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.method))
        button = page.get_by_role("button", name="Enroll in PYT 101, section 01", include_hidden=True)
        await page.context.set_offline(True)
        await button.click()
        await expect(page.locator("#messages")).to_contain_text("We couldn’t reach the site.")
        await expect(page.locator(".section", has=button)).to_contain_text("We couldn’t reach the site.")
        await page.context.set_offline(False)
        await page.reload()
        requests.clear()
        await reveal(button)
        await button.dblclick()
        await expect(page.get_by_role("button", name="Drop PYT 101")).to_be_visible()
        assert requests.count("POST") == 1
        await page.set_viewport_size({"width": 1440, "height": 900})  # with the week beside the catalog
        await expect(page.locator("#side-week .is-enrolled").first).to_be_visible()
        await page.locator(".section", has_text="Section 02").hover()
        await expect(page.locator("#side-week .candidate").first).to_be_visible()
        await expect(page.locator("#side-week .candidate.clashes")).to_have_count(0)  # it would replace section 01
        await _expect_outcome_to_give_way(page)
        await _expect_page_elsewhere(page, requests)


async def _expect_outcome_to_give_way(page: Page) -> None:
    """Expect Escape to take the outcome away, but not what a live update has added."""
    await page.evaluate("document.getElementById('messages').append('A seat opened')")
    await page.keyboard.press("Escape")
    await expect(page.locator("#messages")).to_have_text("A seat opened")


async def _lead_to_schedule(route: Route) -> None:
    response = await route.fetch(max_redirects=0)
    await route.fulfill(response=response, headers={**response.headers, "location": "/enrollment"})


async def _expect_page_elsewhere(page: Page, requests: list[str]) -> None:
    """Expect the page to which a button leads if it lacks the button's part, and its message, after one request."""
    await page.route("**/enrollment/drop*", _lead_to_schedule)
    requests.clear()
    await page.get_by_role("button", name="Drop PYT 101").click()
    await expect(page.locator("#messages")).to_have_text("You dropped PYT 101 for Fall 2026.")
    await expect(page).to_have_url(re.compile("/enrollment"))
    assert requests.count("POST") == 1
    await page.go_back()
    await expect(page.get_by_role("button", name="Enroll in PYT 101, section 01", include_hidden=True)).to_be_attached()


async def test_a_refusal_is_beside_its_button(base_url: str, db: Database, page: Page, scripts: bool) -> None:
    await sign_in(page, base_url, ADA)
    await page.add_init_script("Object.defineProperty(document, 'hidden', { value: true })")  # without live updates
    await page.goto(f"{base_url}/course/1111?term=Fall")
    await db.section.update_one(
        {"courseID": "1111", "section": "02"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}}
    )
    await wait_until_catalog_is_current(db, base_url)
    await _press(page, "Enroll in PYT 101, section 02", "PYT 101, section 02, is full.")
    await _expect_same_place(page, f"{base_url}/course/1111?term=Fall", scripts)
    row = page.locator(".section", has_text="Section 02")
    await expect(row).to_contain_text("Join waitlist")
    if scripts:
        await expect(row).to_contain_text("PYT 101, section 02, is full.")


async def test_a_student_joins_a_waitlist_and_leaves_it(base_url: str, page: Page, scripts: bool) -> None:
    await sign_in(page, base_url, ADA)
    url = f"{base_url}/course/3333?term=Fall"
    await page.goto(url)
    await _press(
        page, "Join waitlist for PHP 202, section 01", "You’re on the waitlist for PHP 202, section 01: 1 of 1."
    )
    await _expect_same_place(page, url, scripts)
    await page.get_by_role("button", name="Leave waitlist for PHP 202").click()
    await _press(page, "Leave waitlist", "You left the waitlist for PHP 202.")
    await _expect_same_place(page, url, scripts=False)


async def test_a_student_sets_an_alert_and_removes_it(base_url: str, page: Page, scripts: bool) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await _press(page, "Notify me if a seat opens in PHP 202, section 01", "We’ll notify you when a seat in PHP 202")
    await _expect_same_place(page, f"{base_url}/courses/Fall", scripts)
    await _press(page, "Remove alert for PHP 202, section 01", "Alert removed for PHP 202, section 01.")


async def test_a_student_plans_a_section_and_enrolls_in_the_plan(base_url: str, page: Page, scripts: bool) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await _press(page, "Add to plan : PYT 101, section 02", "Added to your plan for Fall 2026: PYT 101, section 02.")
    await _expect_same_place(page, f"{base_url}/courses/Fall", scripts)
    await page.goto(f"{base_url}/plan")
    await press(page, "Any other section if section 02 isn’t available: PYT 101")
    await expect(page.get_by_role("button", name="Skip the course")).to_be_visible()  # the details are still open
    await _press(page, "Enroll in this course", "You’re enrolled in PYT 101 for Fall 2026.")
    await expect(page.get_by_text("Your plan for Fall 2026 is empty.")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("#messages")).to_contain_text("signed out")
