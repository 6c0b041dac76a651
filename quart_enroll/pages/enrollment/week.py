"""The week as a picture: places and sizes as SVG has them, in widths of a day and heights of an hour.

They are attributes, and no styles: the site's pages allow none. A height in em grows with the reader's letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quart_enroll.domain.week import Block, Conflict, Week, WeekEntry, week
from quart_enroll.i18n.language import format_day_name, gettext

HOUR = 5
"""Height of an hour, in em: room for four lines in fifty minutes."""

NARROW_HOUR = 6
"""The same where meetings stand side by side: each word has a line of its own, and a room two."""

HEAD = 2.25
"""Height of the names of the days, in em."""


@dataclass(frozen=True, slots=True)
class Box:
    """A block, and where it stands."""

    block: Block
    x: str
    y: str
    width: str
    height: str
    clashes: bool

    @property
    def entry(self) -> WeekEntry:
        return self.block.entry


@dataclass(frozen=True, slots=True)
class Mark:
    """A name or a line along the picture's edge."""

    name: str
    at: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day on which something meets, the earliest first."""

    name: str
    boxes: Sequence[Box]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A week: the picture (without boxes there is none), the same as a list of days, and in words the rest.

    `lanes` says how many boxes stand side by side at most.
    """

    height: str
    days: Sequence[Mark]
    lines: Sequence[Mark]
    hours: Sequence[Mark]
    boxes: Sequence[Box]
    listed: Sequence[Day]
    conflicts: Sequence[str]
    untimed: Sequence[str]
    lanes: int


def draw(entries: Sequence[WeekEntry]) -> Drawing:
    """Return the week of these sections."""
    found = week(entries)
    clashing = {(entry.courseID, entry.status) for one in found.conflicts for entry in (one.one, one.other)}
    width = 100 / len(found.days)
    boxes = [_box(found, block, clashing) for block in found.blocks]
    by_day = [(day, [box for box in boxes if box.block.day == day]) for day in found.days]
    return Drawing(
        height=_em(_y(found, 60 * found.ends) + 0.5),
        days=[Mark(format_day_name(day), _percent((place + 0.5) * width)) for place, day in enumerate(found.days)],
        lines=[Mark(day, _percent(place * width)) for place, day in enumerate(found.days) if place],
        hours=[Mark(f"{hour:02}:00", _em(_y(found, 60 * hour))) for hour in range(found.begins, found.ends + 1)],
        boxes=boxes,
        listed=[Day(format_day_name(day), theirs) for day, theirs in by_day if theirs],
        conflicts=[_sentence(conflict) for conflict in found.conflicts],
        untimed=[_named(entry) for entry in found.untimed],
        lanes=found.lanes,
    )


def _box(found: Week, block: Block, clashing: set[tuple[str, str]]) -> Box:
    width = 100 / len(found.days)
    lane = width / block.lanes
    return Box(
        block,
        x=_percent(found.days.index(block.day) * width + block.lane * lane),
        y=_em(_y(found, block.start)),
        width=_percent(lane),
        height=_em((block.end - block.start) / 60 * _hour(found)),
        clashes=block.lanes > 1 and (block.entry.courseID, block.entry.status) in clashing,
    )


def _sentence(conflict: Conflict) -> str:
    when = ", ".join(map(str, conflict.when))
    return gettext(
        "%(one)s conflicts with %(other)s: %(when)s.",
        one=_named(conflict.one),
        other=_named(conflict.other),
        when=when,
    )


def _named(entry: WeekEntry) -> str:
    match entry.status:
        case "waiting":
            return gettext("%(title)s (waitlisted)", title=entry.title)
        case "withdrawn":
            return gettext("%(title)s (withdrawn)", title=entry.title)
        case _:
            return entry.title


def _y(found: Week, minute: int) -> float:
    return HEAD + (minute / 60 - found.begins) * _hour(found)


def _hour(found: Week) -> float:
    return HOUR if found.lanes == 1 else NARROW_HOUR


def _em(number: float) -> str:
    return f"{number:.4g}em"


def _percent(number: float) -> str:
    return f"{number:.4g}%"
