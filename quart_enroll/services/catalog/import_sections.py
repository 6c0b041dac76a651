"""Imports sections: all rows of a file, or none. Students are told what changes about their sections."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import sections, users
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.domain import email_addresses, folding, pools, section_edits, terms
from quart_enroll.domain.errors import RowProblem, UnknownTerm
from quart_enroll.domain.models import SYSTEM_ACTOR, Section, SectionKey, Term
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog import changed_sections
from quart_enroll.services.catalog.changed_sections import ChangeNotice
from quart_enroll.services.catalog.import_checks import keep_missing_fields, refuse, refuse_duplicates, unknown_course
from quart_enroll.services.catalog.import_courses import KnownCourseIDs, known_course_ids
from quart_enroll.services.catalog.import_results import ImportResult, RowChange, field_changes
from quart_enroll.services.catalog.import_transactions import SYSTEM, ImportAuthor, run_catalog_import

DEFAULT_WAITLIST_CAPACITY = 10
"""Places on the waitlist of a section for which the file has no number."""

OPTIONAL_SECTION_FIELDS = (
    "waitlist_capacity",
    "meetings",
    "instructor",
    "room",
    "instructors",
    "status",
    "restriction",
    "consent",
    "pools",
)
"""Fields that keep their stored values if the file lacks their columns."""


@dataclass(frozen=True, slots=True)
class ImportedSection:
    """A section from row `number` of a file; OPTIONAL_SECTION_FIELDS that are not `given` keep their stored values.

    Its term may be a full name, or a season. The `instructors` are email addresses or user_ids.
    """

    number: int
    section: Section
    given: frozenset[str]
    instructors: tuple[str, ...] = ()


async def import_sections(
    db: Database,
    rows: Sequence[ImportedSection],
    now: datetime,
    *,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Store sections by term, courseID and number. Students keep their seats, whatever the capacity.

    A season without a year is its next term. Raises InvalidRows for duplicates, for unknown terms, courses and
    instructors, and for a status that the students of a section rule out.
    """
    in_terms = await _with_user_ids(db, await _with_stored_terms_and_courses(db, rows, now))
    current_terms = {term.term for term in await stored_terms.find_all(db) if term.is_ongoing(now)}
    unsent: list[ChangeNotice] = []

    async def body(session: Session) -> ImportResult:
        before = await import_guards.find_sections(db, {row.section.term for row in in_terms}, session)
        numbered = await asyncio.to_thread(_with_stored_numbers, in_terms, before)
        after = await asyncio.to_thread(_sections_after, numbered, before)
        new = [one for one in after if one.key not in before]
        changed = [one for one in after if one.key in before and one != before[one.key]]
        resized = [one for one in changed if one.capacity != before[one.key].capacity]
        rescheduled = [one for one in changed if one.meetings != before[one.key].meetings]
        await import_guards.guard_students(db, [one.key for one in rescheduled], session)
        await import_guards.note_section_changes(db, resized, rescheduled, now, session)
        if new or changed:
            edited = [replace(one, revision=one.revision + 1) for one in changed]
            await sections.put_all(db, new + edited, session)
        announced = changed_sections.find_changes(before, changed, current_terms)
        all_sections = before | {one.key: one for one in after}
        unsent[:] = await changed_sections.prepare_notices(db, announced, all_sections, now, SYSTEM_ACTOR, session)
        if len(unsent) <= changed_sections.MAX_NOTICES_IN_TRANSACTION:
            await changed_sections.write_notices(db, unsent, session)
            unsent.clear()
        changes = [
            RowChange(row.number, _name(one.key), field_changes(old, one), old.seats_taken, old.waiting)
            for row, one in zip(numbered, after, strict=True)
            if (old := before.get(one.key)) is not None and old != one
        ]
        unchanged = len(rows) - len(new) - len(changed)
        new_rows = [row.number for row in numbered if row.section.key not in before]
        return ImportResult(len(new), len(changed), unchanged, changes, new_rows=new_rows)

    result = await run_catalog_import(db, body, now, dry_run=dry_run, author=author)
    if not dry_run:
        await changed_sections.write_notices_in_batches(db, unsent)
    return result


