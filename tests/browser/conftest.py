"""One Chromium and one site for all tests here; each test starts with the small school as on its first day."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import ConsoleMessage, Page

from quart_enroll.db.client import Database, open_database
from quart_enroll.domain.models import SectionRequest, Term
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.chromium import HEADLESS_SHELL, NOT_FOUND, Chromium, find_chromium, running_chromium, time_limit
from tests.browser.student import wait_until_catalog_is_current
from tests.support import school
from tests.support.people import BOB, FALL, PASSWORD_METHOD, SPRING
from tests.support.processes import fresh_database, server


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Run these tests in the browser's event loop; skip each of them if there is no browser."""
    skipped = not find_chromium() and not os.environ.get("REQUIRE_BROWSER")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            if skipped:
                item.add_marker(pytest.mark.skip(NOT_FOUND))


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of Chromium; without it the tests fail if REQUIRE_BROWSER is set."""
    return find_chromium() or pytest.fail(NOT_FOUND)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(chromium_path: str) -> AsyncIterator[Chromium]:
    async with running_chromium(shutil.which(HEADLESS_SHELL) or chromium_path) as chromium:
        yield chromium


@pytest.fixture
def scripts() -> bool:
    """Whether the visitor's browser runs scripts."""
    return True


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Chromium, scripts: bool) -> AsyncIterator[Page]:
    """A visitor's page; an error in its scripts or a warning in its console fails the test."""
    page_errors: list[str] = []
    page = await chromium.new_page(java_script_enabled=scripts)
    page.on("pageerror", lambda error: page_errors.append(str(error)))
    page.on("console", lambda message: page_errors.append(message.text) if _is_error(message) else None)
    yield page
    async with time_limit("BrowserContext.close"):
        await page.context.close()
    assert page_errors == []


@pytest.fixture(scope="session")
def database(mongod: str, chromium_path: str) -> Iterator[str]:
    """The URI of the site's database."""
    with fresh_database(mongod) as uri:
        yield uri


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def empty_db(database: str) -> AsyncIterator[Database]:
    async with open_database(database, 20) as db:
        await school.build(db)
        yield db


@pytest.fixture(scope="session")
def site(empty_db: Database, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the running site."""
    with server(tmp_path_factory.mktemp("site") / "log", MONGO_URI=database, PASSWORD_METHOD=PASSWORD_METHOD) as site:
        yield f"http://127.0.0.1:{site.port}"


@pytest.fixture
def school_terms() -> list[Term]:
    """The terms: fall opened yesterday, spring opens in a month."""
    now = datetime.now(UTC)
    later, end = now + timedelta(days=30), now + timedelta(days=90)
    return [
        replace(
            FALL, opens_at=now - timedelta(days=1), add_deadline=later, drop_deadline=later, withdraw_deadline=later
        ),
        replace(SPRING, opens_at=later, add_deadline=end, drop_deadline=end, withdraw_deadline=end),
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def db(empty_db: Database, school_terms: list[Term]) -> Database:
    """The small school as on its first day; bob has the only seat in PHP 202, if fall is open."""
    await school.empty(empty_db)
    await school.fill(empty_db, school_terms)
    if school_terms[0].is_open(datetime.now(UTC)):
        await enroll.enroll(EnrollmentContext(empty_db), BOB.user_id, SectionRequest("3333"), datetime.now(UTC))
    return empty_db


@pytest_asyncio.fixture(loop_scope="session")
async def base_url(site: str, db: Database) -> str:
    """The URL of the site, once its catalog shows the new school."""
    await wait_until_catalog_is_current(db, site)
    return site


def _is_error(message: ConsoleMessage) -> bool:
    """Tell whether the message is about more than a 4xx response."""
    return message.type in ("error", "warning") and not message.text.startswith("Failed to load resource")
