"""A model of enrolling, dropping and waiting: the rules again, in plain Python without a database.

Where the rules leave room, the model agrees with the docstrings of the services:
- Of several reasons to refuse, the first counts: already enrolled, window, closed section, time conflict, credits,
  prerequisites, corequisites, seat. A cancelled section is unknown, whatever else is wrong.
- Without a section, the request means the first one that fits and has an open seat; if none has, the first that fits is
  reported as full.
- A student who joins the waitlist of a section with an open seat gets the seat.
- Swaps that wait for each other in a cycle are completed as soon as each is the first that can be.
- A swap of a course for any section of it is done already.
- Promotion continues until the add deadline, even while the opening is postponed.
- A prerequisite is a seat in an earlier term, even one that has not ended, unless its grade is an F, or too low where a
  grade is needed; until the grade is recorded, it is enough. A requisite is a formula of such courses, and of standings
  that a student may have. A seat in an equivalent course in an earlier term is as good.
  A course that may be taken concurrently is also met by a seat in the same term, like a corequisite. Such a seat isn't
  dropped alone if the formula is true with it and false without it.
- A corequisite is a seat in the same term or an earlier one, or one taken at the same time; for a waitlist entry, a
  waitlist entry is enough. Another section of a course that the student has requires none.
- Staff set rules aside one by one; a waitlist entry keeps those that concern the seat. Only enrollments and swaps by
  staff exceed the capacity, and a seat that is freed above the capacity is offered to nobody.
- A closed section keeps its students and its waitlist, but offers no seat. A cancelled one has neither.
- A hold that blocks a change comes before everything but being enrolled already, and nobody sets it aside. A waiting
  student with one keeps the place, and is tried again when it is lifted.
- A restriction of the course and one of the section both have to admit the student, in all their parts. A part names
  values of an attribute, of which the student needs one, or with "not" must have none. It comes after a closed section.
- A course may limit in how many terms a student takes it. The seats in all other terms count, whatever their order, and
  those from which the student has withdrawn only if the course says so. Another section of a course that the student
  has is always possible. It comes after the restrictions. A seat that is given up may make a waitlist entry for the
  course in another term possible.
- A section may need consent, which only a permit or staff give, whether it is the instructor's or the department's. It
  comes after restrictions. A waiting student without it keeps the place.
- A student who isn't active is refused like one with a hold on everything but dropping, with a reason of its own.
- A permit sets reasons aside for a seat in its section, or in all of its course, until a seat that needs it uses it up.
  It can be used again when that seat is dropped without a W, or when another section of the course replaces it. A time
  conflict needs a permit for each of the two sections, and nothing sets the courses aside that need a dropped one. A
  place on a waitlist never uses a permit, which doesn't make room there either: with a permit to exceed the capacity,
  a student who joins the waitlist gets a seat.
- Pools reserve seats of a section for the students whom their texts admit, like restrictions. A student takes a seat
  from the first of these pools that has one left, otherwise an unreserved one, and a drop returns it there. Pools may
  reserve more seats than are left; then nothing is unreserved. A waiting student for whom only reserved seats of others
  are left keeps the place and is told nothing. Released pools reserve nothing.
- Of several seats freed by one change, the one dropped first is filled first; then come the other waitlists of the
  students who dropped something.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product

from quart_enroll.domain.models import Course, Meeting, Section, SectionKey, SectionRequest, SectionStatus, Term
from quart_enroll.domain.student_attributes import StudentAttributes

OK = "ok"


OVERRIDES = {
    "not_open_yet": "closed_term",
    "closed": "closed_term",
    "drop_closed": "closed_term",
    "only_withdrawal": "closed_term",
    "section_full": "full",
    "waitlist_full": "full",
    "time_conflict": "time_conflict",
    "credit_limit": "credit_limit",
    "prerequisite_missing": "requisites",
    "corequisite_missing": "requisites",
    "corequisites_would_go": "requisites",
    "section_closed": "section_closed",
    "restricted": "restriction",
    "repeat_limit": "repeat",
    "seats_reserved": "reserved_seats",
    "consent_required": "consent",
}
"""What lets staff set a refusal aside, by its code."""

SEAT_OVERRIDES = {"requisites", "restriction", "repeat", "consent", "time_conflict", "credit_limit"}


class ModelRefusal(Exception):
    """A refusal, with the code that the site uses."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class ModelSeat:
    section: str
    withdrawn: bool = False
    grade: str = ""
    pool: str = ""


@dataclass
class ModelEntry:
    student: int
    drop_if_enrolled: str | None = None
    skipped: bool = False
    overrides: frozenset[str] = frozenset()


@dataclass
class ModelPermit:
    student: int
    term: str
    courseID: str
    section: str
    overrides: frozenset[str]
    used_for: str = ""

    def covers(self, key: SectionKey) -> bool:
        return (self.term, self.courseID) == (key.term, key.courseID) and self.section in ("", key.section)


@dataclass
class FreedSeats:
    """Sections where a change may have opened a seat, and students with a term in which they may be eligible now."""

    sections: deque[SectionKey] = field(default_factory=deque)
    unblocked: deque[tuple[int, str]] = field(default_factory=deque)


