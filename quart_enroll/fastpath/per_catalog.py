"""What pages work out of a catalog is kept as long as the catalog: on registration day, a tenth of a second.

A cache of the last few hundred results would hold as many whole catalogs. So each catalog has caches of its own, each
with a full budget: a catalog that was replaced is only used by requests that are still being answered.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from quart_enroll.bounded_cache import ByteCache
from quart_enroll.domain.catalog import Catalog
from quart_enroll.i18n.language import current_language

P = ParamSpec("P")
T = TypeVar("T")

Worker = Callable[Concatenate[Catalog, P], T]


def remembered(
    name: str, size: Callable[[Any, T], int], key: Callable[..., Hashable] | None = None
) -> Callable[[Worker[P, T]], Worker[P, T]]:
    """Cache a function's results for each catalog, language and arguments, within the budget of that name.

    `key` returns a short key for arguments that would be too large to keep. Results must not be None or hold the
    catalog.
    """

    def decorate(work: Worker[P, T]) -> Worker[P, T]:
        of_all: WeakKeyDictionary[Catalog, ByteCache[Hashable, T]] = WeakKeyDictionary()

        @wraps(work)
        def asked(offered: Catalog, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if (known := of_all.get(offered)) is None:
                known = of_all[offered] = ByteCache(name, size)
            of_these = (current_language(), key(*args) if key else args)
            if (found := known.get(of_these)) is None:
                found = known[of_these] = work(offered, *args, **kwargs)
            return found

        return cast("Worker[P, T]", asked)

    return decorate
