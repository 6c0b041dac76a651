"""Schools that moved from a Flask site or its sibling, with their old database, templates and passwords."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from werkzeug.security import generate_password_hash

from quart_enroll.db.client import Document, open_database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.models import Section
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from tests.browser.student import fill_registration_form
from tests.support import legacy_flask
from tests.support.people import PASSWORD, PASSWORD_METHOD
from tests.support.processes import fresh_database, server

SUPPORT_FOLDER = Path(__file__).parents[1] / "support"
SHORT_PASSWORD = "tulip"
EVE = {"user_id": 12, "first_name": "Eve", "last_name": "Example", "email": "eve@school.local"}
"""A user of the sibling site whose password is too short and whose email is unusual."""


@asynccontextmanager
async def upgraded_database(mongod: str, *further_users: Document) -> AsyncIterator[str]:
    """Yield the URI of a Flask site's database after `upgrade-db`."""
    with fresh_database(mongod) as uri:
        async with open_database(uri, 20) as db:
            await legacy_flask.fill(db)
            for user in further_users:
                await db.user.insert_one(user)
            await upgrade(db, datetime.now(UTC), UpgradeDefaults())
        yield uri


@contextmanager
def site_with_templates(folder: str, uri: str, log: Path) -> Iterator[str]:
    """Serve the site with the school's templates, and yield its URL."""
    templates = SUPPORT_FOLDER / folder
    with server(log, MONGO_URI=uri, TEMPLATE_OVERRIDES=templates, PASSWORD_METHOD=PASSWORD_METHOD) as site:
        yield f"http://127.0.0.1:{site.port}"


async def sign_in(page: Page, email: str, password: str) -> None:
    """Fill in the open sign-in form and submit it."""
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_label("Remember me").check()
    await page.locator("input[type=submit]").click()


# The Flask site


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def flask_database(mongod: str, chromium_path: str) -> AsyncIterator[str]:
    async with upgraded_database(mongod) as uri:
        yield uri


@pytest.fixture(scope="module")
def flask_url(flask_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with site_with_templates("flask_templates", flask_database, tmp_path_factory.mktemp("flask") / "log") as url:
        yield url


async def test_a_new_student_registers_enrolls_and_signs_out(flask_url: str, page: Page) -> None:
    await page.goto(flask_url)
    await page.get_by_role("button", name="Become a student").click()
    await fill_registration_form(page)
    await page.locator("input[type=submit]").click()
    await expect(page.get_by_text("Good to see you, Zoe")).to_be_visible()
    await expect(page.get_by_text("Student number 10")).to_be_visible()

    await page.get_by_role("link", name="Classes").click()
    await page.get_by_role("button", name="Take PYT 101").click()
    await expect(page).to_have_url(f"{flask_url}/enrollment?term=Fall+2026")
    await expect(page.get_by_role("row", name="1111 PYT 101: Introduction to Python 3")).to_be_visible()

    await page.get_by_role("link", name="Log Out").click()
    await expect(page).to_have_url(f"{flask_url}/")
    await expect(page.get_by_role("link", name="Login")).to_be_visible()


async def test_the_button_on_the_page_of_a_term_enrolls_in_that_term(
    flask_url: str, flask_database: str, page: Page
) -> None:
    """The Flask site's button sends "Fall, Spring", or no term; the Referer header names the page and its term."""
    async with open_database(flask_database, 20) as db:
        [first, second] = await terms.find_all(db)
        winter = replace(second, term="Winter 2026/27", opens_at=first.opens_at - timedelta(days=1))
        await terms.put_all(db, [winter])
        await sections.put_all(db, [Section(winter.term, "6666", "01", 9), Section(winter.term, "2222", "01", 9)])
    await page.goto(f"{flask_url}/register")
    await fill_registration_form(page, "Yan")
    await page.locator("input[type=submit]").click()
    for term, title in ((second.term, "PYT 101"), (winter.term, "LAB 110")):
        await page.goto(f"{flask_url}/courses/{quote(term, safe='')}")
        await page.get_by_role("button", name=f"Take {title}").click()
        await expect(page.get_by_text(f"You’re enrolled in {title} for {term}.")).to_be_visible()


async def test_a_student_of_the_flask_site_signs_in_and_still_has_both_seats(flask_url: str, page: Page) -> None:
    await page.goto(f"{flask_url}/enrollment")
    await sign_in(page, "ada@school.example", legacy_flask.PASSWORD)
    await expect(page).to_have_url(f"{flask_url}/enrollment")
    await expect(page.locator("tr[id^=class-]")).to_have_count(2)


# The sibling site, whose templates use other names


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sibling_database(mongod: str, chromium_path: str) -> AsyncIterator[str]:
    password = generate_password_hash(SHORT_PASSWORD, "pbkdf2:sha256:1000")
    async with upgraded_database(mongod, {**EVE, "password": password}) as uri:
        yield uri


@pytest.fixture(scope="module")
def sibling_url(sibling_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with site_with_templates("sibling_templates", sibling_database, tmp_path_factory.mktemp("sibling") / "log") as url:
        yield url


async def test_a_new_student_registers_enrolls_drops_and_signs_out(sibling_url: str, page: Page) -> None:
    await page.goto(sibling_url)
    await page.get_by_role("navigation").get_by_role("link", name="Join").click()
    await fill_registration_form(page, repeated_password="something else")
    await page.locator("input[type=submit]").click()
    await expect(page.get_by_text("Passwords don’t match.")).to_be_visible()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm password").fill(PASSWORD)
    await page.locator("input[type=submit]").click()
    await expect(page.get_by_text("Hi Zoe, you are number 13 (zoe@school.example).")).to_be_visible()

    await page.get_by_role("link", name="Course list").click()
    await page.get_by_role("button", name="Enroll in PYT 101").click()
    await expect(page).to_have_url(f"{sibling_url}/enrollment?term=Fall+2026")
    await expect(page.get_by_role("row", name="1111 PYT 101 Introduction to Python 3")).to_be_visible()

    await page.get_by_role("button", name="Drop PYT 101").click()
    await expect(page.get_by_text("You are not enrolled in anything.")).to_be_visible()

    await page.get_by_role("link", name="Leave").click()
    await expect(page).to_have_url(f"{sibling_url}/")
    await expect(page.get_by_role("link", name="Sign me in")).to_be_visible()


async def test_an_old_short_password_signs_in_after_a_wrong_one(sibling_url: str, page: Page) -> None:
    await page.goto(sibling_url)
    await page.get_by_role("link", name="Sign me in").click()
    await sign_in(page, str(EVE["email"]), "roses")
    await expect(page.locator(".flash")).to_contain_text("Incorrect email or password.")
    await page.get_by_role("link", name="Sign me in").click()
    await sign_in(page, str(EVE["email"]), SHORT_PASSWORD)
    await expect(page.get_by_text(f"Hi Eve, you are number 12 ({EVE['email']}).")).to_be_visible()
    await page.get_by_role("link", name="Change password").click()
    await expect(page).to_have_url(f"{sibling_url}/account/password")
    await expect(page.get_by_role("link", name="Leave")).to_be_visible()
