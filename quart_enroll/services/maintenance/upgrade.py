"""Brings a database up to date: rows of a Flask site, terms and sections, indexes, validators, the user counter."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.security import generate_password_hash

from quart_enroll.db import schema as stored_schema
from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, logins, sections, users
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import legacy_flask, legacy_flask_enrollments, schema_violations
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import terms
from quart_enroll.domain.models import Course, Section, SectionKey, Term
from quart_enroll.services.accounts.hashing import is_plain_text
from quart_enroll.services.catalog import gaps
from quart_enroll.services.catalog.import_sections import DEFAULT_WAITLIST_CAPACITY
from quart_enroll.services.maintenance import schema_check, spelling_variants
from quart_enroll.services.maintenance.audit import REPAIR_RETRY_SECONDS, correct_counts
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES


@dataclass(frozen=True, slots=True)
class UpgradeDefaults:
    """Settings for new terms, sections and password hashes."""

    timezone: str = "UTC"
    max_credits: int | float = 18
    section_capacity: int = 30
    password_method: str = "scrypt:32768:8:1"  # noqa: S105  # the hash method, not a password


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """Sentences about changes, about rows that were left unchanged and why, and about indexes that failed."""

    changes: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def upgrade(
    db: Database, now: datetime, defaults: UpgradeDefaults, *, all_sections: bool = False
) -> UpgradeReport:
    """Bring the database up to date; running it again changes nothing.

    Enrollments without a term are assigned to one that their course names. With `all_sections`, every course without
    sections gets one. Rows that can't be repaired without guessing stay as they are. If it is stopped halfway, the next
    run continues.
    """
    report = UpgradeReport()
    await _begin(db, report)
    await _repair_courses(db, report)
    await _repair_users(db, report)
    await _repair_passwords(db, report, defaults.password_method)
    if number := await logins.end_unusable(db):
        report.changes.append(f"login: {_count(number, 'sign-in')} of an earlier version ended")
    if number := await legacy_flask_enrollments.merge_duplicates(db):
        report.changes.append(f"enrollment: {_count(number, 'row')} merged into an older one")
    await _create_indexes(db, report)
    report.changes.extend(await create_terms(db, now, defaults))
    # After the indexes, because the unique index detects duplicate seats.
    await _place_enrollments(db, now, report)
    report.changes.extend(await create_sections(db, now, defaults, of_all=all_sections))
    await _report_gaps(db, report)
    await _recount(db, report)
    await _report_spelling_variants(db, report)
    for collection, repository in COLLECTION_MODULES.items():
        if await stored_schema.ensure_validator(db, collection, repository.SCHEMA):
            report.changes.append(f"{collection}: validator set")
    for term, timezone in (await stored_terms.find_unknown_timezones(db)).items():
        report.unchanged.append(f"term: the timezone “{timezone}” of {term} is unknown; its times are shown in UTC")
    if await users.raise_user_id_counter(db):
        report.changes.append("counter: new users get numbers above the highest user_id")
    return report


async def _begin(db: Database, report: UpgradeReport) -> None:
    """Create missing collections; change nothing if the database user lacks the privileges for the rest."""
    existing = await stored_schema.stored_options(db)
    for collection, repository in COLLECTION_MODULES.items():
        if existing.get(collection) not in (None, stored_schema.wanted_options(repository.SCHEMA)):
            await stored_schema.assert_may_change_validators(db, collection)
    await stored_schema.note_version(db, schema_check.version())
    for collection, repository in COLLECTION_MODULES.items():
        if collection not in existing and await stored_schema.create_collection(db, collection, repository.SCHEMA):
            report.changes.append(f"{collection}: validator set")


async def create_terms(db: Database, now: datetime, defaults: UpgradeDefaults) -> list[str]:
    """Create the first terms of a school that has none, for the seasons of its courses and for its enrollments.

    Each is open from today, or for past terms from their first day, until its last day. Return a sentence for each.
    """
    if await stored_terms.find_all(db):
        return []
    text = ", ".join(course.term for course in await courses.find_all(db))
    wanted = [(text, now.astimezone(ZoneInfo(defaults.timezone)).date())] + [
        (name, date(int(year[0]), 1, 1))
        for name in await legacy_flask_enrollments.find_terms(db)
        if (year := re.findall(r" (\d{4})$", name))
    ]
    made = {
        term.term: term
        for text, today in reversed(wanted)
        for term in terms.default_terms(text, today, max_credits=defaults.max_credits, timezone=defaults.timezone)
    }
    new = sorted(made.values(), key=lambda term: term.order)
    if new:
        await transaction(db, lambda session: stored_terms.put_all(db, new, session), REPAIR_RETRY_SECONDS)
    return [f"term: {term} created, open until the end of {term.day_ending_at(term.add_deadline)}" for term in new]


async def create_sections(db: Database, now: datetime, defaults: UpgradeDefaults, *, of_all: bool = False) -> list[str]:
    """Create sections for courses without any, in each coming term that the course names, and for enrollments.

    If a school has imported terms or sections, it will import others itself, so imported courses get none then, unless
    `of_all`.
    """
    known = await stored_terms.find_all(db)
    keys = await legacy_flask_enrollments.find_missing_sections(db, [term.term for term in known])
    imported = of_all or not await legacy_flask_enrollments.has_imported_sections(db, defaults.section_capacity)
    for course in await legacy_flask_enrollments.find_courses_without_sections(db, imported=imported):
        keys |= {
            SectionKey(term.term, course.courseID, legacy_flask_enrollments.FIRST_SECTION)
            for term in terms.known_in(course.term, terms.active(known, now))
        }
    new = [
        Section(
            key.term, key.courseID, key.section, defaults.section_capacity, waitlist_capacity=DEFAULT_WAITLIST_CAPACITY
        )
        for key in sorted(keys)
    ]
    make = legacy_flask_enrollments.add_sections
    made = await transaction(db, lambda session: make(db, new, session), REPAIR_RETRY_SECONDS) if new else 0
    return [f"section: {_count(made, 'section')} created"] if made else []


async def _repair_courses(db: Database, report: UpgradeReport) -> None:
    if number := await legacy_flask.convert_credits_to_numbers(db):
        report.changes.append(f"course: the credits of {_count(number, 'course')} converted to numbers")
    for courseID, rows in await legacy_flask.find_repeated(db, "course", "courseID"):
        report.unchanged.append(f"course: courseID {courseID} is used by {' and '.join(rows)}")
    await _report_schema_violations(db, "course", report)


async def _repair_users(db: Database, report: UpgradeReport) -> None:
    if number := await legacy_flask.set_missing_roles(db):
        report.changes.append(f"user: {_count(number, 'user')} without a role became students")
    if number := await legacy_flask.copy_single_roles(db):
        report.changes.append(f"user: the role of {_count(number, 'user')} became a list of roles")
    if number := await users.store_derived_fields(db, of_all=True):
        report.changes.append(f"user: {_count(number, 'user')} made ready for lists and searches")
    for user_id, rows in await legacy_flask.find_repeated(db, "user", "user_id"):
        report.unchanged.append(f"user: user_id {user_id} is used by {' and '.join(rows)}")
    # The report does not contain the email, because reports end up in logs.
    for _, rows in await legacy_flask.find_repeated(db, "user", "email", users.CASE_INSENSITIVE):
        report.unchanged.append(f"user: {' and '.join(rows)} share an email address")
    await _report_schema_violations(db, "user", report)


async def _repair_passwords(db: Database, report: UpgradeReport, method: str) -> None:
    """Hash plain-text passwords, and report those that can't be checked."""
    unusable = await legacy_flask.find_unusable_passwords(db)
    plain = [key for key, password in unusable.items() if is_plain_text(password)]
    for key in plain:
        hashed = await asyncio.to_thread(generate_password_hash, unusable[key], method)
        await legacy_flask.replace_password(db, key, unusable[key], hashed)
        del unusable[key]
    if plain:
        report.changes.append(
            f"user: the plain-text passwords of {_count(len(plain), 'user')} were hashed; others may have read "
            f"them, so replace them: {gaps.listed(await legacy_flask.find_user_names(db, plain))}"
        )
    if unusable:
        report.unchanged.append(
            f"user: the passwords of {_count(len(unusable), 'user')} can’t be checked, because Werkzeug didn’t hash "
            "them; `password-link` prints a link to choose a new one: "
            f"{gaps.listed(await legacy_flask.find_user_names(db, list(unusable)))}"
        )


