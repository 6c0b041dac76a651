"""The message about a term that is not open for enrollment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quart_enroll.domain import rules
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Term


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """The reason why the term is not open for enrollment.

    Before the opening, a page counts down from `now` to `opens`: both are milliseconds by the server's clock. Reasons
    are equal at any time. The term `is_past` once its courses no longer meet.
    """

    sentence: str
    now: int = field(default=0, compare=False)
    opens: int = 0
    is_past: bool = False

    @property
    def gaps(self) -> dict[str, Sequence[bytes]]:
        """What differs between pages with the same reason, for a page that many visitors share."""
        return {"server_time": [str(self.now).encode()]} if self.opens else {}

    def __str__(self) -> str:
        return self.sentence


def closed_window(term: Term, moment: datetime) -> ClosedWindow | None:
    """Return the reason why the term is not open for enrollment; None while it is."""
    try:
        rules.check_open(term, moment)
    except Refused as refusal:
        if moment >= term.opens_at:
            return ClosedWindow(refusal.text, is_past=not term.is_ongoing(moment))
        return ClosedWindow(refusal.text, _milliseconds(moment), _milliseconds(term.opens_at))
    return None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
