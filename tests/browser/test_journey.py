"""The whole way of a student, in a real browser."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from quart_enroll.models import Wish
from quart_enroll.mongo import open_database
from quart_enroll.services import enrollment
from tests import school
from tests.local import server
from tests.people import ADA, BOB, FALL, METHOD, PASSWORD, SPRING


@pytest.fixture
async def database(fresh_uri: str) -> str:
    """The address of a small school's database, open since yesterday; bob has the only seat in PHP 202."""
    now = datetime.now(UTC)
    later, end = now + timedelta(days=30), now + timedelta(days=90)
    fall = replace(
        FALL, opens_at=now - timedelta(days=1), add_deadline=later, drop_deadline=later, withdraw_deadline=later
    )
    spring = replace(SPRING, opens_at=later, add_deadline=end, drop_deadline=end, withdraw_deadline=end)
    async with open_database(fresh_uri, 20) as db:
        await school.build(db)
        await school.fill(db, [fall, spring])
        await enrollment.enroll(db, BOB.user_id, Wish("3333"), now)
    return fresh_uri


@pytest.fixture
def address(database: str, tmp_path: Path) -> Iterator[str]:
    with server(tmp_path / "log", MONGO_URI=database, PASSWORD_METHOD=METHOD) as site:
        yield f"http://127.0.0.1:{site.port}"


async def _register(page: Page, address: str) -> None:
    await page.goto(f"{address}/register")
    await page.get_by_label("Email").fill("zoe@school.example")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm Password").fill(PASSWORD)
    await page.get_by_label("First Name").fill("Zoe")
    await page.get_by_label("Last Name").fill("Adler")
    await page.get_by_role("button", name="Make account").click()
    await expect(page.get_by_role("status")).to_contain_text("Welcome, Zoe")


