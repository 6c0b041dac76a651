"""Long lists over several pages: the page that a URL names, and the URLs of the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from quart import request, url_for
from werkzeug.datastructures import MultiDict

T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class Page(Generic[T]):
    """Page `number` of `last`, from 1. Equal only to itself; `mark` stands for it in cache keys.

    With `is_cut`, there are more than `total` items, but none of the pages shows them.
    """

    items: Sequence[T]
    number: int
    last: int
    total: int
    mark: object = field(default_factory=object)
    is_cut: bool = False


def requested_page(total: int, size: int) -> int:
    """Return the number of the requested page, from 1 to the last one; 1 if the URL names none."""
    given = request.args.get("page", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 1
    return min(max(1, number), last_page(total, size))


def last_page(total: int, size: int) -> int:
    """Return the number of the last page."""
    return max(1, -(-total // max(1, size)))


def page_of(items: Sequence[T], number: int, size: int) -> Page[T]:
    """Return the page of that number, or the last one if there are fewer."""
    last = last_page(len(items), size)
    number = min(number, last)
    return Page(items[(number - 1) * size : number * size], number, last, len(items))


def page_url(**changed: Any) -> str:
    """Return the URL of the current page with other parameters; None removes one. It never keeps the page number."""
    parameters = MultiDict((name, value) for name, value in request.args.items(multi=True) if value and name != "page")
    for name, value in changed.items():
        parameters.poplist(name)
        if value is not None:
            parameters[name] = str(value)
    path = url_for(request.endpoint or "index", **(request.view_args or {}))
    return f"{path}?{urlencode(list(parameters.items(multi=True)))}" if parameters else path
