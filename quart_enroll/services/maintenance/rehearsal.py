"""The database of a rehearsal: opened, filled and removed beside the school's, which is only read."""

import asyncio
import os
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from quart_enroll.db.client import DATABASE_REFUSED, DATABASE_UNAVAILABLE, UNAUTHORIZED_CODE, Database
from quart_enroll.db.collections import courses, leases, sections, terms, users
from quart_enroll.db.queries import rehearsal
from quart_enroll.db.queries.rehearsal import (
    SeatCounts,
    ServerUsage,
    StudentRows,
    count_seats,
    find_places,
    find_seats,
    read_server_usage,
)
from quart_enroll.domain.models import Course, Section, SectionKey, Term
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from quart_enroll.system.background import run_in_background
from quart_enroll.system.clock import utc_now

__all__ = [
    "SeatCounts",
    "ServerUsage",
    "StudentRows",
    "count_seats",
    "find_places",
    "find_seats",
    "read_server_usage",
]

NAME_SUFFIX, MAX_NAME_LENGTH = "_rehearsal", 38
"""The end of the database's name, and its longest length: Atlas allows no more."""

LEASE_NAME, LEASE_DURATION, LEASE_RENEWAL_SECONDS = "rehearsal", timedelta(seconds=60), 5.0
"""The lease that a running rehearsal holds, and how often it extends it."""

OPENING_MARGIN = timedelta(hours=24)
"""A rehearsal this close to the opening of a term would slow down the school's own site when it matters."""

PAST_TERM = "Before the rehearsal"
"""The term in which invented students have taken the prerequisites of their courses."""

PAST_START, PAST_END = date(2000, 1, 3), date(2000, 5, 5)

DEADLINE_MARGIN = timedelta(days=30)
"""How long after the rehearsed opening the term's deadlines are at least."""


class RehearsalRefused(Exception):
    """The rehearsal can't begin; the message says why and what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class SchoolFacts:
    """What a rehearsal is based on: the catalog, the number of students, and the plans for the term by courseID."""

    terms: Sequence[Term]
    courses: Sequence[Course]
    sections: Sequence[Section]
    students: int
    plans: Mapping[str, int]
    term: Term

    def sections_in(self, term: Term) -> list[Section]:
        """Return the sections of the term."""
        return [section for section in self.sections if section.term == term.term]


def database_name(school: str) -> str:
    """Return the name of the database for rehearsals of the database `school`."""
    return school[: MAX_NAME_LENGTH - len(NAME_SUFFIX)] + NAME_SUFFIX


async def read_school(school: Database, term_name: str, now: datetime) -> SchoolFacts:
    """Read what a rehearsal needs of the school; without `term_name`, of the next term that opens.

    If none does, it is the latest term with sections. Raises RehearsalRefused.
    """
    known = await terms.find_all(school)
    all_courses = await courses.find_all(school)
    all_sections = await sections.find_all(school, [term.term for term in known])
    offered = {section.term for section in all_sections}
    term = _choose_term([one for one in known if one.term in offered], term_name, now)
    number = await users.count_students(school)
    plans = await rehearsal.count_plans(school, term.term)
    return SchoolFacts(known, all_courses, all_sections, number, plans, term)


def _choose_term(known: Sequence[Term], name: str, now: datetime) -> Term:
    if name:
        if found := [term for term in known if term.term == name]:
            return found[0]
        names = ", ".join(term.term for term in known) or "none"
        raise RehearsalRefused(f"There is no term “{name}” with sections. Terms with sections: {names}.")
    if not known:
        raise RehearsalRefused("The catalog has no term with sections, so there is nothing to rehearse.")
    to_open = [term for term in known if now < term.opens_at]
    return min(to_open, key=lambda term: term.opens_at) if to_open else max(known, key=lambda term: term.order)


def check_openings(known: Sequence[Term], now: datetime) -> None:
    """Raise RehearsalRefused if a term opens soon or has just opened."""
    for term in known:
        if abs(term.opens_at - now) < OPENING_MARGIN:
            opens = f"{term.local(term.opens_at):%Y-%m-%d at %H:%M}"
            raise RehearsalRefused(
                f"{term} opens on {opens}, within {OPENING_MARGIN // timedelta(hours=1)} hours of now. A rehearsal "
                "would slow down the school’s own site. Use --force if that doesn’t matter."
            )


@asynccontextmanager
async def open_rehearsal_database(db: Database, school: str) -> AsyncIterator[None]:
    """Take the database `db` for a rehearsal of the database `school`, and remove it after the block.

    What a killed rehearsal left behind is removed first. Raises RehearsalRefused if the database belongs to anything
    else, if another rehearsal is running, or if the database user may not write to it.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}"
    try:
        if not await rehearsal.is_empty(db):
            await _take_over(db, school, holder)
            await rehearsal.remove(db, school)
        if not await rehearsal.mark(db, school, utc_now()):
            raise _running_elsewhere()
        await leases.acquire(db, LEASE_NAME, holder, LEASE_DURATION)
    except DATABASE_REFUSED as error:
        if error.code != UNAUTHORIZED_CODE:
            raise
        raise RehearsalRefused(
            f"The database user in MONGO_URI may not write to {db.name}, the database of rehearsals. Give the user the "
            f"role readWrite@{db.name} as well; see docs/registration-day.md."
        ) from error
    async with run_in_background(_renew_lease(db, holder)):
        try:
            yield
        finally:
            await rehearsal.remove(db, school)


