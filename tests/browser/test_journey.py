"""What students do on the site, in a real browser."""

import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, expect

from quart_enroll.db.client import Database
from quart_enroll.domain.models import SectionRequest, Term
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.student import press, register, reveal, sign_in, wait_until_catalog_is_current
from tests.support.people import ADA, BOB, PASSWORD, RITA, offer_course

A4_WIDTH_PX = 794
"""The width of an A4 page in pixels."""


async def _open_schedule_with(page: Page, base_url: str, *buttons: str) -> None:
    """Open the schedule after pressing these buttons in the catalog."""
    for name in buttons:
        await page.goto(f"{base_url}/courses/Fall")
        await press(page, name)
        await expect(page.locator("#messages")).not_to_be_empty()
    await page.goto(f"{base_url}/enrollment")


async def test_a_waitlisted_student_gets_the_dropped_seat(base_url: str, db: Database, page: Page) -> None:
    await register(page, base_url)
    await page.goto(f"{base_url}/courses/Fall")
    await press(page, "Join waitlist for PHP 202")
    await expect(page.get_by_text("You’re on the waitlist for PHP 202, section 01: 1 of 1.")).to_be_visible()

    await enroll.drop(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), datetime.now(UTC))
    await expect(page.locator("#messages")).to_contain_text("A seat opened: you’re now enrolled in PHP 202")
    await page.goto(f"{base_url}/enrollment")
    await expect(page.get_by_role("row", name="PHP 202")).to_be_visible()


async def test_an_open_schedule_shows_a_promotion_without_a_reload(base_url: str, db: Database, page: Page) -> None:
    await register(page, base_url)
    await _open_schedule_with(page, base_url, "Join waitlist for PHP 202")
    await expect(page.get_by_text("Waitlisted, 1 of 1")).to_be_visible()

    await enroll.drop(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), datetime.now(UTC))
    await expect(page.get_by_role("row", name="PHP 202")).to_be_visible()
    await expect(page.get_by_role("status")).to_contain_text("A seat opened: you’re now enrolled in PHP 202")
    await expect(page.get_by_text("Waiting,")).to_have_count(0)


async def test_swapping_for_another_section_and_waiting_to_swap_for_another_course(base_url: str, page: Page) -> None:
    await register(page, base_url)
    await page.goto(f"{base_url}/courses/Fall")
    await press(page, "Enroll in PYT 101, section 01")
    await press(page, "Swap PYT 101 for this PYT 101, section 02")
    await expect(page.get_by_text("you’re now enrolled in PYT 101, section 02")).to_be_visible()
    await page.goto(f"{base_url}/enrollment")
    await expect(page.get_by_role("row", name="1111-02")).to_be_visible()

    await page.goto(f"{base_url}/courses/Fall")
    await press(page, "All about PHP 202", "link")
    await reveal(page.get_by_label("If I get a seat, drop"))
    await page.get_by_label("If I get a seat, drop").select_option("PYT 101")
    await press(page, "Join waitlist to swap for PHP 202")
    await expect(page.get_by_text("You’re on the waitlist for PHP 202")).to_be_visible()
    await page.goto(f"{base_url}/enrollment")
    await expect(page.get_by_text("Replaces PYT 101 if you get a seat")).to_be_visible()


async def test_the_chosen_section_is_still_chosen_after_signing_in(base_url: str, page: Page) -> None:
    await page.goto(f"{base_url}/courses/Fall")
    await press(page, "Enroll in PYT 101, section 02", "link")
    await page.get_by_label("Email").fill(ADA.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Course number")).to_have_value("1111")
    await expect(page.get_by_label("Section")).to_have_value("02")
    await page.get_by_role("button", name="Enroll", exact=True).click()
    await expect(page.get_by_text("You’re enrolled in PYT 101")).to_be_visible()


async def test_changing_the_password_and_deleting_the_account(base_url: str, page: Page) -> None:
    await register(page, base_url)
    await page.get_by_role("link", name="Account").click()
    await expect(page.get_by_role("listitem").filter(has_text="Chrome on Linux")).to_contain_text("This browser")
    await page.get_by_role("link", name="Change password").click()
    await page.get_by_label("Current password").fill(PASSWORD)
    await page.get_by_label("New password").fill("password1")
    await page.get_by_label("Confirm password").fill("password1")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await page.get_by_label("Current password").fill(PASSWORD)
    await page.get_by_label("New password").fill("a newer horse battery")
    await page.get_by_label("Confirm password").fill("a newer horse battery")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("Your password has been changed.")).to_be_visible()

    await page.get_by_role("link", name="Delete my account").click()
    await page.get_by_label("Password").fill("a newer horse battery")
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.get_by_text("Your account has been deleted")).to_be_visible()
    await expect(page.get_by_role("navigation").get_by_role("link", name="Sign in")).to_be_visible()


