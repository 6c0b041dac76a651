"""The message about a term in which enrollment is not possible, or not yet for this student."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quart_enroll.domain import appointments, rules
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Term
from quart_enroll.domain.student import StudentSnapshot


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """The reason why the term is not open for enrollment, or not for this student.

    Before the opening, or the student's own start, a page counts down from `now` to `opens`: both are milliseconds by
    the server's clock. Reasons are equal at any time. The term `is_past` once its courses no longer meet.
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


def closed_window(term: Term, moment: datetime, known: StudentSnapshot | None = None) -> ClosedWindow | None:
    """Return the reason why enrollment is not possible now; None while it is.

    For a student who is `known`, this depends on the enrollment appointment too; a visitor learns when the term opens.
    """
    own = appointments.in_term(known.appointments, term) if known else None
    try:
        if known:
            appointments.check(term, own, moment)
        rules.check_open(term, moment)
    except Refused as refusal:
        opens = appointments.next_start(term, own, moment) if known else term.opens_at
        if opens is None or moment >= opens:
            return ClosedWindow(refusal.text, is_past=not term.is_ongoing(moment))
        return ClosedWindow(refusal.text, _milliseconds(moment), _milliseconds(opens))
    return None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
