"""When seats can be taken, for who looks at a term outside of that."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.domain import rules
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Term


@dataclass(frozen=True, slots=True)
class Window:
    """Why no seat can be taken now. Before the opening, a page counts down from `now` to `opens`: both are by the
    server's clock, in milliseconds."""

    sentence: str
    now: int = 0
    opens: int = 0

    def __str__(self) -> str:
        return self.sentence


def window(term: Term, moment: datetime) -> Window | None:
    """Return why no seat can be taken now; None while one can."""
    try:
        rules.check_open(term, moment)
    except Refused as refusal:
        coming = moment < term.opens_at
        times = [int(one.timestamp() * 1000) for one in (moment, term.opens_at)] if coming else []
        return Window(refusal.text, *times)
    return None