class ModelSchool:
    """Terms, courses and sections, the students' seats, and the waitlists in their order."""

    def __init__(self, terms: Iterable[Term], courses: Iterable[Course], sections: Iterable[Section]) -> None:
        self.terms = {term.term: term for term in sorted(terms, key=lambda term: term.order)}
        self.courses = {course.courseID: course for course in courses}
        self.sections = {section.key: section for section in sorted(sections, key=lambda section: section.key)}
        self.seats: dict[tuple[int, str, str], ModelSeat] = {}
        self.waitlists: dict[SectionKey, list[ModelEntry]] = {key: [] for key in self.sections}
        self.provisional_seat: tuple[SectionKey, str] | None = None
        self.holds: dict[int, list[frozenset[str]]] = {}
        self.permits: list[ModelPermit] = []
        self.attributes: dict[int, StudentAttributes] = {}

    # Actions of students

    def enroll(self, student: int, request: SectionRequest, now: datetime) -> None:
        term, options = self._options(student, request, now, None)
        key = options[0]
        self._check_not_enrolled(student, key)
        self._check_held(student, "enroll")
        self._check_open(term, now)
        if reason := self.reason(student, key):
            raise ModelRefusal(reason)
        self._check_seat(student, key)
        freed, used = FreedSeats(), self._permits_for(student, key)
        self._take(student, key, freed, used)
        self.promote(freed, now)
        self._complete_cycles(now)

    def enroll_together(self, student: int, keys: Sequence[SectionKey], now: datetime) -> None:
        """Take all of these seats or none; courses that the student has stay as they are."""
        for key in keys:
            self._check_listed(key)
        wanted = [key for key in keys if key.courseID not in self.enrolled(student, key.term)]
        if not wanted:
            raise ModelRefusal("already_enrolled")
        before = deepcopy(self.seats)
        used: dict[SectionKey, list[ModelPermit]] = {}
        for key in wanted:  # as if the student had each of them once it is checked
            try:
                self._check_held(student, "enroll")
                self._check_open(self.terms[key.term], now)
                if reason := self.reason(student, key, together_with=[one.courseID for one in wanted]):
                    raise ModelRefusal(reason)
            except ModelRefusal:
                self.seats = before
                raise
            used[key] = self._permits_for(student, key, together_with=[one.courseID for one in wanted])
            self.seats[student, key.term, key.courseID] = ModelSeat(key.section)
        self.seats = before
        for key in wanted:
            self._check_seat(student, key)
        freed = FreedSeats()
        for key in wanted:
            self._take(student, key, freed, used[key])
        self.promote(freed, now)
        self._complete_cycles(now)

    def enroll_in_plan(self, student: int, keys: Sequence[SectionKey], now: datetime) -> dict[SectionKey, str]:
        """Take each seat that is possible, and return the outcomes; OK also for courses that the student has.

        A course comes after the planned ones that it requires; courses that require each other are taken together.
        """
        needs = {key: self._planned_needs(student, key, keys) for key in keys}
        outcomes: dict[SectionKey, str] = {}

        def take(key: SectionKey) -> None:
            if key in outcomes:
                return
            group = [one for one in keys if one == key or (_leads(one, key, needs) and _leads(key, one, needs))]
            for needed in (one for member in group for one in needs[member] if one not in group):
                take(needed)
            try:
                self.enroll_together(student, group, now)
                code = OK
            except ModelRefusal as refusal:
                code = OK if refusal.code == "already_enrolled" else refusal.code
            outcomes.update(dict.fromkeys(group, code))

        for key in keys:
            take(key)
        return outcomes

    def enroll_in_plan_with_alternatives(
        self, student: int, accepted: Mapping[SectionKey, Sequence[SectionKey]], now: datetime
    ) -> dict[SectionKey, str]:
        """Do what `enroll_in_plan` does, with the best choice of one accepted section for each course.

        `accepted` has the sections by the planned ones, best first. A choice is better if it gets the student the first
        course that another one doesn't, in the order in which they are taken, or else if it changes fewer planned
        sections, or else if the first course that differs gets a section that is earlier among the accepted ones.
        Returns the outcomes by planned section.
        """

        def quality(choice: Sequence[int]) -> tuple[list[bool], int, list[int]]:
            outcomes = deepcopy(self).enroll_in_plan(student, chosen(choice), now)
            return [code != OK for code in outcomes.values()], sum(rank > 0 for rank in choice), [*choice]

        def chosen(choice: Sequence[int]) -> list[SectionKey]:
            return [sections[rank] for sections, rank in zip(accepted.values(), choice, strict=True)]

        best = min(product(*(range(len(sections)) for sections in accepted.values())), key=quality)
        planned = dict(zip(chosen(best), accepted, strict=True))
        outcomes = self.enroll_in_plan(student, chosen(best), now)
        return {planned[key]: code for key, code in outcomes.items()}

    def _planned_needs(self, student: int, key: SectionKey, planned: Iterable[SectionKey]) -> list[SectionKey]:
        """Return the planned sections of courses that are missing as corequisites or as concurrent prerequisites."""
        if not self.sections[key].is_listed:
            return []
        earlier = [name for name, term in self.terms.items() if term.comes_before(self.terms[key.term])]
        had = {*self.enrolled(student, key.term), *(one for name in earlier for one in self.passed(student, name))}
        course = self.courses[key.courseID]
        missing = set(course.corequisites) - had
        if course.requisite and not self._is_met(course.requisite, student, earlier, self.enrolled(student, key.term)):
            missing.update(re.findall(r"(\w+) concurrently", course.requisite))
        return [one for one in planned if one.courseID in missing]

    def _check_seat(self, student: int, key: SectionKey) -> None:
        reason = self._seat_reason(student, key)
        if reason and OVERRIDES[reason] not in self.permitted(student, key):
            is_waiting = self.waitlist_entry(student, key.term, key.courseID)
            raise ModelRefusal("already_waiting" if is_waiting else reason)

    def _seat_reason(self, student: int, key: SectionKey) -> str | None:
        if self.seats_for(student, key):
            return None
        return "seats_reserved" if self.free_seats(key) else "section_full"

    def drop(self, student: int, request: SectionRequest, now: datetime, *, with_corequisites: bool = False) -> None:
        self._course(request.courseID)
        has = {key[1] for key in self._enrolled_anywhere(student, request.courseID)}
        name = request.term or self._only_active(has, now)
        if name is None or request.courseID not in self.enrolled(student, name):
            raise ModelRefusal("not_enrolled")
        self._check_held(student, "drop")
        others = self._dependent(student, name, request.courseID)
        if others and not with_corequisites:
            raise ModelRefusal("corequisites_would_go")
        if now >= self.terms[name].withdraw_deadline:
            raise ModelRefusal("drop_closed")
        freed = FreedSeats()
        for courseID in (request.courseID, *others):
            self._drop(student, name, courseID, now, freed)
        self.promote(freed, now)
        self._complete_cycles(now)

    def swap(self, student: int, dropped: str, request: SectionRequest, now: datetime) -> None:
        term, options = self._options(student, request, now, dropped)
        key = options[0]
        self._check_dropped(student, dropped, key)
        self._check_held(student, "swap")
        self._check_open(term, now)
        if self._has_dependents(student, key, dropped):
            raise ModelRefusal("corequisites_would_go")
        if reason := self.reason(student, key, without=dropped):
            raise ModelRefusal(reason)
        if now >= term.withdraw_deadline:
            raise ModelRefusal("drop_closed")
        self._check_seat(student, key)
        freed, used = FreedSeats(), self._permits_for(student, key, without=dropped)
        self._exchange(student, dropped, key, now, freed, used)
        self.promote(freed, now)
        self._complete_cycles(now)

    def join(self, student: int, request: SectionRequest, now: datetime, drop_if_enrolled: str | None = None) -> None:
        term, options = self._options(student, request, now, drop_if_enrolled)
        key = options[0]
        if self.waitlist_entry(student, key.term, key.courseID):
            raise ModelRefusal("already_waiting")
        if drop_if_enrolled is not None:
            self._check_dropped(student, drop_if_enrolled, key)
        if drop_if_enrolled != key.courseID:
            self._check_not_enrolled(student, key)
        has_seat = self._has_seat(student, key, drop_if_enrolled)
        self._check_held(student, self._join_change(has_seat, drop_if_enrolled))
        self._check_open(term, now)
        if drop_if_enrolled is not None and self._has_dependents(student, key, drop_if_enrolled):
            raise ModelRefusal("corequisites_would_go")
        waits = [] if has_seat else self.waitlisted_courses(student, key.term)
        if reason := self.reason(student, key, without=drop_if_enrolled, together_with=waits):
            raise ModelRefusal(reason)
        if has_seat:  # no waitlisted student could take an open one
            freed, used = FreedSeats(), self._permits_for(student, key, without=drop_if_enrolled)
            self._exchange(student, drop_if_enrolled, key, now, freed, used)
            self.promote(freed, now)
            self._complete_cycles(now)
            return
        if len(self.waitlists[key]) >= self.sections[key].waitlist_capacity:
            raise ModelRefusal("waitlist_full")
        self.waitlists[key].append(ModelEntry(student, drop_if_enrolled))
        self._complete_cycles(now)

    def leave(self, student: int, request: SectionRequest, now: datetime) -> None:
        self._course(request.courseID)
        waited = {
            key.term
            for key, waitlist in self.waitlists.items()
            if key.courseID == request.courseID and _is_waitlisted(waitlist, student)
        }
        name = request.term or self._only_active(waited, now)
        found = self.waitlist_entry(student, name, request.courseID) if name else None
        if found is None:
            raise ModelRefusal("not_waiting")
        key, entry = found
        self.waitlists[key].remove(entry)
        self._complete_cycles(now)

    def _complete_cycles(self, now: datetime) -> None:
        """Open a seat that no student has dropped; it counts if a promotion then drops that very seat."""
        while any(
            self._complete_cycle(key, pool, now)
            for key in self.sections
            if self.waitlists[key]
            for pool in ["", *(one.name for one in self.sections[key].pools if self.taken(key, one.name))]
        ):
            pass

    def _complete_cycle(self, key: SectionKey, pool: str, now: datetime) -> bool:
        before = deepcopy((self.seats, self.waitlists, self.permits))
        self.provisional_seat = key, pool
        self.promote(FreedSeats(deque([key])), now)
        if self.provisional_seat:
            self.seats, self.waitlists, self.permits = before
            self.provisional_seat = None
            return False
        return True

    # Actions of staff

    def staff_enroll(self, student: int, key: SectionKey, overrides: Collection[str], now: datetime) -> None:
        self._check_listed(key)
        self._check_not_enrolled(student, key)
        self._check_allowed(
            [
                self._held(student, "enroll"),
                self._closed(key, now),
                *self.reasons(student, key),
                self._seat_reason(student, key),
            ],
            overrides,
            self.permitted(student, key),
        )
        freed, used = FreedSeats(), self._permits_for(student, key, overrides=overrides)
        self._take(student, key, freed, used)
        self.promote(freed, now)
        self._complete_cycles(now)

    def staff_drop(
        self, student: int, key: SectionKey, overrides: Collection[str], now: datetime, *, withdraw: bool
    ) -> None:
        if key.courseID not in self.enrolled(student, key.term):
            raise ModelRefusal("not_enrolled")
        term = self.terms[key.term]
        late = "drop_closed" if withdraw else "only_withdrawal"
        deadline = term.withdraw_deadline if withdraw else term.drop_deadline
        others = self._dependent(student, key.term, key.courseID)
        held, is_late = self._held(student, "drop"), now >= deadline
        reasons = [held, "corequisites_would_go" if others else None, late if is_late else None]
        self._check_allowed(reasons, overrides)
        freed = FreedSeats()
        self._drop(student, key.term, key.courseID, now, freed, withdraw=withdraw)
        self.promote(freed, now)
        self._complete_cycles(now)

    def staff_swap(
        self, student: int, dropped: str, key: SectionKey, overrides: Collection[str], now: datetime
    ) -> None:
        self._check_listed(key)
        self._check_dropped(student, dropped, key)
        is_late = dropped != key.courseID and now >= self.terms[key.term].withdraw_deadline
        reasons = [
            self._held(student, "swap"),
            self._closed(key, now),
            "corequisites_would_go" if self._has_dependents(student, key, dropped) else None,
            *self.reasons(student, key, without=dropped),
            "drop_closed" if is_late else None,
            self._seat_reason(student, key),
        ]
        self._check_allowed(reasons, overrides, self.permitted(student, key, without=dropped))
        freed, used = FreedSeats(), self._permits_for(student, key, without=dropped, overrides=overrides)
        self._exchange(student, dropped, key, now, freed, used)
        self.promote(freed, now)
        self._complete_cycles(now)

    def staff_join(self, student: int, key: SectionKey, overrides: Collection[str], now: datetime) -> None:
        self._check_listed(key)
        if self.waitlist_entry(student, key.term, key.courseID):
            raise ModelRefusal("already_waiting")
        self._check_not_enrolled(student, key)
        has_seat = self._has_seat(student, key)
        waits = [] if has_seat else self.waitlisted_courses(student, key.term)
        held = self._held(student, self._join_change(has_seat, None))
        reasons = [held, self._closed(key, now), *self.reasons(student, key, together_with=waits)]
        if has_seat:
            reasons.append(self._seat_reason(student, key))
        else:
            reasons.append("waitlist_over" if now >= self.terms[key.term].add_deadline else None)
            is_full = len(self.waitlists[key]) >= self.sections[key].waitlist_capacity
            reasons.append("waitlist_full" if is_full else None)
        needed = self._check_allowed(reasons, overrides, self.permitted(student, key))
        if has_seat:
            freed, used = FreedSeats(), self._permits_for(student, key, overrides=overrides)
            self._take(student, key, freed, used)
            self.promote(freed, now)
        else:
            self.waitlists[key].append(
                ModelEntry(student, overrides=frozenset(needed & SEAT_OVERRIDES & set(overrides)))
            )
        self._complete_cycles(now)

    def reorder(self, student: int, key: SectionKey, position: int, now: datetime) -> None:
        found = self.waitlist_entry(student, key.term, key.courseID)
        if found is None:
            raise ModelRefusal("not_waiting")
        waited, entry = found
        self.waitlists[waited].remove(entry)
        self.waitlists[waited].insert(position - 1, entry)
        self._complete_cycles(now)

    def _closed(self, key: SectionKey, now: datetime) -> str | None:
        try:
            self._check_open(self.terms[key.term], now)
        except ModelRefusal as refusal:
            return refusal.code
        return None

    def _check_allowed(
        self, reasons: Iterable[str | None], overrides: Collection[str], permitted: Collection[str] = ()
    ) -> set[str]:
        """Raise the first reason that is not set aside; return the overrides that the others needed."""
        codes = [code for code in reasons if code]
        for code in codes:
            if OVERRIDES.get(code) not in overrides and not _is_permitted(code, permitted):
                raise ModelRefusal(code)
        return {OVERRIDES[code] for code in codes}

    # Actions of the registrar

    def edit_section(self, section: Section, now: datetime) -> None:
        """Store the section as an editor who saw it as it is wants it."""
        old = self.sections[section.key]
        if section == old:
            return
        kept = {one.name: one.seats for one in section.pools}
        if any(self.taken(old.key, one.name) > kept.get(one.name, 0) for one in old.pools):
            raise ModelRefusal("wrong_fields")
        if sum(one.seats for one in section.pools if not one.is_released) > section.capacity:
            raise ModelRefusal("wrong_fields")
        pools = tuple(replace(one, is_released=one.is_released or _has_come(one.release, now)) for one in section.pools)
        self.sections[section.key] = replace(section, pools=pools, revision=section.revision + 1)
        self.promote(FreedSeats(deque([section.key])), now)
        self._complete_cycles(now)

    def cancel(self, key: SectionKey, now: datetime) -> None:
        """Take all students out of the section, whatever the deadlines, and offer it to nobody again."""
        section = self.sections[key]
        if not self.terms[key.term].is_ongoing(now):
            raise ModelRefusal("term_over")
        if section.status is SectionStatus.CANCELLED:
            return
        self.sections[key] = replace(section, status=SectionStatus.CANCELLED, revision=section.revision + 1)
        self.waitlists[key].clear()
        self.promote(self._remove(key, self._students(key)), now)
        self._complete_cycles(now)

    def release_pools(self, key: SectionKey, names: Collection[str], now: datetime) -> None:
        """Release these pools of the section; waiting students get the seats first."""
        section = self.sections[key]
        pools = tuple(replace(one, is_released=one.is_released or one.name in names) for one in section.pools)
        self.sections[key] = replace(section, pools=pools)
        self.promote(FreedSeats(deque([key])), now)
        self._complete_cycles(now)

    def drop_no_shows(self, key: SectionKey, students: Collection[int], now: datetime) -> None:
        """Take these students out of the section, if they have a seat."""
        if now >= self.terms[key.term].census_at:
            raise ModelRefusal("census_over")
        freed = self._remove(key, [student for student in self._students(key) if student in students])
        freed.sections.append(key)
        self.promote(freed, now)
        self._complete_cycles(now)

    def _students(self, key: SectionKey) -> list[int]:
        return [
            student
            for (student, term, courseID), seat in self.seats.items()
            if SectionKey(term, courseID, seat.section) == key and not seat.withdrawn
        ]

    def _remove(self, key: SectionKey, students: Iterable[int]) -> FreedSeats:
        freed = FreedSeats()
        for student in students:
            del self.seats[student, key.term, key.courseID]
            self._give_back(student, key)
            freed.unblocked.extend(self._waiting_elsewhere(student, key.term, key.courseID))
            freed.unblocked.append((student, key.term))
        return freed

    def import_section(self, section: Section, now: datetime) -> None:
        """Replace the section; its students keep their seats and places."""
        self.sections[section.key] = section
        self.waitlists.setdefault(section.key, [])
        self.promote(
            FreedSeats(deque(key for key in self.sections if self.waitlists[key] and self.open_seats(key))), now
        )
        self._complete_cycles(now)

    def import_grade(self, student: int, key: SectionKey, grade: str, now: datetime) -> None:
        self.seats[student, key.term, key.courseID].grade = grade
        self.promote(
            FreedSeats(deque(key for key in self.sections if self.waitlists[key] and self.open_seats(key))), now
        )
        self._complete_cycles(now)

    # Queries

    def enrolled(self, student: int, term: str) -> dict[str, SectionKey]:
        """Return the sections that the student has in the term, by courseID."""
        return {
            courseID: SectionKey(term, courseID, seat.section)
            for (who, when, courseID), seat in sorted(self.seats.items())
            if who == student and when == term and not seat.withdrawn
        }

    def passed(self, student: int, term: str, minimum: str | None = None) -> set[str]:
        """Return the courses that the student has in the term, without those with a lower grade or an F.

        Those to which one of them is equivalent are included.
        """
        enough = {"", *"ABCD"[: "ABCD".index(minimum or "D") + 1]}
        found = {one for one in self.enrolled(student, term) if self.seats[student, term, one].grade in enough}
        return found | {name for name, course in self.courses.items() if not found.isdisjoint(course.equivalents)}

    def taken(self, key: SectionKey, pool: str | None = None) -> int:
        """Return the number of students who have a seat, of the pool if one is given."""
        return sum(
            (term, courseID, seat.section) == (key.term, key.courseID, key.section)
            and not seat.withdrawn
            and pool in (None, seat.pool)
            for (_, term, courseID), seat in self.seats.items()
        )

    def open_seats(self, key: SectionKey) -> int:
        """Return the number of seats that someone could take."""
        return self.free_seats(key) if self.sections[key].status is SectionStatus.ACTIVE else 0

    def free_seats(self, key: SectionKey) -> int:
        is_opened = self.provisional_seat is not None and self.provisional_seat[0] == key
        return max(0, self.sections[key].capacity - self.taken(key) + is_opened)

    def open_to(self, student: int, key: SectionKey) -> int:
        """Return the number of seats that the student could take."""
        return self.seats_for(student, key) if self.sections[key].status is SectionStatus.ACTIVE else 0

    def seats_for(self, student: int, key: SectionKey) -> int:
        """Return the same for any status: the unreserved seats, and those left in the student's own pools."""
        left = self._left_in_pools(key)
        unreserved = max(0, self.free_seats(key) - sum(left.values()))
        return min(self.free_seats(key), unreserved + sum(left[name] for name in self._own_pools(student, key)))

    def _left_in_pools(self, key: SectionKey) -> dict[str, int]:
        return {
            one.name: max(0, one.seats - self.taken(key, one.name) + (self.provisional_seat == (key, one.name)))
            for one in self.sections[key].pools
            if not one.is_released
        }

    def _own_pools(self, student: int, key: SectionKey) -> list[str]:
        """Return the names of the pools that have a seat left for the student."""
        left, found = self._left_in_pools(key), self.attributes.get(student)
        return [one.name for one in self.sections[key].pools if left.get(one.name) and _admits(one.restriction, found)]

    def credits(self, student: int, term: str) -> float:
        return sum(self.courses[courseID].credits for courseID in self.enrolled(student, term))

    def waitlist_entry(self, student: int, term: str, courseID: str) -> tuple[SectionKey, ModelEntry] | None:
        for key, waitlist in self.waitlists.items():
            for entry in waitlist:
                if (entry.student, key.term, key.courseID) == (student, term, courseID):
                    return key, entry
        return None

    def waitlisted_courses(self, student: int, term: str) -> list[str]:
        """Return the courses for which the student waits in the term."""
        return [
            key.courseID
            for key, waitlist in self.waitlists.items()
            if key.term == term and _is_waitlisted(waitlist, student)
        ]

    def reason(
        self, student: int, key: SectionKey, without: str | None = None, together_with: Collection[str] = ()
    ) -> str | None:
        """Return the first reason against a seat in that section, if one were open, that no permit sets aside."""
        permitted = self.permitted(student, key, without)
        found = self.reasons(student, key, without, together_with)
        return next((code for code in found if not _is_permitted(code, permitted)), None)

    def reasons(
        self, student: int, key: SectionKey, without: str | None = None, together_with: Collection[str] = ()
    ) -> list[str]:
        """Return all reasons against a seat in that section, if one were open.

        The course `without` counts as dropped; the courses `together_with` count as corequisites.
        """
        found = []
        has = {courseID: where for courseID, where in self.enrolled(student, key.term).items() if courseID != without}
        if key.courseID in has:
            found.append("already_enrolled")
        if self.sections[key].status is not SectionStatus.ACTIVE:
            found.append("section_closed")
        texts = self.courses[key.courseID].restriction, self.sections[key].restriction
        if not all(_admits(text, self.attributes.get(student)) for text in texts):
            found.append("restricted")
        wanted = self.courses[key.courseID]
        if without != key.courseID and 0 < wanted.max_attempts <= self._attempts(student, key):
            found.append("repeat_limit")
        if self.sections[key].consent != "none":
            found.append("consent_required")
        if any(self.clash(key, where) for where in has.values()):
            found.append("time_conflict")
        if sum(self.courses[courseID].credits for courseID in has) + wanted.credits > self.terms[key.term].max_credits:
            found.append("credit_limit")
        earlier = [term.term for term in self.terms.values() if term.comes_before(self.terms[key.term])]
        formula = " and ".join([*wanted.prerequisites, *([f"({wanted.requisite})"] if wanted.requisite else [])])
        if formula and not self._is_met(formula, student, earlier, {*has, *together_with}):
            found.append("prerequisite_missing")
        beside = {*has, *together_with, *(need for term in earlier for need in self.passed(student, term))}
        if without != key.courseID and not beside.issuperset(wanted.corequisites):
            found.append("corequisite_missing")
        return found

    def _attempts(self, student: int, key: SectionKey) -> int:
        """Return in how many other terms the student has taken the course, as the course counts."""
        counts = self.courses[key.courseID].withdrawals_count
        return sum(
            (who, courseID) == (student, key.courseID) and term != key.term and (counts or not seat.withdrawn)
            for (who, term, courseID), seat in self.seats.items()
        )

    def _waiting_elsewhere(self, student: int, term: str, courseID: str) -> list[tuple[int, str]]:
        """Return the other terms in which the student waits for the course, with one attempt less."""
        return [
            (student, one) for one in self.terms if one != term and courseID in self.waitlisted_courses(student, one)
        ]

    def _is_met(self, requisite: str, student: int, earlier: Sequence[str], same_term: Collection[str]) -> bool:
        """Return whether the student meets the requisite, which Python reads once its courses are true or false."""

        def value(course: re.Match[str]) -> str:
            is_beside = bool(course[2]) and course[1] in same_term
            return str(is_beside or any(course[1] in self.passed(student, term, course[3]) for term in earlier))

        own = getattr(self.attributes.get(student), "standing", "")
        requisite = re.sub(r"(\w+) standing", lambda standing: str(standing[1] == own), requisite)
        course = r"\b(?!and\b|or\b|True\b|False\b)(\w+)(?:( concurrently)| with (\S+) or better)?"
        return bool(eval(re.sub(course, value, requisite)))  # noqa: S307  # only words and parentheses

    def _check_held(self, student: int, change: str) -> None:
        if held := self._held(student, change):
            raise ModelRefusal(held)

    def _held(self, student: int, change: str) -> str | None:
        if self.is_held(student, change):
            return "hold"
        return None if change == "drop" else self._inactive(student)

    def _inactive(self, student: int) -> str | None:
        found = self.attributes.get(student)
        return "not_active" if found and found.status != "active" else None

    def set_attributes(self, student: int, attributes: StudentAttributes, now: datetime) -> None:
        """Record these attributes of the student, who is tried again on every waitlist."""
        self.attributes[student] = attributes
        self.promote(FreedSeats(unblocked=deque((student, term) for term in self.terms)), now)
        self._complete_cycles(now)

    def _has_seat(self, student: int, key: SectionKey, without: str | None = None) -> bool:
        reason = self._seat_reason(student, key)
        return self.open_to(student, key) > 0 or (
            reason is not None and OVERRIDES[reason] in self.permitted(student, key, without)
        )

    def _join_change(self, has_seat: bool, drop_if_enrolled: str | None) -> str:
        """Return what joining means: a seat, if the student can have one."""
        if not has_seat:
            return "waitlist"
        return "enroll" if drop_if_enrolled is None else "swap"

    def is_held(self, student: int, *changes: str) -> bool:
        """Return whether a hold blocks one of these changes for the student."""
        return any(not blocks.isdisjoint(changes) for blocks in self.holds.get(student, ()))

    def place_hold(self, student: int, blocks: frozenset[str]) -> None:
        """Block these changes for the student, who keeps all seats and places."""
        self.holds.setdefault(student, []).append(blocks)

    def lift_holds(self, student: int, now: datetime) -> None:
        """Lift all holds of the student, who is tried again on every waitlist."""
        self.holds.pop(student, None)
        self.promote(FreedSeats(unblocked=deque((student, term) for term in self.terms)), now)
        self._complete_cycles(now)

    def permitted(self, student: int, key: SectionKey, without: str | None = None) -> set[str]:
        """Return what the student's permits set aside for the section, once the course `without` is dropped."""
        usable = [one for one in self.permits if one.student == student and one.covers(key) and not one.used_for]
        found = {override for one in usable for override in one.overrides}
        for courseID, where in self.enrolled(student, key.term).items():
            if courseID != without and self.clash(key, where) and not self._may_conflict(student, where):
                found.discard("time_conflict")
        return found

    def _may_conflict(self, student: int, key: SectionKey) -> bool:
        return any(
            one.student == student and one.covers(key) and "time_conflict" in one.overrides for one in self.permits
        )

    def _permits_for(
        self,
        student: int,
        key: SectionKey,
        without: str | None = None,
        together_with: Collection[str] = (),
        overrides: Collection[str] = (),
    ) -> list[ModelPermit]:
        """Return the permits that a seat would use up; the `overrides` set reasons aside without one."""
        codes = [
            *self.reasons(student, key, without, together_with),
            self._seat_reason(student, key),
        ]
        missing = {OVERRIDES.get(code) for code in codes if code} - set(overrides)
        used = []
        for one in self.permits:
            if one.student == student and one.covers(key) and not one.used_for and missing & one.overrides:
                missing -= one.overrides
                used.append(one)
        return used

    def _give_back(self, student: int, key: SectionKey) -> None:
        for one in self.permits:
            if one.student == student and one.covers(key) and one.used_for == key.section:
                one.used_for = ""

    def grant_permit(self, student: int, key: SectionKey, overrides: frozenset[str], now: datetime) -> None:
        """Grant a permit for the section or its course, unless there is one like it; try the student again."""
        wanted = ModelPermit(student, key.term, key.courseID, key.section, overrides)
        if wanted not in self.permits:
            self.permits.append(wanted)
            self.promote(FreedSeats(unblocked=deque([(student, key.term)])), now)
        self._complete_cycles(now)

    def revoke_permits(self, student: int) -> None:
        """Revoke the permits of the student that aren't used."""
        self.permits = [one for one in self.permits if one.student != student or one.used_for]

    def promotion_reason(self, entry: ModelEntry, key: SectionKey) -> str | None:
        """Return why the waiting student could not take an open seat now."""
        drop_if_enrolled = (
            entry.drop_if_enrolled if entry.drop_if_enrolled in self.enrolled(entry.student, key.term) else None
        )
        reasons = self.reasons(entry.student, key, without=drop_if_enrolled)
        if self.is_held(entry.student, "enroll", *(["swap"] if drop_if_enrolled else [])):
            return "hold"
        if self._inactive(entry.student):
            return "not_active"
        if drop_if_enrolled and self._has_dependents(entry.student, key, drop_if_enrolled):
            reasons.insert(0, "corequisites_would_go")
        permitted = self.permitted(entry.student, key, drop_if_enrolled)
        return next(
            (
                code
                for code in reasons
                if OVERRIDES.get(code) not in entry.overrides and not _is_permitted(code, permitted)
            ),
            None,
        )

    def clash(self, one: SectionKey, other: SectionKey) -> bool:
        """Return whether the sections overlap in any minute of the week."""
        return bool(_minutes(self.sections[one].meetings) & _minutes(self.sections[other].meetings))

    def promote(self, freed: FreedSeats, now: datetime) -> None:
        while freed.sections or freed.unblocked:
            if not freed.sections:
                able, freed.unblocked = freed.unblocked, deque()
                freed.sections.extend(
                    key for key, waitlist in self.waitlists.items() if _has_unblocked(waitlist, key, able)
                )
            if freed.sections:
                self._fill(freed.sections.popleft(), freed, now)

    def _fill(self, key: SectionKey, freed: FreedSeats, now: datetime) -> None:
        term = self.terms[key.term]
        for entry in list(self.waitlists[key]):
            if not self.open_seats(key) or now >= term.add_deadline:
                return
            if not self.open_to(entry.student, key):
                continue
            if self.promotion_reason(entry, key):
                entry.skipped = True
                continue
            has_old = entry.drop_if_enrolled in self.enrolled(entry.student, key.term)
            old = entry.drop_if_enrolled if has_old else None
            used = self._permits_for(entry.student, key, without=old, overrides=entry.overrides)
            self._exchange(entry.student, old, key, now, freed, used)

    def _exchange(
        self,
        student: int,
        dropped: str | None,
        key: SectionKey,
        now: datetime,
        freed: FreedSeats,
        used: Iterable[ModelPermit],
    ) -> None:
        """Take the seat, and drop a course for it; another section of the same course never leaves a W."""
        if dropped is not None:
            old = SectionKey(key.term, dropped, self.seats[student, key.term, dropped].section)
            self._drop(student, key.term, dropped, now, freed)
            if dropped == key.courseID:
                self._give_back(student, old)
        self._take(student, key, freed, used)

    def _take(self, student: int, key: SectionKey, freed: FreedSeats, used: Iterable[ModelPermit] = ()) -> None:
        if (old := self.seats.get((student, key.term, key.courseID))) and old.section != key.section:
            self._give_back(student, SectionKey(key.term, key.courseID, old.section))  # the W is gone
        own = self._own_pools(student, key) if self.seats_for(student, key) else []
        self.seats[student, key.term, key.courseID] = ModelSeat(key.section, pool=own[0] if own else "")
        for one in used:
            one.used_for = key.section
        if found := self.waitlist_entry(student, key.term, key.courseID):
            waited, entry = found
            if waited == key or entry.drop_if_enrolled != key.courseID:  # a swap within the course may still come
                self.waitlists[waited].remove(entry)
        for waited, waitlist in self.waitlists.items():  # it may be what another course needs
            course = self.courses[waited.courseID]
            same = {key.courseID, *(name for name, one in self.courses.items() if key.courseID in one.equivalents)}
            if _is_waitlisted(waitlist, student) and (
                not same.isdisjoint((*course.prerequisites, *course.corequisites))
                or re.search(rf"\b({'|'.join(same)})\b", course.requisite)
            ):
                freed.unblocked.append((student, waited.term))

    def _drop(
        self,
        student: int,
        term: str,
        courseID: str,
        now: datetime,
        freed: FreedSeats,
        *,
        withdraw: bool | None = None,
    ) -> None:
        seat = self.seats[student, term, courseID]
        if not (now >= self.terms[term].drop_deadline if withdraw is None else withdraw):
            del self.seats[student, term, courseID]
            self._give_back(student, SectionKey(term, courseID, seat.section))
        else:
            seat.withdrawn = True
        key = SectionKey(term, courseID, seat.section)
        if self.provisional_seat == (key, seat.pool):
            self.provisional_seat = None
        else:
            freed.sections.append(key)
        freed.unblocked.extend(self._waiting_elsewhere(student, term, courseID))
        freed.unblocked.append((student, term))

    def _dependent(self, student: int, term: str, courseID: str) -> list[str]:
        """Return the courses that depend on this one, directly or through another."""
        dropped = [courseID]
        earlier = [one.term for one in self.terms.values() if one.comes_before(self.terms[term])]
        for gone in dropped:
            if any(gone in self.passed(student, name) for name in earlier):
                continue  # taken before, so nothing depends on it now
            dropped += [
                one
                for one in self.enrolled(student, term)
                if one not in dropped
                and (gone in self.courses[one].corequisites or self._fails_without(student, term, one, dropped))
            ]
        return dropped[1:]

    def _fails_without(self, student: int, term: str, courseID: str, dropped: Collection[str]) -> bool:
        """Return whether the requisite is met now, and no longer without the dropped courses."""
        requisite = self.courses[courseID].requisite
        earlier = [one.term for one in self.terms.values() if one.comes_before(self.terms[term])]
        has = set(self.enrolled(student, term))
        return (
            bool(requisite)
            and self._is_met(requisite, student, earlier, has)
            and not self._is_met(requisite, student, earlier, has.difference(dropped))
        )

    def _has_dependents(self, student: int, key: SectionKey, dropped: str) -> bool:
        """Return whether other courses depend on the dropped one; a swap within a course keeps it."""
        return dropped != key.courseID and bool(self._dependent(student, key.term, dropped))

    def _check_listed(self, key: SectionKey) -> None:
        if not self.sections[key].is_listed:
            raise ModelRefusal("unknown_section")

    def _check_open(self, term: Term, now: datetime) -> None:
        if now < term.opens_at:
            raise ModelRefusal("not_open_yet")
        if now >= term.add_deadline:
            raise ModelRefusal("closed")

    def _check_not_enrolled(self, student: int, key: SectionKey) -> None:
        if key.courseID in self.enrolled(student, key.term):
            raise ModelRefusal("already_enrolled")

    def _check_dropped(self, student: int, dropped: str, key: SectionKey) -> None:
        has = self.enrolled(student, key.term)
        if has.get(dropped) == key or (dropped not in has and key.courseID in has):
            raise ModelRefusal("already_enrolled")
        if dropped not in has:
            raise ModelRefusal("not_enrolled")

    def _course(self, courseID: str) -> Course:
        if courseID not in self.courses:
            raise ModelRefusal("unknown_course")
        return self.courses[courseID]

    def _options(
        self, student: int, request: SectionRequest, now: datetime, dropped: str | None
    ) -> tuple[Term, Sequence[SectionKey]]:
        """Return the term that the request means and the possible sections, best first."""
        self._course(request.courseID)
        listed = [key for key in self.sections if key.courseID == request.courseID and self.sections[key].is_listed]
        offered = {key.term for key in listed}
        active = [term for term in self.terms.values() if now < term.withdraw_deadline]
        first = [term for term in active if term.opens_at <= now < term.add_deadline]
        choice = [self.terms[request.term]] if request.term else first + [term for term in active if term not in first]
        found = [term for term in choice if term.term in offered]
        if not found:
            raise ModelRefusal("not_taught")
        keys = [key for key in listed if key.term == found[0].term]
        if request.section:
            keys = [key for key in keys if key.section == request.section]
            if not keys:
                raise ModelRefusal("unknown_section")
        elif dropped == request.courseID and dropped in (has := self.enrolled(student, found[0].term)):
            keys = [has[dropped]]
        return found[0], sorted(keys, key=lambda key: self._rank(student, key, dropped))

    def _rank(self, student: int, key: SectionKey, dropped: str | None) -> tuple[bool, bool, str]:
        reason = self.reason(student, key, without=dropped)
        return (
            reason not in (None, "prerequisite_missing", "corequisite_missing"),
            not self.open_to(student, key),
            key.section,
        )

    def _enrolled_anywhere(self, student: int, courseID: str) -> list[tuple[int, str, str]]:
        return [key for key, seat in self.seats.items() if key[::2] == (student, courseID) and not seat.withdrawn]

    def _only_active(self, has: Collection[str], now: datetime) -> str | None:
        """Return the only term that is not over; refuse to guess between two."""
        active = [name for name in has if now < self.terms[name].withdraw_deadline]
        if len(active) > 1:
            raise ModelRefusal("term_needed")
        return active[0] if active else None


