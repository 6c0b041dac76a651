"""The week of a schedule: where each meeting is drawn, and which ones conflict."""

import pytest

from quart_enroll.domain.models import Meeting
from quart_enroll.domain.week import WEEK_COLORS, Block, Week, WeekEntry, class_minutes, free_days, week, with_colors
from quart_enroll.pages.enrollment.week_grid import build

MORNING, LATE_MORNING = Meeting("MW", "09:00", "09:50"), Meeting("WF", "09:30", "11:00")


def entry(title: str, *meetings: Meeting, status: str = "enrolled", instead_of: str = "") -> WeekEntry:
    return WeekEntry(title, title, status, meetings, "Hall 12", instead_of)


def on(found: Week, day: str) -> list[Block]:
    return [block for block in found.blocks if block.day == day]


def test_a_meeting_appears_on_each_of_its_days() -> None:
    found = week([entry("PYT 101", Meeting("MWF", "09:00", "09:50"))])
    assert [(block.day, block.start, block.end) for block in found.blocks] == [
        ("M", 540, 590),
        ("W", 540, 590),
        ("F", 540, 590),
    ]


@pytest.mark.parametrize(("days", "shown"), [("M", "MTWRF"), ("S", "MTWRFS"), ("TU", "MTWRFU"), ("SU", "MTWRFSU")])
def test_the_weekend_is_shown_only_if_a_course_meets_then(days: str, shown: str) -> None:
    assert week([entry("PYT 101", Meeting(days, "09:00", "09:50"))]).days == shown


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("10:00", "11:00", (9, 16)),
        ("07:45", "08:30", (7, 16)),
        ("18:00", "20:05", (9, 21)),
        ("15:00", "16:00", (9, 16)),
    ],
)
def test_the_week_shows_school_hours_and_any_others_needed(start: str, end: str, hours: tuple[int, int]) -> None:
    found = week([entry("PYT 101", Meeting("M", start, end))])
    assert (found.begins, found.ends) == hours


def test_conflicting_courses_are_side_by_side_and_named() -> None:
    one, other = entry("PYT 101", MORNING), entry("PHP 202", LATE_MORNING, status="waiting")
    found = week([one, other])
    assert [(block.entry, block.lane, block.lanes) for block in on(found, "W")] == [(one, 0, 2), (other, 1, 2)]
    assert [(block.lane, block.lanes) for block in [*on(found, "M"), *on(found, "F")]] == [(0, 1), (0, 1)]
    assert build([one, other]).conflicts == ["PYT 101 conflicts with PHP 202 (waitlisted): W 9:30–9:50 AM."]
    assert [box.clashes for box in build([one, other]).boxes] == [False, True, True, False]


def test_two_sections_of_a_course_do_not_conflict() -> None:
    assert week([entry("PYT 101", MORNING), entry("PYT 101", LATE_MORNING, status="planned")]).conflicts == []


def test_a_week_has_free_days_and_hours_of_class() -> None:
    found = [entry("PYT 101", MORNING), entry("PHP 202", LATE_MORNING), entry("Online")]
    assert free_days(found) == "TR"
    assert class_minutes(found) == 2 * 50 + 2 * 90
    assert free_days([entry("Weekend", Meeting("SU", "09:00", "10:00"))]) == "MTWRF"


def test_a_lane_is_reused_as_soon_as_it_is_free() -> None:
    long = entry("A", Meeting("M", "09:00", "12:00"))
    first, second = entry("B", Meeting("M", "09:00", "10:00")), entry("C", Meeting("M", "10:00", "11:00"))
    lanes = {block.entry.title: (block.lane, block.lanes) for block in week([long, second, first]).blocks}
    assert lanes == {"A": (1, 2), "B": (0, 2), "C": (0, 2)}


def test_a_course_after_two_conflicting_ones_has_the_full_width() -> None:
    early = Meeting("M", "09:00", "10:00")
    found = week([entry("A", early), entry("B", early), entry("C", Meeting("M", "10:00", "11:00"))])
    assert [(block.entry.title, block.lanes) for block in found.blocks] == [("A", 2), ("B", 2), ("C", 1)]


def test_a_course_that_begins_when_another_ends_does_not_conflict() -> None:
    found = week([entry("A", Meeting("M", "09:00", "10:00")), entry("B", Meeting("M", "10:00", "11:00"))])
    assert found.conflicts == []
    assert {block.lanes for block in found.blocks} == {1}


def test_a_withdrawn_course_conflicts_with_nothing() -> None:
    drawing = build([entry("A", MORNING, status="withdrawn"), entry("B", MORNING)])
    assert drawing.conflicts == []
    assert not any(box.clashes for box in drawing.boxes)


def test_a_course_to_be_dropped_does_not_conflict() -> None:
    assert week([entry("A", MORNING), entry("B", MORNING, status="waiting", instead_of="A")]).conflicts == []


def test_a_course_without_times_is_listed() -> None:
    drawing = build([entry("A"), entry("B", status="waiting"), entry("C", MORNING)])
    assert drawing.untimed == ["A", "B (waitlisted)"]
    assert len(drawing.boxes) == 2


def test_positions_and_sizes_are_relative_to_the_picture() -> None:
    [box, _] = build([entry("A", MORNING)]).boxes
    assert (box.x, box.y, box.width, box.height) == ("0%", "2.25em", "20%", "4.167em")
    boxes = build([entry("A", MORNING), entry("B", LATE_MORNING)]).boxes
    assert [(box.x, box.width) for box in boxes] == [("0%", "20%"), ("40%", "10%"), ("50%", "10%"), ("80%", "20%")]


@pytest.mark.parametrize(
    ("entries", "lanes", "height"),
    [((MORNING,), 1, "4.167em"), ((MORNING, LATE_MORNING), 2, "5em"), ((MORNING,) * 3, 3, "5em")],
)
def test_narrower_boxes_allow_more_lines(entries: tuple[Meeting, ...], lanes: int, height: str) -> None:
    drawing = build([entry(f"C{number}", one) for number, one in enumerate(entries)])
    assert (drawing.lanes, drawing.boxes[0].height) == (lanes, height)


def test_the_list_shows_days_with_meetings_in_order_of_time() -> None:
    listed = build([entry("A", LATE_MORNING), entry("B", MORNING)]).listed
    assert [(day.name, [box.entry.title for box in day.boxes]) for day in listed] == [
        ("Mon", ["B"]),
        ("Wed", ["B", "A"]),
        ("Fri", ["A"]),
    ]


def test_a_course_has_the_same_color_in_every_week() -> None:
    [alone] = with_colors([entry("PYT 101", MORNING)])
    assert alone.color == with_colors([entry("PYT 101", LATE_MORNING, status="waiting"), entry("JAV 201")])[0].color


def test_the_courses_of_a_week_have_different_colors_as_long_as_there_are_enough() -> None:
    numbers = (101, 115, 120, 201, 230, 301, 310, 402, 411, 420)
    assert len({with_colors([entry(f"MAT {number}")])[0].color for number in numbers}) < WEEK_COLORS
    many = with_colors([entry(f"MAT {number}") for number in numbers])
    assert {one.color for one in many[:WEEK_COLORS]} == set(range(WEEK_COLORS))
    assert {one.color for one in many} == set(range(WEEK_COLORS))


def test_two_sections_of_a_course_have_one_color() -> None:
    first, other, second = with_colors([entry("PYT 101"), entry("JAV 201"), entry("PYT 101", status="waiting")])
    assert first.color == second.color != other.color
