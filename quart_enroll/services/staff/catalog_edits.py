"""Terms and courses as staff change them: the import of a single row, with its author."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import folding, terms
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.errors import EditConflict, WrongFields
from quart_enroll.domain.models import Course, Term
from quart_enroll.i18n.language import gettext
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_courses import OPTIONAL_COURSE_FIELDS, ImportedCourse, import_courses
from quart_enroll.services.catalog.import_results import FieldChange, ImportResult, RowChange
from quart_enroll.services.catalog.import_terms import OPTIONAL_TERM_FIELDS, ImportedTerm, import_terms
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.staff import audit


async def find_terms(db: Database) -> list[Term]:
    """Return all terms, in chronological order."""
    return await stored_terms.find_all(db)


async def find_term(db: Database, name: str) -> Term | None:
    """Return the term, or None."""
    return await stored_terms.find(db, name)


async def find_courses(db: Database) -> list[Course]:
    """Return all courses, in the order of courseID."""
    return await courses.find_all(db)


async def find_course(db: Database, courseID: str) -> Course | None:
    """Return the course, or None."""
    return await courses.find(db, courseID)


async def add_term(db: Database, staff_id: int, term: Term, now: datetime) -> ImportResult:
    """Add a term; raise WrongFields if its name is taken or its dates contradict each other."""
    if any(terms.key(one.term) == terms.key(term.term) for one in await stored_terms.find_all(db)):
        raise WrongFields({"term": gettext("There is already a term with this name. Choose another name.")})
    return await edit_term(db, staff_id, term, now)


async def edit_term(
    db: Database, staff_id: int, term: Term, now: datetime, *, seen: str = "", preview: bool = False
) -> ImportResult:
    """Store the term, with the promotions that a later deadline makes possible; a `preview` stores nothing.

    Raises WrongFields if its dates contradict each other, and EditConflict if the editor saw another one, of which
    `seen` is the fingerprint.
    """

    async def find(session: Session) -> Term | None:
        return await stored_terms.find(db, term.term, session)

    row = ImportedTerm(1, term, frozenset(OPTIONAL_TERM_FIELDS))
    author = _author(db, staff_id, now, "term", About("term", term.term), _Seen(seen, find))
    return await _import_one(partial(import_terms, db, [row], now, dry_run=preview, author=author))


async def add_course(db: Database, staff_id: int, course: Course, now: datetime) -> ImportResult:
    """Add a course; raise WrongFields if its number is taken, or for unknown terms and requisites."""
    key = folding.key(course.courseID)
    if any(folding.key(one.courseID) == key for one in await courses.find_all(db)):
        raise WrongFields({"courseID": gettext("There is already a course with this number. Choose another number.")})
    return await edit_course(db, staff_id, course, now)


async def edit_course(
    db: Database, staff_id: int, course: Course, now: datetime, *, seen: str = "", preview: bool = False
) -> ImportResult:
    """Store the course, with the promotions that this makes possible; a `preview` stores nothing.

    Raises WrongFields for unknown terms and requisites, and EditConflict if the editor saw another one, of which
    `seen` is the fingerprint.
    """

    async def find(session: Session) -> Course | None:
        return await courses.find(db, course.courseID, session)

    row = ImportedCourse(1, course, frozenset(OPTIONAL_COURSE_FIELDS))
    author = _author(db, staff_id, now, "course", About("course", courseID=course.courseID), _Seen(seen, find))
    return await _import_one(partial(import_courses, db, [row], now, dry_run=preview, author=author))


def fingerprint(row: Term | Course) -> str:
    """Return a text that differs for each content of a row."""
    facts = [_comparable(getattr(row, one.name)) for one in fields(row)]
    return sha256(repr(facts).encode()).hexdigest()[:16]


def _comparable(value: object) -> object:
    """Return what is the same for equal values, such as 4 and 4.0, or a moment in two timezones."""
    match value:
        case datetime():
            return value.astimezone(UTC)
        case int() | float():
            return float(value)
        case _:
            return value


@dataclass(frozen=True, slots=True)
class _Seen:
    """The fingerprint of the row that the editor saw, empty if it is not known; and what finds the row now."""

    fingerprint: str
    find: Callable[[Session], Awaitable[Term | Course | None]]

    async def check(self, session: Session, change: RowChange) -> None:
        """Raise EditConflict if the row was another one before this change, which is in the same transaction."""
        row = await self.find(session)
        if self.fingerprint and row is not None:
            before = replace(row, **{one.field: one.old for one in change.fields})
            if fingerprint(before) != self.fingerprint:
                raise EditConflict


def _author(db: Database, staff_id: int, now: datetime, kind: str, about: About, seen: _Seen) -> ImportAuthor:
    """Return the author of an import, who records it in the audit log if it changes anything."""

    async def record(session: Session, result: ImportResult) -> None:
        if result.unchanged:
            return
        for change in result.changes:
            await seen.check(session, change)
        changes = tuple(map(audit_change, result.changes[0].fields)) if result.changes else ()
        action = f"{kind}.{'add' if result.added else 'edit'}"
        await audit.record(db, session, AuditEntry(now, staff_id, action, about, changes=changes))

    return ImportAuthor(staff_id, record)


async def _import_one(run: Callable[[], Coroutine[Any, Any, ImportResult]]) -> ImportResult:
    try:
        return await run()
    except InvalidRows as refused:
        raise WrongFields({one.field: str(one.sentence) for one in refused.problems}) from refused


def audit_change(change: FieldChange) -> Change:
    """Return the change as the audit log has it."""
    return Change(change.field, _text(change.old), _text(change.new))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)
