"""The student's enrollment history, in sentences."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from quart import abort, request

from quart_enroll.domain import moments
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import all_refusals
from quart_enroll.domain.models import Event, Term
from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence, TermName, Value, format_moment, gettext
from quart_enroll.services.enrollment import history as recorded
from quart_enroll.state import catalog, database
from quart_enroll.web import auth
from quart_enroll.web.templating import render

ACTION_SENTENCES = {
    "enroll": Sentence("Enrolled in %(title)s, section %(section)s, for %(term)s."),
    "drop": Sentence("Dropped %(title)s, section %(section)s, for %(term)s."),
    "withdraw": Sentence("Withdrew from %(title)s, section %(section)s, for %(term)s."),
    "swap": Sentence("Swapped into %(title)s, section %(section)s, for %(term)s."),
    "join": Sentence("Joined the waitlist for %(title)s, section %(section)s, in %(term)s."),
    "leave": Sentence("Left the waitlist for %(title)s, section %(section)s, in %(term)s."),
    "reorder": Sentence("Moved to another position on the waitlist for %(title)s, section %(section)s, in %(term)s."),
    "moved": Sentence("The time or room of %(title)s, section %(section)s, for %(term)s changed."),
    "cancelled": Sentence("The school canceled %(title)s, section %(section)s, for %(term)s."),
    "promote": Sentence("Enrolled from the waitlist: %(title)s, section %(section)s, for %(term)s."),
}
CHANGED_SECTION = Sentence("%(title)s, section %(section)s, for %(term)s changed.")
"""About a section, for an event that says what has changed."""

REFUSED_ACTION_SENTENCES = {
    "enroll": Sentence("Tried to enroll in %(title)s, section %(section)s, for %(term)s."),
    "drop": Sentence("Tried to drop %(title)s, section %(section)s, for %(term)s."),
    "swap": Sentence("Tried to swap into %(title)s, section %(section)s, for %(term)s."),
    "join": Sentence("Tried to join the waitlist for %(title)s, section %(section)s, in %(term)s."),
    "skip": Sentence(
        "A seat opened in %(title)s, section %(section)s, for %(term)s, and went to the next student in line."
    ),
}
REFUSAL_REASONS = {kind.code: kind.history_reason for kind in all_refusals()}
"""The reason by the result of the event."""

BY_STAFF: Mapping[str, Sentence] = {
    Role.REGISTRAR: Sentence("By the registrar’s office: %(reason)s"),
    Role.ADVISOR: Sentence("By your advisor: %(reason)s"),
    Role.INSTRUCTOR: Sentence("By the instructor: %(reason)s"),
}
"""Who did it and why, by the role; the notice that the student got names the person."""

EVENTS_PER_PAGE = 100


class HistoryEntry(NamedTuple):
    """An event: when it happened, by the school's clock, what happened, and why staff did it or it was refused."""

    when: str
    what: str
    reason: str


async def history() -> bytes:
    try:
        before = request.args.get("before", "")
        happened, earlier = await recorded.page(database(), auth.signed_in().user_id, before, EVENTS_PER_PAGE)
    except ValueError:
        abort(404)
    offered = await catalog()
    entries = [in_words(event, offered) for event in happened]
    return render("history.html", enrollment=True, entries=entries, earlier=earlier)


def in_words(event: Event, offered: Catalog, by_staff: Mapping[str, Sentence] = BY_STAFF) -> HistoryEntry:
    """Return the event in sentences; `by_staff` says who did it, to the student or to other readers."""
    term = next((one for one in offered.terms if one.term == event.term), None)
    course = offered.find(event.courseID)
    when = _when(event.at, term)
    where: dict[str, Value] = {
        "title": course.title if course else event.courseID,
        "section": event.section,
        "term": TermName(event.term),
    }
    if event.result == "ok":
        what = ACTION_SENTENCES.get(event.action, Sentence(event.action)) % where
        if event.from_section:
            what += " " + gettext("It replaced section %(section)s.", section=event.from_section)
        if event.changes:
            what = CHANGED_SECTION % where
            return HistoryEntry(when, what, str(event.changes))
        by = by_staff.get(event.acted_as, by_staff[Role.REGISTRAR])
        return HistoryEntry(when, what, by % {"reason": event.reason_text} if event.reason else "")
    reason = REFUSAL_REASONS.get(event.result) or Sentence(event.result)
    explanation = gettext("Not possible: %(because)s.", because=reason)
    if event.count > 1:
        last = _when(event.last_at or event.at, term)
        explanation += " " + gettext(
            "Tried %(number)s times, most recently on %(when)s.", number=event.count, when=last
        )
    return HistoryEntry(when, REFUSED_ACTION_SENTENCES.get(event.action, Sentence(event.action)) % where, explanation)


def _when(at: datetime, term: Term | None) -> str:
    return moments.moment_text(term, at) if term else format_moment(at, "UTC")
