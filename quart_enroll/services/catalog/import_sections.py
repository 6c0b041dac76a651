"""Imports sections: all rows of a file, or none. Students are told about sections that move."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, sections
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.domain import folding, terms
from quart_enroll.domain.errors import RowProblem, UnknownTerm
from quart_enroll.domain.models import SYSTEM_ACTOR, Section, SectionKey
from quart_enroll.services.catalog import moved_sections
from quart_enroll.services.catalog.import_courses import KnownCourseIDs
from quart_enroll.services.catalog.imports import (
    ImportResult,
    Record,
    RowChange,
    field_changes,
    keep_missing_fields,
    record_nothing,
    refuse,
    refuse_duplicates,
    run_catalog_import,
)
from quart_enroll.services.catalog.moved_sections import MoveNotice

DEFAULT_WAITLIST_CAPACITY = 10
"""Places on the waitlist of a section for which the file has no number."""

OPTIONAL_SECTION_FIELDS = ("waitlist_capacity", "meetings", "instructor", "room")
"""Fields that keep their stored values if the file lacks their columns."""


@dataclass(frozen=True, slots=True)
class ImportedSection:
    """A section from row `number` of a file; OPTIONAL_SECTION_FIELDS that are not `given` keep their stored values.

    Its term may be a full name, or a season.
    """

    number: int
    section: Section
    given: frozenset[str]


async def import_sections(
    db: Database,
    rows: Sequence[ImportedSection],
    now: datetime,
    *,
    dry_run: bool = False,
    record: Record = record_nothing,
) -> ImportResult:
    """Store sections by term, courseID and number. Students keep their seats, whatever the capacity.

    A season without a year is its next term. Raises InvalidRows for duplicates, and for unknown terms and courses.
    """
    in_terms = await _with_stored_terms_and_courses(db, rows, now)
    current_terms = {term.term for term in await stored_terms.find_all(db) if term.is_ongoing(now)}
    unsent: list[MoveNotice] = []

    async def body(session: Session) -> ImportResult:
        before = await import_guards.find_sections(db, {row.section.term for row in in_terms}, session)
        numbered = _with_stored_numbers(in_terms, before)
        after = [_with_stored_fields(row, before) for row in numbered]
        new = [one for one in after if one.key not in before]
        changed = [one for one in after if one.key in before and one != before[one.key]]
        resized = [one for one in changed if one.capacity != before[one.key].capacity]
        rescheduled = [one for one in changed if one.meetings != before[one.key].meetings]
        await import_guards.guard_students(db, [one.key for one in rescheduled], session)
        await import_guards.note_section_changes(db, resized, rescheduled, now, session)
        if new or changed:
            await sections.put_all(db, new + changed, session)
        moves = moved_sections.find_moves(before, changed, current_terms)
        all_sections = before | {one.key: one for one in after}
        unsent[:] = await moved_sections.prepare_notices(db, moves, all_sections, now, SYSTEM_ACTOR, session)
        if len(unsent) <= moved_sections.MAX_NOTICES_IN_TRANSACTION:
            await moved_sections.write_notices(db, unsent, session)
            unsent.clear()
        changes = [
            RowChange(row.number, _name(one.key), field_changes(old, one), old.seats_taken, old.waiting)
            for row, one in zip(numbered, after, strict=True)
            if (old := before.get(one.key)) is not None and old != one
        ]
        unchanged = len(rows) - len(new) - len(changed)
        new_rows = [row.number for row in numbered if row.section.key not in before]
        return ImportResult(len(new), len(changed), unchanged, changes, new_rows=new_rows)

    result = await run_catalog_import(db, body, now, dry_run=dry_run, record=record)
    if not dry_run:
        await moved_sections.write_notices_in_batches(db, unsent)
    return result


async def _with_stored_terms_and_courses(
    db: Database, rows: Sequence[ImportedSection], now: datetime
) -> list[ImportedSection]:
    """Give each section the full name of its term and the stored courseID; raise InvalidRows for unknown ones."""
    known_terms = await stored_terms.find_all(db)
    known_courses = KnownCourseIDs([course.courseID for course in await courses.find_all(db)])
    found, problems = [], []
    for row in rows:
        courseID = known_courses.stored(row.section.courseID)
        try:
            term = terms.find(row.section.term, known_terms, now)
        except UnknownTerm as unknown:
            problems.append(RowProblem(row.number, unknown.text, "term"))
        else:
            found.append(replace(row, section=replace(row.section, term=term.term, courseID=courseID)))
        if courseID not in known_courses:
            problems.append(RowProblem(row.number, f"There is no course {courseID} in the catalog.", "courseID"))
    refuse(problems)
    return found


def _with_stored_numbers(
    rows: Sequence[ImportedSection], before: Mapping[SectionKey, Section]
) -> list[ImportedSection]:
    """Give each section its stored number; a new section 1 becomes 01.

    Raises InvalidRows for duplicates, and for numbers that match two sections of an old database.
    """
    by_key = defaultdict[SectionKey, list[SectionKey]](list)
    for key in before:
        by_key[_comparable(key)].append(key)
    found, problems = [], []
    for row in rows:
        key = row.section.key
        matches = [key] if key in before else by_key[_comparable(key)]
        if len(matches) > 1:
            numbers = " and ".join(sorted(one.section for one in matches))
            sentence = f"The course has the sections {numbers}. Use one of these numbers."
            problems.append(RowProblem(row.number, sentence, "section"))
        new_number = key.section.zfill(2) if _is_number(key.section) else key.section
        number = matches[0].section if matches else new_number
        found.append(replace(row, section=replace(row.section, section=number)))
    refuse(problems)
    keys = {_name(row.section.key): row.section.key for row in found}
    refuse_duplicates(
        [(row.number, _name(row.section.key)) for row in found],
        "section",
        lambda name: name if keys[name] in before else _name(_comparable(keys[name])),
    )
    return found


def _with_stored_fields(row: ImportedSection, before: Mapping[SectionKey, Section]) -> Section:
    old = before.get(row.section.key)
    after = keep_missing_fields(row.section, old, row.given, OPTIONAL_SECTION_FIELDS)
    return after if old is None else replace(after, seats_taken=old.seats_taken, waiting=old.waiting)


def _comparable(key: SectionKey) -> SectionKey:
    return replace(key, section=folding.section_key(key.section))


def _is_number(section: str) -> bool:
    return section.isascii() and section.isdigit()


def _name(key: SectionKey) -> str:
    return f"{key.term} {key.courseID} section {key.section}"
