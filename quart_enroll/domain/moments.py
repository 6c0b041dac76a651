"""Moments and deadlines of a term in sentences, in the reader's own time zone or else the school's."""

from datetime import datetime

from quart_enroll.domain.models import Term, day_ending_at
from quart_enroll.i18n.language import LastDay, Moment


def localized_moment(term: Term, moment: datetime) -> Moment:
    """Return the moment for a sentence, in the reader's own time zone or else the term's."""
    return Moment(moment, term.timezone)


def localized_deadline(term: Term, deadline: datetime) -> Moment | LastDay:
    """Return the deadline for a sentence, as `localized_end` does."""
    return localized_end(deadline, term.timezone)


def localized_end(end: datetime, timezone: str) -> Moment | LastDay:
    """Return the end of a period for a sentence: the moment, or the last day if one ends then.

    It must end in the school's `timezone` and in that of the reader.
    """
    last_day = LastDay(end, timezone)
    return last_day if day_ending_at(end, timezone) and last_day.is_readers else Moment(end, timezone)


def moment_text(term: Term, moment: datetime) -> str:
    """Return the moment in words, in the reader's own time zone or else the term's."""
    return str(localized_moment(term, moment))
