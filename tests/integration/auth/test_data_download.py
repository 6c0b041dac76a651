"""The data download needs little memory however many rows there are, and a truncated download is detectable."""

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from quart import Quart

from quart_enroll.db import client
from quart_enroll.db.client import Database
from quart_enroll.db.queries import user_data
from quart_enroll.services.accounts.rate_limiter import DOWNLOAD_RATES
from tests.support.people import ADA, Browser, text
from tests.support.processes import Server, server, wait_until
from tests.support.school import build
from tests.support.student_crowd import Student, sign_in

EVENT_COUNT = 8000
"""Long events of one student: 17 MB of JSON, more than the socket buffers hold."""


def event_row(number: int) -> dict[str, Any]:
    at = datetime(2026, 9, 1, 9, 0, number % 60, tzinfo=UTC)
    fields = {"courseID": "1111", "term": "Fall 2026", "section": "01", "result": "ok", "from_section": ""}
    return {"at": at, "actor": 1, "user_id": 1, "action": "enroll" if number % 2 else "drop"} | fields


@pytest.fixture
def student(fresh_uri: str) -> Student:
    """A signed-in student with a long history."""

    async def fill() -> Student:
        async with client.open_database(fresh_uri, 20) as db:
            await build(db)
            [student] = await sign_in(db, [1])
            await db.event.insert_many(
                [event_row(number) | {"from_section": "x" * 2000} for number in range(EVENT_COUNT)]
            )
            return student

    return asyncio.run(fill())


@pytest.fixture
def site(fresh_uri: str, tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "log", MONGO_URI=fresh_uri, WEB_CONCURRENCY=1) as site:
        yield site


def request_download(connection: HTTPConnection, student: Student) -> HTTPResponse:
    connection.request("GET", "/account/data", headers={"Cookie": student.cookie})
    response = connection.getresponse()
    assert response.status == 200
    return response


def open_cursors(uri: str) -> list[int]:
    """Return the IDs of the open cursors on the collection `event`."""
    with MongoClient[dict[str, Any]](uri) as client:
        name = client.get_default_database().name
        stages = [{"$currentOp": {"idleCursors": True, "allUsers": True}}, {"$match": {"ns": f"{name}.event"}}]
        return [
            operation["cursor"]["cursorId"] for operation in client.admin.aggregate(stages) if "cursor" in operation
        ]


def memory_kilobytes(pid: int, name: str) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process in /proc")
def test_a_long_history_is_streamed_and_an_aborted_download_is_detectable(
    student: Student, site: Server, fresh_uri: str, tmp_path: Path
) -> None:
    pid = site.process.pid
    with site.connection() as connection:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak
        before = memory_kilobytes(pid, "VmRSS")
        data = json.loads(request_download(connection, student).read())
        assert len(data["event"]) == EVENT_COUNT
        assert (memory_kilobytes(pid, "VmHWM") - before) / 1024 < 20

    with site.connection() as connection:  # the database fails midway
        response = request_download(connection, student)
        beginning = response.read(1000)
        wait_until(lambda: bool(open_cursors(fresh_uri)))
        with MongoClient[dict[str, Any]](fresh_uri) as client:
            client.get_default_database().command("killCursors", "event", cursors=open_cursors(fresh_uri))
        with pytest.raises(IncompleteRead) as truncated:
            response.read()
        with pytest.raises(json.JSONDecodeError):
            json.loads(beginning + truncated.value.partial)

    with site.connection() as connection:  # the client disconnects midway
        request_download(connection, student).read(1000)
        wait_until(lambda: bool(open_cursors(fresh_uri)))
    wait_until(lambda: not open_cursors(fresh_uri))
    log = (tmp_path / "log").read_text()
    assert log.count("stream broken off: /account/data") == 1
    assert "Traceback" not in log


async def test_every_row_is_in_the_download_once_and_in_small_chunks(
    ada: Browser, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_data, "EXPORT_BATCH_SIZE", 10)
    await db.event.insert_many([event_row(number) | {"section": f"{number}"} for number in range(95)])
    async with ada.client.request("/account/data") as stream:
        await stream.send_complete()
        chunks = [await stream.receive()]
        while not chunks[-1].endswith(b"\n}"):
            chunks.append(await stream.receive())
    data = json.loads(b"".join(chunks))
    assert sorted(int(row["section"]) for row in data["event"]) == list(range(95))
    assert max(map(len, chunks)) < 3000


async def test_rows_written_during_a_download_are_not_in_it(db: Database, ada: Browser) -> None:
    await db.event.insert_one(event_row(1))
    rows = user_data.export_rows(db, ADA.user_id)
    assert (await anext(rows))[0] == "user"
    await db.event.insert_one(event_row(2))
    data = [row async for name, batch in rows if name == "event" for row in batch]
    assert len(data) == 1


async def test_a_database_outage_before_the_first_row_shows_an_error_page(
    ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: object) -> Any:
        raise client.OutcomeUnknown
        yield

    monkeypatch.setattr(user_data, "export_rows", unavailable)
    response = await ada.get("/account/data")
    assert response.status_code == 503
    assert "Content-Disposition" not in response.headers


async def test_a_head_request_leaves_no_cursor_behind(
    ada: Browser, db: Database, mongod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_data, "EXPORT_BATCH_SIZE", 1)
    await db.event.insert_many([event_row(number) for number in range(5)])
    response = await ada.client.head("/account/data")
    assert (response.status_code, await text(response)) == (200, "")
    assert open_cursors(mongod) == []


async def test_downloads_are_limited_for_each_account(ada: Browser, bob: Browser, app: Quart) -> None:
    for _ in range(DOWNLOAD_RATES[0].burst):
        assert (await ada.get("/account/data")).status_code == 200
    response = await ada.get("/account/data")
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= DOWNLOAD_RATES[0].interval
    assert "Wait a minute" in await text(response)
    assert (await bob.get("/account/data")).status_code == 200
