"""Cache what pages compute from a catalog for as long as that catalog is current.

On registration day a catalog lasts a twentieth of a second. A single cache would hold as many whole catalogs as it has
results, so each catalog has caches of its own, each with a full budget. Only requests still in progress use those of
a catalog that has been replaced.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from quart_enroll.bounded_cache import ByteCache
from quart_enroll.domain.catalog import Catalog
from quart_enroll.i18n.language import current_formats

P = ParamSpec("P")
T = TypeVar("T")

CatalogFunction = Callable[Concatenate[Catalog, P], T]


def cached_per_catalog(
    budget: str, size: Callable[[Any, T], int], key: Callable[..., Hashable] | None = None
) -> Callable[[CatalogFunction[P, T]], CatalogFunction[P, T]]:
    """Cache a function's results for each catalog, language, time zone and arguments, within the budget of that name.

    `key` returns a short key for arguments that would be too large to keep. Results must not be None or hold the
    catalog.
    """

    def decorate(compute: CatalogFunction[P, T]) -> CatalogFunction[P, T]:
        caches: WeakKeyDictionary[Catalog, ByteCache[Hashable, T]] = WeakKeyDictionary()

        @wraps(compute)
        def find_or_compute(offered: Catalog, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if (cache := caches.get(offered)) is None:
                cache = caches[offered] = ByteCache(budget, size)
            cache_key = (current_formats(), key(*args) if key else args)
            if (result := cache.get(cache_key)) is None:
                result = cache[cache_key] = compute(offered, *args, **kwargs)
            return result

        return cast("CatalogFunction[P, T]", find_or_compute)

    return decorate
