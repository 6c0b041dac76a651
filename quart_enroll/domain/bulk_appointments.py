"""Bulk assignment of enrollment appointments: the order of the students, and their slots.

The order needs nothing but the students' ranks, the seed and standard tools, so that anyone can recompute it:

1. By rank: the most earned credits first, or the school's levels in their order, or the lowest number of a file first.
2. Within a rank, by the SHA-256 of the seed, a colon and the student's ID, as `printf '%s:%s' SEED ID | sha256sum`
   prints it, in ascending order.

Slots of equal size follow each other at equal intervals; only the last one may be smaller.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import groupby, islice
from zoneinfo import ZoneInfo

from quart_enroll.domain import appointments, restrictions
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.audit import AuditEntry
from quart_enroll.domain.models import Term
from quart_enroll.domain.moments import localized_moment
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.i18n.language import Sentence

MAX_SLOT_SIZE = 100_000
MAX_INTERVAL_MINUTES = 7 * 24 * 60
MAX_DURATION_MINUTES = 366 * 24 * 60
MAX_SEED_LENGTH = 64


class Ranking(StrEnum):
    """What students are ranked by. The values never change, because assignments are stored with them."""

    CREDITS = "credits"
    LEVEL = "level"
    FILE = "file"

    @property
    def label(self) -> Sentence:
        """Its name."""
        return _RANKING_NAMES[self]


_RANKING_NAMES: Mapping[Ranking, Sentence] = {
    Ranking.CREDITS: Sentence("Earned credits"),
    Ranking.LEVEL: Sentence("Level"),
    Ranking.FILE: Sentence("A file"),
}


@dataclass(frozen=True, slots=True)
class BulkRules:
    """How a bulk assignment orders the students of a term, and when their appointments are.

    `levels` are those of a ranking by level, the first to enroll first. `restriction` says which students take part;
    empty, all do. No slot begins later in the day than `last_start`, if it is given; the next one begins the next day,
    at the time of the first one. Without a duration, appointments don't end.
    """

    term: str
    seed: str
    ranking: Ranking
    starts_at: datetime
    slot_size: int
    interval_minutes: int
    duration_minutes: int | None = None
    max_credits: int | float | None = None
    levels: tuple[str, ...] = ()
    restriction: str = ""
    last_start: time | None = None

    def admits(self, attributes: StudentAttributes) -> bool:
        """Return whether a student with these attributes takes part."""
        return attributes.is_active and not restrictions.unmet(self.restriction, attributes)

    def rank(self, attributes: StudentAttributes) -> int | float:
        """Return the rank of a student with these attributes; a ranking by file has them from the file.

        These are the earned credits, or the place of the level from 1 on, where unknown levels come last.
        """
        if self.ranking is Ranking.CREDITS:
            return attributes.earned_credits or 0
        folded = [level.casefold() for level in self.levels]
        level = attributes.level.casefold()
        return (folded.index(level) if level in folded else len(folded)) + 1


@dataclass(frozen=True, slots=True)
class BulkAssignment:
    """A stored bulk assignment, which has begun once staff have confirmed its preview.

    Its import makes the changes. `filename` is that of a ranking by file.
    """

    assignment_id: str
    rules: BulkRules
    students: int
    author: int
    at: datetime
    filename: str = ""
    import_id: str = ""
    begun_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RankedStudent:
    """A student with the rank that an assignment has stored."""

    user_id: int
    rank: int | float


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot, by its number from 1 on, with the ranks of its first and last student."""

    number: int
    starts_at: datetime
    students: int
    first_rank: int | float
    last_rank: int | float


@dataclass(frozen=True, slots=True)
class PlacedStudent:
    """A student in an assignment's order, from place 1 on, with the digest that decides within the rank."""

    place: int
    student: RankedStudent
    digest: str
    slot: int
    appointment: Appointment


def digest(seed: str, user_id: int) -> str:
    """Return what decides between students of the same rank."""
    return sha256(f"{seed}:{user_id}".encode()).hexdigest()


def order(rules: BulkRules, students: Iterable[RankedStudent]) -> list[tuple[RankedStudent, str]]:
    """Return the students in order, each with the digest."""
    sign = -1 if rules.ranking is Ranking.CREDITS else 1
    found = [(one, digest(rules.seed, one.user_id)) for one in students]
    return sorted(found, key=lambda one: (sign * one[0].rank, one[1]))


def starts(rules: BulkRules, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield when the slots begin, without end; days are those of the zone."""
    first, interval = rules.starts_at.astimezone(zone), timedelta(minutes=rules.interval_minutes)
    current = rules.starts_at
    while True:
        yield current
        day, current = current.astimezone(zone).date(), current + interval
        local = current.astimezone(zone)
        if rules.last_start and (local.date() != day or local.time() > rules.last_start):
            next_day = datetime.combine(day + timedelta(days=1), first.time(), zone)
            current = next_day.astimezone(rules.starts_at.tzinfo)


def place(rules: BulkRules, students: Iterable[RankedStudent], zone: ZoneInfo) -> Iterator[PlacedStudent]:
    """Yield the students in order, with their slots and appointments."""
    ordered = order(rules, students)
    for number, begins in enumerate(islice(starts(rules, zone), -(-len(ordered) // rules.slot_size)), 1):
        ends = begins + timedelta(minutes=rules.duration_minutes) if rules.duration_minutes else None
        appointment = Appointment(rules.term, begins, ends, rules.max_credits)
        first = (number - 1) * rules.slot_size
        for at, (student, hashed) in enumerate(ordered[first : first + rules.slot_size], first + 1):
            yield PlacedStudent(at, student, hashed, number, appointment)


def slots(placed: Iterable[PlacedStudent]) -> list[Slot]:
    """Return the slots of students in order."""
    found = []
    for number, group in groupby(placed, key=lambda one: one.slot):
        members = [*group]
        ranks = members[0].student.rank, members[-1].student.rank
        found.append(Slot(number, members[0].appointment.starts_at, len(members), *ranks))
    return found


def problems(term: Term, rules: BulkRules, number: int) -> dict[str, Sentence]:
    """Return what is wrong with the rules for that number of students, by field."""
    zone = ZoneInfo(term.timezone)
    if rules.last_start and rules.starts_at.astimezone(zone).time() > rules.last_start:
        return {"last_start": Sentence("Choose a time no earlier than the first slot.")}
    first = Appointment(term.term, rules.starts_at)
    if found := appointments.problems(term, first):
        return found
    last_number = max(0, -(-number // rules.slot_size) - 1)
    last = next(islice(starts(rules, zone), last_number, None))
    if appointments.problems(term, Appointment(term.term, last)):
        return {
            "slot_size": Sentence(
                "The last of %(slots)s slots would begin on %(begins)s, which is too late. Choose larger slots or a "
                "shorter interval.",
                slots=last_number + 1,
                begins=localized_moment(term, last),
            )
        }
    return {}


def find_change(assigned: Appointment, current: Appointment | None, entries: Sequence[AuditEntry]) -> AuditEntry | None:
    """Return the entry of the audit log that explains why an appointment is no longer as it was assigned, if any does.

    `entries` are those about the student's appointment in the term since the assignment began, in the order of time.
    """
    fields = appointments.texts(assigned)
    for entry in entries:
        fields |= {change.field: change.new for change in entry.changes}
    return entries[-1] if entries and fields == appointments.texts(current) else None
