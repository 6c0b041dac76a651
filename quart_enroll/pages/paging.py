"""What is too much for one page comes in several: which one an address asks for, and the addresses of the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from quart import request, url_for
from werkzeug.datastructures import MultiDict

T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class Page(Generic[T]):
    """Some of many: page `number` of `last`, from 1. Equal only to itself; `mark` stands for it in cache keys."""

    items: Sequence[T]
    number: int
    last: int
    total: int
    mark: object = field(default_factory=object)


def wanted(total: int, size: int) -> int:
    """Return the number of the page that is asked for, from 1 to the last one; what is no number asks for the first."""
    given = request.args.get("page", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 1
    return min(max(1, number), last_page(total, size))


def last_page(total: int, size: int) -> int:
    """Return the number of the last page of so many things."""
    return max(1, -(-total // max(1, size)))


def page_of(items: Sequence[T], number: int, size: int) -> Page[T]:
    """Return that page; past the last one, the last."""
    last = last_page(len(items), size)
    number = min(number, last)
    return Page(items[(number - 1) * size : number * size], number, last, len(items))


def address(**changed: Any) -> str:
    """Return the address of this page with other values; None takes one out. The page number never stays."""
    kept = MultiDict((name, value) for name, value in request.args.items(multi=True) if value and name != "page")
    for name, value in changed.items():
        kept.poplist(name)
        if value is not None:
            kept[name] = str(value)
    path = url_for(request.endpoint or "index", **(request.view_args or {}))
    return f"{path}?{urlencode(list(kept.items(multi=True)))}" if kept else path