async def remove_leftovers(db: Database, school: str) -> bool:
    """Remove what a killed rehearsal left behind; return whether there was anything. Raises RehearsalRefused."""
    if await rehearsal.is_empty(db):
        return False
    await _take_over(db, school, f"{socket.gethostname()}:{os.getpid()}")
    await rehearsal.remove(db, school)
    return True


async def _take_over(db: Database, school: str, holder: str) -> None:
    """Acquire the lease of a rehearsal's database; raise RehearsalRefused if it isn't one or is still in use."""
    if not await rehearsal.is_marked(db, school):
        raise RehearsalRefused(
            f"There is a database {db.name} that no rehearsal of {school} created, so it stays as it is. Rename it, or "
            "remove it yourself if nobody needs it."
        )
    previous = await leases.find_holder(db, LEASE_NAME)
    if previous is not None and _has_died(previous):
        await leases.release(db, LEASE_NAME, previous)
    if not await leases.acquire(db, LEASE_NAME, holder, LEASE_DURATION):
        raise _running_elsewhere()


def _running_elsewhere() -> RehearsalRefused:
    return RehearsalRefused(
        "Another rehearsal of this school is running, or was killed on another machine less than "
        f"{LEASE_DURATION.seconds} seconds ago. Try again when it has ended."
    )


def _has_died(holder: str) -> bool:
    """Return whether the holder is a process of this machine that has ended."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another user's
        return False
    return int(pid) == os.getpid()


async def _renew_lease(db: Database, holder: str) -> None:
    """Renew the lease until the database is removed; a renewal on its way then must not create it again."""
    while True:
        with suppress(*DATABASE_UNAVAILABLE):
            await leases.renew(db, LEASE_NAME, holder, LEASE_DURATION)
        await asyncio.sleep(LEASE_RENEWAL_SECONDS)


async def fill(
    school: Database,
    db: Database,
    facts: SchoolFacts,
    students: Sequence[StudentRows],
    defaults: UpgradeDefaults,
    *,
    password: str,
    now: datetime,
) -> int:
    """Copy the catalog, with the rehearsed term not open yet, and store the students.

    `password` is the hash of their password. Return the number of catalog rows that could not be copied.
    """
    await upgrade(db, now, defaults)  # creates collections, validators and indexes
    refused = await rehearsal.copy_catalog(school, db)
    await open_at(db, facts.term, now + timedelta(days=1))
    await rehearsal.add_term(db, *_past_term(facts, students))
    await rehearsal.add_students(db, students, password, now)
    await rehearsal.add_credits(db, _past_credits(facts, students))
    return refused


async def open_at(db: Database, term: Term, moment: datetime) -> None:
    """Let the term open at the moment; later deadlines stay as they are."""
    earliest = moment + DEADLINE_MARGIN
    deadlines = [max(one, earliest) for one in (term.add_deadline, term.drop_deadline, term.withdraw_deadline)]
    add, drop, withdraw = deadlines
    await rehearsal.set_term(
        db, replace(term, opens_at=moment, add_deadline=add, drop_deadline=drop, withdraw_deadline=withdraw)
    )


async def find_sections(db: Database, term: str) -> list[Section]:
    """Return the sections of the term with their counters."""
    return await sections.find_all(db, [term])


def past_key(courseID: str) -> SectionKey:
    """Return the section of the past in which invented students have taken the course."""
    return SectionKey(PAST_TERM, courseID, "01")


def _past_term(facts: SchoolFacts, students: Sequence[StudentRows]) -> tuple[Term, list[Section]]:
    """Return a term that is over, with a section for each course that invented students have taken."""
    over = datetime(PAST_START.year, PAST_START.month, PAST_START.day, tzinfo=UTC)
    term = Term(PAST_TERM, over, over, over, over, facts.term.max_credits, facts.term.timezone, PAST_START, PAST_END)
    numbers = Counter(key for one in students for key in one.taken)
    return term, [
        Section(key.term, key.courseID, key.section, capacity=number, seats_taken=number)
        for key, number in sorted(numbers.items())
    ]


def _past_credits(facts: SchoolFacts, students: Sequence[StudentRows]) -> dict[tuple[int, str], int | float]:
    credits = {course.courseID: course.credits for course in facts.courses}
    found: defaultdict[tuple[int, str], int | float] = defaultdict(int)
    for one in students:
        for key in one.taken:
            found[one.user.user_id, key.term] += credits[key.courseID]
    return {who: round(number, 2) for who, number in found.items()}
