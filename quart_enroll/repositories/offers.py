"""What a section is: its row, its course's and its term's, with what students have to do with it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quart_enroll.models import Course, Held, Section, SectionKey, Term, Waiting
from quart_enroll.mongo import Database, Document, Session
from quart_enroll.repositories import enrollments, sections, together
from quart_enroll.repositories.courses import to_course
from quart_enroll.repositories.sections import to_section
from quart_enroll.repositories.terms import in_order
from quart_enroll.repositories.waitlist import is_placed, to_waiting


class Found(NamedTuple):
    """What there is of a section; None for what there is not."""

    term: Term | None
    course: Course | None
    section: Section | None


async def find(db: Database, key: SectionKey, session: Session | None = None) -> Found:
    """Return what there is under that name."""
    return _found([key], await together.find(db, _named([key]), session))[key]


async def find_for_all(
    db: Database, wanted: Sequence[tuple[int, SectionKey]], session: Session | None = None
) -> list[tuple[Found, list[Held], list[Waiting]]]:
    """Return the same for each student and section, with what the student has in that term and waits for in any.

    Both are in the order of courseID.
    """
    keys = {key for _, key in wanted}
    students = {"user_id": {"$in": list({user_id for user_id, _ in wanted})}}
    asked: dict[str, Document] = {
        "enrollment": students | {"term": {"$in": list({key.term for key in keys})}},
        "waitlist": students,
    }
    rows = await together.find(db, _named(keys) | asked, session)
    found, held, lines = _found(keys, rows), defaultdict(list), defaultdict(list)
    for user_id, one in await enrollments.join(db, rows["enrollment"], session):
        held[user_id, one.section.key.term].append(one)
    for waiting in sorted(map(to_waiting, filter(is_placed, rows["waitlist"])), key=lambda one: one.key.courseID):
        lines[waiting.user_id].append(waiting)
    return [(found[key], held[user_id, key.term], lines[user_id]) for user_id, key in wanted]


async def of_course(db: Database, courseID: str) -> tuple[Course | None, list[Term], list[Section]]:
    """Return the course, all terms in the order of time, and the course's sections in the order of their keys."""
    wanted: dict[str, Document] = {
        "course": {"courseID": courseID},
        "term": {},
        "section": sections.NAMED | {"courseID": courseID},
    }
    rows = await together.find(db, wanted)
    offered = sorted(map(to_section, rows["section"]), key=lambda section: section.key)
    return next(map(to_course, rows["course"]), None), in_order(rows["term"]), offered


def _named(keys: Iterable[SectionKey]) -> dict[str, Document]:
    """Match these sections, and whatever else has a term, a course and a number of them; one index finds them."""
    named = {name: {"$in": list({getattr(key, name) for key in keys})} for name in ("term", "courseID", "section")}
    return {"section": named, "course": {"courseID": named["courseID"]}, "term": {"term": named["term"]}}


def _found(keys: Iterable[SectionKey], rows: dict[str, list[Document]]) -> dict[SectionKey, Found]:
    terms = {term.term: term for term in in_order(rows["term"])}
    courses = {row["courseID"]: to_course(row) for row in rows["course"]}
    offered = {section.key: section for section in map(to_section, rows["section"])}
    return {key: Found(terms.get(key.term), courses.get(key.courseID), offered.get(key)) for key in keys}
