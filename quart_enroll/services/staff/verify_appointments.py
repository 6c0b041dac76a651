"""Recompute bulk assignments from their seeds and stored ranks, and explain each appointment that differs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from quart_enroll.db.client import Database
from quart_enroll.db.collections import appointments as stored
from quart_enroll.db.collections import audit, bulk_assignments, terms, users
from quart_enroll.domain import appointments, bulk_appointments
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.audit import AuditEntry, LogFilter
from quart_enroll.domain.bulk_appointments import BulkAssignment, RankedStudent, Ranking
from quart_enroll.domain.models import Term
from quart_enroll.domain.stored_import import PENDING_STATES
from quart_enroll.services.staff import bulk_appointments as service
from quart_enroll.services.staff import imports

ACTIONS = ("appointment.assign", "appointment.remove")


@dataclass(frozen=True, slots=True)
class Difference:
    """A student whose appointment isn't the one that was assigned, or who would be ranked differently today."""

    user_id: int
    reason: str
    is_explained: bool = True


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome for a term: its assignments, how many students they have, the differences, and notes."""

    term: str
    assignments: int
    students: int
    differences: Sequence[Difference]
    notes: Sequence[str]


class Assigned(NamedTuple):
    """What the latest assignment that has a student says about the student."""

    by: BulkAssignment
    student: RankedStudent
    appointment: Appointment


async def find_terms(db: Database) -> list[Term]:
    """Return all terms."""
    return await terms.find_all(db)


async def verify(db: Database, term: Term) -> Verification:
    """Check the term's appointments against its bulk assignments."""
    begun = await bulk_assignments.find_begun(db, term.term)
    assigned: dict[int, Assigned] = {}
    for assignment in reversed(begun):
        for one in await service.place(db, assignment, term):
            assigned[one.student.user_id] = Assigned(assignment, one.student, one.appointment)
    found = await _find_changed(db, term, assigned)
    for assignment in begun:
        if assignment.rules.ranking is not Ranking.FILE:
            today = await service.find_students(db, assignment.rules)
            found += _ranked_differently(assignment, assigned, today)
    notes = [note for one in begun for note in await _notes(db, one)]
    return Verification(term.term, len(begun), len(assigned), list(dict.fromkeys(found)), notes)


async def _find_changed(db: Database, term: Term, assigned: Mapping[int, Assigned]) -> list[Difference]:
    """Return the students whose appointment isn't the one that was assigned."""
    current = await stored.find_in_terms(db, [term.term]) if assigned else {}
    different = [user_id for user_id, one in assigned.items() if current.get((user_id, term.term)) != one.appointment]
    names, found = await users.find_names(db, different), []
    for user_id in different:
        if user_id in names:  # not a deleted account
            one = assigned[user_id]
            entries = await _find_entries(db, user_id, term, one.by.begun_at)
            found.append(_compare(user_id, one.appointment, current.get((user_id, term.term)), entries))
    return found


def _compare(
    user_id: int, expected: Appointment, current: Appointment | None, entries: Sequence[AuditEntry]
) -> Difference:
    change = bulk_appointments.find_change(expected, current, entries)
    has = f"{_text(current)} instead of {_text(expected)}"
    if change is None:
        return Difference(user_id, f"{has}: no change explains it", is_explained=False)
    verb = "changed" if current else "removed"
    return Difference(user_id, f"{has}: {verb} by user {change.actor} on {change.at:%Y-%m-%d %H:%M} UTC")


def _text(appointment: Appointment | None) -> str:
    """Return the appointment as the audit log has it."""
    if appointment is None:
        return "no appointment"
    texts = appointments.texts(appointment)
    end = f" to {texts['ends_at']}" if texts["ends_at"] else ""
    limit = f" with at most {texts['max_credits']} credits" if texts["max_credits"] else ""
    return f"{texts['starts_at']}{end} UTC{limit}"


def _ranked_differently(
    assignment: BulkAssignment, assigned: Mapping[int, Assigned], today: Sequence[RankedStudent]
) -> Iterator[Difference]:
    """Yield the students whose place would be another one if they were ranked today."""
    ranks = {one.user_id: one.rank for one in today}
    for user_id, rank in ranks.items():
        if user_id not in assigned:
            yield Difference(user_id, "not ranked: the student joined later, or attributes have changed since")
        elif (one := assigned[user_id]).by == assignment and one.student.rank != rank:
            yield Difference(user_id, f"ranked by {one.student.rank:g}, now {rank:g}: attributes have changed since")
    for user_id, one in assigned.items():
        if one.by == assignment and user_id not in ranks:
            yield Difference(user_id, "would not take part now: attributes have changed since, or the account is gone")


async def _find_entries(db: Database, user_id: int, term: Term, begun_at: datetime | None) -> list[AuditEntry]:
    """Return the audit log's entries about the student's appointment since that moment, in the order of time."""
    wanted = LogFilter(user_id=user_id, begins=begun_at)
    entries = [one async for batch in audit.batches(db, wanted) for one in batch]
    return [one for one in reversed(entries) if one.action in ACTIONS and one.about.term == term.term]


async def _notes(db: Database, assignment: BulkAssignment) -> list[str]:
    running = await imports.find(db, assignment.import_id)
    if running is None or running.state not in PENDING_STATES:
        return []
    return [f"The assignment of {assignment.at:%Y-%m-%d %H:%M} UTC is still running."]
