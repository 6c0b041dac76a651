"""Imports the rows of any kind of file: the same for commands and for pages."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from quart_enroll.db.client import Database
from quart_enroll.domain.stored_import import APPOINTMENTS, ENROLLMENTS, HOLDS
from quart_enroll.services.catalog.import_appointments import import_appointments
from quart_enroll.services.catalog.import_courses import import_courses
from quart_enroll.services.catalog.import_enrollments import import_enrollments
from quart_enroll.services.catalog.import_grades import import_grades
from quart_enroll.services.catalog.import_holds import import_holds
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_sections import import_sections
from quart_enroll.services.catalog.import_terms import import_terms
from quart_enroll.services.catalog.import_transactions import SYSTEM, ImportAuthor
from quart_enroll.services.catalog.import_users import import_users
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.system.clock import Clock

CATALOG_IMPORTS: Mapping[str, Callable[..., Coroutine[Any, Any, ImportResult]]] = {
    "course": import_courses,
    "grade": import_grades,
    "section": import_sections,
    "term": import_terms,
}
"""The functions that import the rows of each kind of file that can let waitlisted students in."""

STUDENT_IMPORTS: Mapping[str, Callable[..., Coroutine[Any, Any, ImportResult]]] = {
    APPOINTMENTS: import_appointments,
    ENROLLMENTS: import_enrollments,
    HOLDS: import_holds,
}
"""The functions that import the rows of each kind of file about students."""


async def import_rows(
    db: Database,
    kind: str,
    rows: Sequence[Any],
    clock: Clock,
    *,
    unusable_password: str,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Import the rows of a file of this kind; raise InvalidRows, or EmailTaken for a user."""
    if kind in STUDENT_IMPORTS:
        return await STUDENT_IMPORTS[kind](EnrollmentContext(db), rows, clock, dry_run=dry_run, author=author)
    if kind == "user":
        return await import_users(
            db, rows, clock(), unusable_password=unusable_password, dry_run=dry_run, author=author
        )
    return await CATALOG_IMPORTS[kind](db, rows, clock(), dry_run=dry_run, author=author)
