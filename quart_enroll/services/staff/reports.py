"""The reports of the dashboard: what happens in a term, for staff who decide about seats."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations, islice
from typing import NamedTuple

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, users
from quart_enroll.db.queries import reports as queries
from quart_enroll.db.queries.reports import GETTING_A_SEAT, EventCount, EventFilter, ReasonCount, RefusedStudent
from quart_enroll.domain import rules
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Course, Meeting, Section, SectionKey, SectionStatus, Term, User

__all__ = ["EventFilter", "ReasonCount", "RefusedStudent"]

GIVING_A_SEAT = ("enroll", "swap", "promote")
GIVING_UP_A_SEAT = ("drop", "withdraw")

MAX_CONFLICTS = 500
"""Pairs of sections in the report on conflicting plans."""


SETTLING_TIME = timedelta(seconds=20)
"""How long after its own time an event may still be committed: a change waits for the lock of its section, and may run
again."""


@dataclass(frozen=True, slots=True)
class Period:
    """How long after the opening a report looks, in parts of equal length."""

    length: timedelta
    part_seconds: int


PERIODS = {
    "minute": Period(timedelta(minutes=1), 1),
    "10min": Period(timedelta(minutes=10), 5),
    "hour": Period(timedelta(hours=1), 30),
    "day": Period(timedelta(days=1), 600),
}
"""The periods by their names in URLs, besides the whole term."""


class SectionDemand(NamedTuple):
    """A section with its course, and the students who have alerts for it or plan to take it."""

    course: Course
    section: Section
    alerts: int
    planned: int


class SubjectDemand(NamedTuple):
    """The sections of a subject together."""

    subject: str
    sections: int
    full: int
    seats: int
    taken: int
    open: int
    waiting: int
    alerts: int
    planned: int


class ActivityInterval(NamedTuple):
    """What happened in a part of a period that begins `second` seconds after the opening."""

    second: int
    seats: int
    joins: int
    drops: int
    refused: int


class PlanConflict(NamedTuple):
    """Two sections at the same time, and the number of students who plan both."""

    one: SectionKey
    other: SectionKey
    meeting: Meeting
    students: int


class StudentCredits(NamedTuple):
    """A student's credits in a term."""

    user_id: int
    credits: int | float


async def section_demand(db: Database, offered: Catalog, term: Term) -> list[SectionDemand]:
    """Return all sections of the term, in the order of their keys, except those that are not or no longer offered."""
    found = [one for one in offered.sections if one.term == term.term] or await sections.find_all(db, [term.term])
    known = {course.courseID: course for course in offered.courses}
    alerts, planned = await queries.count_alerts(db, term.term), await queries.count_plans(db, term.term)
    return [
        SectionDemand(known[one.courseID], one, alerts.get(one.key, 0), planned.get(one.key, 0))
        for one in found
        if one.courseID in known and one.is_listed
    ]


def by_subject(demand: Iterable[SectionDemand]) -> list[SubjectDemand]:
    """Add up the sections of each subject, in the order of their names."""
    groups = defaultdict(list)
    for one in demand:
        groups[one.course.subject].append(one)
    return [_subject_demand(subject, rows) for subject, rows in sorted(groups.items())]


def _subject_demand(subject: str, rows: Sequence[SectionDemand]) -> SubjectDemand:
    return SubjectDemand(
        subject,
        sections=len(rows),
        full=sum(is_full(row.section) for row in rows),
        seats=sum(row.section.capacity for row in rows),
        taken=sum(row.section.seats_taken for row in rows),
        open=sum(row.section.open_seats for row in rows),
        waiting=sum(row.section.waiting for row in rows),
        alerts=sum(row.alerts for row in rows),
        planned=sum(row.planned for row in rows),
    )


def is_full(section: Section) -> bool:
    """Return whether all seats of the section are taken."""
    return section.status is SectionStatus.ACTIVE and section.seats_taken >= section.capacity


