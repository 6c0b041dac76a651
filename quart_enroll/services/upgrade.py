"""Bringing a database up to date: the rows of a Flask site, indexes, validators, the counter."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from quart_enroll.mongo import Database, ensure_validator
from quart_enroll.repositories import courses, enrollments, flask_era, logins, users

REPOSITORIES: dict[str, Any] = {"course": courses, "user": users, "enrollment": enrollments, "login": logins}
"""The modules with the indexes and the schema of each collection."""


@dataclass(frozen=True, slots=True)
class Report:
    """Sentences: what was changed, what was left alone and why, and which indexes failed."""

    changes: list[str] = field(default_factory=list)
    left_alone: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def upgrade(db: Database, current_term: str) -> Report:
    """Bring the database up to date; what is so already stays, so a second time changes nothing.

    Enrollments without a term are placed in `current_term`. A row that can't be repaired without
    guessing stays as it is. Stopped halfway, it goes on the next time.
    """
    report = Report()
    await _repair_courses(db, report)
    await _repair_users(db, report)
    if number := await flask_era.fold_enrollments(db):
        report.changes.append(f"enrollment: {_count(number, 'row')} folded into an older one")
    for collection in REPOSITORIES:
        await _make_indexes(db, collection, report)
    # After the indexes: the unique one decides which rows are for a seat that the student has already.
    await _place_enrollments(db, current_term, report)
    for collection, repository in REPOSITORIES.items():
        if await ensure_validator(db, collection, repository.SCHEMA):
            report.changes.append(f"{collection}: rows are checked from now on")
    if await users.raise_counter(db):
        report.changes.append("counter: new users are numbered from the highest user_id on")
    return report


async def _repair_courses(db: Database, report: Report) -> None:
    if number := await flask_era.credits_to_numbers(db):
        report.changes.append(f"course: the credits of {_count(number, 'course')} are numbers now")
    for courseID, rows in await flask_era.repeated(db, "course", "courseID"):
        report.left_alone.append(f"course: courseID {courseID} belongs to {' and '.join(rows)}")
    await _list_misfits(db, "course", report)


async def _repair_users(db: Database, report: Report) -> None:
    if number := await flask_era.roles_to_students(db):
        report.changes.append(f"user: {_count(number, 'user')} without a role became students")
    for user_id, rows in await flask_era.repeated(db, "user", "user_id"):
        report.left_alone.append(f"user: user_id {user_id} belongs to {' and '.join(rows)}")
    # The address itself stays out of the report: reports end up in logs.
    for _, rows in await flask_era.repeated(db, "user", "email", users.ANY_CASE):
        report.left_alone.append(f"user: {' and '.join(rows)} share an email address")
    await _list_misfits(db, "user", report)


async def _list_misfits(db: Database, collection: str, report: Report) -> None:
    for row, names in (await flask_era.misfits(db, collection, REPOSITORIES[collection].SCHEMA)).items():
        report.left_alone.append(f"{collection}: {row} lacks a proper {' and '.join(names)}")


async def _make_indexes(db: Database, collection: str, report: Report) -> None:
    indexes = await flask_era.make_indexes(db, collection, REPOSITORIES[collection].INDEXES)
    report.changes.extend(f"{collection}: the index {name} is made" for name in indexes.made)
    report.left_alone.extend(
        f"{collection}: the index {name} must wait until no two rows have the same value" for name in indexes.impossible
    )
    report.failures.extend(
        f"{collection}: there is an index {name} with other options; drop it, then run this again"
        for name in indexes.clashing
    )


async def _place_enrollments(db: Database, term: str, report: Report) -> None:
    placing = await flask_era.place_enrollments(db, term, datetime.now(UTC))
    if placing.placed:
        report.changes.append(f"enrollment: {_count(placing.placed, 'row')} without a term placed in {term}")
    if placing.folded:
        report.changes.append(f"enrollment: {_count(placing.folded, 'row')} folded into another of {term}")
    report.left_alone.extend(placing.reasons)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
