"""The texts of a week in which no meetings overlap.

The boxes and list items of a section's meetings are rendered once for all students who see the same, and so is the
frame around them.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from quart_enroll.domain import week
from quart_enroll.domain.models import Meeting, Term
from quart_enroll.domain.week import Week, WeekEntry
from quart_enroll.i18n.language import DAYS, format_day_name
from quart_enroll.pages.enrollment import week_grid
from quart_enroll.pages.enrollment.week_grid import Layout, WeekGrid
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import render_shared, render_shared_parts

WEEK_MACROS = "macros/week.html"


class TimedBlock(NamedTuple):
    """When a meeting takes place, and its numbers: that of its entry, and its own among those of the entry."""

    day: int
    start: int
    end: int
    entry: int
    number: int


@dataclass(frozen=True, slots=True)
class PlainWeek:
    """A week in which no meetings overlap, from the earliest to the latest; `level` is that of its heading."""

    name: str
    layout: Layout
    blocks: Sequence[TimedBlock]
    level: int = 3

    @property
    def box_key(self) -> Hashable:
        """What a box depends on besides its meeting."""
        return self.name, self.layout.days, self.layout.begins


class MeetingTexts(NamedTuple):
    """The boxes and the list items of a section's meetings."""

    boxes: Sequence[InputFreeText]
    items: Sequence[InputFreeText]

    @classmethod
    def of(cls, parts: Sequence[InputFreeText]) -> "MeetingTexts":
        """Return these texts, of which the first half are the boxes."""
        middle = len(parts) // 2
        return cls(parts[:middle], parts[middle:])


def plain_week(name: str, entries: Sequence[WeekEntry], level: int = 3) -> PlainWeek | None:
    """Return the week; None if meetings overlap, or if there is nothing in it."""
    weeks = [_week_of(one.meetings) for one in entries]
    blocks = sorted(
        TimedBlock(DAYS.index(block.day), block.start, block.end, entry, number)
        for entry, one in enumerate(weeks)
        for number, block in enumerate(one.blocks)
    )
    overlaps = any(one.day == next_one.day and one.end > next_one.start for one, next_one in pairwise(blocks))
    return None if overlaps or not weeks else PlainWeek(name, week_grid.joint_layout(weeks), blocks, level)


@lru_cache(1000)  # the school's own meetings
def _week_of(meetings: tuple[Meeting, ...]) -> Week:
    """Return the week of a section alone."""
    return week.week([WeekEntry("", "", "", meetings)])


def meetings(entry: WeekEntry, found: PlainWeek, linked_term: Term | None) -> MeetingTexts:
    """Return the texts of the section's meetings."""
    key = linked_term, entry, found.box_key
    parts = render_shared_parts(WEEK_MACROS, key, lambda macros: render_meetings(macros, entry, found, linked_term))
    return MeetingTexts.of(parts)


def render_meetings(macros: Any, entry: WeekEntry, found: PlainWeek, linked_term: Term | None) -> Iterator[str]:
    """Yield the section's boxes, and then its list items, made with the macros of the week."""
    blocks = week.week([entry]).blocks
    for one in blocks:
        yield macros.week_box(week_grid.box(found.layout, one), found.name, linked_term)
    for one in blocks:
        yield macros.week_item(one, linked_term)


def render(
    found: PlainWeek, term: Term, entries: Sequence[WeekEntry], texts: Sequence[MeetingTexts]
) -> Iterator[InputFreeText]:
    """Yield the texts of the week, with those of each entry's meetings in their places."""
    name, layout, blocks, level = found.name, found.layout, found.blocks, found.level
    key = term.term, name, layout, bool(blocks), level

    def render_frame(macros: Any) -> Iterator[str]:
        yield macros.week_start(week_grid.empty(layout), name, term.term, bool(blocks), level)
        yield macros.week_list_start()
        yield macros.week_list_end()
        yield macros.week_day_end()
        yield from (macros.week_day_start(format_day_name(day), level) for day in DAYS)

    start, list_start, list_end, day_end, *day_starts = render_shared_parts(WEEK_MACROS, key, render_frame)
    yield start
    if blocks:
        yield from (texts[one.entry].boxes[one.number] for one in blocks)
        yield list_start
        for day, group in groupby(blocks, attrgetter("day")):
            yield day_starts[day]
            yield from (texts[one.entry].items[one.number] for one in group)
            yield day_end
        yield list_end
    untimed = tuple(week_grid.name_in_week(one) for one in entries if not one.meetings)
    yield from render_shared_parts(WEEK_MACROS, ("week_end", untimed), lambda macros: [macros.week_end(untimed)])


def render_overlapping(
    drawing: WeekGrid, name: str, term: Term, level: int = 3, *, own: bool = True
) -> Iterator[InputFreeText]:
    """Yield the texts of a week in which meetings may overlap; students share each box and each list item.

    It is the reader's `own` week, or one that a student shares.
    """
    frame = replace(drawing, boxes=(), listed=(), untimed=())
    key = term.term, name, level, own, drawing.height, drawing.lanes, tuple(drawing.days), tuple(drawing.conflicts)

    def render_frame(macros: Any) -> Iterator[str]:
        yield macros.week_start(frame, name, term.term, bool(drawing.boxes), level, own)
        yield macros.week_list_start()
        yield macros.week_list_end()
        yield macros.week_day_end()

    start, list_start, list_end, day_end = render_shared_parts(
        WEEK_MACROS, (*key, tuple(drawing.hours), bool(drawing.boxes)), render_frame
    )
    yield start
    if drawing.boxes:
        for box in drawing.boxes:
            yield render_shared(WEEK_MACROS, "week_box", (name, term.term, box), box, name, term)
        yield list_start
        for day in drawing.listed:
            yield render_shared(WEEK_MACROS, "week_day_start", (day.name, level), day.name, level)
            for box in day.boxes:
                block = replace(box.block, lane=0, lanes=1)  # the list has no lanes
                yield render_shared(WEEK_MACROS, "week_item", (term.term, block, box.clashes), block, term, box.clashes)
            yield day_end
        yield list_end
    untimed = tuple(drawing.untimed)
    yield from render_shared_parts(WEEK_MACROS, ("week_end", untimed), lambda macros: [macros.week_end(untimed)])
