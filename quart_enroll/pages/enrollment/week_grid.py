"""The week as an SVG picture: positions and sizes of its boxes, lines and labels.

They are attributes instead of styles, which the pages don't allow. Heights in em grow with the reader's font size.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from quart_enroll.domain.week import Block, Conflict, Week, WeekEntry, week
from quart_enroll.i18n.language import DAYS, format_day_name, format_hour, gettext

HOUR_HEIGHT = 5
"""Height of an hour in em: room for four lines in fifty minutes."""

NARROW_HOUR_HEIGHT = 6
"""The same if meetings are side by side: each word has its own line, and a room has two."""

HEADER_HEIGHT = 2.25
"""Height in em of the row with the names of the days."""


class Layout(NamedTuple):
    """The days and hours that a week shows, and the height of an hour in em."""

    days: str
    begins: int
    ends: int
    hour_height: float

    @property
    def day_width(self) -> float:
        """The width of a day in percent."""
        return 100 / len(self.days)

    def y(self, minute: int) -> float:
        """Return how far down a minute of the day is, in em."""
        return HEADER_HEIGHT + (minute / 60 - self.begins) * self.hour_height


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

    @property
    def place(self) -> str:
        """Its position as attributes."""
        return f'x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}"'

    @property
    def look(self) -> str:
        """The classes of a box that shares its day with others."""
        return f"{' narrow' * (self.block.lanes > 1)}{' clashes' * self.clashes}"


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
    boxes: Sequence[Box] = ()
    listed: Sequence[DayList] = ()
    conflicts: Sequence[str] = ()
    untimed: Sequence[str] = ()
    lanes: int = 1


def joint_layout(weeks: Collection[Week]) -> Layout:
    """Return the layout of a week that consists of these, in which no meetings are side by side."""
    days = {day for one in weeks for day in one.days}
    return Layout(
        "".join(day for day in DAYS if day in days),
        min(one.begins for one in weeks),
        max(one.ends for one in weeks),
        HOUR_HEIGHT,
    )


def build(entries: Sequence[WeekEntry], is_mentioned: Callable[[Conflict], bool] = lambda _: True) -> WeekGrid:
    """Return the week of these entries; of its conflicts, those that are mentioned are also said in words."""
    found = week(entries)
    layout = layout_of(found)
    placed = boxes(found, layout)
    by_day = [(day, [one for one in placed if one.block.day == day]) for day in found.days]
    return replace(
        empty(layout),
        boxes=placed,
        listed=[DayList(format_day_name(day), theirs) for day, theirs in by_day if theirs],
        conflicts=conflicts_in_words(found, is_mentioned),
        untimed=[name_in_week(entry) for entry in found.untimed],
        lanes=found.lanes,
    )


def layout_of(found: Week) -> Layout:
    """Return the layout of the week."""
    return Layout(found.days, found.begins, found.ends, HOUR_HEIGHT if found.lanes == 1 else NARROW_HOUR_HEIGHT)


def boxes(found: Week, layout: Layout) -> list[Box]:
    """Return the boxes of the week."""
    clashing = {(entry.courseID, entry.status) for one in found.conflicts for entry in (one.one, one.other)}
    return [
        box(layout, block, clashes=block.lanes > 1 and (block.entry.courseID, block.entry.status) in clashing)
        for block in found.blocks
    ]


def conflicts_in_words(found: Week, is_mentioned: Callable[[Conflict], bool]) -> list[str]:
    """Return the conflicts of the week that are mentioned, each in a sentence."""
    return [_sentence(conflict) for conflict in found.conflicts if is_mentioned(conflict)]


def empty(layout: Layout) -> WeekGrid:
    """Return a week without meetings."""
    days, hours, width = layout.days, range(layout.begins, layout.ends + 1), layout.day_width
    return WeekGrid(
        height=_em(layout.y(60 * layout.ends) + 0.5),
        days=[GridLabel(format_day_name(day), _percent((place + 0.5) * width)) for place, day in enumerate(days)],
        lines=[GridLabel(day, _percent(place * width)) for place, day in enumerate(days) if place],
        hours=[GridLabel(format_hour(hour), _em(layout.y(60 * hour))) for hour in hours],
    )


def box(layout: Layout, block: Block, *, clashes: bool = False) -> Box:
    """Return the box of a meeting."""
    lane = layout.day_width / block.lanes
    return Box(
        block,
        x=_percent(layout.days.index(block.day) * layout.day_width + block.lane * lane),
        y=_em(layout.y(block.start)),
        width=_percent(lane),
        height=_em((block.end - block.start) / 60 * layout.hour_height),
        clashes=clashes,
    )


def _sentence(conflict: Conflict) -> str:
    when = ", ".join(map(str, conflict.when))
    return gettext(
        "%(one)s conflicts with %(other)s: %(when)s.",
        one=name_in_week(conflict.one),
        other=name_in_week(conflict.other),
        when=when,
    )


def name_in_week(entry: WeekEntry) -> str:
    """Return the title of the entry's course, and its status unless the student is enrolled."""
    match entry.status:
        case "waiting":
            return gettext("%(title)s (waitlisted)", title=entry.title)
        case "planned":
            return gettext("%(title)s (planned)", title=entry.title)
        case "withdrawn":
            return gettext("%(title)s (withdrawn)", title=entry.title)
        case _:
            return entry.title


def _em(number: float) -> str:
    return f"{number:.4g}em"


def _percent(number: float) -> str:
    return f"{number:.4g}%"
