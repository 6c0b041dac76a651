"""What a section is: its row, its course's and its term's, with what students have to do with it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import enrollments, schedules, sections
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import to_section
from quart_enroll.db.collections.terms import to_sorted_terms
from quart_enroll.db.collections.waitlist import has_course, to_entry
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.models import Course, Registration, Section, SectionKey, Term, WaitlistEntry


class SectionFacts(NamedTuple):
    """What there is of a section; None for what there is not."""

    term: Term | None
    course: Course | None
    section: Section | None


class StudentRecord(NamedTuple):
    """What a student has in a term and waits for in any, both in the order of courseID, and took in which terms.

    Who is gone has nothing, and may begin nothing.
    """

    is_gone: bool
    held: list[Registration]
    lines: list[WaitlistEntry]
    taken: list[tuple[str, Term]]


async def find(db: Database, key: SectionKey, session: Session | None = None) -> SectionFacts:
    """Return what there is under that name."""
    rows = await multi_find.find(db, sections.match_with_courses([key]) | {"term": {"term": key.term}}, session)
    return _facts([key], rows, to_sorted_terms(rows["term"]))[key]


async def find_for_all(
    db: Database, wanted: Sequence[tuple[int, SectionKey]], session: Session | None = None
) -> list[tuple[SectionFacts, StudentRecord]]:
    """Return the same for each student and section, with what the student has to do with it."""
    keys = {key for _, key in wanted}
    students = {"user_id": {"$in": list({user_id for user_id, _ in wanted})}}
    theirs: dict[str, Document] = {
        "enrollment": students,
        "waitlist": students,
        "schedule": students | schedules.IS_CLOSED,
    }
    rows = await multi_find.find(db, sections.match_with_courses(keys) | theirs | {"term": {}}, session)
    known = to_sorted_terms(rows["term"])
    terms = {term.term: term for term in known}
    wanted_terms = {key.term for key in keys}
    held, lines, taken = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in rows["enrollment"]:
        if row.get("status") == "enrolled" and (term := terms.get(str(row.get("term")))) is not None:
            taken[row["user_id"]].append((str(row.get("courseID")), term))
    now = [row for row in rows["enrollment"] if str(row.get("term")) in wanted_terms]
    for user_id, one in await enrollments.to_registrations_by_student(db, now, session):
        held[user_id, one.section.key.term].append(one)
    for waiting in sorted(map(to_entry, filter(has_course, rows["waitlist"])), key=lambda one: one.key.courseID):
        lines[waiting.user_id].append(waiting)
    gone = {(row["user_id"], row["term"]) for row in rows["schedule"]}
    found = _facts(keys, rows, known)
    return [
        (
            found[key],
            StudentRecord((user_id, key.term) in gone, held[user_id, key.term], lines[user_id], taken[user_id]),
        )
        for user_id, key in wanted
    ]


async def find_course(db: Database, courseID: str) -> tuple[Course | None, list[Term], list[Section]]:
    """Return the course, all terms in the order of time, and the course's sections in the order of their keys."""
    wanted: dict[str, Document] = {
        "course": {"courseID": courseID},
        "term": {},
        "section": sections.HAS_KEY | {"courseID": courseID},
    }
    rows = await multi_find.find(db, wanted)
    offered = sorted(map(to_section, rows["section"]), key=lambda section: section.key)
    return next(map(to_course, rows["course"]), None), to_sorted_terms(rows["term"]), offered


def _facts(
    keys: Iterable[SectionKey], rows: dict[str, list[Document]], known: Iterable[Term]
) -> dict[SectionKey, SectionFacts]:
    terms = {term.term: term for term in known}
    courses = {row["courseID"]: to_course(row) for row in rows["course"]}
    offered = {section.key: section for section in map(to_section, rows["section"])}
    return {key: SectionFacts(terms.get(key.term), courses.get(key.courseID), offered.get(key)) for key in keys}