def _has_come(release: str, now: datetime) -> bool:
    """Return whether the day is over, or the time has come, in UTC; an empty text never comes."""
    written = f"{now:%Y-%m-%d}" if len(release) == 10 else f"{now:%Y-%m-%d %H:%M}"
    return bool(release) and (release < written if len(release) == 10 else release <= written)


def _admits(restriction: str, attributes: StudentAttributes | None) -> bool:
    """Return whether every part of the restriction, which has no names in quotation marks, admits the student."""
    found = attributes or StudentAttributes()
    has = {
        "program": set(found.programs),
        "level": {found.level},
        "standing": {found.standing},
        "cohort": set(found.cohorts),
        "campus": {found.campus},
    }
    for part in filter(None, restriction.split("; ")):
        name, values = part.removeprefix("not ").split(": ")
        if bool(has[name] & {*values.split(", ")}) == part.startswith("not "):
            return False
    return True


def _leads(one: SectionKey, other: SectionKey, needs: Mapping[SectionKey, Sequence[SectionKey]]) -> bool:
    """Return whether a course requires another, directly or through others."""
    reached = list(needs[one])
    for key in reached:
        reached += [further for further in needs[key] if further not in reached]
    return other in reached


def _is_permitted(code: str, permitted: Collection[str]) -> bool:
    return code != "corequisites_would_go" and OVERRIDES.get(code) in permitted


def _is_waitlisted(waitlist: Iterable[ModelEntry], student: int) -> bool:
    return any(entry.student == student for entry in waitlist)


def _has_unblocked(waitlist: Iterable[ModelEntry], key: SectionKey, able: Collection[tuple[int, str]]) -> bool:
    return any((entry.student, key.term) in able for entry in waitlist)


def _minutes(meetings: Iterable[Meeting]) -> set[tuple[str, int]]:
    return {
        (day, minute)
        for meeting in meetings
        for day in meeting.days
        for minute in range(_minute(meeting.start), _minute(meeting.end))
    }


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
