"""Pages by cursor: each goes on behind the last one of the page before, whatever came and went meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec
from itsdangerous import base64_decode, base64_encode
from itsdangerous.exc import BadData

from quart_enroll.domain.errors import WrongFields

T = TypeVar("T")
Key = list[str]


def page(found: Sequence[T], key: Callable[[T], Key], cursor: str, limit: int) -> tuple[list[T], str | None]:
    """Return the page of `found`, which is sorted by `key`, that the cursor stands for, and the next cursor."""
    after = read(cursor, Key) if cursor else None
    rest = [one for one in found if after is None or key(one) > after]
    return list(rest[:limit]), make(key(rest[limit - 1])) if len(rest) > limit else None


def make(mark: Any) -> str:
    """Return the cursor for a mark."""
    return base64_encode(msgspec.json.encode(mark)).decode()


def read(cursor: str, kind: type[T]) -> T:
    """Return the mark for which a cursor stands; raise WrongFields when it is none of ours."""
    try:
        return msgspec.json.decode(base64_decode(cursor), type=kind)
    except (BadData, msgspec.MsgspecError, UnicodeError, RecursionError):
        wrong()


def wrong() -> NoReturn:
    """Refuse a cursor."""
    raise WrongFields({"cursor": "A cursor is what the page before gave as next."})