async def test_the_dark_theme_stays_chosen_on_the_next_page(base_url: str, page: Page) -> None:
    await page.goto(base_url)
    await page.get_by_role("button", name="Dark").click()
    await page.goto(f"{base_url}/courses/")
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


CUT_OFF_TEXTS = """() => [...document.querySelectorAll('.box-text')]
  .filter(box => box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth).map(box => box.innerText)"""
"""Returns the texts of the week's boxes that are cut off."""


@pytest.mark.parametrize("width", [1100, 1440])
async def test_the_week_is_drawn_to_scale(base_url: str, page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await register(page, base_url)
    # 50 minutes from nine, 75 from noon
    await _open_schedule_with(page, base_url, "Enroll in PYT 101, section 01", "Join waitlist for PHP 202")
    await expect(page.get_by_role("heading", name="Your week")).to_be_visible()
    boxes = [await box.bounding_box() for box in await page.locator(".box > rect").all()]
    assert None not in boxes
    first, waiting, *_ = [box for box in boxes if box]
    assert len(boxes) == 5
    assert waiting["x"] > first["x"] + first["width"] - 1
    assert (waiting["y"] - first["y"]) / waiting["height"] == pytest.approx(180 / 75, rel=0.02)
    assert first["height"] / waiting["height"] == pytest.approx(50 / 75, rel=0.02)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(page.locator(".box.is-waiting").first).to_contain_text("waitlisted")
    assert await page.evaluate(CUT_OFF_TEXTS) == []

    await page.emulate_media(media="print", color_scheme="dark")
    fill = "getComputedStyle(document.querySelector('.is-enrolled > rect')).fill.match(/\\d+/g).map(Number)"
    assert min(await page.evaluate(fill)) > 200  # paper is white, whatever the screen shows
    await expect(page.locator(".box").first).to_be_visible()
    assert await page.evaluate(CUT_OFF_TEXTS) == []
    for hidden in (page.get_by_role("banner"), page.get_by_role("contentinfo"), page.get_by_role("button")):
        assert not any([await one.is_visible() for one in await hidden.all()])


LINK_STYLE = """link => [getComputedStyle(link).textDecorationLine,
  getComputedStyle(link).color === getComputedStyle(document.body).color]"""
"""How a link is underlined, and whether it has the color of text."""


async def test_courses_on_the_schedule_look_like_links_except_on_paper(base_url: str, page: Page) -> None:
    await register(page, base_url)
    await _open_schedule_with(page, base_url, "Enroll in PYT 101, section 01")
    for place in (".listing th a", ".box-text a", ".week-days a"):
        link = page.locator(place).first
        for media, style in (("screen", ["underline", False]), ("print", ["none", True])):
            await page.emulate_media(media=media)
            assert await link.evaluate(LINK_STYLE) == style, (place, media)


async def test_a_printed_schedule_has_the_term_on_the_screen_and_no_empty_page(
    base_url: str, db: Database, page: Page, school_terms: list[Term]
) -> None:
    await enroll.enroll(EnrollmentContext(db), BOB.user_id, SectionRequest("2222"), school_terms[1].opens_at)
    long_ago = dict.fromkeys(
        ("opens_at", "add_deadline", "drop_deadline", "withdraw_deadline"), datetime(2020, 5, 1, tzinfo=UTC)
    )
    await db.term.update_one({"season": "Fall"}, {"$set": long_ago})
    await wait_until_catalog_is_current(db, base_url)
    await sign_in(page, base_url, BOB)
    await page.set_viewport_size({"width": A4_WIDTH_PX, "height": 600})
    await page.goto(f"{base_url}/enrollment")
    fall, spring = (page.get_by_role("heading", name=name) for name in ("Fall 2026", "Spring 2027"))
    tab = page.get_by_role("navigation", name="Terms").get_by_role("link", name="Fall 2026")
    assert [await one.is_visible() for one in (tab, fall, spring)] == [True, False, True]
    await page.emulate_media(media="print")
    assert [await one.is_visible() for one in (tab, fall, spring)] == [False, False, True]
    bottom = await page.locator(".term").evaluate("term => Math.ceil(term.getBoundingClientRect().bottom)")
    printed = await page.pdf(width=f"{A4_WIDTH_PX}px", height=f"{bottom + 1}px")
    assert len(re.findall(rb"/Type /Page\b", printed)) == 1

    await enroll.drop(EnrollmentContext(db), BOB.user_id, SectionRequest("2222"), school_terms[1].opens_at)
    await wait_until_catalog_is_current(db, base_url)
    await page.reload()
    await expect(fall).to_be_visible()  # there is nothing else


async def test_on_a_phone_the_week_is_a_list_of_its_days(base_url: str, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await register(page, base_url)
    await _open_schedule_with(page, base_url, "Enroll in PYT 101, section 01")
    week = page.get_by_role("region", name="Your week")
    await expect(page.locator(".week-picture")).to_be_hidden()
    await expect(week.get_by_role("heading", level=4)).to_have_text(["Mon", "Wed", "Fri"])
    await expect(week.locator("ul li").first).to_have_text("9:00–9:50 AM 1111 PYT 101 Hall 12", use_inner_text=False)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await week.get_by_role("link", name="PYT 101").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("PYT 101 · Introduction to Python Fall 2026")


async def test_the_header_is_in_the_same_place_on_every_page(base_url: str, page: Page) -> None:
    await page.set_viewport_size({"width": 1280, "height": 800})
    await register(page, base_url)
    await _open_schedule_with(page, base_url, "Enroll in PYT 101, section 01")
    places = set()
    for path in ("/enrollment", "/", "/courses/Fall", "/plan", "/account"):
        await page.goto(base_url + path)
        place = await page.get_by_role("link", name="Quart Enroll").bounding_box()
        places.add(place and (place["x"], place["y"]))
    assert len(places) == 1


PLACEHOLDER = """box => {
  const text = document.createElement("canvas").getContext("2d"), of = getComputedStyle(box)
  text.font = `${getComputedStyle(box, "::placeholder").fontSize} ${of.fontFamily}`
  return text.measureText(box.placeholder).width <= box.clientWidth - 2 * parseFloat(of.paddingLeft)
}"""


async def test_the_search_placeholder_fits_on_a_phone(base_url: str, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.goto(f"{base_url}/courses/Fall")
    assert await page.get_by_role("searchbox").evaluate(PLACEHOLDER)


async def test_the_registrar_finds_a_student_while_typing(base_url: str, page: Page) -> None:
    await sign_in(page, base_url, RITA)
    await page.get_by_role("link", name="Staff").click()
    await page.get_by_role("link", name="Students", exact=True).first.click()
    await expect(page.get_by_text("2 students")).to_be_visible()
    await page.get_by_role("searchbox").press_sequentially("okaf")
    await expect(page.locator("#found")).to_contain_text("1 student")
    await expect(page.get_by_role("row")).to_have_count(2)  # the header and one student
    await expect(page).to_have_url(f"{base_url}/staff/students?q=okaf")


@pytest.mark.parametrize(("extra_courses", "has_picture"), [(1, True), (2, False)])
async def test_courses_at_the_same_time_are_all_readable(
    base_url: str, page: Page, db: Database, extra_courses: int, has_picture: bool
) -> None:
    """Two courses are side by side; with more of them, or on paper, the week is a list of days."""
    await page.set_viewport_size({"width": 1100, "height": 800})
    await register(page, base_url)
    for number in range(extra_courses):
        await offer_course(db, f"B10{number}", f"BIO 10{number}")
    await wait_until_catalog_is_current(db, base_url)
    courses = ("PYT 101", *(f"BIO 10{number}" for number in range(extra_courses)))
    await _open_schedule_with(page, base_url, *(f"Enroll in {course}, section 01" for course in courses))
    at_one_time = [{"days": "MWFSU", "start": "09:00", "end": "09:50"}]
    moved = {"meetings": at_one_time, "room": "Kollwitz House 206"}
    await db.section.update_many({"courseID": {"$regex": "^B10"}}, {"$set": moved})
    await wait_until_catalog_is_current(db, base_url)
    await page.goto(f"{base_url}/enrollment")
    picture, days = page.locator(".week-picture"), page.locator(".week-days")
    assert [await one.is_visible() for one in (picture, days)] == [has_picture, not has_picture]
    assert await page.evaluate(CUT_OFF_TEXTS) == []
    await page.emulate_media(media="print")
    assert [await one.is_visible() for one in (picture, days)] == [False, True]
