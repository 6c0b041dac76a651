"""Reserved pools: seats of a section that are kept for a group of students until they are released.

Staff write one pool per line, and those above come first: `Nursing majors: 10 for program: Nursing until 2026-08-15`.

    pool    = name ":" seats "for" restriction ["until" release]
    release = date | date time        a date alone includes that day; both are by the clock of the term

A student takes a seat from the first pool that admits them and has one left, otherwise an unreserved seat. The
enrollment remembers the pool, and the seat goes back to it. A pool that is released no longer reserves anything: the
release is a change of the section, in the transaction that also offers the seats to the waitlist.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from quart_enroll.domain import restrictions
from quart_enroll.domain.restrictions import RestrictionError
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.i18n.language import NameList, Sentence, format_clock, format_day, plural

MAX_POOLS = 10
"""Pools of a section."""

MAX_NAME_LENGTH = 50
"""The maximum number of characters in the name of a pool."""

MAX_RESTRICTION_LENGTH = 500
"""The maximum number of characters in what a pool says about its students."""

_LINE = re.compile(
    r"(?P<name>[^:]+):\s*(?P<seats>\d{1,6})(?:\s+seats?)?\s+for\s+(?P<group>.+?)(?:\s+until\s+(?P<release>.+))?",
    re.ASCII | re.IGNORECASE,
)

MIN_YEAR, MAX_YEAR = 1900, 2200
"""Years of a release."""

_DATE_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")


class PoolError(ValueError):
    """The text is not a list of pools; the only argument is a Sentence that names the line."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A number of seats for the students whom the text `restriction` admits; `taken` of them have a student.

    `release` is the date as it is written, and empty if the seats stay reserved.
    """

    name: str
    restriction: str
    seats: int
    release: str = ""
    taken: int = 0
    is_released: bool = False

    @property
    def seats_left(self) -> int:
        """The number of seats that are reserved and not taken."""
        return 0 if self.is_released else max(0, self.seats - self.taken)

    def admits(self, attributes: StudentAttributes) -> bool:
        """Return whether a student with these attributes belongs to the group."""
        return not restrictions.unmet(self.restriction, attributes)

    def releases_at(self, timezone: str) -> datetime | None:
        """Return when the seats are to be released, or None; the timezone is that of the term."""
        if not self.release:
            return None
        day, _, clock = self.release.partition(" ")
        moment = datetime.fromisoformat(self.release) if clock else datetime.fromisoformat(day) + timedelta(days=1)
        return moment.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)

    def is_due(self, timezone: str, now: datetime) -> bool:
        """Return whether the seats must be released now."""
        moment = None if self.is_released else self.releases_at(timezone)
        return moment is not None and moment <= now

    def __str__(self) -> str:
        until = f" until {self.release}" if self.release else ""
        return f"{self.name}: {self.seats} for {self.restriction}{until}"


def to_text(pools: Iterable[Pool]) -> str:
    """Return the pools in their usual spelling, one per line."""
    return "\n".join(map(str, pools))


def parse(text: str) -> tuple[Pool, ...]:
    """Return the pools of the text, none for an empty one; raise PoolError at the first line that is wrong."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > MAX_POOLS:
        raise PoolError(Sentence("A section can have at most %(number)s pools.", number=MAX_POOLS))
    found: dict[str, Pool] = {}
    for number, line in lines:
        try:
            pool = _parse_line(line)
            if pool.name.casefold() in found:
                raise PoolError(Sentence("There is another pool with this name."))
        except ValueError as error:
            raise PoolError(Sentence("Line %(line)s: %(problem)s", line=number, problem=error.args[0])) from None
        found[pool.name.casefold()] = pool
    return tuple(found.values())


def with_counts(pools: Iterable[Pool], old: Iterable[Pool]) -> tuple[Pool, ...]:
    """Return the pools with the seats taken in the `old` ones of the same names.

    A pool that was released stays so unless it gets another date.
    """
    by_name = {one.name: one for one in old}
    return tuple(
        one
        if (before := by_name.get(one.name)) is None
        else replace(one, taken=before.taken, is_released=before.is_released and before.release == one.release)
        for one in pools
    )


def release(pools: Iterable[Pool], timezone: str, now: datetime) -> tuple[Pool, ...]:
    """Return the pools with those released whose date has come; the timezone is that of the term."""
    return tuple(replace(one, is_released=True) if one.is_due(timezone, now) else one for one in pools)


