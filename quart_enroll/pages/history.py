"""What happened to a student's seats, in words."""

from collections.abc import Mapping
from typing import NamedTuple

from quart_auth import login_required

from quart_enroll import auth
from quart_enroll.context import catalog, database
from quart_enroll.models import Event, Term
from quart_enroll.rendering import render
from quart_enroll.repositories import events
from quart_enroll.services import rules

DONE = {
    "enroll": "Enrolled in {}",
    "drop": "Gave back {}",
    "withdraw": "Withdrew from {}",
    "swap": "Swapped into {}",
    "join": "Joined the waitlist of {}",
    "leave": "Left the waitlist of {}",
    "promote": "Got a seat from the waitlist of {}",
}
TRIED = {
    "enroll": "Tried to enroll in {}",
    "drop": "Tried to give back {}",
    "swap": "Tried to swap into {}",
    "join": "Tried to join the waitlist of {}",
    "skip": "A seat became free in {}, and went to the next in line",
}
BECAUSE = {
    "not_open_yet": "enrollment was not open yet",
    "closed": "enrollment was closed",
    "drop_closed": "it was too late to give it back",
    "already_enrolled": "you had the course already",
    "already_waiting": "you were waiting already",
    "not_enrolled": "you did not have the course that was to be given back",
    "not_waiting": "you were not waiting",
    "section_full": "the section was full",
    "waitlist_full": "the waitlist was full",
    "time_conflict": "it met at the same time as another course of yours",
    "credit_limit": "it would have exceeded your credit limit",
    "prerequisite_missing": "a course that it needs was missing",
    "corequisites_would_go": "another course of yours needed the one that was to be given back",
}
"""Why not, for each code of a refusal."""


class Entry(NamedTuple):
    """One line of the history: when, by the school's clock, what, and why not."""

    when: str
    what: str
    because: str


@login_required
async def history() -> str:
    happened = await events.of_student(database(), auth.signed_in().user_id)
    offered = await catalog()
    titles = {course.courseID: course.title for course in offered.courses}
    known = {term.term: term for term in offered.terms}
    return render("history.html", enrollment=True, entries=[_entry(event, titles, known) for event in happened])


def _entry(event: Event, titles: Mapping[str, str], known: Mapping[str, Term]) -> Entry:
    term = known.get(event.term)
    when = rules.spoken(term, event.at) if term else f"{event.at:%d.%m.%Y %H:%M} (UTC)"
    where = f"{titles.get(event.courseID, event.courseID)}, section {event.section}, for {event.term}"
    if event.result == "ok":
        where += f", in place of section {event.from_section}" if event.from_section else ""
        return Entry(when, f"{DONE.get(event.action, event.action).format(where)}.", "")
    because = BECAUSE.get(event.result, event.result)
    return Entry(when, f"{TRIED.get(event.action, event.action).format(where)}.", f"Not possible: {because}.")
