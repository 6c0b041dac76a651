"""A small school for tests of enrollment: stored in a database, and read back."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import courses, permits, sections, terms, waitlist
from quart_enroll.db.queries import import_guards
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import pools
from quart_enroll.domain.errors import Busy, Refused
from quart_enroll.domain.models import Course, Meeting, Section, SectionKey, Term
from quart_enroll.domain.permits import PermitStatus
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.services.enrollment import swap_cycles
from quart_enroll.services.enrollment.promotion import promote_all_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES
from tests.support.seat_model import OK, ModelEntry, ModelPermit, ModelSchool, ModelSeat

Rows = dict[str, list[Document]]

CHANGING = ("audit", "enrollment", "event", "hold", "notice", "permit", "schedule", "section", "waitlist")
REGISTRAR = 0
FALL, SPRING = "Fall 2026", "Spring 2027"


def day(number: int) -> datetime:
    """Return noon on a day of September 2026; most tests use the 20th."""
    return datetime(2026, 9, number, 12, tzinfo=UTC)


NOW = day(20)


def term(name: str = FALL, max_credits: float = 18, **days: int) -> Term:
    """Return a term whose windows begin and end in September."""
    windows = {"opens_at": 1, "add_deadline": 25, "drop_deadline": 27, "withdraw_deadline": 29} | days
    opens, add, drop, withdraw = (day(number) for number in windows.values())
    return Term(name, opens, add, drop, withdraw, max_credits)


def course(
    courseID: str, credits: float = 3, *, prerequisites: tuple[str, ...] = (), corequisites: tuple[str, ...] = ()
) -> Course:
    """Return a course with prerequisites and corequisites."""
    return Course(courseID, f"Course {courseID}", "", credits, "Fall, Spring", "", prerequisites, corequisites)


def section(courseID: str, capacity: int, when: str = "", *, number: str = "01", name: str = FALL) -> Section:
    """Return a section with a long waitlist; `when` is like "MWF 09:00 09:50"."""
    meetings = (Meeting(*when.split()),) if when else ()
    return Section(name, courseID, number, capacity, waitlist_capacity=400, meetings=meetings)


async def store(db: Database, *things: Term | Course | Section) -> None:
    """Store the terms, courses and sections of a school."""
    await terms.put_all(db, [thing for thing in things if isinstance(thing, Term)])
    await sections.put_all(db, [thing for thing in things if isinstance(thing, Section)])

    async def body(session: Session) -> None:
        await courses.put_all(db, [thing for thing in things if isinstance(thing, Course)], session)

    await transaction(db, body)


async def import_section(db: Database, offered: Section, now: datetime = NOW) -> None:
    """Store a section again, as `import section` does: a raised capacity promotes."""

    async def body(session: Session) -> None:
        stored = await sections.find(db, offered.key, session)
        counted = pools.with_counts(offered.pools, stored.pools if stored else ())
        await sections.put_all(db, [replace(offered, pools=counted)], session)
        await import_guards.note_section_changes(db, [offered], [], now, session)
        await promote_all_waitlists(SeatTransaction(db, session, now, REGISTRAR))

    await transaction(db, body)
    await swap_cycles.complete_all_cycles(SectionLocks(db), REGISTRAR, now)


async def outcome(action: Coroutine[None, None, object]) -> str:
    """Run it, and return "ok" or the code of the refusal."""
    try:
        await action
    except (Refused, Busy) as refusal:
        return refusal.code
    return OK


async def outcomes_of(actions: Iterable[Coroutine[None, None, object]]) -> list[str]:
    """Run all at once, and return each outcome; any other error is raised."""
    return list(await asyncio.gather(*(outcome(action) for action in actions)))


async def waitlisted_students(db: Database, key: SectionKey) -> list[int]:
    """Return the waitlisted students, in the order of joining."""
    return [waiting.user_id for waiting in await waitlist.find_by_section(db, key)]


async def enrolled_students(db: Database, key: SectionKey) -> set[int]:
    """Return the students with a seat in the section."""
    named = {"term": key.term, "courseID": key.courseID, "section": key.section, "status": "enrolled"}
    return {row["user_id"] async for row in db.enrollment.find(named)}


async def read_rows(db: Database) -> Rows:
    """Read every row of every collection."""
    found = await asyncio.gather(*(db[name].find().to_list(None) for name in COLLECTION_MODULES))
    return dict(zip(COLLECTION_MODULES, found, strict=True))


def to_model(rows: Rows) -> ModelSchool:
    """Return the model of the school in these rows."""
    school = ModelSchool(
        [terms.to_term(row) for row in rows["term"]],
        [courses.to_course(row) for row in rows["course"]],
        [sections.to_section(row) for row in rows["section"]],
    )
    for row in rows["hold"]:
        if "lifted_at" not in row:
            school.holds.setdefault(row["user_id"], []).append(frozenset(row["blocks"]))
    for one in map(permits.to_record, sorted(rows["permit"], key=lambda row: row["_id"])):
        if one.status is PermitStatus.GRANTED:
            facts = one.permit.term, one.permit.courseID, one.permit.section, frozenset(map(str, one.permit.overrides))
            school.permits.append(ModelPermit(one.user_id, *facts, one.permit.used_for))
    for row in rows["user"]:
        school.attributes[row["user_id"]] = StudentAttributes.read(row.get("attributes"))
    for row in rows["enrollment"]:
        key = row["user_id"], row["term"], row["courseID"]
        assert key not in school.seats, f"{key} is enrolled twice"
        seat = row["section"], row["status"] == "withdrawn", row.get("grade", ""), row.get("pool", "")
        school.seats[key] = ModelSeat(*seat)
    for row in sorted(rows["waitlist"], key=lambda row: int(row["place"])):
        waiting = waitlist.to_entry(row)
        overrides = frozenset(map(str, waiting.overrides))
        place = ModelEntry(waiting.user_id, waiting.drop_if_enrolled, waiting.skipped_because is not None, overrides)
        school.waitlists[waiting.key].append(place)
    return school