async def _report_spelling_variants(db: Database, report: UpgradeReport) -> None:
    courseIDs = [course.courseID for course in await courses.find_all(db)]
    found = spelling_variants.sentences(courseIDs, await sections.find_keys(db))
    report.unchanged.extend(f"{sentence} Nothing was changed." for sentence in found)
    for rows in await legacy_flask.find_repeated_emails(db):
        report.unchanged.append(f"user: {' and '.join(rows)} have the same email address in different spellings")


async def _report_schema_violations(db: Database, collection: str, report: UpgradeReport) -> None:
    found = await schema_violations.find(db, collection, COLLECTION_MODULES[collection].SCHEMA)
    report.unchanged.extend(f"{collection}: {conflict}" for conflict in found)


async def _create_indexes(db: Database, report: UpgradeReport) -> None:
    absent: list[str] = []
    replaced: dict[str, Sequence[Any]] = {}
    for collection, repository in COLLECTION_MODULES.items():
        indexes = await stored_schema.ensure_indexes(db, collection, repository.INDEXES)
        report.changes.extend(f"{collection}: index {name} created" for name in indexes.created)
        report.unchanged.extend(
            f"{collection}: the index {name} can’t be created until no two rows have the same value"
            for name in indexes.impossible
        )
        report.failures.extend(
            f"{collection}: the index {name} has other options; drop it, then run this again"
            for name in indexes.conflicting
        )
        absent += [f"{collection}.{name}" for name in indexes.impossible]
        if not indexes.impossible and not indexes.conflicting:
            replaced[collection] = getattr(repository, "REPLACED_INDEXES", ())
    absent += [f"{name}.{index.document['name']}" for name, older in replaced.items() for index in older]
    await stored_schema.note_absent(db, absent)  # before they are dropped: processes of the older version stay ready
    for collection, older in replaced.items():
        dropped = await stored_schema.drop_indexes(db, collection, older)
        report.changes.extend(f"{collection}: index {name} dropped, because another replaces it" for name in dropped)