async def test_register_sign_out_sign_in_enroll_and_see_the_schedule(address: str, page: Page) -> None:
    await _register(page, address)
    await page.get_by_role("button", name="Log Out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()

    await page.get_by_role("link", name="Login").click()
    await page.get_by_label("Email").fill("zoe@school.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("status")).to_contain_text("Hello, Zoe")

    await page.get_by_role("link", name="Classes", exact=True).click()
    await page.get_by_role("button", name="Enroll in PYT 101, section 01").click()
    await expect(page).to_have_url(f"{address}/enrollment")
    await expect(page.get_by_role("row", name="PYT 101")).to_be_visible()

    await page.get_by_role("button", name="Drop PYT 101").click()
    await expect(page.get_by_text("You gave back PYT 101 for Fall 2026.")).to_be_visible()
    await expect(page.get_by_text("You have no courses yet")).to_be_visible()


async def test_wait_in_line_and_get_the_seat_that_comes(address: str, database: str, page: Page) -> None:
    await _register(page, address)
    await page.goto(f"{address}/courses/Fall")
    await page.get_by_role("button", name="Join waitlist of PHP 202").click()
    await expect(page.get_by_text("You are waiting for a seat in PHP 202, section 01: 1 of 1.")).to_be_visible()

    async with open_database(database, 20) as db:
        await enrollment.drop(db, BOB.user_id, Wish("3333"), datetime.now(UTC))
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("A seat became free: you are now enrolled in PHP 202")
    await expect(page.get_by_role("row", name="PHP 202")).to_be_visible()


async def test_swap_for_another_section_and_for_another_course(address: str, page: Page) -> None:
    await _register(page, address)
    await page.goto(f"{address}/courses/Fall")
    await page.get_by_role("button", name="Enroll in PYT 101, section 01").click()
    await page.goto(f"{address}/courses/Fall")
    await page.get_by_role("button", name="Swap PYT 101 for this PYT 101, section 02").click()
    await expect(page.get_by_role("row", name="1111-02")).to_be_visible()

    await page.goto(f"{address}/courses/Fall")
    await page.get_by_role("link", name="PHP 202").click()
    await page.get_by_label("When a seat comes, give back").select_option("PYT 101")
    await page.get_by_role("button", name="Wait and swap for PHP 202").click()
    await expect(page.get_by_text("In place of PYT 101, when a seat comes")).to_be_visible()


async def test_a_course_wanted_before_signing_in_is_not_forgotten(address: str, page: Page) -> None:
    await page.goto(f"{address}/courses/Fall")
    await page.get_by_role("link", name="Enroll in PYT 101, section 02").click()
    await page.get_by_role("button", name="Enroll", exact=True).click()
    await page.get_by_label("Email").fill(ADA.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Course number")).to_have_value("1111")
    await expect(page.get_by_label("Section")).to_have_value("02")
    await page.get_by_role("button", name="Enroll", exact=True).click()
    await expect(page.get_by_text("You are enrolled in PYT 101")).to_be_visible()


async def test_see_the_sign_in_choose_another_password_and_leave_for_good(address: str, page: Page) -> None:
    await _register(page, address)
    await page.get_by_role("link", name="Account").click()
    await expect(page.get_by_role("listitem").filter(has_text="Chrome on Linux")).to_contain_text("This browser")
    await page.get_by_role("link", name="Change password").click()
    await page.get_by_label("Your Password Now").fill(PASSWORD)
    await page.get_by_label("New Password").fill("password1")
    await page.get_by_label("Confirm Password").fill("password1")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await page.get_by_label("Your Password Now").fill(PASSWORD)
    await page.get_by_label("New Password").fill("a newer horse battery")
    await page.get_by_label("Confirm Password").fill("a newer horse battery")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("Your password is changed.")).to_be_visible()

    await page.get_by_role("link", name="Delete my account").click()
    await page.get_by_label("Password").fill("a newer horse battery")
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.get_by_text("Your account is deleted")).to_be_visible()
    await expect(page.get_by_role("link", name="Login")).to_be_visible()


async def test_the_visitor_chooses_dark_and_it_stays(address: str, page: Page) -> None:
    await page.goto(address)
    await page.get_by_role("button", name="Dark").click()
    await page.goto(f"{address}/courses/")
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.parametrize("width", [390, 1100, 1440])
async def test_the_week_is_drawn_as_the_times_say(address: str, page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await _register(page, address)
    for name in ("Enroll in PYT 101, section 01", "Join waitlist of PHP 202"):  # fifty minutes from nine, 75 from noon
        await page.goto(f"{address}/courses/Fall")
        await page.get_by_role("button", name=name).click()
    await expect(page.get_by_role("heading", name="Your week")).to_be_visible()
    boxes = [await box.bounding_box() for box in await page.locator(".box > rect").all()]
    assert None not in boxes
    first, waiting, *_ = [box for box in boxes if box]
    assert len(boxes) == 5
    assert waiting["x"] > first["x"] + first["width"] - 1
    assert (waiting["y"] - first["y"]) / waiting["height"] == pytest.approx(180 / 75, rel=0.02)
    assert first["height"] / waiting["height"] == pytest.approx(50 / 75, rel=0.02)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(page.locator(".is-waiting").first).to_contain_text("waiting")

    await page.emulate_media(media="print")
    await expect(page.locator(".box").first).to_be_visible()
    for hidden in (page.get_by_role("banner"), page.get_by_role("contentinfo"), page.get_by_role("button")):
        assert not any([await one.is_visible() for one in await hidden.all()])


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(address: str, page: Page, width: int, theme: str) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    pages = (
        "/",
        "/courses/",
        "/login",
        "/register",
        "/password/forgot",
        "/password/reset/no-link",
        "/api/v1/docs",
        "/help",
    )
    for path in (*pages, "/api/v1/docs", "/help", "/enrollment/form?courseID=0", "/courses/Never"):
        await _assert_accessible(page, address + path)
    await _register(page, address)
    for name in ("Enroll in PYT 101, section 01", "Join waitlist of PHP 202"):
        await page.goto(f"{address}/courses/Fall")
        await page.get_by_role("button", name=name).click()
    await page.goto(f"{address}/course/2222")
    await page.get_by_role("button", name="Add to plan").click()
    await expect(page.get_by_text("is in your plan")).to_be_visible()
    await page.goto(f"{address}/enrollment")
    await page.get_by_role("button", name="Make a secret address").click()
    await expect(page.get_by_label("The secret address of your calendar")).to_be_visible()
    await _assert_accessible(page)
    form = "/enrollment/form?courseID="
    pages = ("/", "/courses/Fall", "/enrollment", f"{form}1111", f"{form}3333", "/enrollment/history", "/user")
    for path in (*pages, "/account", "/account/password", "/account/delete"):
        await _assert_accessible(page, address + path)
    for path in ("/plan", "/plan?term=Fall", "/course/2222"):
        await _assert_accessible(page, address + path)
    await page.goto(f"{address}/account/tokens")
    await page.get_by_label("Name").fill("calendar")
    await page.get_by_role("button", name="Make token").click()
    await expect(page.get_by_text("qe_")).to_be_visible()
    assert (await Axe().run(page)).violations_count == 0
    await _assert_accessible(page, f"{address}/account/tokens")


async def _assert_accessible(page: Page, url: str = "") -> None:
    """Let axe look at the page at `url`, or at the one that is open."""
    if url:
        await page.goto(url)
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
