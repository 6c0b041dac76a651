"""Which characters text from outside may have: the same for forms, imported files, the API and commands."""

import re
import unicodedata
from typing import Any

DIRECTION_CHARACTERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that start or end text of another direction."""

UNREADABLE_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's control characters, halves of letters, and separators of lines and paragraphs, which no email may have in
its subject."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_CHARACTERS = re.compile(r"[\t\r\n\u2028\u2029]")


def is_readable(text: str) -> bool:
    """Return whether the text has neither control characters nor wrongly encoded letters.

    Characters that change the direction of text count as control characters: after a name with one of them, the rest
    of a list would be shown backwards.
    """
    if text.isascii() and text.isprintable():
        return True
    return not any(
        unicodedata.category(one) in UNREADABLE_CATEGORIES or one in DIRECTION_CHARACTERS or one == "\ufffd"
        for one in text
    )


def are_readable_lines(text: str) -> bool:
    """Return whether the text is readable; unlike with `is_readable`, it may have tabs and line breaks."""
    return is_readable(_LINE_CHARACTERS.sub("", text))


def is_all_readable(value: Any) -> bool:
    """Return whether all texts in the value, which was read from JSON, are readable."""
    match value:
        case str():
            return is_readable(value)
        case list():
            return all(map(is_all_readable, value))
        case dict():
            return all(is_readable(name) and is_all_readable(one) for name, one in value.items())
        case _:
            return True


def storable(value: Any) -> Any:
    """Return the value, which was read from JSON, with a replacement character in place of each lone surrogate.

    JSON can name lone surrogates, and the database can't store them. The replacement character is not readable either,
    so the text is refused wherever one that isn't readable is.
    """
    if isinstance(value, list):
        return [storable(one) for one in value]
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value