async def _with_stored_terms_and_courses(
    db: Database, rows: Sequence[ImportedSection], now: datetime
) -> list[ImportedSection]:
    """Give each section the full name of its term and the stored courseID; raise InvalidRows for unknown ones."""
    known_terms = await stored_terms.find_all(db)
    known_courses = await known_course_ids(db)
    return await asyncio.to_thread(_with_names, rows, known_terms, known_courses, now)


def _with_names(
    rows: Sequence[ImportedSection], known_terms: Sequence[Term], known_courses: KnownCourseIDs, now: datetime
) -> list[ImportedSection]:
    found, problems = [], []
    for row in rows:
        courseID = known_courses.stored(row.section.courseID)
        try:
            term = terms.find(row.section.term, known_terms, now)
        except UnknownTerm as unknown:
            problems.append(RowProblem(row.number, unknown.message, "term"))
        else:
            found.append(replace(row, section=replace(row.section, term=term.term, courseID=courseID)))
        if courseID not in known_courses:
            problems.append(unknown_course(row.number, courseID, "courseID"))
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
            numbers = sorted(one.section for one in matches)
            sentence = Sentence("The course has the sections %(numbers)s. Use one of these numbers.", numbers=numbers)
            problems.append(RowProblem(row.number, sentence, "section"))
        new_number = key.section.zfill(2) if _is_number(key.section) else key.section
        number = matches[0].section if matches else new_number
        found.append(replace(row, section=replace(row.section, section=number)))
    refuse(problems)
    keys = {_name(row.section.key): row.section.key for row in found}
    refuse_duplicates(
        found,
        lambda row: _name(row.section.key),
        "section",
        lambda name: name if keys[name] in before else _name(_comparable(keys[name])),
    )
    return found


def _sections_after(rows: Sequence[ImportedSection], before: Mapping[SectionKey, Section]) -> list[Section]:
    """Return the sections as they will be after the import; raise InvalidRows for invalid ones."""
    after = [_with_stored_fields(row, before) for row in rows]
    _refuse_faults(rows, after, before)
    return after


def _with_stored_fields(row: ImportedSection, before: Mapping[SectionKey, Section]) -> Section:
    old = before.get(row.section.key)
    after = keep_missing_fields(row.section, old, row.given, OPTIONAL_SECTION_FIELDS)
    if old is None:
        return after
    kept = {name: getattr(old, name) for name in ("seats_taken", "waiting", "revision", "accepts_numbers")}
    return replace(after, pools=pools.with_counts(after.pools, old.pools), **kept)


async def _with_user_ids(db: Database, rows: Sequence[ImportedSection]) -> list[ImportedSection]:
    """Give each section the user_ids of its instructors; raise InvalidRows for those who have no account."""
    texts = {text for row in rows for text in row.instructors}
    if not texts:
        return list(rows)
    people = await accounts_of(db, texts)
    refuse(
        [
            RowProblem(row.number, Sentence("There is no account %(name)s.", name=text), "instructors")
            for row in rows
            for text in row.instructors
            if text not in people
        ]
    )
    return [
        replace(row, section=replace(row.section, instructors=tuple({people[text]: None for text in row.instructors})))
        for row in rows
    ]


async def accounts_of(db: Database, texts: Collection[str]) -> dict[str, int]:
    """Return the user_ids of the accounts that these texts name, by an email address or a user_id."""
    numbers = {text: int(text) for text in texts if users.is_user_id(text)}
    by_id = await users.find_many(db, list(numbers.values())) if numbers else {}
    emails = [text for text in texts if text not in numbers]
    by_email = await users.find_by_emails(db, emails) if emails else {}
    found = {text: user_id for text, user_id in numbers.items() if user_id in by_id}
    return found | {
        text: by_email[key].user_id for text in emails if (key := email_addresses.canonical(text)) in by_email
    }


def _refuse_faults(
    rows: Sequence[ImportedSection], after: Sequence[Section], before: Mapping[SectionKey, Section]
) -> None:
    refuse(
        [
            RowProblem(row.number, sentence, field)
            for row, section in zip(rows, after, strict=True)
            for field, sentence in section_edits.find_faults(section, before.get(section.key)).items()
        ]
    )


def _comparable(key: SectionKey) -> SectionKey:
    return replace(key, section=folding.section_key(key.section))


def _is_number(section: str) -> bool:
    return section.isascii() and section.isdigit()


def _name(key: SectionKey) -> str:
    return f"{key.term} {key.courseID} section {key.section}"
