"""Build weeks without conflicts: one section of each course, chosen so that the constraints are met, the best first.

The search is plain backtracking. Which two sections go together is computed once, as a bitmask for each section, from
bitmasks of the minutes of a week. The days are fixed first: weeks with few days are found before any with more. Then
the course with the fewest sections left is next, and of its sections the one that adds the shortest gaps. The number of
steps is bounded, so a search among very many weeks may miss the best ones, but it never takes long.
"""

from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import NamedTuple

from quart_enroll.domain.filter_choices import building_of
from quart_enroll.domain.models import Section
from quart_enroll.domain.week import to_minutes
from quart_enroll.i18n.language import DAYS

MAX_WEEKS = 10
"""Weeks that are returned."""

MAX_STEPS = 150_000
"""Sections that a search tries, each beside those picked before; one takes some 5 µs."""

MAX_OPTIONS = 300
"""Sections that are considered in all: each is compared with each other one."""

LUNCH_BEGINS, LUNCH_ENDS = "11:00", "14:00"
"""The hours in which a lunch break is possible."""

_DAY_MINUTES = 24 * 60
_LUNCH_START = to_minutes(LUNCH_BEGINS)
_LUNCH_LENGTH = to_minutes(LUNCH_ENDS) - _LUNCH_START


@dataclass(frozen=True, slots=True)
class CourseOptions:
    """A course and the sections that may be chosen; if they are ranked, the preferred ones come first."""

    courseID: str
    sections: tuple[Section, ...]
    is_ranked: bool = False


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a week must meet; an empty value is no constraint.

    `lunch_minutes` are free in one piece between LUNCH_BEGINS and LUNCH_ENDS on each day, and `travel_minutes` between
    two meetings in different buildings.
    """

    free_days: str = ""
    not_before: str = ""
    not_after: str = ""
    lunch_minutes: int = 0
    travel_minutes: int = 0

    @property
    def used(self) -> list[str]:
        """The names of the constraints that are set."""
        return [one.name for one in fields(self) if getattr(self, one.name)]

    def without(self, name: str) -> "Constraints":
        """Return the other constraints."""
        return replace(self, **{name: type(getattr(self, name))()})


class Score(NamedTuple):
    """How good a week is; less is better. `rank` is the sum of the places of ranked sections, from 0."""

    days: int
    gap_minutes: int
    rank: int


@dataclass(frozen=True, slots=True)
class BuiltWeek:
    """The sections of a week, one of each course in the order of the courses."""

    sections: tuple[Section, ...]
    score: Score


@dataclass(frozen=True, slots=True)
class Obstacles:
    """Constraints and courses that can't all be met: without any one of them, the others can."""

    constraints: Sequence[str]
    courseIDs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """The best weeks that were found. If the search was not complete, there may be better ones, or some at all.

    `obstacles` are there if a complete search found none.
    """

    weeks: Sequence[BuiltWeek]
    is_complete: bool
    obstacles: Obstacles | None = None


def build_weeks(
    courses: Sequence[CourseOptions],
    enrolled: Sequence[Section] = (),
    constraints: Constraints = Constraints(),
    *,
    max_weeks: int = MAX_WEEKS,
    max_steps: int = MAX_STEPS,
) -> Result:
    """Return the best weeks with one section of each course, together with the `enrolled` sections."""
    fixed = [CourseOptions(one.courseID, (one,)) for one in enrolled]
    search = _Search([*courses, *fixed], constraints, number_fixed=len(fixed), max_weeks=max_weeks)
    is_complete = search.run(max_steps)
    weeks = [
        BuiltWeek(tuple(one.section for one in picked[: len(courses)]), score) for score, _, picked in search.found
    ]
    if weeks or not is_complete:
        return Result(weeks, is_complete)
    return Result([], is_complete, _find_obstacles(courses, fixed, constraints, max_steps))


