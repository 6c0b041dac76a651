"""A section with its course and its term, and what students have in the term, in as few queries as possible."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import appointments, enrollments, holds, permits, schedules, sections, users
from quart_enroll.db.collections import courses as stored_courses
from quart_enroll.db.collections.courses import to_course, to_courses
from quart_enroll.db.collections.sections import to_section, to_sections
from quart_enroll.db.collections.terms import to_sorted_terms
from quart_enroll.db.collections.waitlist import has_course, to_entry
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.holds import Hold
from quart_enroll.domain.models import Course, Registration, Section, SectionKey, TakenCourse, Term, WaitlistEntry
from quart_enroll.domain.permits import Permit
from quart_enroll.domain.requisite_rules import counted_as, with_equivalents
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes


class SectionFacts(NamedTuple):
    """A section with its course and its term; None for each that doesn't exist."""

    term: Term | None
    course: Course | None
    section: Section | None


class StudentRecord(NamedTuple):
    """What a student has in a term, and waits for in any term, both in the order of courseID.

    `waited_courses` are the courses of the waitlist entries. `taken_courses` are the courses that the student takes or
    took in any term, as far as one of the other courses requires them or limits repeats; equivalent courses are
    `counted_as` required ones. `is_closed` means that the account was deleted, and can make no changes. `holds` are
    those that haven't been lifted, `permits` those for the term that weren't revoked, `appointment` is the one for the
    term.
    """

    is_closed: bool
    registrations: list[Registration]
    waitlist_entries: list[WaitlistEntry]
    waited_courses: list[Course]
    taken_courses: list[TakenCourse]
    counted_as: Mapping[str, Sequence[str]]
    holds: list[Hold]
    permits: list[Permit]
    attributes: StudentAttributes
    appointment: Appointment | None


async def find(db: Database, key: SectionKey, session: Session | None = None) -> SectionFacts:
    """Return the section with its course and its term."""
    rows = await multi_find.find(db, sections.match_with_courses([key]) | {"term": {"term": key.term}}, session)
    terms = {term.term: term for term in to_sorted_terms(rows["term"])}
    courses, offered = to_courses(rows["course"]), to_sections(rows["section"])
    return SectionFacts(terms.get(key.term), courses.get(key.courseID), offered.get(key))


