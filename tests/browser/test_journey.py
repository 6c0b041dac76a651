"""The whole way of a student, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.local import quart, server
from tests.people import METHOD, PASSWORD


@pytest.fixture
def database(fresh_uri: str) -> str:
    """The address of a database as the first `make run` makes it."""
    for command in ("upgrade-db", "seed"):
        done = quart(command, MONGO_URI=fresh_uri)
        assert done.returncode == 0, done.stderr
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
    await page.get_by_role("button", name="Enroll in PYT 101").click()
    await expect(page).to_have_url(f"{address}/enrollment")
    await expect(page.get_by_role("row", name="PYT 101")).to_be_visible()


async def test_a_course_wanted_before_signing_in_is_not_forgotten(address: str, page: Page) -> None:
    await page.goto(f"{address}/courses/")
    await page.get_by_role("link", name="Enroll in ANG 101").click()
    await page.get_by_role("button", name="Enroll").click()
    await page.get_by_label("Email").fill("ada@school.example")
    await page.get_by_label("Password").fill("enroll-2026")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Course number")).to_have_value("4444")
    await page.get_by_role("button", name="Enroll").click()
    await expect(page.get_by_text("You are enrolled in ANG 101")).to_be_visible()


async def test_the_visitor_chooses_dark_and_it_stays(address: str, page: Page) -> None:
    await page.goto(address)
    await page.get_by_role("button", name="Dark").click()
    await page.goto(f"{address}/courses/")
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(address: str, page: Page, width: int, theme: str) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for path in ("/", "/courses/", "/login", "/register", "/enrollment/form?courseID=0", "/courses/Never"):
        await _assert_accessible(page, address + path)
    await _register(page, address)
    await page.goto(f"{address}/courses/")
    await page.get_by_role("button", name="Enroll in PYT 101").click()
    for path in ("/", "/courses/", "/enrollment", "/user"):
        await _assert_accessible(page, address + path)


async def _assert_accessible(page: Page, url: str) -> None:
    await page.goto(url)
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
