"""Rows of the catalog: what is the same for many visitors is computed and rendered once.

A row consists of texts: what it shows while it is closed, its badges, its description, and for each section its
beginning, its seats and its end. When a seat moves, only the texts of the seats change. Badges and ends show what the
student has and can do: most students share them, and of the others they are kept with what is stored about the student,
for as long as the section is open, or full.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple, cast

from quart_enroll.bounded_cache import cached, size_of
from quart_enroll.domain.catalog import Catalog, CourseSections
from quart_enroll.domain.models import Course, Registration, Section, SectionStatus, Term
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.i18n.language import cached_per_language, current_formats
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.catalog.section_actions import Badge, SectionActions
from quart_enroll.pages.paging import Page
from quart_enroll.pages.student_state import StudentState, WaitlistedSection
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import render_filled, render_shared, split

SEATS_MACROS = "macros/seats.html"

WeekHours = frozenset[tuple[str, int]]
"""Hours of a week, each as its day and its number: ("M", 9)."""

CATALOG_ROW_BYTES, CATALOG_SECTION_BYTES = 3000, 3500
"""Bytes of a row, and of each of its sections with its buttons, and with their texts."""

MAX_CACHED_ROWS = 80
"""Rows of a student, in different states, whose texts are cached."""

SECTION_END = InputFreeText(b"</li>\n")

ROW_END = InputFreeText(b"</ul>\n</details>\n")

_CLOCK_TIME = re.compile(r"[0-2]\d:[0-5]\d")


class SectionText(NamedTuple):
    """The texts of a section besides its end."""

    start: InputFreeText
    seats: InputFreeText


class Seats(NamedTuple):
    """The seats of a course's sections, as the closed row shows them; the names are those of a section."""

    status: SectionStatus
    open_seats: int
    capacity: int
    waiting: int
    is_reserved: bool


class PersonalText(NamedTuple):
    """The texts of a row that depend on the student: its badges, and what the student can do about each section.

    If the sections have pools, also its `start` and its seats.
    """

    badges: InputFreeText
    ends: Sequence[InputFreeText]
    start: InputFreeText | None = None
    seats: Sequence[InputFreeText] | None = None


class RowText(NamedTuple):
    """The texts of a row: its `start` up to the badges, its `details` up to the sections; `whole` as most visitors see
    it.
    """

    start: InputFreeText
    details: InputFreeText
    sections: Sequence[SectionText]
    whole: InputFreeText


@dataclass(eq=False, slots=True)
class SharedRow:
    """A row as visitors see it if nothing of their own affects it.

    It is equal only to itself, so that caches find it without comparing its contents. Rows whose sections differ only
    in numbers that change nothing about what a student can do have the same `signature`. The row gets its `text` when
    a page shows it.
    """

    found: CourseSections
    choices: Sequence[SectionActions]
    hours: WeekHours | None
    signature: object
    text: RowText | None = field(default=None, repr=False)
    courseID: str = field(init=False)

    def __post_init__(self) -> None:
        self.courseID = self.found.course.courseID

    @property
    def depends_on_attributes(self) -> bool:
        """Whether restrictions, pools or prerequisites ask for attributes of the student."""
        return self.found.course.depends_on_attributes or any(
            one.restriction or one.pools for one in self.found.sections
        )


class RowPage(Page[SharedRow]):
    """A page of rows."""

    @cached_property
    def courseIDs(self) -> tuple[str, ...]:  # noqa: N802  # the stored name
        return tuple(row.courseID for row in self.items)

    @cached_property
    def signatures(self) -> tuple[object, ...]:
        return tuple(row.signature for row in self.items)

    @cached_property
    def text(self) -> InputFreeText:
        """The rows as most visitors see them."""
        return InputFreeText(b"".join(render_row(row).whole for row in self.items))


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """A course with what this visitor can do about its sections."""

    course: Course
    choices: Sequence[SectionActions]


