"""Outages of the database."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.models import Term
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from quart_enroll.state import EXTENSION
from tests.support.people import COURSES, SECTIONS, Browser, config, registration, text

OPEN_TERM = Term("Fall 2150", *(datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2150, 2150, 2150)))
SECTION = replace(SECTIONS[0], term=OPEN_TERM.term)

DATABASE_TIMEOUT_SECONDS = 1.0
"""Shorter than the default of 3.5 seconds."""


@pytest.fixture
def folder(quick_folder: Path, request: pytest.FixtureRequest) -> Path:
    """The data folder of the test's own mongod, which stays while that is stopped."""
    return quick_folder / request.node.name


@pytest.fixture
def uri(folder: Path) -> str:
    with local_mongod(folder) as local_uri:
        return local_uri


@pytest.fixture
async def site(uri: str) -> AsyncIterator[Quart]:
    """The site, served while its database is down."""
    app = create_app(config(mongo_uri=uri, database_timeout=DATABASE_TIMEOUT_SECONDS))
    async with app.test_app():
        yield app


async def _assert_unavailable(browser: Browser, path: str) -> None:
    response = await browser.get(path)
    page = await text(response)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "The database didn’t respond in time" in page
    assert "Traceback" not in page


async def test_a_site_started_without_a_database_works_once_the_database_is_up(
    site: Quart, uri: str, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    browser = Browser(site.test_client())
    log.set_level(logging.ERROR)
    await _assert_unavailable(browser, "/courses/")
    assert len(log.records) == 1
    assert "method=GET path=/courses/ status=503" in log.text
    assert "code=database_away" in log.text
    assert (await browser.get("/healthz")).status_code == 200
    assert (await browser.get("/readyz")).status_code == 503
    assert (await browser.get("/login")).status_code == 200
    with local_mongod(folder):
        async with open_database(uri, 10) as db:
            await upgrade(db, datetime.now(UTC), UpgradeDefaults())
        assert (await browser.get("/courses/")).status_code == 200
        assert (await browser.get("/readyz")).status_code == 200


async def test_an_unresponsive_database_shows_an_error_page_and_loses_nothing(
    site: Quart, uri: str, folder: Path
) -> None:
    browser = Browser(site.test_client())
    with local_mongod(folder):
        async with open_database(uri, 10) as db:
            await upgrade(db, datetime.now(UTC), UpgradeDefaults())
            pid = (await db.command("serverStatus"))["pid"]
        assert (await browser.post("/register", form=registration())).status_code == 303
        os.kill(pid, signal.SIGSTOP)
        try:
            await _assert_unavailable(browser, "/enrollment")
            refused = await browser.post("/enrollment", form={"courseID": "1111"})
            assert refused.status_code == 503
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (await browser.get("/enrollment")).status_code == 200
    await _assert_unavailable(browser, "/enrollment")
    with local_mongod(folder):
        assert "Your schedule" in await browser.read("/enrollment")


async def test_an_api_client_gets_the_outage_as_json(site: Quart) -> None:
    response = await Browser(site.test_client()).get("/api/")
    assert response.status_code == 503
    assert (await response.get_json())["error"] == "database_away"


async def test_the_catalog_is_shown_during_an_outage_and_updated_afterwards(
    site: Quart, uri: str, folder: Path
) -> None:
    browser = Browser(site.test_client())
    with local_mongod(folder):
        async with open_database(uri, 10) as db:
            await db.course.insert_one(asdict(COURSES[0]))
            await terms.put_all(db, [OPEN_TERM])
            await sections.put_all(db, [SECTION])
        catalog_cache: CatalogCache = site.extensions[EXTENSION].catalog_cache
        await catalog_cache.reload()
    assert "30 of 30 seats open" in await browser.read("/courses/")
    with local_mongod(folder):
        async with open_database(uri, 10) as db:
            await sections.take_seat(db, SECTION.key, None)
        async with asyncio.timeout(30):
            while "29 of 30 seats open" not in await browser.read("/courses/"):
                await catalog_cache.wait_until_replaced()
