"""Imports changes for students: each row is a transaction of its own, which also records what became of the row."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, users, waitlist
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.domain import folding, permissions, pools, terms
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.errors import (
    NotEnrolled,
    Refused,
    RowProblem,
    SeatsReserved,
    SectionFull,
    UnknownTerm,
    WaitlistFull,
)
from quart_enroll.domain.models import SYSTEM_ACTOR, Section, SectionKey, Term, User
from quart_enroll.domain.roles import Role
from quart_enroll.domain.stored_import import Outcome
from quart_enroll.i18n.language import Sentence, TermName, join_sentences
from quart_enroll.services.catalog import import_students
from quart_enroll.services.catalog.import_checks import unknown_course
from quart_enroll.services.catalog.import_courses import KnownCourseIDs
from quart_enroll.services.catalog.import_results import FieldChange, ImportResult, RefusedRow, RowChange
from quart_enroll.services.catalog.import_sections import accounts_of
from quart_enroll.services.catalog.import_students import ChangeRow, StudentRow, refused, unknown_student
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.enrollment import staff_changes
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.staff_changes import ACTION_NAMES, StaffAction, StaffChange
from quart_enroll.services.staff import access
from quart_enroll.system.clock import Clock

ACTIONS: Mapping[str, StaffAction] = {"add": StaffAction.ENROLL, **{str(one): one for one in ACTION_NAMES}}
"""What a row may do, by the word for it in files."""

ADDING_ACTIONS = {StaffAction.ENROLL, StaffAction.JOIN}
"""Actions that count as added rows; the others change what a student has."""

PREVIEW_PAGE = "staff_act"
"""The endpoint by which the access log names a preview: it shows what acting for one student would show."""


@dataclass(frozen=True, slots=True)
class ImportedEnrollment(StudentRow):
    """A row with one of ACTIONS in a section; a swap gives up the course `dropped`."""

    term: str
    courseID: str
    section: str
    action: str
    dropped: str = ""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What the rows of a batch may name: students by what the file calls them, terms, courses and sections.

    Sections are found by their number as it is stored, and by its folded form if only one section has that. `role` is
    the one in which the author acts for the students.
    """

    terms: Sequence[Term]
    courses: KnownCourseIDs
    titles: Mapping[str, str]
    now: datetime
    sections: Mapping[tuple[str, str, str], Section] = field(default_factory=dict)
    students: Mapping[str, User] = field(default_factory=dict)
    role: Role = Role.REGISTRAR

    def find_term(self, row: ImportedEnrollment) -> str:
        """Return the term that a row names; raise UnknownTerm."""
        return terms.find(row.term, self.terms, self.now).term

    def resolve(self, row: ImportedEnrollment) -> tuple[User, StaffChange, Section] | RowProblem:
        """Return the student, the change and the section that a row names, or what it names wrongly."""
        try:
            term = self.find_term(row)
        except UnknownTerm as unknown:
            return RowProblem(row.number, unknown.message, "term")
        courseID = self.courses.stored(row.courseID)
        section = self.sections.get((term, courseID, row.section)) or self.sections.get(
            (term, courseID, folding.section_key(row.section))
        )
        if row.student not in self.students:
            return unknown_student(row.number, row.student)
        if courseID not in self.courses:
            return unknown_course(row.number, courseID, "courseID")
        if section is None:
            sentence = Sentence(
                "There is no section %(section)s of %(courseID)s in %(term)s.",
                section=row.section,
                courseID=courseID,
                term=TermName(term),
            )
            return RowProblem(row.number, sentence, "section")
        change = StaffChange(ACTIONS[row.action], section.key, self.courses.stored(row.dropped))
        return self.students[row.student], change, section


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the earlier rows of a preview would do: seats and places that they take are gone for the next ones.

    What earlier rows give up is not counted. `changes` has the hash of each student with a change.
    """

    seats_taken: defaultdict[SectionKey, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    places_taken: Counter[SectionKey] = field(default_factory=Counter)
    changes: set[int] = field(default_factory=set)

    def add(
        self, change: StaffChange, section: Section, student: User, overrides: frozenset[Override], title: str
    ) -> set[Override]:
        """Count what a change takes; return the overrides that it needs.

        Raises SectionFull, SeatsReserved or WaitlistFull.
        """
        if change.action not in (StaffAction.ENROLL, StaffAction.SWAP, StaffAction.JOIN):
            return set()
        taken = self.seats_taken[change.key]
        left = section.with_seats_taken(taken).seen_by(student.attributes)
        if left.available_seats:
            taken[pools.choose(left.pools, student.attributes)] += 1
            return set()
        if change.action is StaffAction.JOIN:
            self.places_taken[change.key] += 1
            if section.waiting + self.places_taken[change.key] <= section.waitlist_capacity:
                return set()
            if Override.FULL not in overrides:
                raise WaitlistFull(title, section.section)
            return {Override.FULL}
        needed, refusal = (Override.RESERVED_SEATS, SeatsReserved) if left.free_seats else (Override.FULL, SectionFull)
        if needed not in overrides:
            raise refusal(title, section.section)
        taken[""] += 1
        return {needed}


async def import_enrollments(
    context: EnrollmentContext,
    rows: Sequence[ImportedEnrollment | RefusedRow],
    clock: Clock,
    *,
    author: ImportAuthor,
    dry_run: bool = False,
) -> ImportResult:
    """Make the changes, one after the other, and return the result with the rows that were refused.

    Each change has the time at which it is made: the history, and what can be undone, go by it. A row that has come
    true already changes nothing. Students for whom the author may not act are, to the author, not there.
    """
    titles = {course.courseID: course.title for course in await courses.find_all(context.db)}
    known = KnownNames(await stored_terms.find_all(context.db), KnownCourseIDs(titles), titles, clock())
    forecast = Forecast()

    async def prepare(batch: Sequence[ImportedEnrollment]) -> ChangeRow[ImportedEnrollment]:
        nonlocal known
        known = await _find_names(context.db, batch, known, author)

        async def change(row: ImportedEnrollment) -> ImportResult:
            if dry_run:
                return await _preview(context.db, row, known, author, forecast)
            return await _make(context, row, known, author, clock)

        return change

    return await import_students.import_rows(context.db, rows, author, prepare, dry_run=dry_run)


async def _make(
    context: EnrollmentContext,
    row: ImportedEnrollment,
    known: KnownNames,
    author: ImportAuthor,
    clock: Clock,
) -> ImportResult:
    """Make the change of a row and record its result, both in one transaction."""
    found = known.resolve(row)
    if isinstance(found, RowProblem):
        result = refused(row, found, known.students)
    else:
        student, change, _ = found
        made = _made(row, student, change)

        async def record_change(session: Session) -> None:
            await author.record(session, made)

        try:
            if not await _has_come_true(context.db, student.user_id, change):
                staff = Actor(author.user_id, author.reason, author.overrides, known.role)
                await staff_changes.make(context, staff, student.user_id, change, clock(), record_change)
                return made
            result = _unchanged(row, student, change)
        except Refused as refusal:
            result = refused(row, RowProblem(row.number, refusal.message), known.students)
    await import_students.record(context.db, author, result)
    return result


async def _preview(
    db: Database, row: ImportedEnrollment, known: KnownNames, author: ImportAuthor, forecast: Forecast
) -> ImportResult:
    """Return what would become of a row after the earlier ones."""
    found = known.resolve(row)
    if isinstance(found, RowProblem):
        return refused(row, found, known.students)
    student, change, section = found
    if author.user_id != SYSTEM_ACTOR:
        await access.record_student(db, author.user_id, student.user_id, PREVIEW_PAGE, known.now)
    student_change = hash((student.user_id, change))
    try:
        if student_change in forecast.changes or await _has_come_true(db, student.user_id, change):
            return _unchanged(row, student, change)
        needed = await staff_changes.check(db, student.user_id, change, author.overrides, known.now)
        needed |= forecast.add(change, section, student, author.overrides, known.titles[change.key.courseID])
    except Refused as refusal:
        return refused(row, RowProblem(row.number, refusal.message), known.students)
    forecast.changes.add(student_change)
    return _made(row, student, change, needed)


async def _has_come_true(db: Database, user_id: int, change: StaffChange) -> bool:
    """Return whether the student has, or has given up, what the change is about.

    Raises NotEnrolled for a withdrawal from a section in which the student isn't.
    """
    key = change.key
    seats = await enrollments.find_in_term(db, user_id, key.term)
    enrolled = {one.section.key for one in seats if one.status == "enrolled"}
    entry = await waitlist.find(db, user_id, key.term, key.courseID)
    is_waiting = entry is not None and entry.key == key
    match change.action:
        case StaffAction.ENROLL:
            return key in enrolled
        case StaffAction.SWAP:
            gives_up = change.dropped in {one.courseID for one in enrolled - {key}}
            return key in enrolled and not gives_up
        case StaffAction.JOIN:
            return is_waiting or key in enrolled
        case StaffAction.LEAVE:
            return not is_waiting
        case StaffAction.WITHDRAW if key not in {one.section.key for one in seats}:
            raise NotEnrolled(key.courseID, key.term)
        case _:
            return key not in enrolled


def _made(row: ImportedEnrollment, student: User, change: StaffChange, needed: Iterable[Override] = ()) -> ImportResult:
    """Return the result of a row that is made, with the overrides that are `needed` for it."""
    set_aside = [Sentence("Set aside: %(rule)s.", rule=one.label) for one in sorted(needed)]
    text = join_sentences([_in_words(change), *set_aside])
    is_added = change.action in ADDING_ACTIONS
    outcome = Outcome(row.number, "added" if is_added else "changed", text, student=student.full_name)
    if is_added:
        return ImportResult(1, 0, 0, new_rows=[row.number], outcomes=[outcome])
    changed = RowChange(row.number, f"user {student.user_id}", [_field_change(change)])
    return ImportResult(0, 1, 0, [changed], outcomes=[outcome])


def _unchanged(row: ImportedEnrollment, student: User, change: StaffChange) -> ImportResult:
    outcome = Outcome(row.number, "unchanged", _in_words(change), student=student.full_name)
    return ImportResult(0, 0, 1, outcomes=[outcome])


def _in_words(change: StaffChange) -> Sentence:
    section, term = f"{change.key.courseID}-{change.key.section}", TermName(change.key.term)
    if change.action is StaffAction.SWAP:
        return Sentence(
            "Swap %(dropped)s for %(section)s, %(term)s.", dropped=change.dropped, section=section, term=term
        )
    action = ACTION_NAMES[change.action]
    return Sentence("%(action)s: %(section)s, %(term)s.", action=action, section=section, term=term)


def _field_change(change: StaffChange) -> FieldChange:
    section = f"{change.key.courseID}-{change.key.section}"
    match change.action:
        case StaffAction.SWAP:
            return FieldChange("enrollment", change.dropped, section)
        case StaffAction.WITHDRAW:
            return FieldChange("enrollment", section, "withdrawn")
        case StaffAction.LEAVE:
            return FieldChange("waitlist", section, "")
        case _:
            return FieldChange("enrollment", section, "")


async def _find_names(
    db: Database, rows: Sequence[ImportedEnrollment], known: KnownNames, author: ImportAuthor
) -> KnownNames:
    """Return what the rows may name: the sections of their terms besides the known ones, and their students."""
    accounts = await accounts_of(db, {row.student for row in rows})
    people = await users.find_many(db, {*accounts.values(), author.user_id})
    staff = people.get(author.user_id)
    students = {text: person for text, one in accounts.items() if _may_act(author, staff, person := people[one])}
    role = permissions.acting_role(staff, Role.ADVISOR) if staff else Role.REGISTRAR
    named = set[str]()
    for row in rows:
        with suppress(UnknownTerm):
            named.add(known.find_term(row))
    new_terms = named - {term for term, _, _ in known.sections}
    sections = {**known.sections, **await _find_sections(db, new_terms)} if new_terms else known.sections
    return replace(known, sections=sections, students=students, role=role)


async def _find_sections(db: Database, of_terms: Collection[str]) -> dict[tuple[str, str, str], Section]:
    sections = await import_guards.find_sections(db, of_terms)
    folded = {key: (key.term, key.courseID, folding.section_key(key.section)) for key in sections}
    spellings = Counter(folded.values())
    by_number = {folded[key]: one for key, one in sections.items() if spellings[folded[key]] == 1}
    return by_number | {(key.term, key.courseID, key.section): one for key, one in sections.items()}


def _may_act(author: ImportAuthor, staff: User | None, person: User) -> bool:
    """Return whether the person is a student for whom the author may act; commands may act for all."""
    if Role.STUDENT not in person.roles:
        return False
    return author.user_id == SYSTEM_ACTOR or (staff is not None and permissions.can_act_for(staff, person))