@dataclass(frozen=True, slots=True)
class PersonalFacts:
    """What can make a row look different to a student: courses, hours, courses taken before, credits, and so on.

    A student who has a hold or a term of their own, or isn't active, `affects_all` rows; one who `has_attributes` may
    meet a restriction or a prerequisite, or belong to a pool, with them.
    """

    courses: Set[str]
    hours: WeekHours | None
    taken: Set[str]
    credits: float
    affects_all: bool = False
    has_attributes: bool = False

    @classmethod
    def of(cls, state: StudentState, term: Term) -> "PersonalFacts":
        keys = [one.section.key for one in state.enrolled] + [one.entry.key for one in state.waitlisted]
        permitted = {one.courseID for one in state.permits} | {one.courseID for one in state.consent_requests}
        return cls(
            {key.courseID for key in [*keys, *state.planned, *state.alerts]} | permitted,
            hours_of(one.section for one in state.enrolled),
            {one.courseID for one in state.taken or ()},
            sum(one.course.credits for one in state.enrolled),
            bool(state.blocked) or not state.attributes.is_active or state.own_term(term) != term,
            state.attributes != NO_ATTRIBUTES,
        )

    def may_affect(self, row: SharedRow, term: Term) -> bool:
        """Return whether the row may look different to this student; in doubt, it may."""
        course = row.found.course
        return (
            self.affects_all
            or (self.has_attributes and row.depends_on_attributes)
            or course.courseID in self.courses
            or self.hours is None
            or row.hours is None
            or not self.hours.isdisjoint(row.hours)
            or course.courseID in self.taken
            or not self.taken.isdisjoint(course.prerequisite_courses)
            or not self.taken.isdisjoint(course.corequisites)
            or not self.courses.isdisjoint(course.corequisites)
            or (course.requisite and not self.courses.isdisjoint(course.concurrent_courses))
            or self.credits + course.credits > term.max_credits
        )


def last_boundary(term: Term, now: datetime) -> datetime:
    """Return a moment since which nothing has changed in what the term's dates allow."""
    return max((one for one in term.boundaries if one <= now), default=min(term.boundaries) - timedelta(days=1))


def row_bytes(row: SharedRow) -> int:
    """Estimate the bytes of a row, including sections of an earlier catalog that only the row keeps in memory."""
    return CATALOG_ROW_BYTES + CATALOG_SECTION_BYTES * len(row.found.sections)


def _size(_: object, row: SharedRow) -> int:
    return row_bytes(row)


@cached_per_language("catalog rows", _size)
def shared_row(term: Term, found: CourseSections, now: datetime, *, signed_in: bool) -> SharedRow:
    """Return the row for a visitor, or a student, who has nothing yet.

    While its course and sections stay the same, later catalogs use the same row.
    """
    nothing = StudentState(taken=[] if signed_in else None)
    if signed_in and any(one.pools for one in found.sections):
        found = replace(found, sections=tuple(map(nothing.sees, found.sections)))
    choices = section_actions.for_course(term, found.course, found.sections, nothing, now)
    signature = _signature(term, found.course, tuple(map(_possibilities, found.sections)), now, current_formats())
    return SharedRow(found, choices, hours_of(found.sections), signature)


def _possibilities(section: Section) -> tuple[Section, bool, bool, bool]:
    """Return what affects a student's choices: the section without its numbers, and what these allow.

    Students see different numbers for a section with pools, so these are kept with the choices.
    """
    if section.pools:
        return section, True, True, True
    facts = replace(section, capacity=0, seats_taken=0, waitlist_capacity=0, waiting=0)
    has_place = section.waiting < section.waitlist_capacity
    return facts, section.open_seats > 0, has_place, section.waiting > 0


@cached("row signatures", lambda key, _: 2 * size_of(repr(key)))
def _signature(*_: Hashable) -> object:
    """Return an object that is the same for equal arguments."""
    return object()


def personal_rows(term: Term, shared: Iterable[SharedRow], state: StudentState, now: datetime) -> list[CatalogRow]:
    """Return the rows as this visitor sees them."""
    personal = PersonalFacts.of(state, term)
    return [_personal_row(term, one, state, personal, now) for one in shared]


def _personal_row(
    term: Term, shared: SharedRow, state: StudentState, personal: PersonalFacts, now: datetime
) -> CatalogRow:
    course = shared.found.course
    if not personal.may_affect(shared, term):
        return CatalogRow(course, shared.choices)
    return CatalogRow(course, section_actions.for_course(term, course, shared.found.sections, state, now))


@dataclass(eq=False, slots=True)
class CachedRows:
    """Texts of a term that are kept with a snapshot: those of a row by its signature, which changes back and forth
    while the last seat of a section is taken and dropped.

    `personal` has the texts of the rows that differ from those of most visitors, by their number on the page that was
    last rendered, whose rows had these `signatures`. All this is from a catalog with these `courses`.
    """

    courses: Sequence[Course]
    texts: dict[object, PersonalText | None] = field(default_factory=dict)
    signatures: tuple[object, ...] = ()
    personal: Mapping[int, PersonalText] = field(default_factory=dict)


