"""Imports courses: all rows of a file, or none."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.domain import folding, requisite_parser, requisites, restrictions, terms
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import SEASONS, Course, Term
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog import gaps
from quart_enroll.services.catalog.import_checks import keep_missing_fields, refuse, refuse_duplicates, unknown_course
from quart_enroll.services.catalog.import_results import ImportResult, RowChange, field_changes
from quart_enroll.services.catalog.import_transactions import SYSTEM, ImportAuthor, run_catalog_import

OPTIONAL_COURSE_FIELDS = (
    *("description", "subject", "prerequisites", "corequisites", "requisite", "restriction"),
    *("max_attempts", "withdrawals_count", "repeat_action", "equivalents"),
)
"""Fields that keep their stored values if the file lacks their columns."""

ITSELF = Sentence("A course can’t require itself.")
EQUIVALENT = Sentence("A course can’t be its own equivalent.")


@dataclass(frozen=True, slots=True)
class ImportedCourse:
    """A course from row `number` of a file; OPTIONAL_COURSE_FIELDS that are not `given` keep their stored values."""

    number: int
    course: Course
    given: frozenset[str]


class KnownCourseIDs:
    """Finds courseIDs in any spelling; of two spellings in an old database, only the exact one."""

    def __init__(self, courseIDs: Iterable[str]) -> None:  # the stored name
        self._stored = {courseID: courseID for courseID in courseIDs}
        keys = Counter(map(folding.key, self._stored))
        self._by_key = {key: courseID for courseID in self._stored if keys[key := folding.key(courseID)] == 1}

    def __contains__(self, courseID: str) -> bool:  # the same
        return courseID in self._stored

    def stored(self, text: str) -> str:
        """Return the courseID in its stored spelling, or the text itself if it is unknown."""
        return self._stored.get(text) or self._by_key.get(folding.key(text), text)

    def with_stored_requisites(self, course: Course) -> Course:
        """Return the course with its requisites in their stored spelling; unknown courses stay as they are."""
        return replace(
            course,
            prerequisites=tuple(dict.fromkeys(map(self.stored, course.prerequisites))),
            corequisites=tuple(dict.fromkeys(map(self.stored, course.corequisites))),
            equivalents=tuple(dict.fromkeys(map(self.stored, course.equivalents))),
            requisite=requisites.to_text(requisite_parser.parse(course.requisite, lambda name, _: self.stored(name))),
            restriction=restrictions.to_text(restrictions.parse(course.restriction)),
        )


async def known_course_ids(db: Database) -> KnownCourseIDs:
    """Return the courseIDs of the catalog."""
    return KnownCourseIDs([course.courseID for course in await courses.find_all(db)])


async def import_courses(
    db: Database,
    rows: Sequence[ImportedCourse],
    now: datetime,
    *,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Store courses by courseID; raise InvalidRows for duplicates, and for unknown courses or terms."""
    refuse_duplicates(rows, lambda row: row.course.courseID, "courseID", folding.key)
    all_terms = await stored_terms.find_all(db)
    term_names = [term.term for term in all_terms]
    coming = [term.term for term in terms.active(all_terms, now)]
    _refuse_unknown_terms(rows, all_terms)

    async def body(session: Session) -> ImportResult:
        before = {course.courseID: course for course in await courses.find_all(db, session)}
        _refuse_other_spellings(rows, before)
        known = KnownCourseIDs([*before, *(row.course.courseID for row in rows)])
        after = [_with_stored_fields(row, known, before) for row in rows]
        _refuse_unknown_requisites(rows, after, before.keys() | {course.courseID for course in after})
        pairs = [(before[course.courseID], course) for course in after if course.courseID in before]
        changed = [(old, new) for old, new in pairs if old != new]
        changed_ids = [new.courseID for _, new in changed]
        await import_guards.guard_courses(db, term_names, changed_ids, session)
        # The courses needed in the same term determine what students may drop for another seat, so these are guarded
        # too.
        added_credits = {
            new.courseID: new.credits - old.credits
            for old, new in changed
            if old.credits != new.credits or _needed_beside(old) != _needed_beside(new)
        }
        await import_guards.add_credits(db, term_names, added_credits, session)
        counts = await import_guards.count_seats(db, coming, changed_ids, session)
        written = await courses.put_all(db, after, session)
        changes = [
            RowChange(row.number, course.courseID, different, *counts.get(course.courseID, (0, 0)))
            for row, course in zip(rows, after, strict=True)
            if course.courseID in before and (different := field_changes(before[course.courseID], course))
        ]
        offered = await import_guards.find_offered(db, [course.courseID for course in after], session)
        notes = gaps.without_sections([one for one in after if one.courseID not in offered], all_terms)
        new_rows = [row.number for row in rows if row.course.courseID not in before]
        return ImportResult(*written, len(rows) - sum(written), changes, notes=notes, new_rows=new_rows)

    return await run_catalog_import(db, body, now, dry_run=dry_run, author=author) if rows else ImportResult(0, 0, 0)


