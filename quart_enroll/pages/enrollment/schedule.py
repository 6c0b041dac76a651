"""The student's schedule: courses, waitlist positions and withdrawals of one term, with tabs for the others."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from markupsafe import Markup, escape
from quart import request

from quart_enroll.domain import moments, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import NoTerms, UnknownTerm
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import Registration, TakenCourse, Term, User
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.fastpath.per_catalog import cached_per_catalog
from quart_enroll.pages import appointment_banner, hold_banner
from quart_enroll.pages.account.email_confirmation import must_confirm
from quart_enroll.pages.catalog.course_rows import last_boundary
from quart_enroll.pages.enrollment import alerts, calendar, schedule_texts
from quart_enroll.pages.enrollment.schedule_rows import StudentTerm, TermPhase, term_schedule
from quart_enroll.pages.live_url import live_url
from quart_enroll.pages.student_state import (
    WaitlistedSection,
    blocked_changes,
    load_snapshot,
    load_waitlist_positions,
    taken_courses,
    with_own_limit,
)
from quart_enroll.pages.term_window import closed_window
from quart_enroll.state import catalog, now, registrations_of, waitlist_odds
from quart_enroll.web.compression import InputFreeText, Secret
from quart_enroll.web.templating import is_overridden, render, render_frame

TERM_PHASE_BYTES = 300
"""Bytes of a term's phase; the term itself is the catalog's."""


async def page(user: User) -> bytes:
    """Return the page of the student's schedule in the term that the URL names, else in the most relevant term.

    A school's own template gets all terms, the most relevant first.
    """
    moment, offered, snapshot = now(), await catalog(), await load_snapshot(user.user_id)
    phases = _phases(offered, moment)
    registrations = await registrations_of(snapshot.seats)
    positions = await load_waitlist_positions(user.user_id, snapshot, [phase.term for phase in phases])
    named = _named_term(offered, moment)
    drop_hold, taken = blocked_changes(snapshot).get(HoldBlock.DROP), taken_courses(snapshot, offered)
    own_limits = {name: term.max_credits for name, term in _own_terms(snapshot, offered).items()}
    student_terms = _student_terms(
        taken, registrations, positions, phases, named, drop_hold, own_limits, user.attributes
    )
    current, enrolled = offered.current_term(moment), [one for one in registrations if one.status == "enrolled"]
    alert_rows = alerts.rows(snapshot.alerts, offered, moment, [one.section.key for one in enrolled])
    calendar_since, calendar_url = snapshot.calendar_since, calendar.take_new_url()
    since = moments.moment_text(current, calendar_since) if calendar_since and current else ""
    facts: dict[str, Any] = {
        "enrollment": True,
        "must_confirm": must_confirm(),
        "window": str(closed_window(current, moment, snapshot) or "") if current and not student_terms else "",
        "alerts": bool(alert_rows),
    }
    if is_overridden("enrollment.html"):
        texts = Markup(b"".join(schedule_texts.render_alerts(alert_rows)).decode())  # noqa: S704  # our own
        facts |= {"alerts": alert_rows, "alert_rows": texts}
        facts |= {"calendar_since": since, "fingerprint": snapshot.fingerprint}
        facts |= {"calendar_url": calendar_url, "calendar_link": calendar.subscribe_link(calendar_url)}
        facts |= hold_banner.variables(snapshot) | appointment_banner.variables(snapshot, offered.terms)
        return render("enrollment.html", **facts, **_whole_schedule(student_terms, offered))
    gaps: dict[str, Sequence[bytes]] = {
        "schedule": [InputFreeText(b"".join(schedule_texts.render(student_terms, named, offered)))],
        "alert_rows": schedule_texts.render_alerts(alert_rows),
        "fingerprint": [snapshot.fingerprint.encode()],
        **({"live_url": [_live_url(positions)]} if positions else {}),
        **({"calendar_since": [str(escape(since)).encode()]} if since else {}),
        **_calendar_gaps(calendar_url),
        **hold_banner.gaps(snapshot),
        **appointment_banner.gaps(snapshot, offered.terms),
    }
    key = (*facts.values(), bool(student_terms), *gaps)
    return render_frame("enrollment.html", key, gaps, lambda: facts | {"has_schedule": bool(student_terms)})


def _own_terms(snapshot: StudentSnapshot, offered: Catalog) -> dict[str, Term]:
    """Return the terms in which the student has an appointment, with the credit limit that it sets now."""
    names = {one.term for one in snapshot.appointments}
    return {term.term: with_own_limit(snapshot, term) for term in offered.terms if term.term in names} if names else {}


def _whole_schedule(student_terms: Sequence[StudentTerm], offered: Catalog) -> dict[str, Any]:
    """Return the schedule as a school's own template uses it, and the courses as a Flask site's does."""
    schedules = [term_schedule(one, offered) for one in student_terms]
    classes = [row.course for one in schedules for row in one.rows if row.course.status == "enrolled"]
    return {"schedule": schedules, "classes": classes}


def _calendar_gaps(url: str) -> dict[str, Sequence[bytes]]:
    """Return the private URL of the calendar, if it has just been created, and the link that subscribes to it."""
    found = {"calendar_url": url, "calendar_link": calendar.subscribe_link(url)}
    return {name: [Secret(str(escape(one)).encode())] for name, one in found.items() if one}


def _phases(offered: Catalog, moment: datetime) -> Sequence[TermPhase]:
    since = max((last_boundary(term, moment) for term in offered.terms), default=moment)
    return _term_phases(offered, moment, since, tuple(term.local(moment).date() for term in offered.terms))


def _phases_size(_: object, phases: Sequence[TermPhase]) -> int:
    return TERM_PHASE_BYTES * len(phases)


@cached_per_catalog("term phases", _phases_size, lambda _, since, days: (since, days))
def _term_phases(offered: Catalog, moment: datetime, since: datetime, days: tuple[date, ...]) -> tuple[TermPhase, ...]:
    """Return all terms, the most relevant first; they are the same until a term's next boundary, or its next day."""
    shown = terms.by_relevance(offered.terms, moment)
    return tuple(TermPhase(term, last_boundary(term, moment), term.is_ongoing(moment)) for term in shown)


def _named_term(offered: Catalog, moment: datetime) -> Term | None:
    """Return the term that the URL names; None without a name, and for one that no term has now."""
    text = request.args.get("term", "")
    try:
        return terms.find(text, offered.terms, moment) if text else None
    except (UnknownTerm, NoTerms):
        return None


def _student_terms(
    taken: Sequence[TakenCourse],
    registrations: Sequence[Registration],
    positions: Sequence[WaitlistedSection],
    phases: Iterable[TermPhase],
    named: Term | None,
    drop_hold: Hold | None,
    own_limits: Mapping[str, int | float],
    attributes: StudentAttributes,
) -> list[StudentTerm]:
    """Return the terms in which the student has something, and the one that the URL names; none if all are empty."""
    student_terms = [
        StudentTerm(
            phase,
            [one for one in registrations if one.section.term == phase.term.term],
            [one for one in positions if one.entry.key.term == phase.term.term],
            taken,
            waitlist_odds().find(phase.term.term),
            drop_hold,
            own_limits.get(phase.term.term),
            attributes,
        )
        for phase in phases
    ]
    has_any = not all(one.is_empty for one in student_terms)
    return [one for one in student_terms if has_any and (not one.is_empty or one.phase.term == named)]


def _live_url(positions: Sequence[WaitlistedSection]) -> bytes:
    keys = [one.entry.key for one in positions]
    return live_url(dict.fromkeys(key.term for key in keys), [key.courseID for key in keys])
