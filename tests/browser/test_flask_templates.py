"""A school that moves from the Flask site, with its database and its templates, in a browser."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from quart_enroll.db.client import open_database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.models import Section
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from tests.support import legacy_flask
from tests.support.people import PASSWORD, PASSWORD_METHOD
from tests.support.processes import fresh_database, server

TEMPLATES = Path(__file__).parents[1] / "support/flask_templates"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def moved(mongod: str, chromium_path: str) -> AsyncIterator[str]:
    """The URI of a Flask site's database after `upgrade-db`."""
    with fresh_database(mongod) as uri:
        async with open_database(uri, 20) as db:
            await legacy_flask.fill(db)
            await upgrade(db, datetime.now(UTC), UpgradeDefaults())
        yield uri


@pytest.fixture(scope="module")
def site_url(moved: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the site with the school's templates."""
    settings = {"MONGO_URI": moved, "TEMPLATE_OVERRIDES": TEMPLATES, "PASSWORD_METHOD": PASSWORD_METHOD}
    with server(tmp_path_factory.mktemp("moved") / "log", **settings) as site:
        yield f"http://127.0.0.1:{site.port}"


async def test_a_new_student_registers_enrolls_and_leaves(site_url: str, page: Page) -> None:
    await page.goto(site_url)
    await page.get_by_role("button", name="Become a student").click()
    await page.get_by_label("Email").fill("zoe@school.example")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm password").fill(PASSWORD)
    await page.get_by_label("First name").fill("Zoe")
    await page.get_by_label("Last name").fill("Adler")
    await page.locator("input[type=submit]").click()
    await expect(page.get_by_text("Good to see you, Zoe")).to_be_visible()
    await expect(page.get_by_text("Student number 10")).to_be_visible()

    await page.get_by_role("link", name="Classes").click()
    await page.get_by_role("button", name="Take PYT 101").click()
    await expect(page).to_have_url(f"{site_url}/enrollment")
    await expect(page.get_by_role("row", name="1111 PYT 101: Introduction to Python 3")).to_be_visible()

    await page.get_by_role("link", name="Log Out").click()
    await expect(page).to_have_url(f"{site_url}/")
    await expect(page.get_by_role("link", name="Login")).to_be_visible()


async def test_the_button_on_the_page_of_a_term_enrolls_in_that_term(site_url: str, moved: str, page: Page) -> None:
    """The Flask site's button sends "Fall, Spring", or no term: the browser says on which page it was pressed."""
    async with open_database(moved, 20) as db:
        [first, second] = await terms.find_all(db)
        own = replace(second, term="Winter 2026/27", opens_at=first.opens_at - timedelta(days=1))
        await terms.put_all(db, [own])
        await sections.put_all(db, [Section(own.term, "6666", "01", 9), Section(own.term, "2222", "01", 9)])
    await page.goto(f"{site_url}/register")
    await page.get_by_label("Email").fill("yan@school.example")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm password").fill(PASSWORD)
    await page.get_by_label("First name").fill("Yan")
    await page.get_by_label("Last name").fill("Berg")
    await page.locator("input[type=submit]").click()
    for term, title in ((second.term, "PYT 101"), (own.term, "LAB 110")):
        await page.goto(f"{site_url}/courses/{quote(term, safe='')}")
        await page.get_by_role("button", name=f"Take {title}").click()
        await expect(page.get_by_text(f"You’re enrolled in {title} for {term}.")).to_be_visible()


async def test_a_student_of_the_flask_site_signs_in_and_still_has_both_seats(site_url: str, page: Page) -> None:
    await page.goto(f"{site_url}/enrollment")
    await page.get_by_label("Email").fill("ada@school.example")
    await page.get_by_label("Password").fill(legacy_flask.PASSWORD)
    await page.get_by_label("Remember me").check()
    await page.locator("input[type=submit]").click()
    await expect(page).to_have_url(f"{site_url}/enrollment")
    await expect(page.locator("tr[id^=class-]")).to_have_count(2)