class RowRenderer:
    """Renders rows for one student; `positions` are those on waitlists, if any of the rows is for a waitlisted course.

    What a student can do changes with the snapshot, with the courses and terms, and with the signature of a row; so the
    texts about it are kept with the snapshot, by these.
    """

    def __init__(
        self,
        offered: Catalog,
        term: Term,
        now: datetime,
        snapshot: StudentSnapshot,
        attributes: StudentAttributes,
        positions: Sequence[WaitlistedSection] | None,
    ) -> None:
        self._offered, self._term, self._now, self._snapshot = offered, term, now, snapshot
        self._attributes = attributes
        waiting = [one for one in snapshot.waiting if one.key.term == term.term]
        self._waitlisted = [WaitlistedSection(one, 0, 0) for one in waiting] if positions is None else positions
        self._waitlisted_courses = {one.key.courseID for one in waiting}
        self._cached = self._find_cached()
        self._state: tuple[StudentState, PersonalFacts] | None = None

    def render(self, page: RowPage) -> InputFreeText:
        """Return the text of the page's rows."""
        cached, rows = self._cached, page.items
        waitlisted = self._waitlisted_courses
        if cached.signatures != page.signatures:
            own = {number: self._cached_text(one) for number, one in enumerate(rows) if one.courseID not in waitlisted}
            cached.signatures, cached.personal = page.signatures, {number: one for number, one in own.items() if one}
        personal = cached.personal
        if waitlisted:  # positions change by themselves
            latest = {number: self._personal_text(one) for number, one in enumerate(rows) if one.courseID in waitlisted}
            personal = {**personal, **{number: one for number, one in latest.items() if one}}
        if not personal:
            return page.text
        texts = [render_row(row).whole for row in rows]
        for number, text in personal.items():
            texts[number] = _join(rows[number], text)
        return InputFreeText(b"".join(texts))

    def _find_cached(self) -> "CachedRows":
        blocked = frozenset(student_state.blocked_changes(self._snapshot).items())
        permits = student_state.granted_permits(self._snapshot, self._term)
        own = student_state.own_term(self._snapshot, self._term)
        facts = blocked, permits, self._attributes
        derived, key = self._snapshot.derived, ("rows", own, current_formats(), *facts)
        cached: CachedRows | None = derived.get(key)
        if cached is None or cached.courses is not self._offered.courses or len(cached.texts) > MAX_CACHED_ROWS:
            cached = derived[key] = CachedRows(self._offered.courses)
        return cached

    def _cached_text(self, row: SharedRow) -> PersonalText | None:
        cached = self._cached.texts
        try:
            return cached[row.signature]
        except KeyError:
            text = cached[row.signature] = self._personal_text(row)
            return text

    def _personal_text(self, row: SharedRow) -> PersonalText | None:
        """Return the texts that depend on the student; None if they are those of a student who has nothing."""
        if self._state is None:
            state = student_state.build(self._snapshot, self._attributes, self._term, self._offered, self._waitlisted)
            self._state = state, PersonalFacts.of(state, self._term)
        state, personal = self._state
        if not personal.may_affect(row, self._term):
            return None
        course = row.found.course
        choices = section_actions.for_course(self._term, course, row.found.sections, state, self._now)
        return _personal(course, choices, section_actions.taken_badge(self._term, course, state))


def render_row(row: SharedRow) -> RowText:
    """Return the row as visitors see it if nothing of their own affects it; it is rendered once."""
    if row.text is not None:
        return row.text
    course, sections = row.found.course, row.found.sections
    term = sections[0].term
    details = _text("row_details", (course, term), course, term)
    row.text = RowText(_row_start(course, sections), details, _section_texts(sections), InputFreeText())
    row.text = row.text._replace(whole=_join(row, _personal(course, row.choices, None)))
    return row.text


def _row_start(course: Course, sections: Sequence[Section]) -> InputFreeText:
    return InputFreeText(b"".join([_text("row_start", course, course), _row_times(sections), _row_seats(sections)]))


def _section_texts(sections: Sequence[Section]) -> list[SectionText]:
    """Return the texts of a course's sections; the closed row shows the times and seats of an only one."""
    if len(sections) == 1:
        return [SectionText(_start(sections[0], has_times=False), InputFreeText())]
    return [SectionText(_start(one), _seats(one)) for one in sections]


