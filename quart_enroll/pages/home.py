"""The home page; for a student, also the next dates and the latest changes."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from quart_enroll.domain import appointments, moments, terms, upcoming
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Event, Registration, Term, User
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.upcoming import Deadline
from quart_enroll.i18n.language import DAYS, Sentence, format_day, format_day_name, gettext
from quart_enroll.pages import appointment_banner, hold_banner
from quart_enroll.pages.enrollment.credits import summarize_credits
from quart_enroll.pages.enrollment.history import in_words
from quart_enroll.pages.student_state import load_snapshot, load_waitlist_positions, with_own_limit
from quart_enroll.services.enrollment import student
from quart_enroll.state import catalog, now, registrations_of, user_cache
from quart_enroll.web import auth
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import is_overridden, render_filled, render_frame, render_shared, render_shared_parts

HOME_MACROS = "macros/home.html"

LATEST_CHANGES = "latest_changes"
"""The key under which a snapshot keeps the latest changes, each of which replaces the snapshot."""


class DeadlineText(NamedTuple):
    """What a deadline is, and the endpoint of the page where students meet it."""

    what: Sentence
    page: str


DEADLINES = {
    "opens": DeadlineText(Sentence("Enrollment opens"), "plan"),
    "add": DeadlineText(Sentence("Last day to add courses"), "courses"),
    "drop": DeadlineText(Sentence("Last day to drop courses without a W"), "enrollment"),
    "withdraw": DeadlineText(Sentence("Last day to withdraw"), "enrollment"),
}
"""The deadlines by their kind."""


async def index() -> bytes:
    """Return the home page; a school's own template gets no overview."""
    user = auth.user()
    if user is None or is_overridden("index.html"):
        return render_frame("index.html", user is not None, {}, lambda: {"index": True})
    known = await load_snapshot(user.user_id)
    banners = hold_banner.gaps(known) | appointment_banner.gaps(known, (await catalog()).terms)
    gaps = {"overview": await _overview(user, known), **banners}
    return render_frame("index.html", (True, *gaps), gaps, lambda: {"index": True})


async def _overview(user: User, known: StudentSnapshot) -> Sequence[bytes]:
    """Return the texts about what comes next and what has changed; other students share most of them."""
    moment, offered = now(), await catalog()
    registrations = [one for one in await registrations_of(known.seats) if one.status == "enrolled"]
    changes = await _latest_changes(user.user_id, known)
    return [
        *_next_meeting(registrations, offered, moment),
        *_deadlines(registrations, _own_terms(known, offered, moment), moment),
        *_credits(registrations, known, offered, moment),
        *await _waitlists(user.user_id, known, offered),
        *_changes(changes, offered),
    ]


def _next_meeting(registrations: Sequence[Registration], offered: Catalog, moment: datetime) -> Iterator[InputFreeText]:
    by_name = {term.term: term for term in offered.terms}
    if found := upcoming.next_meeting(registrations, by_name, moment):
        course, section, meeting = found.registration.course, found.registration.section, found.meeting
        term = by_name[section.term]
        day = _day_in_words(found.day, term.local(moment).date())
        yield _text("next_meeting", course.courseID, course.title, term.term, section.room, day, meeting.hours)


def _day_in_words(day: date, today: date) -> str:
    if day == today:
        return gettext("Today")
    if day == today + timedelta(days=1):
        return gettext("Tomorrow")
    return f"{format_day_name(DAYS[day.weekday()])}, {format_day(day)}"


def _own_terms(known: StudentSnapshot, offered: Catalog, moment: datetime) -> list[Term]:
    """Return the terms, each with the student's own start in place of the opening."""
    starts = [
        appointments.next_start(term, appointments.in_term(known.appointments, term), moment) for term in offered.terms
    ]
    return [replace(term, opens_at=at) if at else term for term, at in zip(offered.terms, starts, strict=True)]


def _deadlines(
    registrations: Sequence[Registration], own_terms: Sequence[Term], moment: datetime
) -> Iterator[InputFreeText]:
    if found := upcoming.next_deadlines(own_terms, {one.section.term for one in registrations}, moment):
        key = "deadlines", tuple((one.kind, one.term.term) for one in found), found[0].at, found[0].term.timezone
        yield from render_shared_parts(HOME_MACROS, key, lambda macros: [_render_deadlines(macros, found)])


def _render_deadlines(macros: Any, found: Sequence[Deadline]) -> str:
    rows = [(str(DEADLINES[one.kind].what), DEADLINES[one.kind].page, one.term.term) for one in found]
    return str(macros.deadlines(rows, _when(found[0])))


def _when(deadline: Deadline) -> str:
    """Return when it is; a day ends at a deadline, but none at an opening."""
    term, at = deadline.term, deadline.at
    return moments.moment_text(term, at) if deadline.kind == "opens" else str(moments.localized_deadline(term, at))


def _credits(
    registrations: Sequence[Registration], known: StudentSnapshot, offered: Catalog, moment: datetime
) -> Iterator[InputFreeText]:
    """Yield the credits of the term that the schedule shows first, unless it is over."""
    enrolled_terms = {one.section.term for one in registrations}
    for term in terms.by_relevance(offered.terms, moment):
        if term.term in enrolled_terms and term.is_ongoing(moment):
            credits = sum(one.course.credits for one in registrations if one.section.term == term.term)
            yield _text("credits", term.term, summarize_credits(with_own_limit(known, term).max_credits, credits))
            return


async def _waitlists(user_id: int, known: StudentSnapshot, offered: Catalog) -> list[InputFreeText]:
    positions = await load_waitlist_positions(user_id, known, offered.terms) if known.waiting else []
    places = [(one.entry.key, one.position, one.length) for one in positions]
    titles = offered.titles
    rows = tuple((key.term, titles.get(key.courseID, key.courseID), place, of) for key, place, of in places)
    return [_text("waitlists", rows)] if rows else []


async def _latest_changes(user_id: int, known: StudentSnapshot) -> Sequence[Event]:
    """Return the latest changes of the student's seats, the latest first, read once for each snapshot.

    Refusals change nothing, so they replace no snapshot.
    """
    changes: Sequence[Event] | None = known.derived.get(LATEST_CHANGES)
    if changes is None:
        changes = known.derived[LATEST_CHANGES] = await student.latest_changes(user_cache(), user_id)
    return changes


def _changes(changes: Sequence[Event], offered: Catalog) -> Iterator[InputFreeText]:
    """Yield the changes; they are filled in, because hardly any students share them."""
    if changes:
        entries = (in_words(event, offered) for event in changes)
        texts = ((one.what, one.when, one.reason) if one.reason else (one.what, one.when) for one in entries)
        rows = b"".join(render_filled(HOME_MACROS, "change", None, one) for one in texts)
        yield render_filled(HOME_MACROS, "changes", None, [rows])


def _text(macro: str, *arguments: Hashable) -> InputFreeText:
    return render_shared(HOME_MACROS, macro, arguments, *arguments)