def without_students(pools: Iterable[Pool]) -> tuple[Pool, ...]:
    """Return the pools for another term: no student has a seat, and they are reserved until staff enter a date."""
    return tuple(Pool(one.name, one.restriction, one.seats) for one in pools)


def seats_left(pools: Iterable[Pool]) -> int:
    """Return the number of seats that the pools reserve and no student has taken."""
    return sum(one.seats_left for one in pools)


def own_pools(pools: Iterable[Pool], attributes: StudentAttributes) -> list[Pool]:
    """Return the pools that have a seat left for a student with these attributes, in the order of priority."""
    return [one for one in pools if one.seats_left and one.admits(attributes)]


def choose(pools: Iterable[Pool], attributes: StudentAttributes) -> str:
    """Return the name of the pool to which the next seat for a student with these attributes belongs; empty for none.

    The section must have a seat that is open to the student.
    """
    return next((one.name for one in own_pools(pools, attributes)), "")


def with_seats_taken(pools: Iterable[Pool], more: Mapping[str, int]) -> tuple[Pool, ...]:
    """Return the pools with `more` seats taken too, by the names of the pools."""
    return tuple(replace(one, taken=one.taken + more.get(one.name, 0)) for one in pools)


def find_fault(pools: Sequence[Pool], old: Sequence[Pool], capacity: int) -> Sentence | None:
    """Return why a section of this capacity can't have these pools in place of the `old` ones, or None."""
    kept = {one.name: one for one in pools}
    shrunk = [one for one in old if one.taken > (kept[one.name].seats if one.name in kept else 0)]
    if shrunk:
        return Sentence(
            "Students have seats in these pools. Keep at least this many in each: %(pools)s.",
            pools=NameList(tuple(f"{one.name}: {one.taken}" for one in shrunk)),
        )
    reserved = sum(one.seats for one in pools if not one.is_released)
    if reserved > capacity:
        return Sentence(
            "The pools reserve more seats (%(seats)s) than the section has (%(capacity)s).",
            seats=reserved,
            capacity=capacity,
        )
    return None


def sentences(pools: Iterable[Pool]) -> list[Sentence]:
    """Return what the pools that aren't released say, for students, with dates in the current language."""
    return [one for pool in pools if pool.seats and not pool.is_released for one in _sentences(pool)]


def _sentences(pool: Pool) -> Iterator[Sentence]:
    yield plural(
        "%(number)s seat is reserved for %(name)s.",
        "%(number)s seats are reserved for %(name)s.",
        pool.seats,
        name=pool.name,
    )
    day, _, clock = pool.release.partition(" ")
    when = format_day(date.fromisoformat(day)) if day else ""
    if clock:
        yield Sentence("Seats still open on %(when)s are released.", when=f"{when}, {format_clock(clock)}")
    elif when:
        yield Sentence("Seats still open at the end of %(day)s are released.", day=when)


def _parse_line(line: str) -> Pool:
    match = _LINE.fullmatch(line)
    if match is None:
        raise PoolError(
            Sentence(
                "Write a name, a colon, the number of seats and who they’re for, such as Nursing majors: 10 for "
                "program: Nursing until 2026-08-15."
            )
        )
    name, group = " ".join(match["name"].split()), match["group"]
    if len(name) > MAX_NAME_LENGTH or len(group) > MAX_RESTRICTION_LENGTH:
        raise PoolError(
            Sentence(
                "Use at most %(name)s characters for the name and %(group)s for the group.",
                name=MAX_NAME_LENGTH,
                group=MAX_RESTRICTION_LENGTH,
            )
        )
    try:
        restriction = restrictions.to_text(restrictions.parse(group))
    except RestrictionError as error:
        raise PoolError(Sentence("“%(group)s”: %(problem)s", group=group, problem=error.args[0])) from None
    return Pool(name, restriction, int(match["seats"]), _read_release(match["release"] or ""))


def _read_release(text: str) -> str:
    """Return the date in its usual spelling."""
    for one in _DATE_FORMATS if text else ():
        with suppress(ValueError):
            found = datetime.strptime(text, one)  # noqa: DTZ007  # by the clock of the term
            if MIN_YEAR <= found.year <= MAX_YEAR:
                return f"{found:%Y-%m-%d}" if one == _DATE_FORMATS[0] else f"{found:%Y-%m-%d %H:%M}"
    if text:
        raise PoolError(Sentence("Write the date after “until” like 2026-08-15 or 2026-08-15 12:00."))
    return ""
