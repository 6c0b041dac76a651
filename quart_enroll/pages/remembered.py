"""What pages work out of a catalog is kept as long as the catalog: on registration day, a tenth of a second.

A cache of the last few hundred answers would hold as many whole catalogs.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from quart_enroll.language import spoken
from quart_enroll.services.catalog import Catalog

P = ParamSpec("P")
T = TypeVar("T")

Worker = Callable[Concatenate[Catalog, P], T]


def remembered(most: int) -> Callable[[Worker[P, T]], Worker[P, T]]:
    """Work out once for each catalog, language and what else is given, and forget all beyond so many.

    What is worked out must not have the catalog in it.
    """

    def decorate(work: Worker[P, T]) -> Worker[P, T]:
        of_all: WeakKeyDictionary[Catalog, dict[Hashable, T]] = WeakKeyDictionary()

        @wraps(work)
        def asked(offered: Catalog, /, *args: P.args, **kwargs: P.kwargs) -> T:
            known = of_all.setdefault(offered, {})
            key = (spoken(), args)
            if key in known:
                return known[key]
            if len(known) >= most:
                known.clear()
            found = known[key] = work(offered, *args, **kwargs)
            return found

        return cast("Worker[P, T]", asked)

    return decorate
