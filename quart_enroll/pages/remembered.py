"""What pages work out of a catalog is kept as long as the catalog: on registration day, a tenth of a second.

A cache of the last few hundred answers would hold as many whole catalogs. Each catalog has caches of its own, within
one budget each: nobody asks for a catalog that was replaced but who is still being answered.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from quart_enroll.caches import ByteCache
from quart_enroll.language import spoken
from quart_enroll.services.catalog import Catalog

P = ParamSpec("P")
T = TypeVar("T")

Worker = Callable[Concatenate[Catalog, P], T]


def remembered(
    name: str, size: Callable[[Any, T], int], key: Callable[..., Hashable] | None = None
) -> Callable[[Worker[P, T]], Worker[P, T]]:
    """Work out once for each catalog, language and what else is given, within the budget of that name.

    `key` names what is given, if that itself would be too much to keep. What is worked out must not be None, nor have
    the catalog in it.
    """

    def decorate(work: Worker[P, T]) -> Worker[P, T]:
        of_all: WeakKeyDictionary[Catalog, ByteCache[Hashable, T]] = WeakKeyDictionary()

        @wraps(work)
        def asked(offered: Catalog, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if (known := of_all.get(offered)) is None:
                known = of_all[offered] = ByteCache(name, size)
            of_these = (spoken(), key(*args) if key else args)
            if (found := known.get(of_these)) is None:
                found = known[of_these] = work(offered, *args, **kwargs)
            return found

        return cast("Worker[P, T]", asked)

    return decorate
