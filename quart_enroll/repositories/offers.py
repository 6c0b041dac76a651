"""What a section is: its row, its course's and its term's, with what a student has to do with it."""

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
    return _found(await together.find(db, _named(key), session))


async def find_for(
    db: Database, user_id: int, key: SectionKey, session: Session | None = None
) -> tuple[Found, list[Held], list[Waiting]]:
    """Return the same, with what the student has in that term, in the order of courseID, and waits for in any."""
    students: dict[str, Document] = {
        "enrollment": {"user_id": user_id, "term": key.term},
        "waitlist": {"user_id": user_id},
    }
    rows = await together.find(db, _named(key) | students, session)
    held = await enrollments.join(db, rows["enrollment"], session)
    return _found(rows), held, [to_waiting(row) for row in rows["waitlist"] if is_placed(row)]


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


def _named(key: SectionKey) -> dict[str, Document]:
    return {
        "section": {"term": key.term, "courseID": key.courseID, "section": key.section},
        "course": {"courseID": key.courseID},
        "term": {"term": key.term},
    }


def _found(rows: dict[str, list[Document]]) -> Found:
    return Found(
        next(iter(in_order(rows["term"])), None),
        next(map(to_course, rows["course"]), None),
        next(map(to_section, rows["section"]), None),
    )
