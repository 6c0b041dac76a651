"""Recounts seats, waitlists and credits from the rows of a school."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quart_enroll.db.queries.audit import AuditedRows, AuditedSeat, AuditedSection
from quart_enroll.domain import appointments, grades, permits, requisite_rules, rules
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import (
    Registration,
    SectionKey,
    SectionStatus,
    TakenCourse,
    WaitlistEntry,
    deleted_section,
)
from quart_enroll.domain.permits import Permit
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES

CREDIT_TOLERANCE = 1e-6
"""How far a sum of credits may be off, because of floating-point rounding."""


@dataclass(frozen=True, slots=True)
class SectionCounts:
    """The counters of a section, as the rows say: enrolled, waiting, the last place on the waitlist, and its pools.

    `pools` has the seats taken in each pool, by its name.
    """

    seats_taken: int
    waiting: int
    queue_tail: int
    pools: Mapping[str, int] = field(default_factory=dict)


class Recount:
    """The rows with what they add up to."""

    def __init__(self, rows: AuditedRows) -> None:
        self.rows = rows
        self.counted_as = requisite_rules.counted_as({one.courseID: one.equivalents for one in rows.courses.values()})
        self.enrolled_seats = [seat for seat in rows.seats if seat.is_enrolled]
        self.taken: defaultdict[Any, dict[tuple[str, str], str]] = defaultdict(dict)
        self.seats_by_student: defaultdict[tuple[Any, str], list[tuple[Registration, AuditedSeat]]] = defaultdict(list)
        self.credits: defaultdict[tuple[Any, str], float] = defaultdict(float)
        for seat in rows.seats:
            if seat.is_anonymous:  # it belongs to no schedule
                continue
            grade = seat.grade if seat.is_enrolled else grades.WITHDRAWN
            self.taken[seat.user_id][seat.key.courseID, seat.key.term] = grade
            if not seat.is_enrolled:
                continue
            course, counted = rows.courses.get(seat.key.courseID), rows.sections.get(seat.key)
            if course and seat.key.term in rows.term_names and isinstance(seat.user_id, int):
                whose = seat.user_id, seat.key.term
                section = counted.section if counted else deleted_section(seat.key)  # a deleted section keeps its seats
                self.seats_by_student[whose].append((Registration(course, section, "enrolled"), seat))
                self.credits[whose] += course.credits
        self.waitlists: defaultdict[SectionKey, list[WaitlistEntry]] = defaultdict(list)
        for waiting in rows.waitlist_entries:
            self.waitlists[waiting.key].append(waiting)

    def wrong_counts(self) -> Iterator[tuple[AuditedSection, SectionCounts]]:
        """Yield sections whose counters differ from the rows, with the correct counts."""
        taken = Counter(seat.key for seat in self.enrolled_seats)
        taken_in_pools = Counter((seat.key, seat.pool) for seat in self.enrolled_seats if seat.pool)
        for key, counted in self.rows.sections.items():
            places = [waiting.place for waiting in self.waitlists[key]]
            pools = counted.section.pools
            in_pools = {one.name: taken_in_pools[key, one.name] for one in pools}
            right = SectionCounts(taken[key], len(places), max([counted.queue_tail, *places]), in_pools)
            stored = SectionCounts(
                counted.section.seats_taken,
                counted.section.waiting,
                counted.queue_tail,
                {one.name: one.taken for one in pools},
            )
            if right != stored or not counted.has_valid_counters:
                yield counted, right

    def wrong_credits(self) -> Iterator[tuple[Any, str, int | float]]:
        """Yield students and terms whose credits differ from the sum of the courses, with the correct sum."""
        for user_id, term in sorted({*self.credits, *self.rows.credits}, key=str):
            right = self.credits[user_id, term]
            if not abs(right - self.rows.credits.get((user_id, term), 0)) <= CREDIT_TOLERANCE:  # also true for NaN
                yield user_id, term, int(right) if right.is_integer() else right

    def shared_places(self) -> Iterator[tuple[SectionKey, int, int]]:
        """Yield waitlist places that are invalid or that several students have, with the number of students."""
        for key, entries in self.waitlists.items():
            for place, number in Counter(waiting.place for waiting in entries).items():
                if number > 1 or place < 1:
                    yield key, place, number

    def pointless_entries(self) -> Iterator[tuple[WaitlistEntry, str]]:
        """Yield waitlist entries that can never lead to a seat, with the reason."""
        for waiting in self.rows.waitlist_entries:
            if reason := self._missing_reference(waiting.user_id, waiting.key):
                yield waiting, reason
            elif self._is_cancelled(waiting.key):
                yield waiting, "the section was cancelled"
            elif waiting.drop_if_enrolled != waiting.key.courseID and self._has_course(waiting):
                yield waiting, "the student is already enrolled in the course"

    def orphans(self) -> Iterator[tuple[AuditedSeat, str]]:
        """Yield enrollments whose student, course, term or section does not exist or was cancelled, with the reason."""
        for seat in self.rows.seats:
            if reason := self._missing_reference(None if seat.is_anonymous else seat.user_id, seat.key):
                yield seat, reason
            elif seat.is_enrolled and self._is_cancelled(seat.key):
                yield seat, "the section was cancelled"

    def unused_permits(self) -> Iterator[tuple[Any, Permit]]:
        """Yield students with permits that count as used, although they have no seat in that section.

        A seat from which the student has withdrawn counts: it stays on the record.
        """
        seats = {(seat.user_id, seat.key) for seat in self.rows.seats}
        for user_id, held in self.rows.permits.items():
            for one in held:
                if one.used_for and (user_id, SectionKey(one.term, one.courseID, one.used_for)) not in seats:
                    yield user_id, one

    def promotable_entries(self, now: datetime) -> Iterator[WaitlistEntry]:
        """Yield waitlisted students who could take an open seat."""
        for key, counted in self.rows.sections.items():
            term = self.rows.terms.get(key.term)
            if term and term.promotes_waitlist(now) and counted.section.free_seats:
                yield from [one for one in self.waitlists[key] if self._could_take(one, counted, now)]

    def _missing_reference(self, user_id: Any | None, key: SectionKey) -> str | None:
        """Return what a row refers to that does not exist; a row without `user_id` needs no account."""
        if user_id is not None and user_id not in self.rows.user_ids:
            return "the student has no account"
        if key.courseID not in self.rows.courses:
            return "there is no such course"
        if key.term not in self.rows.term_names:
            return "there is no such term" if key.term else "no term is given; `upgrade-db` assigns one"
        return None if key in self.rows.sections else "there is no such section"

    def _is_cancelled(self, key: SectionKey) -> bool:
        return self.rows.sections[key].section.status is SectionStatus.CANCELLED

    def _has_course(self, waiting: WaitlistEntry) -> bool:
        seats = self.seats_by_student[waiting.user_id, waiting.key.term]
        return any(one.courseID == waiting.key.courseID for one, _ in seats)

    def _could_take(self, waiting: WaitlistEntry, counted: AuditedSection, now: datetime) -> bool:
        term, course = self.rows.terms[waiting.key.term], self.rows.courses.get(waiting.key.courseID)
        if course is None or waiting.user_id not in self.rows.user_ids:
            return False
        registrations = [one for one, _ in self.seats_by_student[waiting.user_id, waiting.key.term]]
        dropped = [one for one in registrations if one.courseID == waiting.drop_if_enrolled]
        terms = self.rows.terms
        taken = requisite_rules.with_equivalents(
            (
                TakenCourse(courseID, terms[name], grade)
                for (courseID, name), grade in self.taken[waiting.user_id].items()
                if name in terms
            ),
            self.counted_as,
        )
        attributes = self.rows.attributes.get(waiting.user_id, NO_ATTRIBUTES)
        if not counted.section.seen_by(attributes).open_seats:
            return False
        try:
            rules.check_promotion_holds(self.rows.holds.get(waiting.user_id, ()), now, is_swap=bool(dropped))
            rules.check_active(attributes)
            for one in dropped if Override.REQUISITES not in waiting.overrides else ():
                requisite_rules.check_dependents(one, term, registrations, taken, course.courseID, attributes)
            term = appointments.with_own_limit(term, self.rows.appointments.get((waiting.user_id, term.term)), now)
            facts = registrations, taken, dropped
            checks = rules.eligibility_checks(term, course, counted.section, *facts, attributes=attributes)
            rules.check_all(checks, waiting.overrides, self._permitted(waiting, counted, registrations, now))
        except Refused:
            return False
        return True

    def _permitted(
        self, waiting: WaitlistEntry, counted: AuditedSection, registrations: Iterable[Registration], now: datetime
    ) -> frozenset[Override]:
        """Return what permits set aside when the student is promoted."""
        held = [one for one in self.rows.permits.get(waiting.user_id, ()) if one.term == waiting.key.term]
        staying = [one.section for one in registrations if one.courseID != waiting.drop_if_enrolled]
        return permits.permitted(permits.in_effect(held, now), counted.section, staying)


def describe_section(key: SectionKey) -> str:
    """Return the section's name for messages."""
    return f"{key.courseID or 'no course'}, section {key.section or '(none)'}, {key.term or 'no term'}"