def _find_obstacles(
    courses: Sequence[CourseOptions], fixed: Sequence[CourseOptions], constraints: Constraints, max_steps: int
) -> Obstacles:
    """Leave out what can be left out while no week is possible, first constraints, then enrolled courses."""
    remaining_fixed, remaining = list(fixed), list(courses)
    attempts = max(1, len(constraints.used) + len(fixed) + len(courses))

    def is_impossible(
        constraints: Constraints, fixed: Sequence[CourseOptions], remaining: Sequence[CourseOptions]
    ) -> bool:
        search = _Search([*remaining, *fixed], constraints, number_fixed=len(fixed), max_weeks=1)
        return search.find_any(max_steps // attempts) and not search.found

    for name in constraints.used:
        if is_impossible(constraints.without(name), remaining_fixed, remaining):
            constraints = constraints.without(name)
    for one in fixed:
        if is_impossible(constraints, others := [other for other in remaining_fixed if other is not one], remaining):
            remaining_fixed = others
    for one in courses:
        if is_impossible(constraints, remaining_fixed, others := [other for other in remaining if other is not one]):
            remaining = others
    return Obstacles(constraints.used, [one.courseID for one in [*remaining, *remaining_fixed]])


class _Option(NamedTuple):
    """A section that meets the constraints that concern it alone.

    `minutes` is a bitmask of the week, and `near` one that includes the time to travel. `day_bits` are the days, and
    `spans` the first and the last minute of each, with the minutes of class between.
    """

    number: int
    course: int
    section: Section
    rank: int
    building: str
    minutes: int
    near: int
    day_bits: int
    spans: tuple[tuple[int, int, int, int], ...]
    total: int


class _Node(NamedTuple):
    """A part of a week: the sections picked, and the options that are compatible with each of them."""

    picked: tuple[_Option, ...]
    left: int
    minutes: int
    spans: tuple[tuple[int, int] | None, ...]
    gaps: int
    rank: int
    class_left: int


_Found = tuple[Score, int, tuple[_Option, ...]]


class _Search:
    """A search for the best weeks; the last `number_fixed` courses are those in which the student is enrolled."""

    def __init__(
        self, courses: Sequence[CourseOptions], constraints: Constraints, *, number_fixed: int, max_weeks: int
    ) -> None:
        self.found: list[_Found] = []
        self._constraints, self._max_weeks = constraints, max_weeks
        self._first_fixed = len(courses) - number_fixed
        self._by_course = [list[_Option]() for _ in courses]
        options = list[_Option]()
        most = max(1, MAX_OPTIONS // max(1, len(courses)))
        shortened = [one for one in courses if len(one.sections) > most]
        for option in _options([replace(one, sections=one.sections[:most]) for one in courses], constraints):
            options.append(option)
            self._by_course[option.course].append(option)
        self._course_bits = [sum(1 << one.number for one in found) for found in self._by_course]
        self._most_class = [max((one.total for one in found), default=0) for found in self._by_course]
        self._compatible = self._find_compatible(options)
        self._options = options
        self._steps_left, self._was_cut, self._weeks_seen = 0, len(shortened) > 0, 0

    def run(self, max_steps: int) -> bool:
        """Find the best weeks; return whether all were considered."""
        day_sets = list(self._day_sets())
        for position, day_bits in enumerate(day_sets):
            if len(self.found) == self._max_weeks and day_bits.bit_count() > self.found[-1][0].days:
                break
            share = max_steps // (len(day_sets) - position)  # what one doesn't need is left for the others
            self._steps_left = share
            self._extend(self._root(day_bits), day_bits)
            max_steps -= share - self._steps_left
        return not self._was_cut

    def find_any(self, max_steps: int) -> bool:
        """Find a week, whatever its days; return whether that shows if there is one."""
        self._steps_left = max_steps
        self._extend(self._root(-1), -1)
        return bool(self.found) or not self._was_cut

    def _find_compatible(self, options: Sequence[_Option]) -> list[int]:
        """Return, for each option, a bitmask of the options of other courses that go together with it."""
        compatible = [0] * len(options)
        for one, other in combinations(options, 2):
            if one.course == other.course:
                continue
            both_fixed = min(one.course, other.course) >= self._first_fixed
            travels = one.building and other.building and one.building != other.building
            if both_fixed or not (one.near if travels else one.minutes) & other.minutes:
                compatible[one.number] |= 1 << other.number
                compatible[other.number] |= 1 << one.number
        return compatible

    def _day_sets(self) -> Iterator[int]:
        """Yield all sets of days on which any of the sections meets, those with few days first."""
        used = [day for day in range(len(DAYS)) if any(one.day_bits >> day & 1 for one in self._options)]
        for size in range(len(used) + 1):
            for days in combinations(used, size):
                yield sum(1 << day for day in days)

    def _root(self, day_bits: int) -> _Node:
        left = sum(1 << one.number for one in self._options if not one.day_bits & ~day_bits)
        return _Node((), left, 0, (None,) * len(DAYS), 0, 0, sum(self._most_class))

    def _extend(self, node: _Node, day_bits: int) -> None:
        """Complete the week in all ways that are better than the weeks found, on exactly these days."""
        if len(node.picked) == len(self._by_course):
            self._keep(node, day_bits)
            return
        if self._steps_left <= 0:
            self._was_cut = True
            return
        course = self._next_course(node)
        children = [self._child(node, one) for one in self._by_course[course] if node.left >> one.number & 1]
        self._steps_left -= 1 + len(children)
        for child in sorted(filter(self._has_lunch_break, children), key=_promise):
            if self._can_be_kept(child, day_bits):
                self._extend(child, day_bits)

    def _next_course(self, node: _Node) -> int:
        """Return the course with the fewest options left."""
        done = {one.course for one in node.picked}
        left = node.left
        return min(
            (course for course in range(len(self._by_course)) if course not in done),
            key=lambda course: (left & self._course_bits[course]).bit_count(),
        )

    def _child(self, node: _Node, option: _Option) -> _Node:
        spans, gaps = list(node.spans), node.gaps - option.total
        for day, first, last, _ in option.spans:
            before = spans[day]
            span = (first, last) if before is None else (min(first, before[0]), max(last, before[1]))
            spans[day] = span
            gaps += span[1] - span[0] - (0 if before is None else before[1] - before[0])
        return _Node(
            (*node.picked, option),
            node.left & self._compatible[option.number],
            node.minutes | option.minutes,
            tuple(spans),
            gaps,
            node.rank + option.rank,
            node.class_left - self._most_class[option.course],
        )

    def _has_lunch_break(self, node: _Node) -> bool:
        wanted = self._constraints.lunch_minutes
        if not wanted:
            return True
        return all(
            _has_free_minutes(node.minutes >> (day * _DAY_MINUTES + _LUNCH_START), wanted)
            for day, *_ in node.picked[-1].spans
        )

    def _can_be_kept(self, node: _Node, day_bits: int) -> bool:
        if len(self.found) < self._max_weeks:
            return True
        if day_bits < 0:
            return False
        worst = self.found[-1][0]
        return (day_bits.bit_count(), max(0, node.gaps - node.class_left), node.rank) < worst

    def _keep(self, node: _Node, day_bits: int) -> None:
        days = sum(span is not None for span in node.spans)
        if day_bits >= 0 and days != day_bits.bit_count():
            return  # found already among fewer days
        self._weeks_seen += 1
        picked = tuple(sorted(node.picked, key=lambda one: one.course))
        insort(self.found, (Score(days, max(0, node.gaps), node.rank), self._weeks_seen, picked))
        del self.found[self._max_weeks :]


def _promise(node: _Node) -> tuple[int, int]:
    return node.gaps, node.rank


def _options(courses: Sequence[CourseOptions], constraints: Constraints) -> Iterator[_Option]:
    """Yield the sections that meet the constraints that concern them alone."""
    number = 0
    for course, options in enumerate(courses):
        for rank, section in enumerate(options.sections):
            times = sorted(_times(section))
            if _is_allowed(times, constraints):
                yield _option(number, course, section, rank if options.is_ranked else 0, times, constraints)
                number += 1


_Time = tuple[int, int, int]
"""The number of a day, and the minutes at which a meeting starts and ends."""


def _times(section: Section) -> Iterator[_Time]:
    for meeting in section.meetings:
        start, end = to_minutes(meeting.start), to_minutes(meeting.end)
        yield from ((DAYS.index(day), start, end) for day in meeting.days)


def _is_allowed(times: Iterable[_Time], constraints: Constraints) -> bool:
    earliest = to_minutes(constraints.not_before) if constraints.not_before else 0
    latest = to_minutes(constraints.not_after) if constraints.not_after else _DAY_MINUTES
    return all(
        DAYS[day] not in constraints.free_days and start >= earliest and end <= latest for day, start, end in times
    )


def _option(
    number: int, course: int, section: Section, rank: int, times: Sequence[_Time], constraints: Constraints
) -> _Option:
    travel = constraints.travel_minutes
    days = sorted({day for day, *_ in times})
    spans = []
    for day in days:
        theirs = [(start, end) for on, start, end in times if on == day]
        spans.append((day, min(theirs)[0], max(end for _, end in theirs), _mask(_on_day(times, day)).bit_count()))
    return _Option(
        number,
        course,
        section,
        rank,
        building_of(section),
        _mask(times),
        _mask((day, max(0, start - travel), min(_DAY_MINUTES, end + travel)) for day, start, end in times),
        sum(1 << day for day in days),
        tuple(spans),
        sum(minutes for *_, minutes in spans),
    )


def _on_day(times: Collection[_Time], day: int) -> list[_Time]:
    return [one for one in times if one[0] == day]


def _mask(times: Iterable[_Time]) -> int:
    """Return the bitmask of the minutes of a week at these times."""
    mask = 0
    for day, start, end in times:
        mask |= ((1 << max(0, end - start)) - 1) << (day * _DAY_MINUTES + start)
    return mask


def _has_free_minutes(busy: int, wanted: int) -> bool:
    """Return whether so many of the minutes from the start of the lunch hours to their end are free in one piece."""
    free = ~busy & ((1 << _LUNCH_LENGTH) - 1)
    length = 1  # each bit of `free` begins so many free minutes
    while length < wanted and free:
        step = min(length, wanted - length)
        free &= free >> step
        length += step
    return bool(free)