async def find_for_all(
    db: Database, wanted: Sequence[tuple[int, SectionKey]], session: Session | None = None
) -> list[tuple[SectionFacts, StudentRecord]]:
    """Return, for each student and section, the section's facts and the student's record in its term.

    Only rows of these terms are read, and of other terms those that are required. A student's record is the same object
    for all sections of a term.
    """
    keys, user_ids = {key for _, key in wanted}, sorted({user_id for user_id, _ in wanted})
    of_students = {"user_id": {"$in": user_ids}}
    in_terms = of_students | {"term": {"$in": sorted({key.term for key in keys})}}
    filters: dict[str, Document] = {
        "enrollment": in_terms,
        "waitlist": of_students,
        "schedule": in_terms | schedules.IS_CLOSED,
        "term": {},
        "hold": of_students | holds.IS_NOT_LIFTED,
        "permit": in_terms | permits.IS_GRANTED,
        "user": of_students | users.HAS_ATTRIBUTES,
        "appointment": in_terms,
    }
    fields = {"user": users.ATTRIBUTE_FIELDS}
    rows = await multi_find.find(db, filters | sections.match_with_courses(keys), session, fields)
    seats = [(row, section_keys.from_row(row)) for row in rows["enrollment"] if enrollments.has_course(row)]
    entries = sorted(map(to_entry, filter(has_course, rows["waitlist"])), key=lambda one: one.key.courseID)
    courses, offered = to_courses(rows["course"]), to_sections(rows["section"])
    if more := {*(key for _, key in seats), *(entry.key for entry in entries)} - keys:
        found = await multi_find.find(db, sections.match_with_courses(more), session)
        courses, offered = courses | to_courses(found["course"]), offered | to_sections(found["section"])
    terms = {term.term: term for term in to_sorted_terms(rows["term"])}
    required = {name for course in courses.values() for name in (*course.prerequisite_courses, *course.corequisites)}
    equivalents = await stored_courses.find_equivalents(db, required, session) if required else {}
    required |= {course.courseID for course in courses.values() if course.max_attempts}
    required |= {name for names in equivalents.values() for name in names}
    taken = await enrollments.find_terms_by_course(db, user_ids, required, session) if required else {}
    counted = counted_as(equivalents)
    rows_by_student, entries_by_student, holds_by_student = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in rows["hold"]:
        holds_by_student[row["user_id"]].append(holds.to_hold(row))
    permits_by_student = defaultdict(list)
    for row in rows["permit"]:
        permits_by_student[row["user_id"], row["term"]].append(row)
    appointment_by_student = {
        (row["user_id"], row["term"]): appointments.to_appointment(row) for row in rows["appointment"]
    }
    for row, key in seats:
        rows_by_student[row["user_id"], key.term].append(row)
    for entry in entries:
        entries_by_student[entry.user_id].append(entry)
    closed = {(row["user_id"], row["term"]) for row in rows["schedule"]}
    attributes = {row["user_id"]: StudentAttributes.read(row["attributes"]) for row in rows["user"]}
    records = {
        (user_id, term): StudentRecord(
            is_closed=(user_id, term) in closed,
            registrations=enrollments.join(rows_by_student[user_id, term], courses, offered),
            waitlist_entries=entries_by_student[user_id],
            waited_courses=[
                courses[entry.key.courseID] for entry in entries_by_student[user_id] if entry.key.courseID in courses
            ],
            taken_courses=with_equivalents(
                (
                    TakenCourse(courseID, terms[name], grade)
                    for courseID, name, grade in taken.get(user_id, ())
                    if name in terms
                ),
                counted,
            ),
            counted_as=counted,
            holds=holds_by_student[user_id],
            permits=permits.to_permits(permits_by_student[user_id, term]),
            attributes=attributes.get(user_id, NO_ATTRIBUTES),
            appointment=appointment_by_student.get((user_id, term)),
        )
        for user_id, term in {(user_id, key.term) for user_id, key in wanted}
    }
    return [
        (
            SectionFacts(terms.get(key.term), courses.get(key.courseID), offered.get(key)),
            records[user_id, key.term],
        )
        for user_id, key in wanted
    ]


async def find_for_drop(
    db: Database, user_id: int, term: str, session: Session | None = None
) -> tuple[list[Registration], list[Hold]]:
    """Return the student's registrations in the term, as `enrollments.find_in_term` does, and the unlifted holds."""
    own: Document = {"user_id": user_id}
    rows = await multi_find.find(db, {"enrollment": own | {"term": term}, "hold": own | holds.IS_NOT_LIFTED}, session)
    registrations = await enrollments.to_registrations(db, rows["enrollment"], session)
    return registrations, [*map(holds.to_hold, rows["hold"])]


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


async def find_own_course(
    db: Database, user_id: int, courseID: str
) -> tuple[Course | None, list[Term], list[SectionKey], list[SectionKey]]:
    """Return the course, all terms in chronological order, and the student's sections of the course in any term.

    They are first those in which the student is enrolled, and then those with the student on the waitlist.
    """
    own: Document = {"user_id": user_id, "courseID": courseID}
    wanted = {"course": {"courseID": courseID}, "term": {}, "enrollment": own | {"status": "enrolled"}, "waitlist": own}
    rows = await multi_find.find(db, wanted)
    enrolled, waitlisted = (
        [section_keys.from_row(row) for row in rows[name] if has_course(row)] for name in ("enrollment", "waitlist")
    )
    return next(map(to_course, rows["course"]), None), to_sorted_terms(rows["term"]), enrolled, waitlisted
