"""Pagination by cursor: each page continues after the last item of the previous one, whatever changed meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec
from itsdangerous import base64_decode, base64_encode
from itsdangerous.exc import BadData

from quart_enroll.domain.errors import WrongFields

T = TypeVar("T")
Key = list[str]

MAX_USER_ID = 10**18
"""A number that the database can store, and larger than any user_id."""


def paginate(items: Sequence[T], key: Callable[[T], Key], cursor: str, limit: int) -> tuple[list[T], str | None]:
    """Return the page of `items`, which are sorted by `key`, that follows the cursor, and the next cursor."""
    after = decode(cursor, Key) if cursor else None
    rest = [item for item in items if after is None or key(item) > after]
    return list(rest[:limit]), encode(key(rest[limit - 1])) if len(rest) > limit else None


def encode(position: Any) -> str:
    """Return the cursor for a position."""
    return base64_encode(msgspec.json.encode(position)).decode()


def decode_user_id(cursor: str) -> int | None:
    """Return the user_id after which a page of people begins, or None for the first page; raise WrongFields."""
    if not cursor:
        return None
    user_id = decode(cursor, int)
    if not 0 <= user_id <= MAX_USER_ID:
        refuse()
    return user_id


def decode(cursor: str, kind: type[T]) -> T:
    """Return the position of a cursor; raise WrongFields if it is not one of ours."""
    try:
        return msgspec.json.decode(base64_decode(cursor), type=kind)
    except (BadData, msgspec.MsgspecError, UnicodeError, RecursionError):
        refuse()


def refuse() -> NoReturn:
    """Refuse an invalid cursor."""
    raise WrongFields({"cursor": "Send the value of next from the previous page."})
