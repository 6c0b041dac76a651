"""The message about a term that is not open for enrollment."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.domain import rules
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Term


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """The reason why the term is not open for enrollment.

    Before the opening, a page counts down from `now` to `opens`: both are milliseconds by the server's clock.
    """

    sentence: str
    now: int = 0
    opens: int = 0

    def __str__(self) -> str:
        return self.sentence


def closed_window(term: Term, moment: datetime) -> ClosedWindow | None:
    """Return the reason why the term is not open for enrollment; None while it is."""
    try:
        rules.check_open(term, moment)
    except Refused as refusal:
        times = [int(one.timestamp() * 1000) for one in (moment, term.opens_at)] if moment < term.opens_at else []
        return ClosedWindow(refusal.text, *times)
    return None
