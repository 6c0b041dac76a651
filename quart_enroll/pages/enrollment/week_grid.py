"""The week as an SVG picture: positions and sizes of its boxes, lines and labels.

They are attributes instead of styles, which the pages don't allow. Heights in em grow with the reader's font size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quart_enroll.domain.week import Block, Conflict, Week, WeekEntry, week
from quart_enroll.i18n.language import format_day_name, gettext

HOUR_HEIGHT = 5
"""Height of an hour in em: room for four lines in fifty minutes."""

NARROW_HOUR_HEIGHT = 6
"""The same if meetings are side by side: each word has its own line, and a room has two."""

HEADER_HEIGHT = 2.25
"""Height in em of the row with the names of the days."""


@dataclass(frozen=True, slots=True)
class Box:
    """A block and its position in the picture."""

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
class GridLabel:
    """A label or a line at an edge of the picture."""

    name: str
    at: str


@dataclass(frozen=True, slots=True)
class DayList:
    """The meetings of a day, the earliest first."""

    name: str
    boxes: Sequence[Box]


@dataclass(frozen=True, slots=True)
class WeekGrid:
    """A week: the picture, which needs boxes, the same meetings as lists of days, and the rest in words.

    `lanes` is the largest number of boxes side by side.
    """

    height: str
    days: Sequence[GridLabel]
    lines: Sequence[GridLabel]
    hours: Sequence[GridLabel]
    boxes: Sequence[Box]
    listed: Sequence[DayList]
    conflicts: Sequence[str]
    untimed: Sequence[str]
    lanes: int


def build(entries: Sequence[WeekEntry]) -> WeekGrid:
    """Return the week of these entries."""
    found = week(entries)
    clashing = {(entry.courseID, entry.status) for one in found.conflicts for entry in (one.one, one.other)}
    width = 100 / len(found.days)
    boxes = [_box(found, block, clashing) for block in found.blocks]
    by_day = [(day, [box for box in boxes if box.block.day == day]) for day in found.days]
    return WeekGrid(
        height=_em(_y(found, 60 * found.ends) + 0.5),
        days=[GridLabel(format_day_name(day), _percent((place + 0.5) * width)) for place, day in enumerate(found.days)],
        lines=[GridLabel(day, _percent(place * width)) for place, day in enumerate(found.days) if place],
        hours=[GridLabel(f"{hour:02}:00", _em(_y(found, 60 * hour))) for hour in range(found.begins, found.ends + 1)],
        boxes=boxes,
        listed=[DayList(format_day_name(day), theirs) for day, theirs in by_day if theirs],
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
    return HEADER_HEIGHT + (minute / 60 - found.begins) * _hour(found)


def _hour(found: Week) -> float:
    return HOUR_HEIGHT if found.lanes == 1 else NARROW_HOUR_HEIGHT


def _em(number: float) -> str:
    return f"{number:.4g}em"


def _percent(number: float) -> str:
    return f"{number:.4g}%"
