"""Responses that are the same for everybody are cached, and equal those of the framework."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import brotli
import pytest
from quart import Quart
from quart.wrappers import Response

from quart_enroll import bounded_cache
from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.fastpath import cache_keys
from quart_enroll.fastpath.response_cache import ResponseCache
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.state import EXTENSION
from tests.support.people import ADA, FALL, SECTIONS, Browser, Clock, config

pytestmark = pytest.mark.caches

PATHS = [
    *(
        "/api/",
        "/api/0",
        "/api/1111",
        "/courses/",
        "/courses/Fall",
        "/courses/Fall?fits=y",
        "/courses/fall?q=python&open=y",
        "/courses/?page=9",
    ),
    *("/api/v1/terms", "/api/v1/courses", "/api/v1/courses/1111", "/api/v1/sections", "/api/v1/sections?limit=1"),
]
REQUESTS: list[dict[str, Any]] = [
    {},
    {"method": "HEAD"},
    {"headers": {"Host": "evil.example"}},
    {"headers": {"X-Request-ID": "given-by-the-router"}},
    {"headers": {"X-Request-ID": "no\tnumber"}},
    {"headers": {"If-None-Match": "*"}},
    {"headers": {"If-None-Match": '"another", W/"one"'}},
    {"headers": {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}},
    {"headers": {"Accept": "application/json"}},
]
VARYING_HEADERS = ("x-request-id", "content-encoding", "content-length")


@pytest.fixture(params=["development", "production", "overrides"])
async def app(
    request: pytest.FixtureRequest, db: Database, mongod: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Quart]:
    """The site as in production, except that it follows no changes: tests reload the catalog themselves."""
    monkeypatch.setattr(CatalogCache, "follow_changes", ignore_changes)
    templates = Path(__file__).parents[2] / "support/flask_templates"
    settings = {
        "development": {},
        "production": {"app_env": "production"},
        "overrides": {"template_overrides": templates},
    }
    app = create_app(config(mongo_uri=mongod, **settings[request.param]), clock=clock)
    async with app.test_app():
        await app.extensions[EXTENSION].catalog_cache.get()
        yield app


async def ignore_changes(_: CatalogCache) -> None:
    await asyncio.Event().wait()


only_development = pytest.mark.parametrize("app", ["development"], indirect=True)


async def fetch(app: Quart, path: str, **options: Any) -> Response:
    return await app.test_client(use_cookies=False).open(path, **{"method": "GET", **options})


async def fetch_uncached(app: Quart, path: str, **options: Any) -> Response:
    app.response_cache = ResponseCache()  # type: ignore[attr-defined]
    return await fetch(app, path, **options)


def status_and_headers(response: Response) -> tuple[int, list[tuple[str, str]]]:
    """Return the status and the headers, except those that differ between responses."""
    headers = sorted((name.lower(), value) for name, value in response.headers.items())
    return response.status_code, [(name, value) for name, value in headers if name not in VARYING_HEADERS]


async def test_a_cached_response_equals_the_frameworks(app: Quart, framework_requests: list[str]) -> None:
    has_overrides = app.config["TEMPLATE_OVERRIDES"] is not None
    for path in [path for path in PATHS if path.startswith("/api/") or not has_overrides]:
        for options in REQUESTS:
            uncached = await fetch_uncached(app, path, **options)
            await fetch(app, path)
            framework_requests.clear()
            cached = await fetch(app, path, **options)
            assert framework_requests == [], (path, options)
            assert status_and_headers(cached) == status_and_headers(uncached), (path, options)
            assert len(cached.headers["X-Request-ID"]) == len(uncached.headers["X-Request-ID"])
            assert cached.headers.get("Content-Length") == uncached.headers.get("Content-Length"), (path, options)
            if options.get("method") != "HEAD":
                assert await cached.get_data() == await uncached.get_data()


@pytest.mark.parametrize("app", ["overrides"], indirect=True)
async def test_responses_from_a_schools_own_templates_are_never_cached(app: Quart) -> None:
    for host in ("one.example", "two.example"):
        page = await (await fetch(app, "/courses/", headers={"Host": host})).get_data()
        assert f"Hilltop College, {host}".encode() in page


@only_development
@pytest.mark.parametrize("path", PATHS)
async def test_a_conditional_request_gets_a_304(app: Quart, framework_requests: list[str], path: str) -> None:
    first = await fetch(app, path)
    conditional_headers = {"If-None-Match": first.headers["ETag"]}
    second = await fetch(app, path, headers=conditional_headers)
    assert (second.status_code, await second.get_data()) == (304, b"")
    assert framework_requests == [path.partition("?")[0]]
    assert status_and_headers(second) == status_and_headers(
        await fetch_uncached(app, path, headers=conditional_headers)
    )


@only_development
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None), ("", None)],
)
async def test_a_long_response_is_compressed_as_the_client_prefers(
    app: Quart, accepted: str, encoding: str | None
) -> None:
    plain = await (await fetch(app, "/courses/")).get_data()
    response = await fetch(app, "/courses/", headers={"Accept-Encoding": accepted})
    body = await response.get_data()
    assert response.headers.get("Content-Encoding") == encoding
    assert "Accept-Encoding" in response.headers["Vary"]
    assert int(response.headers["Content-Length"]) == len(body)
    decompress = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert decompress(body) == plain


@only_development
async def test_a_cached_response_is_compressed_once(app: Quart, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed: list[bytes] = []
    monkeypatch.setitem(cache_keys.COMPRESSORS, "br", lambda body: compressed.append(body) or body[:9])  # type: ignore[func-returns-value]
    for _ in range(4):
        await fetch(app, "/courses/", headers={"Accept-Encoding": "br"})
    assert len(compressed) == 1


@only_development
@pytest.mark.parametrize("path", ["/courses/", "/api/", "/api/v1/sections"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"Origin": "https://app.school.example"},
        {"Range": "bytes=0-9"},
        {"X-Forwarded-Proto": "http"},
        {"If-Modified-Since": "Tue, 01 Sep 2026 09:00:00 GMT"},
    ],
)
async def test_requests_that_may_need_a_different_response_bypass_the_cache(
    app: Quart, framework_requests: list[str], path: str, headers: dict[str, str]
) -> None:
    await fetch(app, path)
    await fetch(app, path, headers=headers)
    assert framework_requests == [path] * 2


@only_development
async def test_no_response_to_a_signed_in_user_is_cached_publicly(app: Quart) -> None:
    ada = Browser(app.test_client())
    await ada.sign_in(ADA)
    assert "Sign out" in await ada.read("/courses/")
    first = await (await fetch(app, "/courses/")).get_data(as_text=True)
    assert "Sign out" not in first
    assert "csrf_token" not in first
    response = await ada.get("/courses/")
    assert "ETag" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"


@only_development
async def test_a_changed_catalog_replaces_the_cached_response(app: Quart, db: Database) -> None:
    path = "/courses/"
    before = await (await fetch(app, path)).get_data(as_text=True)
    await sections.take_seat(db, SECTIONS[0].key, None)
    await app.extensions[EXTENSION].catalog_cache.reload()
    after = await (await fetch(app, path)).get_data(as_text=True)
    assert ("30 of 30 seats" in before, "29 of 30 seats" in after) == (True, True)


@only_development
@pytest.mark.parametrize("path", ["/courses/Fall", "/api/v1/terms"])
async def test_a_cached_response_expires_when_a_term_closes(
    app: Quart, framework_requests: list[str], clock: Clock, path: str
) -> None:
    await fetch(app, path)
    clock.now = FALL.withdraw_deadline - timedelta(seconds=1)
    before = await (await fetch(app, path)).get_data()
    clock.now = FALL.withdraw_deadline
    assert await (await fetch(app, path)).get_data() != before
    assert len(framework_requests) >= 2


@only_development
async def test_a_countdown_page_has_the_time_of_its_own_request(
    app: Quart, framework_requests: list[str], clock: Clock
) -> None:
    clock.now = FALL.opens_at - timedelta(hours=1)
    for _ in range(2):
        assert "data-now" in await (await fetch(app, "/courses/Fall")).get_data(as_text=True)
        clock.now += timedelta(seconds=1)
    assert len(framework_requests) == 2


@only_development
async def test_the_least_recently_requested_response_is_evicted(
    app: Quart, framework_requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bounded_cache.CACHE_BYTES, "public responses", 15_000)  # room for two of them
    app.response_cache = ResponseCache()  # type: ignore[attr-defined]
    for path in ("/api/0", "/api/1", "/api/0", "/api/2", "/api/0"):
        await fetch(app, path)
    assert framework_requests == ["/api/0", "/api/1", "/api/2"]
    await fetch(app, "/api/1")
    assert framework_requests[-1] == "/api/1"
