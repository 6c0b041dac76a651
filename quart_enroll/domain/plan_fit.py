"""Fits the courses of a plan together, with the sections that the student accepts for each.

Courses are added one after another, the most important first. A course is kept if all kept courses can have seats that
don't overlap, so an earlier course never gives way to a later one. Of the possible choices, the one with the fewest
sections other than the planned ones is best; among those, the one in which the first courses have the better sections.
"""

from collections.abc import Iterable, Sequence

from quart_enroll.domain import rules
from quart_enroll.domain.models import Meeting, PlannedSection, Section

ANY_SECTION = "*"
"""Among a student's alternatives: every other section of the course, in the order of their numbers."""

MAX_ALTERNATIVES = 3
"""Alternatives to a planned section; ANY_SECTION counts as one."""

MAX_STEPS = 1000
"""Sections that are tried for one plan, some 10 ms of work.

In a plan that needs more, a later course is kept only if it fits in without moving others, and more sections than
necessary may change.
"""


class _OutOfSteps(Exception):
    """The search has become too long."""


class PlanFit:
    """A search for sections that fit together, beside those in which the student is `enrolled`."""

    def __init__(self, enrolled: Iterable[Section]) -> None:
        self._enrolled = list(enrolled)
        self._courses: list[list[tuple[int, Section]]] = []
        self._found: list[Section] = []
        self._steps = 0

    def add(self, courses: Iterable[Sequence[tuple[int, Section]]]) -> bool:
        """Keep these courses if all of them fit in too; return whether they do.

        Each is given by its sections with open seats, with their ranks: 0 for the planned one, then the preferred ones.
        """
        new = [self._options(ranked) for ranked in courses]
        found = _fit_beside(self._found, new) or self._rearrange([*self._courses, *new])
        if found is None:
            return False
        self._courses += new
        self._found = found
        return True

    def best(self) -> list[Section]:
        """Return the best section for each course that was kept, in their order."""
        try:
            for most_changes in range(_count_changes(self._courses), len(self._courses) + 1):
                found = self._search(self._courses, most_changes)
                if found is not None:
                    return found
        except _OutOfSteps:
            pass
        return self._found

    def _options(self, ranked: Sequence[tuple[int, Section]]) -> list[tuple[int, Section]]:
        """Return the sections that are worth trying: of several at the same times, the best is enough."""
        by_times: dict[tuple[Meeting, ...], tuple[int, Section]] = {}
        for rank, section in ranked:
            if not _overlaps(section, self._enrolled):
                by_times.setdefault(section.meetings, (rank, section))
        return [*by_times.values()]

    def _rearrange(self, courses: Sequence[Sequence[tuple[int, Section]]]) -> list[Section] | None:
        """Return sections that fit together, wherever the courses kept so far move."""
        try:
            return self._search(courses, len(courses))
        except _OutOfSteps:
            return None

    def _search(self, courses: Sequence[Sequence[tuple[int, Section]]], most_changes: int) -> list[Section] | None:
        """Return the first sections that fit together, at most that many of them other than planned."""
        chosen: list[Section] = []
        later_changes = [_count_changes(courses[place:]) for place in range(1, len(courses) + 1)]

        def choose(changes_left: int) -> bool:
            if len(chosen) == len(courses):
                return True
            for rank, section in courses[len(chosen)]:
                self._count_step()
                left = changes_left - bool(rank)
                if left < later_changes[len(chosen)] or _overlaps(section, chosen):
                    continue
                chosen.append(section)
                if choose(left):
                    return True
                chosen.pop()
            return False

        return chosen if choose(most_changes) else None

    def _count_step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _OutOfSteps


def accepted_sections(planned: PlannedSection, offered: Sequence[Section]) -> list[Section]:
    """Return the sections of the course that the student accepts, in order of preference; the planned one comes first.

    Sections that are no longer offered are left out.
    """
    by_number = {one.section: one for one in offered if one.is_listed}
    wanted: list[str] = [planned.key.section]
    for number in planned.alternatives:
        wanted += sorted(by_number) if number == ANY_SECTION else [number]
    return [by_number[number] for number in dict.fromkeys(wanted) if number in by_number]


def _fit_beside(found: Sequence[Section], courses: Iterable[Sequence[tuple[int, Section]]]) -> list[Section] | None:
    """Return the found sections with the first of each course that fits in, or None if a course doesn't."""
    fitted = [*found]
    for ranked in courses:
        section = next((one for _, one in ranked if not _overlaps(one, fitted)), None)
        if section is None:
            return None
        fitted.append(section)
    return fitted


def _count_changes(courses: Iterable[Sequence[tuple[int, Section]]]) -> int:
    """Return how many courses must change, because their planned section is not among those to try."""
    return sum(all(rank for rank, _ in ranked) for ranked in courses)


def _overlaps(section: Section, others: Iterable[Section]) -> bool:
    return any(rules.overlap(section, other) for other in others)
