"""Values in words, as messages quote them, and as lists of changes compare them."""

from datetime import datetime
from typing import Any

from quart_enroll.domain.models import Meeting

MAX_PRINTED_CHARACTERS = 60
"""Characters of a text that a message quotes, or that are printed for comparison with another one."""


def one_line(value: Any) -> str:
    """Return a value on one line, much as a file would have it, for comparison with another one."""
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case tuple() if value and isinstance(value[0], Meeting):
            return "; ".join(f"{one.days} {one.start}-{one.end}" for one in value)
        case frozenset():
            return " ".join(sorted(value)) or "nothing"
        case tuple():
            return " ".join(map(str, value)) or "nothing"
        case None | "":
            return "nothing"
        case str():
            return shortened(" ".join(value.split()))
        case _:
            return str(value)


def shortened(value: Any) -> str:
    """Return the beginning of a text in quotation marks."""
    text = str(value)
    return f"“{text if len(text) <= MAX_PRINTED_CHARACTERS else text[:MAX_PRINTED_CHARACTERS] + '…'}”"
