"""The books of a school, counted again from their rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quart_enroll.db.queries.audit import AuditedRows, AuditedSeat, AuditedSection
from quart_enroll.domain import rules
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Registration, SectionKey, WaitlistEntry, deleted_section

CREDIT_TOLERANCE = 1e-6
"""By this much a sum of credits may be off: 0.1 + 0.2 is not 0.3 for a computer."""


@dataclass(frozen=True, slots=True)
class SectionCounts:
    """What the rows say of a section: who sits there, who waits, and the last place of the line."""

    seats_taken: int
    waiting: int
    queue_tail: int


class Recount:
    """The books with what the rows add up to."""

    def __init__(self, books: AuditedRows) -> None:
        self.books = books
        self.seated = [seat for seat in books.seats if seat.is_enrolled]
        self.taken: defaultdict[Any, set[tuple[str, str]]] = defaultdict(set)
        self.held: defaultdict[tuple[Any, str], list[tuple[Registration, AuditedSeat]]] = defaultdict(list)
        self.credits: defaultdict[tuple[Any, str], float] = defaultdict(float)
        for seat in self.seated:
            self.taken[seat.user_id].add((seat.key.courseID, seat.key.term))
            course, counted = books.courses.get(seat.key.courseID), books.sections.get(seat.key)
            if course and seat.key.term in books.term_names and isinstance(seat.user_id, int):
                whose = seat.user_id, seat.key.term
                section = (
                    counted.section if counted else deleted_section(seat.key)
                )  # it was deleted, and is still a seat
                self.held[whose].append((Registration(course, section, "enrolled"), seat))
                self.credits[whose] += course.credits
        self.lines: defaultdict[SectionKey, list[WaitlistEntry]] = defaultdict(list)
        for waiting in books.waitlist_entries:
            self.lines[waiting.key].append(waiting)

    def wrong_counts(self) -> Iterator[tuple[AuditedSection, SectionCounts]]:
        """Give the sections whose counters differ from the rows, each with what is right."""
        taken = Counter(seat.key for seat in self.seated)
        for key, counted in self.books.sections.items():
            places = [waiting.place for waiting in self.lines[key]]
            right = SectionCounts(taken[key], len(places), max([counted.queue_tail, *places]))
            stored = SectionCounts(counted.section.seats_taken, counted.section.waiting, counted.queue_tail)
            if right != stored or not counted.has_valid_counters:
                yield counted, right

    def wrong_credits(self) -> Iterator[tuple[Any, str, int | float]]:
        """Give the students and terms whose credits differ from the courses', each with what is right."""
        for user_id, term in sorted({*self.credits, *self.books.credits}, key=str):
            right = self.credits[user_id, term]
            if not abs(right - self.books.credits.get((user_id, term), 0)) <= CREDIT_TOLERANCE:  # or not a number
                yield user_id, term, int(right) if right.is_integer() else right

    def shared_places(self) -> Iterator[tuple[SectionKey, int, int]]:
        """Give the places of lines that several students have, or that are no places, each with how many that are."""
        for key, line in self.lines.items():
            for place, number in Counter(waiting.place for waiting in line).items():
                if number > 1 or place < 1:
                    yield key, place, number

    def pointless(self) -> Iterator[tuple[WaitlistEntry, str]]:
        """Give who waits for nothing: unknown students, for unknown sections, or in the course already."""
        for waiting in self.books.waitlist_entries:
            if reason := self._unknown(waiting.user_id, waiting.key):
                yield waiting, reason
            elif waiting.drop_if_enrolled != waiting.key.courseID and self._has_course(waiting):
                yield waiting, "is enrolled in the course already"

    def orphans(self) -> Iterator[tuple[AuditedSeat, str]]:
        """Give the enrollments of unknown students or in unknown sections."""
        for seat in self.books.seats:
            if reason := self._unknown(seat.user_id, seat.key):
                yield seat, reason

    def ready(self, now: datetime) -> Iterator[WaitlistEntry]:
        """Give who waits although a seat is open that they could take."""
        for key, counted in self.books.sections.items():
            term = self.books.terms.get(key.term)
            if term and term.promotes_waitlist(now) and counted.section.open_seats:
                yield from [waiting for waiting in self.lines[key] if self._could_take(waiting, counted)]

    def _unknown(self, user_id: Any, key: SectionKey) -> str | None:
        if user_id not in self.books.user_ids:
            return "has no account"
        if key.courseID not in self.books.courses:
            return "is there for an unknown course"
        if key.term not in self.books.term_names:
            return "is there for an unknown term" if key.term else "is there for no term; `upgrade-db` places it"
        return None if key in self.books.sections else "is there for an unknown section"

    def _has_course(self, waiting: WaitlistEntry) -> bool:
        return (waiting.key.courseID, waiting.key.term) in self.taken[waiting.user_id]

    def _could_take(self, waiting: WaitlistEntry, counted: AuditedSection) -> bool:
        term, course = self.books.terms[waiting.key.term], self.books.courses.get(waiting.key.courseID)
        if course is None or waiting.user_id not in self.books.user_ids:
            return False
        held = [one for one, _ in self.held[waiting.user_id, waiting.key.term]]
        going = [one for one in held if one.courseID == waiting.drop_if_enrolled]
        terms = self.books.terms
        taken = [(courseID, terms[name]) for courseID, name in self.taken[waiting.user_id] if name in terms]
        try:
            for one in going:
                rules.check_dependents(one, term, held, taken, course.courseID)
            rules.check_eligible(term, course, counted.section, held, taken, going)
        except Refused:
            return False
        return True


def describe_section(key: SectionKey) -> str:
    """Return the name of a section in words."""
    return f"{key.courseID or 'no course'}, section {key.section or '(none)'}, {key.term or 'no term'}"
