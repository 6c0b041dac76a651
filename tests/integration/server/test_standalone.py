"""A standalone mongod, as `systemctl start mongod` runs it: pages can be read, and changes are refused."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.cli.local_mongod import SMALL_FOOTPRINT_OPTIONS, find_mongod
from quart_enroll.db import change_streams
from quart_enroll.db.client import STANDALONE_MESSAGE, Database, open_database
from quart_enroll.db.collections import courses
from quart_enroll.routes import ROUTES
from quart_enroll.services.maintenance import schema_check
from quart_enroll.state import EXTENSION
from quart_enroll.system.process import child_process
from tests.support import people, school
from tests.support.people import ADA, PASSWORD, Browser, Clock, config, registration, text
from tests.support.processes import PROJECT, TIMEOUT_SECONDS, free_port, wait_for_port

REFUSAL = "This isn’t possible right now because the site’s database isn’t fully set up."
FORM = {
    "courseID": "1111",
    "term": "Fall 2026",
    "section": "01",
    "drop": "1111",
    "add": "3333",
    "name": "laptop",
    **registration(),
    "current_password": PASSWORD,
    "password": PASSWORD,
    "language": "es",
    "email": ADA.email,
    "confirm": "y",
}
"""Values for every form of the site."""


@pytest.fixture(scope="module")
def standalone(quick_folder: Path) -> Iterator[str]:
    """Yield the URI of a database on a mongod without a replica set."""
    port, data = free_port(), tempfile.mkdtemp(prefix="standalone-", dir=quick_folder)
    command = [find_mongod(), "--dbpath", data, "--port", str(port), *SMALL_FOOTPRINT_OPTIONS]
    with (
        open(f"{data}.log", "wb") as log,
        child_process(command, output=log, orphaned=signal.SIGKILL) as process,
    ):
        wait_for_port(process, port, Path(log.name))
        yield f"mongodb://127.0.0.1:{port}/standalone"


@pytest.fixture
async def standalone_db(standalone: str) -> AsyncIterator[Database]:
    async with open_database(standalone, 20) as db:
        await school.empty(db)
        await school.fill(db, people.TERMS)
        yield db


@pytest.fixture
async def site(standalone_db: Database, standalone: str, clock: Clock) -> AsyncIterator[Quart]:
    app = create_app(config(mongo_uri=standalone), clock=clock)
    async with app.test_app():
        yield app


@pytest.fixture
async def signed_in_ada(site: Quart, standalone_db: Database, db: Database, ada: Browser) -> Browser:
    """The browser of ada, who signed in before her database moved to this server."""
    await standalone_db.login.insert_many(await db.login.find().to_list(None))
    browser = Browser(site.test_client())
    browser.client.cookie_jar = ada.client.cookie_jar
    return browser


async def test_on_a_standalone_mongod_the_site_is_not_ready_and_logs_why_once(
    site: Quart, log: pytest.LogCaptureFixture
) -> None:
    browser = Browser(site.test_client())
    for _ in range(2):
        response = await browser.get("/readyz")
        assert (response.status_code, await response.get_json()) == (503, {"status": STANDALONE_MESSAGE})
    assert log.text.count(f'level=error event="{STANDALONE_MESSAGE}"') == 1
    assert (await browser.get("/healthz")).status_code == 200


async def test_on_a_standalone_mongod_the_site_logs_why_when_it_starts(
    standalone_db: Database, standalone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = asyncio.Event()
    monkeypatch.setattr(
        schema_check.logger, "error", lambda event, **_: logged.set() if event == STANDALONE_MESSAGE else None
    )
    async with create_app(config(mongo_uri=standalone)).test_app(), asyncio.timeout(TIMEOUT_SECONDS):
        await logged.wait()


async def test_on_a_standalone_mongod_the_catalog_works(
    site: Quart, standalone_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_streams, "RECONNECT_SECONDS", 0.05)
    browser = Browser(site.test_client())
    for path in ("/", "/courses/", "/courses/Fall", "/enrollment/form?courseID=1111", "/api/v1/sections", "/login"):
        assert (await browser.get(path)).status_code == 200
    assert len(await (await browser.get("/api/")).get_json()) == 3
    await standalone_db.course.delete_one({"courseID": "2222"})
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while len(await (await browser.get("/api/")).get_json()) == 3:
            await site.extensions[EXTENSION].catalog_cache.wait_until_replaced()


async def test_on_a_standalone_mongod_signed_in_students_see_their_pages(signed_in_ada: Browser) -> None:
    for path in ("/enrollment", "/enrollment/history", "/plan", "/account", "/courses/"):
        assert (await signed_in_ada.get(path)).status_code == 200
    assert (await signed_in_ada.get("/account/data")).status_code == 503  # a snapshot requires a replica set
    assert "Your schedule" in await signed_in_ada.read("/enrollment")


async def test_on_a_standalone_mongod_nothing_causes_a_server_error(
    signed_in_ada: Browser, standalone_db: Database
) -> None:
    refused_paths = set()
    for route in ROUTES:
        path = route.path.replace("<token>", "x").replace("<path:", "<").partition("<")[0]
        for method in set(route.methods) - {"GET"} if not path.startswith("/api/v1/") else ():
            if path not in ("/login", "/logout", "/account/sign-out", "/account/end"):  # ada must stay signed in
                response = await signed_in_ada.client.open(
                    path, method=method, form=FORM, headers={"Sec-Fetch-Site": "same-origin"}
                )
                assert response.status_code != 500, path
                if response.status_code == 503:
                    assert REFUSAL in await text(response)
                    refused_paths.add(path)
    assert {"/enrollment", "/enrollment/drop", "/enrollment/swap", "/waitlist", "/plan/add"} <= refused_paths
    assert "/account/delete" in refused_paths
    assert await standalone_db.enrollment.count_documents({}) == 0


async def test_on_a_standalone_mongod_no_account_is_half_created(site: Quart, standalone_db: Database) -> None:
    response = await Browser(site.test_client()).post("/register", form=registration())
    assert response.status_code == 503
    assert REFUSAL in await text(response)
    assert await standalone_db.user.count_documents({}) == 3


async def test_on_a_standalone_mongod_signing_in_is_refused_with_an_explanation(site: Quart) -> None:
    response = await Browser(site.test_client()).sign_in(ADA)
    assert response.status_code == 503
    page = await text(response)
    assert REFUSAL in page
    assert 'href="/courses/"' in page
    assert "Retry-After" not in response.headers  # trying again soon won't help


async def test_on_a_standalone_mongod_an_api_client_gets_a_code(site: Quart) -> None:
    client = site.test_client()
    auth = (ADA.email, PASSWORD)
    body = {"courseID": "1111", "term": "Fall 2026"}
    for key in ("first", "first"):  # a refusal doesn't use up the key
        response = await client.post(
            "/api/v1/me/enrollments", json=body, auth=auth, headers={"Idempotency-Key": key}, scheme="https"
        )
        problem = await response.get_json()
        assert (response.status_code, problem["code"]) == (503, "database_read_only")
        assert problem["detail"].startswith(REFUSAL)
    assert (await client.get("/api/v1/me", auth=auth, scheme="https")).status_code == 200


async def test_on_a_standalone_mongod_commands_say_what_is_missing(site: Quart, standalone_db: Database) -> None:
    runner = site.test_cli_runner()
    for command in (("upgrade-db",), ("check-seats",), ("import", "course", str(PROJECT / "data/courses.json"))):
        result = await asyncio.to_thread(runner.invoke, args=command)
        assert (result.exit_code, result.output) == (1, f"Error: {STANDALONE_MESSAGE}\n")
    assert len(await courses.find_all(standalone_db)) == 3
