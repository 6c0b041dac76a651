"""A student's week: where each meeting goes, and which sections conflict."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from zlib import crc32

from quart_enroll.domain.models import Meeting, Section
from quart_enroll.i18n.language import DAYS

WORKING_DAYS = "MTWRF"
"""The days that every week shows."""

DEFAULT_HOURS = (9, 16)
"""The hours that every week shows, from and to."""

WEEK_COLORS = 8
"""The number of colors that distinguish the courses of a week."""


@dataclass(frozen=True, slots=True)
class WeekEntry:
    """A section in the student's week; `status` is "enrolled", "waiting", "planned" or "withdrawn".

    `instead_of` is the course that would be dropped for it. `color` is the number of its course's color.
    """

    courseID: str
    title: str
    status: str
    meetings: tuple[Meeting, ...] = ()
    room: str = ""
    instead_of: str = ""
    color: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """A meeting on one day, in minutes since midnight; overlapping meetings share the width in `lanes`, from 0."""

    entry: WeekEntry
    meeting: Meeting
    day: str
    start: int
    end: int
    lane: int = 0
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two sections that meet at the same time."""

    one: WeekEntry
    other: WeekEntry
    when: tuple[Meeting, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """The meetings of a week, with its days and its hours from `begins` to `ends`, and the sections without times."""

    days: str
    begins: int
    ends: int
    blocks: Sequence[Block]
    conflicts: Sequence[Conflict]
    untimed: Sequence[WeekEntry]

    @property
    def lanes(self) -> int:
        """The maximum number of meetings side by side."""
        return max((block.lanes for block in self.blocks), default=1)


def week(entries: Sequence[WeekEntry]) -> Week:
    """Return the week that these sections fill."""
    blocks = [
        block for day in DAYS for group in _overlapping_groups(_on(day, entries)) for block in _side_by_side(group)
    ]
    used = {block.day for block in blocks}
    return Week(
        days="".join(day for day in DAYS if day in WORKING_DAYS or day in used),
        begins=min([DEFAULT_HOURS[0], *(block.start // 60 for block in blocks)]),
        ends=max([DEFAULT_HOURS[1], *(-(-block.end // 60) for block in blocks)]),
        blocks=blocks,
        conflicts=[conflict for pair in combinations(entries, 2) for conflict in _conflict(*pair)],
        untimed=[entry for entry in entries if not entry.meetings],
    )


def entry_of(section: Section, title: str, status: str, instead_of: str = "") -> WeekEntry:
    """Return the section as part of a week, in the color that its course has in most weeks."""
    color = _own_color(section.courseID)
    return WeekEntry(section.courseID, title, status, section.meetings, section.room, instead_of, color)


def _own_color(courseID: str) -> int:
    return crc32(courseID.encode()) % WEEK_COLORS


def with_colors(entries: Sequence[WeekEntry]) -> list[WeekEntry]:
    """Return the entries, each with the color of its course.

    A course has the same color in all weeks, except those in which an earlier entry has it already: there it has the
    next color that is free, as long as there is one.
    """
    colors: dict[str, int] = {}
    for courseID in dict.fromkeys(entry.courseID for entry in entries):
        own = _own_color(courseID)
        in_turn = ((own + step) % WEEK_COLORS for step in range(WEEK_COLORS))
        colors[courseID] = next((color for color in in_turn if color not in colors.values()), own)
    return [
        entry if entry.color == (color := colors[entry.courseID]) else replace(entry, color=color) for entry in entries
    ]


def free_days(entries: Iterable[WeekEntry]) -> str:
    """Return the working days on which none of these sections meets."""
    used = {day for entry in entries for meeting in entry.meetings for day in meeting.days}
    return "".join(day for day in WORKING_DAYS if day not in used)


def class_minutes(entries: Iterable[WeekEntry]) -> int:
    """Return how many minutes these sections meet in a week, each counted by itself."""
    return sum(
        len(meeting.days) * (to_minutes(meeting.end) - to_minutes(meeting.start))
        for entry in entries
        for meeting in entry.meetings
    )


def to_minutes(clock: str) -> int:
    """Return the minutes since midnight of a time such as "09:50"."""
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def _on(day: str, entries: Iterable[WeekEntry]) -> list[Block]:
    """Return the meetings of that day, the earliest first."""
    blocks = [
        Block(entry, meeting, day, to_minutes(meeting.start), to_minutes(meeting.end))
        for entry in entries
        for meeting in entry.meetings
        if day in meeting.days
    ]
    return sorted(blocks, key=lambda block: (block.start, block.end))


def _overlapping_groups(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Yield groups of meetings that overlap, directly or through others of the group."""
    group: list[Block] = []
    for block in blocks:
        if group and block.start >= max(one.end for one in group):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _side_by_side(group: Sequence[Block]) -> list[Block]:
    """Return the group with each meeting in the first lane that is free."""
    busy: list[int] = []
    lanes = []
    for block in group:
        lane = next((number for number, end in enumerate(busy) if end <= block.start), len(busy))
        busy[lane : lane + 1] = [block.end]
        lanes.append(lane)
    return [
        Block(one.entry, one.meeting, one.day, one.start, one.end, lane, len(busy))
        for one, lane in zip(group, lanes, strict=True)
    ]


def _conflict(one: WeekEntry, other: WeekEntry) -> Iterator[Conflict]:
    """Yield the conflict of the two, if any.

    There is none if one is withdrawn or would be dropped for the other, or between sections of the same course.
    """
    if "withdrawn" in (one.status, other.status) or one.courseID == other.courseID:
        return
    if one.instead_of == other.courseID or other.instead_of == one.courseID:
        return
    if when := tuple(_overlaps(one.meetings, other.meetings)):
        yield Conflict(one, other, when)


def _overlaps(some: Iterable[Meeting], others: Sequence[Meeting]) -> Iterator[Meeting]:
    for one in some:
        for other in others:
            if one.overlaps(other):
                days = "".join(day for day in one.days if day in other.days)
                yield Meeting(days, max(one.start, other.start), min(one.end, other.end))
