"""Made-up URLs, searches, cookies, languages and tokens don't fill the memory."""

import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart import Quart

from quart_enroll import bounded_cache
from quart_enroll.app import create_app
from quart_enroll.bounded_cache import ByteCache
from quart_enroll.db.client import Database
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.state import EXTENSION
from tests.integration.cache.test_public_cache import ignore_changes
from tests.support.people import ADA, Browser, Clock, config

pytestmark = pytest.mark.caches

BUDGETS = {name: budget // 20 for name, budget in bounded_cache.CACHE_BYTES.items()}
"""Budgets so small that the requests of a test exceed them."""


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Quart]:
    """The site with all its caches, as in production."""
    for name, budget in BUDGETS.items():
        monkeypatch.setitem(bounded_cache.CACHE_BYTES, name, budget)
    monkeypatch.setattr(CatalogCache, "follow_changes", ignore_changes)  # the catalog stays the same
    app = create_app(config(mongo_uri=mongod), clock=clock)
    app.config["TEMPLATES_AUTO_RELOAD"] = False  # so that whole pages are cached
    async with app.test_app():
        await app.extensions[EXTENSION].catalog_cache.get()
        yield app


def public_responses(app: Any) -> ByteCache[Any, Any]:
    return app.response_cache.responses  # type: ignore[no-any-return]


def all_caches() -> list[ByteCache[Any, Any]]:
    return [cache for cache in gc.get_objects() if issubclass(type(cache), ByteCache)]  # some are proxies


@pytest.mark.parametrize(
    "path", ["/api/", "/api/0", "/api/v1/terms", "/api/v1/courses/1111", "/courses/", "/courses/Fall"]
)
async def test_a_parameter_that_no_view_reads_is_not_cached_separately(
    app: Quart, framework_requests: list[str], path: str
) -> None:
    client = app.test_client(use_cookies=False)
    first = await (await client.get(path)).get_data()
    for query in ("17", "18=19", "_=1&_=2", "%71x=1", "utm_source=a&fbclid=b"):
        assert await (await client.get(f"{path}?{query}")).get_data() == first
    assert (framework_requests, len(public_responses(app))) == ([path], 1)


async def test_a_parameter_is_recognized_in_any_encoding(app: Quart) -> None:
    client = app.test_client(use_cookies=False)
    for query in ("q=php", "17&q=php", "%71=php&x=y", "q=php&17=q"):
        page = await (await client.get(f"/courses/Fall?{query}")).get_data(as_text=True)
        assert "Advanced PHP" in page
        assert "Introduction to Python" not in page


async def test_a_large_response_is_cached_only_in_requested_encodings(app: Quart) -> None:
    client = app.test_client(use_cookies=False)
    for _ in range(2):
        await client.get("/courses/", headers={"Accept-Encoding": "br"})
    assert [key[0] for key in public_responses(app)] == ["", "br"]
    for number in range(100):  # other pages fill the cache, and no client requests this one uncompressed
        await client.get("/courses/", headers={"Accept-Encoding": "br"})
        await client.get(f"/courses/?q={number}", headers={"Accept-Encoding": "br"})
        if len([key for key in public_responses(app) if not key[3]]) == 1:
            break
    assert [key[0] for key in public_responses(app) if not key[3]] == ["br"]


async def test_made_up_requests_stay_within_the_budgets(app: Quart) -> None:
    client, ada = app.test_client(use_cookies=False), Browser(app.test_client())
    await ada.sign_in(ADA)
    for number in range(40):
        made_up = {
            "Accept-Language": f"x{number}, es;q=0.{number}",
            "Accept-Encoding": f"br, x{number}",
            "User-Agent": f"Mozilla/{number}",
            "Cookie": f"session={number}; {'c=d;' * (number % 50)}",
            "Authorization": f"Bearer qe_{number}",
        }
        for name in made_up:
            await client.get(f"/courses/?q={number}{'x' * (number % 90)}", headers={name: made_up[name]})
        await client.get(f"/password/reset/{number}{'t' * 3000}")
        await client.get(f"/login?next=/{number}{'n' * 400}")
        await client.get(f"/{number}{'p' * 3000}")
        await ada.get(f"/courses/?page={number}&q={'y' * (number % 50)}")
        await ada.get("/enrollment", headers={"Accept-Language": f"z{number}"})
    used_caches = [cache for cache in all_caches() if cache.maxsize in BUDGETS.values() and len(cache)]
    assert len(used_caches) >= 8
    assert all(cache.currsize <= cache.maxsize for cache in used_caches)
    assert public_responses(app).currsize > public_responses(app).maxsize / 2  # so the budget was tested


async def test_a_long_reset_link_is_not_stored_in_a_cookie(app: Quart) -> None:
    client = app.test_client(use_cookies=False)
    response = await client.get(f"/password/reset/{'t' * 5000}")
    assert len(response.headers["Set-Cookie"]) < 1500
