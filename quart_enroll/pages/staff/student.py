"""A student's record: schedule of every term, waitlists, plan, alerts, history, sign-ins and notices."""

from collections.abc import Sequence
from dataclasses import dataclass

from quart import abort, current_app, request, url_for

from quart_enroll.domain import moments, permissions, student_attributes
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.holds import RecordedHold
from quart_enroll.domain.models import Event, SectionKey, Term, WaitlistEntry
from quart_enroll.domain.roles import Role
from quart_enroll.domain.student import StudentSeat, StudentSnapshot
from quart_enroll.i18n.language import Sentence, format_moment
from quart_enroll.pages import hold_banner
from quart_enroll.pages.account.account import sign_ins_in_words
from quart_enroll.pages.enrollment.history import BY_STAFF, HistoryEntry, in_words
from quart_enroll.pages.staff import record_permits
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.student_state import load_snapshot
from quart_enroll.services.accounts import sessions
from quart_enroll.services.enrollment import history as recorded
from quart_enroll.services.enrollment import student as student_facts
from quart_enroll.services.enrollment.staff_changes import StaffAction
from quart_enroll.services.staff import appointments, hold_types, named_holds, students
from quart_enroll.services.staff import holds as recorded_holds
from quart_enroll.state import catalog, database, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.records import open_record

EVENTS_PER_PAGE = 30

BY_STAFF_TO_STAFF = {**BY_STAFF, Role.ADVISOR: Sentence("By the advisor: %(reason)s")}
"""Who acted for the student and why, as the record says it."""

OPPOSITES = {
    "enroll": StaffAction.DROP,
    "drop": StaffAction.ENROLL,
    "withdraw": StaffAction.ENROLL,
    "join": StaffAction.LEAVE,
    "leave": StaffAction.JOIN,
}
"""The action that undoes each action; another swap undoes a swap, and another position a position."""


@dataclass(frozen=True, slots=True)
class RecordedTerm:
    """The student's seats in a term."""

    term: Term
    seats: Sequence[StudentSeat]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An entry of the history, and the page that offers the opposite; empty if there is none."""

    entry: HistoryEntry
    undo_url: str


@dataclass(frozen=True, slots=True)
class HoldEntry:
    """A hold with its state, its dates and its people in words."""

    hold: RecordedHold
    state: str
    period: str
    placed: str
    placed_by: str
    lifted: str
    lifted_by: str


async def student(user_id: int) -> RenderedPage:
    found, staff, offered = await open_record(user_id), auth.signed_in(), await catalog()
    snapshot = await load_snapshot(user_id)
    try:
        happened, earlier = await recorded.page(database(), user_id, request.args.get("before", ""), EVENTS_PER_PAGE)
    except ValueError:
        abort(404)
    can_act = permissions.can_act_for(staff, found)
    is_registrar = Role.REGISTRAR in staff.roles
    sign_ins = await sessions.active(database(), user_id, now()) if is_registrar else []
    return render_staff(
        "staff/student.html",
        "staff_students",
        student=found,
        titles=offered.titles,
        terms=_terms(snapshot, offered),
        waiting=await _waiting(user_id, snapshot.waiting),
        plan=snapshot.plan,
        alerts=snapshot.alerts,
        history=[
            RecordedEvent(in_words(one, offered, BY_STAFF_TO_STAFF), _undo_url(one, happened) if can_act else "")
            for one in happened
        ],
        earlier=earlier,
        attributes=student_attributes.in_words(found.attributes),
        holds=await _holds(user_id),
        permits=await record_permits.entries(user_id),
        appointments=await _appointments(user_id, offered),
        can_place=is_registrar and Role.STUDENT in found.roles and bool(await hold_types.find_all(database())),
        can_act=can_act,
        is_registrar=is_registrar,
        sign_ins=sign_ins_in_words(sign_ins),
        notices=[
            (format_moment(one.notice.at, current_app.config["TIMEZONE"]), one.notice.sentence, one)
            for one in await students.latest_notices(database(), user_id)
        ],
        act_url=lambda action, key: act_url(user_id, action, key),
    )


def act_url(user_id: int, action: str, key: SectionKey, dropped: str | None = None) -> str:
    """Return the URL of the page on which staff confirm the action in the section; a swap drops a course."""
    return url_for(
        "staff_act",
        user_id=user_id,
        action=action,
        term=key.term,
        courseID=key.courseID,
        section=key.section,
        dropped=dropped,
    )


def _terms(snapshot: StudentSnapshot, offered: Catalog) -> list[RecordedTerm]:
    """Return all terms in which the student has or had a seat, the latest first."""
    found = [
        RecordedTerm(term, [seat for seat in snapshot.seats if seat.key.term == term.term]) for term in offered.terms
    ]
    return [one for one in sorted(found, key=lambda one: one.term.order, reverse=True) if one.seats]


async def _waiting(user_id: int, entries: Sequence[WaitlistEntry]) -> list[tuple[WaitlistEntry, int, int]]:
    """Return each waitlist entry with its position and the length of the waitlist."""
    positions = await student_facts.waitlist_positions(database(), user_id)
    return [(entry, *positions.get(entry.key, (0, 0))) for entry in entries]


async def _holds(user_id: int) -> list[HoldEntry]:
    moment, zone = now(), current_app.config["TIMEZONE"]
    found = await named_holds.add_names(database(), await recorded_holds.find_of_student(database(), user_id))
    return [
        HoldEntry(
            one.record,
            str(one.record.state(moment)),
            str(hold_banner.period(one.record.hold, moment) or "") if one.record.lifted_at is None else "",
            format_moment(one.record.placed_at, zone),
            one.placed_by_name or str(one.record.placed_by),
            format_moment(one.record.lifted_at, zone)
            if one.record.lifted_at and one.record.lifted_by is not None
            else "",
            one.lifted_by_name or str(one.record.lifted_by),
        )
        for one in found
    ]


async def _appointments(user_id: int, offered: Catalog) -> list[tuple[Term, str]]:
    """Return the terms in which the student has an appointment, the latest first, with its start in words."""
    found = {one.appointment.term: one.appointment for one in await appointments.find_of_student(database(), user_id)}
    return [
        (term, moments.moment_text(term, found[term.term].starts_at))
        for term in reversed(offered.terms)
        if term.term in found
    ]


def _undo_url(event: Event, happened: Sequence[Event]) -> str:
    """Return the URL of the page that undoes a change by staff; `happened` are the events around it."""
    if not event.reason:
        return ""
    if event.action == "swap":
        given_up = [one for one in happened if one.at == event.at and one.action in ("drop", "withdraw")]
        old = [SectionKey(one.term, one.courseID, one.section) for one in given_up]
        if event.from_section:
            old = [SectionKey(event.term, event.courseID, event.from_section)]
        return act_url(event.user_id, StaffAction.SWAP, old[0], event.courseID) if old else ""
    opposite = OPPOSITES.get(event.action)
    key = SectionKey(event.term, event.courseID, event.section)
    return act_url(event.user_id, opposite, key) if opposite else ""