async def _place_enrollments(db: Database, now: datetime, report: UpgradeReport) -> None:
    known = await stored_terms.find_all(db)
    if not known:
        if await legacy_flask_enrollments.has_rows_without_term(db):
            report.unchanged.append(
                "enrollment: rows without a term can’t be assigned until there is one; add it with `import term`"
            )
    else:
        places = {course.courseID: _term_of(course, known, now) for course in await courses.find_all(db)}
        coming = [term.term for term in terms.active(known, now)]
        placing = await legacy_flask_enrollments.place_in_terms(db, places, coming, now)
        report.changes.extend(
            f"enrollment: {_count(number, 'row')} without a term assigned to {term}"
            for term, number in sorted(placing.placed.items())
        )
        report.changes.extend(
            f"enrollment: {_count(number, 'row')} merged into another in {term}"
            for term, number in sorted(placing.duplicates.items())
        )
        report.unchanged.extend(placing.reasons)
    if number := await legacy_flask_enrollments.place_in_sections(db):
        report.changes.append(f"enrollment: {_count(number, 'row')} assigned to a section")
    names = {term.term for term in known}
    report.unchanged.extend(
        f"enrollment: there are rows in {name}, which is not a term; add it with `import term`"
        for name in await legacy_flask_enrollments.find_terms(db)
        if name not in names
    )


def _term_of(course: Course, known: Sequence[Term], now: datetime) -> str | None:
    """Return the term for old enrollments in a course: the current or next one of those that the course names.

    For a course that names no season, it is the current term. For one that names only unknown terms, it is None.
    """
    named = terms.known_in(course.term, terms.active(known, now)) or terms.known_in(course.term, known)
    if not named and terms.seasons(course.term):
        return None
    return terms.current(named or known, now).term


async def _report_gaps(db: Database, report: UpgradeReport) -> None:
    """Report courses in which students can't enroll, and sections that students can't see."""
    known = await stored_terms.find_all(db)
    lacking = await legacy_flask_enrollments.find_courses_without_sections(db, imported=True)
    report.unchanged.extend(f"course: {sentence}" for sentence in gaps.without_sections(lacking, known))
    taught = {course.courseID for course in await courses.find_all(db)}
    names = {term.term for term in known}
    lost = await legacy_flask_enrollments.find_lost_sections(db, names)
    report.unchanged.extend(f"section: {sentence}" for sentence in gaps.lost_sections(lost, taught, names))


async def _recount(db: Database, report: UpgradeReport) -> None:
    corrected = await transaction(db, lambda session: correct_counts(db, session), REPAIR_RETRY_SECONDS)
    if corrected.sections:
        report.changes.append(f"section: seats recounted in {_count(len(corrected.sections), 'section')}")
    if corrected.students:
        report.changes.append(f"schedule: credits recounted in {_count(len(corrected.students), 'schedule')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
