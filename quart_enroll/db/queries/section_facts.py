"""A section with its course and its term, and what a student has in the term, in as few queries as possible."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import enrollments, schedules, sections
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import to_section
from quart_enroll.db.collections.terms import to_sorted_terms
from quart_enroll.db.collections.waitlist import has_course, to_entry
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.models import Course, Registration, Section, SectionKey, Term, WaitlistEntry


class SectionFacts(NamedTuple):
    """A section with its course and its term; None for each that doesn't exist."""

    term: Term | None
    course: Course | None
    section: Section | None


class StudentRecord(NamedTuple):
    """What a student has in a term, and waits for in any term, both in the order of courseID.

    `taken_courses` are the courses in which the student is enrolled in any term, each with that term. `is_closed` means
    that the account was deleted, and can make no changes.
    """

    is_closed: bool
    registrations: list[Registration]
    waitlist_entries: list[WaitlistEntry]
    taken_courses: list[tuple[str, Term]]


async def find(db: Database, key: SectionKey, session: Session | None = None) -> SectionFacts:
    """Return the section with its course and its term."""
    rows = await multi_find.find(db, sections.match_with_courses([key]) | {"term": {"term": key.term}}, session)
    return _facts([key], rows, to_sorted_terms(rows["term"]))[key]


async def find_for_all(
    db: Database, wanted: Sequence[tuple[int, SectionKey]], session: Session | None = None
) -> list[tuple[SectionFacts, StudentRecord]]:
    """Return, for each student and section, the section's facts and the student's record in its term."""
    keys = {key for _, key in wanted}
    of_students = {"user_id": {"$in": list({user_id for user_id, _ in wanted})}}
    filters: dict[str, Document] = {
        "enrollment": of_students,
        "waitlist": of_students,
        "schedule": of_students | schedules.IS_CLOSED,
    }
    rows = await multi_find.find(db, sections.match_with_courses(keys) | filters | {"term": {}}, session)
    known = to_sorted_terms(rows["term"])
    terms = {term.term: term for term in known}
    wanted_terms = {key.term for key in keys}
    registrations, entries, taken = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in rows["enrollment"]:
        if row.get("status") == "enrolled" and (term := terms.get(str(row.get("term")))) is not None:
            taken[row["user_id"]].append((str(row.get("courseID")), term))
    in_wanted_terms = [row for row in rows["enrollment"] if str(row.get("term")) in wanted_terms]
    for user_id, one in await enrollments.to_registrations_by_student(db, in_wanted_terms, session):
        registrations[user_id, one.section.key.term].append(one)
    for entry in sorted(map(to_entry, filter(has_course, rows["waitlist"])), key=lambda one: one.key.courseID):
        entries[entry.user_id].append(entry)
    closed = {(row["user_id"], row["term"]) for row in rows["schedule"]}
    facts = _facts(keys, rows, known)
    return [
        (
            facts[key],
            StudentRecord(
                is_closed=(user_id, key.term) in closed,
                registrations=registrations[user_id, key.term],
                waitlist_entries=entries[user_id],
                taken_courses=taken[user_id],
            ),
        )
        for user_id, key in wanted
    ]


async def find_course(db: Database, courseID: str) -> tuple[Course | None, list[Term], list[Section]]:
    """Return the course, all terms in chronological order, and the course's sections in the order of their keys."""
    wanted: dict[str, Document] = {
        "course": {"courseID": courseID},
        "term": {},
        "section": section_keys.HAS_KEY | {"courseID": courseID},
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
