"""Bringing a database up to date: the rows of a Flask site, terms and sections, indexes, validators, the counter."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from quart_enroll.models import Section, SectionKey
from quart_enroll.mongo import Database
from quart_enroll.repositories import courses, flask_enrollments, flask_era, logins, misfits, sections, users
from quart_enroll.repositories import schema as stored_schema
from quart_enroll.repositories import terms as stored_terms
from quart_enroll.services import lookalikes, schema, terms
from quart_enroll.services.catalog_files import DEFAULT_WAITLIST
from quart_enroll.services.checking import PATIENCE, mend_counts
from quart_enroll.services.schema import REPOSITORIES
from quart_enroll.transactions import transaction


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for terms and sections that nobody has said more about."""

    timezone: str = "UTC"
    max_credits: int | float = 18
    section_capacity: int = 30


@dataclass(frozen=True, slots=True)
class Report:
    """Sentences: what was changed, what was left alone and why, and which indexes failed."""

    changes: list[str] = field(default_factory=list)
    left_alone: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def upgrade(db: Database, now: datetime, defaults: Defaults) -> Report:
    """Bring the database up to date; what is so already stays, so a second time changes nothing.

    Enrollments without a term are placed in the current one. A row that can't be repaired without
    guessing stays as it is. Stopped halfway, it goes on the next time.
    """
    report = Report()
    await _begin(db, report)
    await _repair_courses(db, report)
    await _repair_users(db, report)
    if number := await logins.end_unusable(db):
        report.changes.append(f"login: {_count(number, 'sign-in')} of an earlier version ended")
    if number := await flask_enrollments.fold(db):
        report.changes.append(f"enrollment: {_count(number, 'row')} folded into an older one")
    await _make_indexes(db, report)
    report.changes.extend(await make_terms(db, now, defaults))
    # After the indexes: the unique one decides which rows are for a seat that the student has already.
    await _place_enrollments(db, now, report)
    report.changes.extend(await make_sections(db, now, defaults))
    await _count_again(db, report)
    await _name_lookalikes(db, report)
    for collection, repository in REPOSITORIES.items():
        if await stored_schema.ensure_validator(db, collection, repository.SCHEMA):
            report.changes.append(f"{collection}: rows are checked from now on")
    for term, timezone in (await stored_terms.unknown_timezones(db)).items():
        report.left_alone.append(f"term: the timezone “{timezone}” of {term} is unknown; {term} is told in UTC")
    if await users.raise_counter(db):
        report.changes.append("counter: new users are numbered from the highest user_id on")
    return report


async def _begin(db: Database, report: Report) -> None:
    """Make the collections that are missing, or change nothing where the user of the database may not do the rest."""
    existing = await stored_schema.stored_options(db)
    for collection, repository in REPOSITORIES.items():
        if existing.get(collection) not in (None, stored_schema.wanted_options(repository.SCHEMA)):
            await stored_schema.assert_may_change_validators(db, collection)
    await stored_schema.note_version(db, schema.version())
    for collection, repository in REPOSITORIES.items():
        if collection not in existing:
            await stored_schema.create_collection(db, collection, repository.SCHEMA)
            report.changes.append(f"{collection}: rows are checked from now on")


async def make_terms(db: Database, now: datetime, defaults: Defaults) -> list[str]:
    """Make the first terms of a school that has none: for the seasons of its courses, and for its enrollments.

    Each is open from today to its last day, the past ones until theirs. Returns what was done, in sentences.
    """
    if await stored_terms.find_all(db):
        return []
    text = ", ".join(course.term for course in await courses.find_all(db))
    wanted = [(text, now.astimezone(ZoneInfo(defaults.timezone)).date())] + [
        (name, date(int(year[0]), 1, 1))
        for name in await flask_enrollments.terms_named(db)
        if (year := re.findall(r" (\d{4})$", name))
    ]
    made = {
        term.term: term
        for text, today in reversed(wanted)
        for term in terms.by_calendar(text, today, max_credits=defaults.max_credits, timezone=defaults.timezone)
    }
    new = sorted(made.values(), key=lambda term: term.order)
    if new:
        await transaction(db, lambda session: stored_terms.put_all(db, new, session), PATIENCE)
    return [f"term: {term} made, open until the end of {term.day_ending_at(term.add_deadline)}" for term in new]