def _with_stored_fields(row: ImportedCourse, known: KnownCourseIDs, before: Mapping[str, Course]) -> Course:
    course = known.with_stored_requisites(row.course)
    return keep_missing_fields(course, before.get(course.courseID), row.given, OPTIONAL_COURSE_FIELDS)


def _refuse_other_spellings(rows: Sequence[ImportedCourse], before: Mapping[str, Course]) -> None:
    """Raise InvalidRows for courses that are stored under another spelling of their courseID."""
    by_key = {folding.key(courseID): courseID for courseID in before}
    refuse(
        [
            RowProblem(
                row.number,
                Sentence("The catalog spells this course number %(stored)s. Use the same spelling.", stored=stored),
                "courseID",
            )
            for row in rows
            if row.course.courseID not in before and (stored := by_key.get(folding.key(row.course.courseID)))
        ]
    )


def _needed_beside(course: Course) -> tuple[Sequence[str], str]:
    """Return what the course needs in the same term."""
    return course.corequisites, course.requisite if course.concurrent_courses else ""


def _refuse_unknown_requisites(rows: Sequence[ImportedCourse], after: Sequence[Course], known: set[str]) -> None:
    """Raise InvalidRows for courses that require themselves or unknown courses."""
    problems, courseIDs = [], KnownCourseIDs(known)
    for row, course in zip(rows, after, strict=True):
        for field in sorted({"prerequisites", "corequisites", "equivalents"} & row.given):
            for required in getattr(course, field):
                if required not in known:
                    problems.append(unknown_course(row.number, required, field))
                if required == course.courseID:
                    problems.append(RowProblem(row.number, EQUIVALENT if field == "equivalents" else ITSELF, field))
        if "requisite" in row.given:
            problems += _requisite_problems(row, course.courseID, courseIDs)
    refuse(problems)


def _requisite_problems(row: ImportedCourse, courseID: str, known: KnownCourseIDs) -> list[RowProblem]:
    """Return the problems of a written requisite, each with the position of the course."""
    problems = []

    def check(name: str, position: int) -> str:
        stored = known.stored(name)
        if stored not in known or stored == courseID:
            problem = ITSELF if stored == courseID else unknown_course(row.number, name, "requisite").sentence
            sentence = Sentence("Character %(position)s: %(problem)s", position=position, problem=problem)
            problems.append(RowProblem(row.number, sentence, "requisite"))
        return stored

    requisite_parser.parse(row.course.requisite, check)
    return problems


def _refuse_unknown_terms(rows: Sequence[ImportedCourse], known: Sequence[Term]) -> None:
    """Raise InvalidRows for courses with a term that is neither a season nor a term in the catalog."""
    seasons = ", ".join(SEASONS)
    refuse(
        [
            RowProblem(
                row.number,
                Sentence(
                    "“%(name)s” is neither a season (%(seasons)s) nor a term in the catalog.",
                    name=name,
                    seasons=seasons,
                ),
                "term",
            )
            for row in rows
            for name in terms.unknown_names(row.course.term, known)
        ]
    )
