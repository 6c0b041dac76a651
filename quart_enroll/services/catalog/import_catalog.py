"""The catalog from files: courses, terms and sections, all rows of a file or none.

What an import makes possible happens with it: raised capacities, moved meetings, later deadlines promote in the same
transaction, so that nobody ever sees an open seat that a waiting student could take.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, sections
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.domain import folding, terms
from quart_enroll.domain.errors import RowProblem, UnknownTerm
from quart_enroll.domain.models import SEASONS, SYSTEM_ACTOR, Course, Section, SectionKey, Term
from quart_enroll.services.catalog import gaps, moved_sections
from quart_enroll.services.catalog.import_users import (
    BadRows,
    Imported,
    RowChange,
    field_changes,
    refuse_twins,
    run_import,
)
from quart_enroll.services.catalog.moved_sections import Told
from quart_enroll.services.enrollment import swap_cycles
from quart_enroll.services.enrollment.promotion import promote_all_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks

DEFAULT_WAITLIST = 10
"""Places in the waitlist of a section that nobody has said more about."""

T = TypeVar("T", Course, Section, Term)


@dataclass(frozen=True, slots=True)
class FileCourse:
    """A course as a file has it; columns that are not `given` keep what is stored."""

    number: int
    course: Course
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class FileTerm:
    """A term as a file has it; columns that are not `given` keep what is stored."""

    number: int
    term: Term
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class FileSection:
    """A section as a file has it, its term named as people do; columns that are not `given` keep what is stored."""

    number: int
    section: Section
    given: frozenset[str]


async def import_courses(db: Database, rows: Sequence[FileCourse], now: datetime, *, dry_run: bool = False) -> Imported:
    """Store courses under their courseIDs; raise BadRows for duplicates, and for unknown courses or terms."""
    refuse_twins([(row.number, row.course.courseID) for row in rows], "courseID", folding.key)
    all_terms = await stored_terms.find_all(db)
    known = [term.term for term in all_terms]
    coming = [term.term for term in terms.active(all_terms, now)]
    _refuse_unknown_terms(rows, all_terms)
    optional = ("description", "subject", "prerequisites", "corequisites")

    async def body(session: Session) -> Imported:
        before = {course.courseID: course for course in await courses.find_all(db, session)}
        _refuse_spellings(rows, before)
        names = _Numbers([*before, *(row.course.courseID for row in rows)])
        after = [
            _kept(names.in_needs(row.course), before.get(row.course.courseID), row.given, optional) for row in rows
        ]
        _refuse_unknown(rows, after, before.keys() | {course.courseID for course in after})
        changed = [course for course in after if course.courseID in before and course != before[course.courseID]]
        await import_guards.guard_courses(db, known, [course.courseID for course in changed], session)
        pairs = [(before[course.courseID], course) for course in changed]
        # Other corequisites change what the students of a course may give up for a seat: so they are guarded too.
        more = {
            course.courseID: course.credits - old.credits
            for old, course in pairs
            if (old.credits, old.corequisites) != (course.credits, course.corequisites)
        }
        await import_guards.add_credits(db, known, more, session)
        seats = await import_guards.count_seats(db, coming, [course.courseID for course in changed], session)
        written = await courses.put_all(db, after, session)
        transaction = SeatTransaction(db, session, now, SYSTEM_ACTOR)
        await promote_all_waitlists(transaction)
        changes = [
            RowChange(row.number, course.courseID, different, *seats.get(course.courseID, (0, 0)))
            for row, course in zip(rows, after, strict=True)
            if course.courseID in before and (different := field_changes(before[course.courseID], course))
        ]
        offered = await import_guards.find_offered(db, [course.courseID for course in after], session)
        missing = gaps.without_sections([one for one in after if one.courseID not in offered], all_terms)
        return Imported(*written, len(rows) - sum(written), changes, transaction.promotions, missing)

    return await _settled(db, body, now, dry_run=dry_run) if rows else Imported(0, 0, 0)


async def known_terms(db: Database) -> list[Term]:
    """Return all terms of the school."""
    return await stored_terms.find_all(db)


async def import_terms(db: Database, rows: Sequence[FileTerm], now: datetime, *, dry_run: bool = False) -> Imported:
    """Store terms under their names, however a file spells those that exist.

    Raises BadRows for duplicates, and for deadlines that contradict the days of their term.
    """
    rows = _under_stored_names(rows, await stored_terms.find_all(db))
    refuse_twins([(row.number, row.term.term) for row in rows], "term")

    async def body(session: Session) -> Imported:
        before = {row.term.term: await stored_terms.find(db, row.term.term, session) for row in rows}
        optional = ("max_credits", "timezone", "starts_on", "ends_on")
        after = [_kept(row.term, before[row.term.term], row.given, optional) for row in rows]
        _refuse_disorder(rows, after)
        changed = [term.term for term in after if before[term.term] not in (None, term)]
        known = {term.term: term for term in await stored_terms.find_all(db, session)}
        moved = _with_other_terms_before(known, known | {term.term: term for term in after})
        await import_guards.guard_terms(db, moved.union(changed), session)
        students = await import_guards.count_enrolled_students(db, changed, session)
        written = await stored_terms.put_all(db, after, session)
        transaction = SeatTransaction(db, session, now, SYSTEM_ACTOR)
        await promote_all_waitlists(transaction)
        changes = [
            RowChange(row.number, term.term, field_changes(old, term), students.get(term.term, 0))
            for row, term in zip(rows, after, strict=True)
            if (old := before[term.term]) is not None and old != term
        ]
        return Imported(*written, len(rows) - sum(written), changes, transaction.promotions)

    return await _settled(db, body, now, dry_run=dry_run) if rows else Imported(0, 0, 0)


async def import_sections(
    db: Database, rows: Sequence[FileSection], now: datetime, *, dry_run: bool = False
) -> Imported:
    """Store sections under term, courseID and number; who has a seat keeps it, whatever the capacity.

    Students who have a seat or wait in a section that moves are told so. A season without a year is its next term.
    Raises BadRows for twins and for unknown terms and courses.
    """
    in_terms = await _in_their_terms(db, rows, now)
    going_on = {term.term for term in await stored_terms.find_all(db) if term.is_ongoing(now)}

    told: list[Told] = []

    async def body(session: Session) -> Imported:
        before = await import_guards.find_sections(db, {row.section.term for row in in_terms}, session)
        named = _under_stored_numbers(in_terms, before)
        after = [_as_stored(row, before) for row in named]
        new = [one for one in after if one.key not in before]
        changed = [one for one in after if one.key in before and one != before[one.key]]
        resized = [one for one in changed if one.capacity != before[one.key].capacity]
        moved = [one for one in changed if one.meetings != before[one.key].meetings]
        await import_guards.guard_students(db, [one.key for one in moved], session)
        await import_guards.note_section_changes(db, resized, moved, now, session)
        if new or changed:
            await sections.put_all(db, new + changed, session)
        everything = before | {one.key: one for one in after}
        moves = moved_sections.moves(before, changed, going_on)
        told[:] = await moved_sections.find_told(db, moves, everything, now, SYSTEM_ACTOR, session)
        if len(told) <= moved_sections.MAX_IN_TRANSACTION:
            await moved_sections.write(db, told, session)
            told.clear()
        transaction = SeatTransaction(db, session, now, SYSTEM_ACTOR)
        await promote_all_waitlists(transaction)
        changes = [
            RowChange(row.number, _called(one.key), field_changes(old, one), old.seats_taken, old.waiting)
            for row, one in zip(named, after, strict=True)
            if (old := before.get(one.key)) is not None and old != one
        ]
        return Imported(len(new), len(changed), len(rows) - len(new) - len(changed), changes, transaction.promotions)

    imported = await _settled(db, body, now, dry_run=dry_run)
    if not dry_run:
        await moved_sections.write_all(db, told)
    return imported


async def _settled(
    db: Database, body: Callable[[Session], Coroutine[Any, Any, Imported]], now: datetime, *, dry_run: bool
) -> Imported:
    """Import, and then let those move who wait in a ring that was not possible before."""
    imported = await run_import(db, body, dry_run=dry_run)
    if not dry_run:
        await swap_cycles.complete_all_cycles(SectionLocks(db), SYSTEM_ACTOR, now)
    return imported


async def _in_their_terms(db: Database, rows: Sequence[FileSection], now: datetime) -> list[FileSection]:
    """Give each section the full name of its term; raise BadRows for unknown terms and courses."""
    known = await stored_terms.find_all(db)
    taught = _Numbers([course.courseID for course in await courses.find_all(db)])
    found, bad = [], []
    for row in rows:
        courseID = taught.stored(row.section.courseID)
        try:
            term = terms.find(row.section.term, known, now)
        except UnknownTerm as unknown:
            bad.append(RowProblem(row.number, unknown.text, "term"))
        else:
            found.append(replace(row, section=replace(row.section, term=term.term, courseID=courseID)))
        if courseID not in taught:
            bad.append(RowProblem(row.number, f"There is no course {courseID} in the catalog.", "courseID"))
    if bad:
        raise BadRows(bad)
    return found


def _under_stored_names(rows: Sequence[FileTerm], known: Sequence[Term]) -> list[FileTerm]:
    """Give each term the name under which it is stored, or else its first spelling in the file."""
    names = {terms.key(term.term): term.term for term in known}
    return [
        replace(row, term=replace(row.term, term=names.setdefault(terms.key(row.term.term), row.term.term)))
        for row in rows
    ]


def _with_other_terms_before(old: Mapping[str, Term], new: Mapping[str, Term]) -> set[str]:
    """Return the old terms that come after other terms now: their students have other prerequisites."""

    def before(terms: Mapping[str, Term], term: Term) -> set[str]:
        return {one.term for one in terms.values() if one.comes_before(term)}

    return {name for name, term in old.items() if before(old, term) != before(new, new[name])}


class _Numbers:
    """The numbers of courses, found in whatever spelling; of two that only an old database has, the exact one."""

    def __init__(self, courseIDs: Iterable[str]) -> None:  # the stored name
        self._stored = {courseID: courseID for courseID in courseIDs}
        keys = Counter(map(folding.key, self._stored))
        self._by_key = {key: courseID for courseID in self._stored if keys[key := folding.key(courseID)] == 1}

    def __contains__(self, courseID: str) -> bool:  # the same
        return courseID in self._stored

    def stored(self, text: str) -> str:
        """Return the number as it is stored, or the text itself when it is none."""
        return self._stored.get(text) or self._by_key.get(folding.key(text), text)

    def in_needs(self, course: Course) -> Course:
        """Return the course with what it needs under stored numbers."""
        before, along = (
            tuple(dict.fromkeys(map(self.stored, needed))) for needed in (course.prerequisites, course.corequisites)
        )
        return replace(course, prerequisites=before, corequisites=along)


def _refuse_spellings(rows: Sequence[FileCourse], before: Mapping[str, Course]) -> None:
    """Raise BadRows for courses that are stored under another spelling of their number."""
    by_key = {folding.key(courseID): courseID for courseID in before}
    bad = [
        RowProblem(row.number, f"The catalog spells this course number {there}. Use the same spelling.", "courseID")
        for row in rows
        if row.course.courseID not in before and (there := by_key.get(folding.key(row.course.courseID)))
    ]
    if bad:
        raise BadRows(bad)


def _under_stored_numbers(rows: Sequence[FileSection], before: Mapping[SectionKey, Section]) -> list[FileSection]:
    """Give each section the number under which it is stored; a new one with the number 1 gets 01.

    Raises BadRows for sections that are in the file twice, and for what may mean two sections of an old database.
    """
    by_key = defaultdict[SectionKey, list[SectionKey]](list)
    for key in before:
        by_key[_comparable(key)].append(key)
    found, bad = [], []
    for row in rows:
        key = row.section.key
        same = [key] if key in before else by_key[_comparable(key)]
        if len(same) > 1:
            numbers = " and ".join(sorted(one.section for one in same))
            bad.append(
                RowProblem(row.number, f"The course has the sections {numbers}. Use one of these numbers.", "section")
            )
        number = same[0].section if same else key.section.zfill(2) if _is_number(key.section) else key.section
        found.append(replace(row, section=replace(row.section, section=number)))
    if bad:
        raise BadRows(bad)
    keys = {_called(row.section.key): row.section.key for row in found}
    refuse_twins(
        [(row.number, _called(row.section.key)) for row in found],
        "section",
        lambda name: name if keys[name] in before else _called(_comparable(keys[name])),
    )
    return found


def _comparable(key: SectionKey) -> SectionKey:
    return replace(key, section=folding.section_key(key.section))


def _is_number(section: str) -> bool:
    return section.isascii() and section.isdigit()


def _as_stored(row: FileSection, before: Mapping[SectionKey, Section]) -> Section:
    old = before.get(row.section.key)
    after = _kept(row.section, old, row.given, ("waitlist_capacity", "meetings", "instructor", "room"))
    return after if old is None else replace(after, seats_taken=old.seats_taken, waiting=old.waiting)


def _kept(new: T, old: T | None, given: frozenset[str], optional: Sequence[str]) -> T:
    """Return `new` with what it does not say taken from `old`."""
    if old is None:
        return new
    return replace(new, **{name: getattr(old, name) for name in optional if name not in given})


def _refuse_unknown(rows: Sequence[FileCourse], after: Sequence[Course], known: set[str]) -> None:
    """Raise BadRows for courses that need themselves or what nobody can take."""
    bad = []
    for row, course in zip(rows, after, strict=True):
        for field in sorted({"prerequisites", "corequisites"} & row.given):
            for needed in getattr(course, field):
                if needed not in known:
                    bad.append(RowProblem(row.number, f"There is no course {needed} in the catalog.", field))
                if needed == course.courseID:
                    bad.append(RowProblem(row.number, "A course can’t require itself.", field))
    if bad:
        raise BadRows(bad)


def _refuse_disorder(rows: Sequence[FileTerm], after: Sequence[Term]) -> None:
    """Raise BadRows for deadlines that contradict the days on which courses meet."""
    bad = []
    for row, term in zip(rows, after, strict=True):
        if term.starts_on and term.local(term.withdraw_deadline - timedelta.resolution).date() < term.starts_on:
            sentence = f"Courses begin on {term.starts_on}, leaving no time to withdraw."
            bad.append(RowProblem(row.number, sentence, "withdraw_deadline"))
        for name in ("add_deadline", "drop_deadline"):
            last_day = term.local(getattr(term, name) - timedelta.resolution).date()
            if term.ends_on and last_day > term.ends_on:
                bad.append(RowProblem(row.number, f"Courses end on {term.ends_on}, before this deadline.", name))
    if bad:
        raise BadRows(bad)


def _refuse_unknown_terms(rows: Sequence[FileCourse], known: Sequence[Term]) -> None:
    """Raise BadRows for courses with a name that is neither a season nor a term."""
    bad = [
        RowProblem(
            row.number, f"“{name}” is neither a season ({', '.join(SEASONS)}) nor a term of the catalog.", "term"
        )
        for row in rows
        for name in terms.unknown_names(row.course.term, known)
    ]
    if bad:
        raise BadRows(bad)


def _called(key: SectionKey) -> str:
    return f"{key.term} {key.courseID} section {key.section}"
