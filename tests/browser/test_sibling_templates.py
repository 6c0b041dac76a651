"""A school that moves from a sibling site, built from the same tutorial: other names in templates, old passwords."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from werkzeug.security import generate_password_hash

from quart_enroll.db.client import open_database
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from tests.support import legacy_flask
from tests.support.people import PASSWORD, PASSWORD_METHOD
from tests.support.processes import fresh_database, server

TEMPLATES = Path(__file__).parents[1] / "support/sibling_templates"
EMAIL, SHORT = "eve@school.local", "tulip"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def moved(mongod: str, chromium_path: str) -> AsyncIterator[str]:
    """The URI of a sibling site's database after `upgrade-db`; eve has an old password and an unusual email."""
    eve = {"user_id": 12, "first_name": "Eve", "last_name": "Example", "email": EMAIL}
    with fresh_database(mongod) as uri:
        async with open_database(uri, 20) as db:
            await legacy_flask.fill(db)
            await db.user.insert_one({**eve, "password": generate_password_hash(SHORT, "pbkdf2:sha256:1000")})
            await upgrade(db, datetime.now(UTC), UpgradeDefaults())
        yield uri


@pytest.fixture(scope="module")
def site_url(moved: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the site with the sibling site's templates."""
    settings = {"MONGO_URI": moved, "TEMPLATE_OVERRIDES": TEMPLATES, "PASSWORD_METHOD": PASSWORD_METHOD}
    with server(tmp_path_factory.mktemp("moved") / "log", **settings) as site:
        yield f"http://127.0.0.1:{site.port}"


async def sign_in(page: Page, email: str, password: str) -> None:
    await page.get_by_role("link", name="Sign me in").click()
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_label("Remember me").check()
    await page.locator("input[type=submit]").click()


async def test_a_new_student_registers_enrolls_drops_and_leaves(site_url: str, page: Page) -> None:
    await page.goto(site_url)
    await page.get_by_role("navigation").get_by_role("link", name="Join").click()
    await page.get_by_label("Email").fill("zoe@school.example")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm password").fill("something else")
    await page.get_by_label("First name").fill("Zoe")
    await page.get_by_label("Last name").fill("Adler")
    await page.locator("input[type=submit]").click()
    await expect(page.get_by_text("Passwords don’t match.")).to_be_visible()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm password").fill(PASSWORD)
    await page.locator("input[type=submit]").click()
    await expect(page.get_by_text("Hi Zoe, you are number 13 (zoe@school.example).")).to_be_visible()

    await page.get_by_role("link", name="Course list").click()
    await page.get_by_role("button", name="Enroll in PYT 101").click()
    await expect(page).to_have_url(f"{site_url}/enrollment")
    await expect(page.get_by_role("row", name="1111 PYT 101 Introduction to Python 3")).to_be_visible()

    await page.get_by_role("button", name="Drop PYT 101").click()
    await expect(page.get_by_text("You are not enrolled in anything.")).to_be_visible()

    await page.get_by_role("link", name="Leave").click()
    await expect(page).to_have_url(f"{site_url}/")
    await expect(page.get_by_role("link", name="Sign me in")).to_be_visible()


async def test_an_old_short_password_signs_in_after_a_wrong_one(site_url: str, page: Page) -> None:
    await page.goto(site_url)
    await sign_in(page, EMAIL, "roses")
    await expect(page.locator(".flash")).to_contain_text("Incorrect email or password.")
    await sign_in(page, EMAIL, SHORT)
    await expect(page.get_by_text(f"Hi Eve, you are number 12 ({EMAIL}).")).to_be_visible()
    await page.get_by_role("link", name="Change password").click()
    await expect(page).to_have_url(f"{site_url}/account/password")
    await expect(page.get_by_role("link", name="Leave")).to_be_visible()
