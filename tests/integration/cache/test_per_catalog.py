"""Results computed from a catalog are released with it."""

import gc
from weakref import ref

import pytest
from quart import Quart

from quart_enroll import bounded_cache
from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.domain.catalog import Catalog
from quart_enroll.fastpath.per_catalog import cached_per_catalog
from quart_enroll.i18n.language import use_language
from quart_enroll.state import EXTENSION
from tests.support.people import ADA, SECTIONS, Browser, Clock, config


async def test_a_result_is_computed_once_for_each_catalog_and_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bounded_cache.CACHE_BYTES, "searches", 3000)
    computed: list[object] = []

    @cached_per_catalog("searches", lambda _key, _found: 1000)  # room for two
    def compute(_: Catalog, key: str) -> int:
        computed.append(key)
        return len(computed)

    one, other = Catalog((), (), ()), Catalog((), (), ())
    assert [compute(one, "a"), compute(one, "b"), compute(one, "a"), compute(other, "a")] == [1, 2, 1, 3]
    with use_language("es"):
        assert compute(other, "a") == 4
    compute(one, "c")
    assert [compute(one, "a"), compute(one, "c"), compute(one, "b")] == [1, 5, 6]  # "b" was evicted


async def test_a_replaced_catalog_is_garbage_collected(db: Database, mongod: str, clock: Clock) -> None:
    app: Quart = create_app(config(mongo_uri=mongod), clock=clock)
    async with app.test_app():
        ada = Browser(app.test_client())
        await ada.sign_in(ADA)
        await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": SECTIONS[0].term})
        visitor = Browser(app.test_client())
        catalog_cache = app.extensions[EXTENSION].catalog_cache
        await catalog_cache.reload()
        before = ref(catalog_cache.current)
        for path in ("/courses/", "/courses/?q=python", "/enrollment", "/api/", "/api/v1/courses"):
            for browser in (ada, ada, visitor, visitor):
                await browser.get(path)
        await catalog_cache.reload()
        await catalog_cache.reload()
        gc.collect()
        assert before() is None