async def moments(
    db: Database, wanted: EventFilter, part_seconds: int, known: Sequence[ActivityInterval] = ()
) -> list[ActivityInterval]:
    """Return what happened in each part of the period, up to the last one in which anything did.

    `known` are the first parts, which an earlier call has returned and which can no longer change.
    """
    first = len(known)
    rest = replace(wanted, begins=wanted.begins + timedelta(seconds=first * part_seconds))
    parts: defaultdict[int, list[EventCount]] = defaultdict(list)
    for one in await queries.count_events(db, rest, part_seconds):
        parts[first + one.part].append(one)
    new = range(first, max(parts, default=first - 1) + 1)
    return [*known, *(_moment(part * part_seconds, parts[part]) for part in new)]


def settled(rows: Sequence[ActivityInterval], part_seconds: int, age: timedelta) -> Sequence[ActivityInterval]:
    """Return the first of these parts, which can no longer change; they were read `age` after the opening."""
    return rows[: max(0, (age - SETTLING_TIME) // timedelta(seconds=part_seconds))]


def _moment(second: int, happened: Iterable[EventCount]) -> ActivityInterval:
    numbers: Counter[str] = Counter()
    for one in happened:
        if one.refused:
            numbers["refused"] += one.number * (one.action in GETTING_A_SEAT)
        elif one.action in GIVING_A_SEAT:
            numbers["seats"] += one.number
        elif one.action in GIVING_UP_A_SEAT:
            numbers["drops"] += one.number
        else:
            numbers["joins"] += one.number * (one.action == "join")
    return ActivityInterval(second, numbers["seats"], numbers["joins"], numbers["drops"], numbers["refused"])


async def refusal_reasons(db: Database, wanted: EventFilter) -> list[ReasonCount]:
    """Return how often students were refused in the period, by reason, the most frequent first."""
    return await queries.count_reasons(db, wanted)


async def unserved_students(db: Database, wanted: EventFilter) -> list[RefusedStudent]:
    """Return the students who were refused in the period and have no seat in the term, those who tried most first."""
    return await queries.find_unserved(db, wanted)


async def find_waiting(db: Database, term: Term, user_ids: Collection[int]) -> dict[int, int]:
    """Return on how many waitlists of the term each of these students is, if on any."""
    return await queries.count_waiting(db, term.term, user_ids) if user_ids else {}


async def find_students(db: Database, user_ids: Collection[int]) -> dict[int, User]:
    """Return these students by user_id, without those whose account was deleted."""
    return await users.find_many(db, user_ids)


async def student_credits(db: Database, term: Term) -> list[StudentCredits]:
    """Return the credits of every student in the term, the fewest first."""
    found = await queries.find_credits(db, term.term)
    return sorted((StudentCredits(*one) for one in found.items()), key=lambda one: (one.credits, one.user_id))


async def plan_conflicts(db: Database, offered: Catalog, term: Term) -> list[PlanConflict]:
    """Return the pairs of sections at the same time that students plan together, the most frequent first."""
    found = [one for one in offered.sections if one.term == term.term and one.meetings]
    planners = await queries.find_planners(db, term.term)
    # In a thread: for thousands of plans it takes a while, and the students' requests must not wait.
    return await asyncio.to_thread(_find_conflicts, found, planners)


def _find_conflicts(found: Sequence[Section], planners: Mapping[SectionKey, Sequence[int]]) -> list[PlanConflict]:
    plans: defaultdict[int, list[int]] = defaultdict(list)
    for number, section in enumerate(found):  # numbers are compared and hashed faster than keys
        for user_id in planners.get(section.key, ()):
            plans[user_id].append(number)
    pairs = Counter(pair for planned in plans.values() for pair in combinations(planned, 2))
    conflicts = (
        PlanConflict(found[one].key, found[other].key, meeting, number)
        for (one, other), number in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
        if (meeting := rules.overlap(found[one], found[other]))
    )
    return list(islice(conflicts, MAX_CONFLICTS))