def _join(row: SharedRow, personal: PersonalText) -> InputFreeText:
    """Return the whole text of a row that was rendered before, for a student with these texts."""
    text = cast(RowText, row.text)
    texts = text.sections
    if personal.seats is not None:
        texts = [one._replace(seats=seats) for one, seats in zip(texts, personal.seats, strict=True)]
    sections = [part for one, end in zip(texts, personal.ends, strict=True) for part in (*one, end, SECTION_END)]
    start = personal.start or text.start
    return InputFreeText(b"".join([start, personal.badges, text.details, *sections, ROW_END]))


def _personal(course: Course, choices: Sequence[SectionActions], taken: Badge | None) -> PersonalText:
    badges = section_actions.course_badges(choices, taken)
    text = PersonalText(_text("row_badges", badges, badges), tuple(map(_end, choices)))
    sections = [one.section for one in choices]
    if not any(one.pools for one in sections):
        return text
    seats = [one.seats for one in _section_texts(sections)]
    return text._replace(start=_row_start(course, sections), seats=seats)


def _row_times(sections: Sequence[Section]) -> InputFreeText:
    key = sections[0].meetings if len(sections) == 1 else len(sections)
    return _text("row_times", key, sections)


def _row_seats(sections: Sequence[Section]) -> InputFreeText:
    total = sum_of_seats(sections)
    return _text("row_seats", total, total)


def sum_of_seats(sections: Sequence[Section]) -> Seats:
    """Return the seats of all sections together.

    Closed sections don't count, unless all are closed. A waitlist belongs to one section, so the number of waiting
    students is there only for a single one.
    """
    active = [one for one in sections if one.status is SectionStatus.ACTIVE]
    return Seats(
        SectionStatus.ACTIVE if active else SectionStatus.CLOSED,
        sum(one.open_seats for one in active),
        sum(one.capacity for one in active),
        sections[0].waiting if len(sections) == 1 else 0,
        any(one.reserved_seats for one in active) and not any(one.open_seats for one in active),
    )


def section_parts(course: Course, choice: SectionActions, others: Sequence[Registration]) -> list[bytes]:
    """Return the text of a section on the page of its course; `others` are the courses that it could replace."""
    section = choice.section
    swap = _swap(course, section, others) if others else ()
    return [_start(section), _seats(section), _end(choice), *swap, SECTION_END]


def _swap(course: Course, section: Section, others: Iterable[Registration]) -> Sequence[bytes]:
    """Return the form that swaps one of the other courses for the section; they are filled in."""
    names = ((one.courseID, one.course.title) for one in others)
    options = b"".join(render_filled(SEATS_MACROS, "swap_option", None, one) for one in names)
    key = section.key, course.title, section.open_seats > 0
    return split(render_filled(SEATS_MACROS, "swap", key, [options], course, section))


def _start(section: Section, *, has_times: bool = True) -> InputFreeText:
    facts = section.meetings, section.instructor, section.room, section.restriction, section.consent, section.pool_facts
    key = section.key, *facts, has_times
    return _text("section_start", key, section, has_times)


def _seats(section: Section) -> InputFreeText:
    return _text("seats_cell", seats_key(section), section)


def seats_key(section: Section) -> Hashable:
    """Return a value that is equal for sections whose seats look the same."""
    return section.status, section.open_seats, section.capacity, section.waiting, section.is_reserved


def _end(choice: SectionActions) -> InputFreeText:
    return _text("section_end", (choice.section.key, choice.appearance), choice)


def _text(macro: str, key: Hashable, *arguments: object) -> InputFreeText:
    return render_shared(SEATS_MACROS, macro, key, *arguments)


def hours_of(sections: Iterable[Section]) -> WeekHours | None:
    """Return all hours in which one of the sections meets, if only for a minute; None if a time is unreadable."""
    hours: set[tuple[str, int]] = set()
    for meeting in (meeting for section in sections for meeting in section.meetings):
        if not (
            _CLOCK_TIME.fullmatch(meeting.start) and _CLOCK_TIME.fullmatch(meeting.end) and meeting.start < meeting.end
        ):
            return None
        numbers = range(int(meeting.start[:2]), int(meeting.end[:2]) + 1)
        hours.update((day, number) for day in meeting.days for number in numbers)
    return frozenset(hours)