async def make_sections(db: Database, now: datetime, defaults: Defaults) -> list[str]:
    """Make a section for each term that a course without any names, and those that enrollments need."""
    known = await stored_terms.find_all(db)
    keys = await flask_enrollments.needed_sections(db, [term.term for term in known])
    for course in await flask_enrollments.courses_without_sections(db):
        keys |= {
            SectionKey(term.term, course.courseID, flask_enrollments.FIRST_SECTION)
            for term in terms.known_in(course.term, terms.coming(known, now))
        }
    new = [
        Section(key.term, key.courseID, key.section, defaults.section_capacity, waitlist_capacity=DEFAULT_WAITLIST)
        for key in sorted(keys)
    ]
    make = flask_enrollments.make_sections
    made = await transaction(db, lambda session: make(db, new, session), PATIENCE) if new else 0
    return [f"section: {_count(made, 'section')} made"] if made else []


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


async def _name_lookalikes(db: Database, report: Report) -> None:
    courseIDs = [course.courseID for course in await courses.find_all(db)]
    found = lookalikes.sentences(courseIDs, await sections.find_keys(db))
    report.left_alone.extend(f"{sentence} Nothing was changed." for sentence in found)
    for rows in await flask_era.addresses_spelled_twice(db):
        report.left_alone.append(f"user: {' and '.join(rows)} have one email address in different spellings")


async def _list_misfits(db: Database, collection: str, report: Report) -> None:
    found = await misfits.find(db, collection, REPOSITORIES[collection].SCHEMA)
    report.left_alone.extend(f"{collection}: {misfit}" for misfit in found)


async def _make_indexes(db: Database, report: Report) -> None:
    impossible = []
    for collection, repository in REPOSITORIES.items():
        indexes = await stored_schema.ensure_indexes(db, collection, repository.INDEXES)
        report.changes.extend(f"{collection}: the index {name} is made" for name in indexes.made)
        report.left_alone.extend(
            f"{collection}: the index {name} must wait until no two rows have the same value"
            for name in indexes.impossible
        )
        report.failures.extend(
            f"{collection}: there is an index {name} with other options; drop it, then run this again"
            for name in indexes.clashing
        )
        impossible += [f"{collection}.{name}" for name in indexes.impossible]
    await stored_schema.note_impossible(db, impossible)


async def _place_enrollments(db: Database, now: datetime, report: Report) -> None:
    known = await stored_terms.find_all(db)
    if not known:
        if await flask_enrollments.lack_terms(db):
            report.left_alone.append("enrollment: rows without a term wait until there is one; `import term` makes it")
    else:
        term = terms.current(known, now).term
        placing = await flask_enrollments.place(db, term, now)
        if placing.placed:
            report.changes.append(f"enrollment: {_count(placing.placed, 'row')} without a term placed in {term}")
        if placing.folded:
            report.changes.append(f"enrollment: {_count(placing.folded, 'row')} folded into another of {term}")
        report.left_alone.extend(placing.reasons)
    if number := await flask_enrollments.place_in_sections(db):
        report.changes.append(f"enrollment: {_count(number, 'row')} placed in a section")
    names = {term.term for term in known}
    report.left_alone.extend(
        f"enrollment: there are rows of {name}, which is no known term; `import term` makes it"
        for name in await flask_enrollments.terms_named(db)
        if name not in names
    )


async def _count_again(db: Database, report: Report) -> None:
    mended = await transaction(db, lambda session: mend_counts(db, session), PATIENCE)
    if mended.sections:
        report.changes.append(f"section: seats counted in {_count(len(mended.sections), 'section')}")
    if mended.students:
        report.changes.append(f"schedule: credits counted in {_count(len(mended.students), 'schedule')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
