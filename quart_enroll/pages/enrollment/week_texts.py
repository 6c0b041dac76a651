"""The texts of a week, which students share: its frame, and each meeting without its color and its place.

The meetings of most weeks don't overlap, so a box has the same place in all of them, which is computed once.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from quart_enroll.domain import week
from quart_enroll.domain.models import Meeting, Term
from quart_enroll.domain.week import Conflict, Week, WeekEntry
from quart_enroll.i18n.language import DAYS, format_day_name
from quart_enroll.pages.enrollment import week_grid
from quart_enroll.pages.enrollment.week_grid import Layout
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import VALUE_GAP, render_filled, render_shared_parts

WEEK_MACROS = "macros/week.html"


class MeetingTexts(NamedTuple):
    """The texts of a meeting's box around its look and its place, and of its list item around look and conflict."""

    box: Sequence[InputFreeText]
    item: Sequence[InputFreeText]


class DrawnMeeting(NamedTuple):
    """A meeting on one day: the numbers of its entry and of the meeting in it, and what its box looks like and where.

    `day` is the number of its day, and the times are in minutes since midnight.
    """

    day: int
    start: int
    end: int
    entry: int
    number: int
    place: bytes
    look: bytes = b""
    clashes: bool = False


class WeekPicture(NamedTuple):
    """The layout of a week, and what happens in it in the order of time.

    `lanes` is the largest number of boxes side by side, and `conflicts` are the sentences above it.
    """

    layout: Layout
    meetings: Sequence[DrawnMeeting]
    lanes: int = 1
    conflicts: Sequence[str] = ()


def render(
    name: str,
    term: Term,
    entries: Sequence[WeekEntry],
    level: int = 3,
    *,
    is_mentioned: Callable[[Conflict], bool] = lambda _: True,
    own: bool = True,
    listed: bool = True,
) -> list[bytes]:
    """Return the texts of the week of these entries; nothing without any.

    `name` is the ID of its heading, which has that level. It is the reader's `own` week, or one that a student shares.
    Unless the meetings are `listed` too, they are only in the picture, into which week.js draws other sections.
    """
    if not entries:
        return []
    found = plain_week(entries) or _overlapping_week(entries, is_mentioned)
    frame = _frame(found, name, term, level, own=own, listed=listed)
    start, picture, picture_end, list_start, list_end, day_end, clash, end, *day_starts = frame
    parts: list[bytes] = [start]
    if found.conflicts:
        parts.append(render_filled(WEEK_MACROS, "week_conflicts", own, found.conflicts, own))
    if found.meetings:
        parts.append(picture)
        looks = [b" color-%d" % one.color for one in entries]
        texts = [_meetings(one, name, term) for one in entries]
        for one in found.meetings:
            before, between, after = texts[one.entry][one.number].box
            parts += (before, looks[one.entry], one.look, between, one.place, after)
        parts.append(picture_end)
    if found.meetings and listed:
        parts.append(list_start)
        for day, group in groupby(found.meetings, attrgetter("day")):
            parts.append(day_starts[day])
            for one in group:
                before, between, after = texts[one.entry][one.number].item
                parts += (before, looks[one.entry], between, clash if one.clashes else b"", after)
            parts.append(day_end)
        parts.append(list_end)
    if untimed := [week_grid.name_in_week(one) for one in entries if not one.meetings]:
        parts.append(render_filled(WEEK_MACROS, "week_untimed", None, [", ".join(untimed)]))
    return [*parts, end]


def _frame(
    found: WeekPicture, name: str, term: Term, level: int, *, own: bool, listed: bool
) -> Sequence[InputFreeText]:
    """Return what is the same in all weeks of that layout."""
    key = "frame", name, term.term, level, own, listed, found.layout, found.lanes

    def render_frame(macros: Any) -> Iterator[str]:
        yield macros.week_start(name, found.lanes, level, own)
        layout = None if listed else found.layout
        yield macros.week_picture(week_grid.empty(found.layout), name, term.term, own, layout)
        yield macros.week_picture_end()
        yield macros.week_list_start()
        yield macros.week_list_end()
        yield macros.week_day_end()
        yield macros.week_clash()
        yield macros.week_end()
        yield from (macros.week_day_start(format_day_name(day), level) for day in DAYS)

    return render_shared_parts(WEEK_MACROS, key, render_frame)


def _meetings(entry: WeekEntry, name: str, term: Term) -> list[MeetingTexts]:
    """Return the texts of the entry's meetings."""
    pattern = name if entry.status == "waiting" else ""  # whose stripes fill the box
    key = "meetings", term.term, pattern, entry.courseID, entry.title, entry.status, entry.room, entry.meetings

    def render_meetings(macros: Any) -> Iterator[str]:
        for one in entry.meetings:
            yield from macros.week_box(entry, one, pattern, term, VALUE_GAP, VALUE_GAP).split(VALUE_GAP)
            yield from macros.week_item(entry, one, term, VALUE_GAP, VALUE_GAP).split(VALUE_GAP)

    parts = render_shared_parts(WEEK_MACROS, key, render_meetings)
    return [MeetingTexts(parts[first : first + 3], parts[first + 3 : first + 6]) for first in range(0, len(parts), 6)]


def plain_week(entries: Sequence[WeekEntry]) -> WeekPicture | None:
    """Return the week of these entries; None if meetings overlap."""
    layout = week_grid.joint_layout([_week_of(one.meetings) for one in entries])
    found = sorted(
        one._replace(entry=number)
        for number, entry in enumerate(entries)
        for one in _boxes(entry.meetings, layout.days, layout.begins)
    )
    overlaps = any(one.day == next_one.day and one.end > next_one.start for one, next_one in pairwise(found))
    return None if overlaps else WeekPicture(layout, found)


@lru_cache(1000)  # the school's own meetings
def _week_of(meetings: tuple[Meeting, ...]) -> Week:
    """Return the week of a section alone."""
    return week.week([WeekEntry("", "", "", meetings)])


@lru_cache(2000)  # the same, in the layouts of the school's weeks
def _boxes(meetings: tuple[Meeting, ...], days: str, begins: int) -> Sequence[DrawnMeeting]:
    """Return the meetings of a section where no others overlap them, as those of entry 0."""
    layout = Layout(days, begins, begins, week_grid.HOUR_HEIGHT)
    return [
        DrawnMeeting(
            DAYS.index(one.day),
            one.start,
            one.end,
            0,
            meetings.index(one.meeting),
            week_grid.box(layout, one).place.encode(),
        )
        for one in _week_of(meetings).blocks
    ]


def _overlapping_week(entries: Sequence[WeekEntry], is_mentioned: Callable[[Conflict], bool]) -> WeekPicture:
    """Return the week of these entries, whose meetings may overlap."""
    found, numbers = week.week(entries), {id(one): number for number, one in enumerate(entries)}
    layout = week_grid.layout_of(found)
    meetings = [
        DrawnMeeting(
            DAYS.index(one.block.day),
            one.block.start,
            one.block.end,
            numbers[id(one.entry)],
            one.entry.meetings.index(one.block.meeting),
            one.place.encode(),
            one.look.encode(),
            one.clashes,
        )
        for one in week_grid.boxes(found, layout)
    ]
    return WeekPicture(layout, meetings, min(found.lanes, 3), week_grid.conflicts_in_words(found, is_mentioned))
