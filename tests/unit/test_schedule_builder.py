"""Weeks without conflicts, built from the sections of several courses."""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quart_enroll.domain import schedule_builder
from quart_enroll.domain.filter_choices import building_of
from quart_enroll.domain.models import Meeting, Section
from quart_enroll.domain.schedule_builder import Constraints, CourseOptions, Obstacles, build_weeks
from quart_enroll.domain.week import to_minutes


def section(courseID: str, number: str, *meetings: Meeting, room: str = "") -> Section:
    return Section("Fall 2026", courseID, number, 30, meetings=meetings, room=room)


def options(courseID: str, *times: Sequence[Meeting], is_ranked: bool = False) -> CourseOptions:
    """Return the course with a section for each of the times, numbered from 01."""
    sections = [section(courseID, f"{number:02}", *meetings) for number, meetings in enumerate(times, 1)]
    return CourseOptions(courseID, tuple(sections), is_ranked)


def meets(days: str, start: str, end: str) -> tuple[Meeting, ...]:
    return (Meeting(days, start, end),)


def picked(result: schedule_builder.Result) -> list[str]:
    """Return the numbers of the sections in each week."""
    return [" ".join(one.section for one in week.sections) for week in result.weeks]


PYT = options("PYT", meets("MWF", "09:00", "09:50"), meets("TR", "18:00", "19:15"))
PHP = options("PHP", meets("MWF", "09:30", "10:20"), meets("TR", "12:00", "13:15"))
MEETS_FRIDAY = meets("F", "15:00", "16:00")


def test_sections_of_a_week_do_not_conflict() -> None:
    assert set(picked(build_weeks([PYT, PHP]))) == {"01 02", "02 01", "02 02"}


def test_weeks_with_few_days_come_first_and_then_those_with_short_gaps() -> None:
    late = options("ART", meets("T", "14:00", "15:00"), meets("T", "19:15", "20:15"), meets("F", "09:00", "10:00"))
    result = build_weeks([options("PYT", meets("T", "18:00", "19:15")), late])
    assert picked(result) == ["01 02", "01 01", "01 03"]
    assert [(one.score.days, one.score.gap_minutes) for one in result.weeks] == [(1, 0), (1, 180), (2, 0)]


def test_of_weeks_that_are_as_good_the_preferred_sections_come_first() -> None:
    ranked = options("ART", meets("T", "09:00", "10:00"), meets("R", "09:00", "10:00"), is_ranked=True)
    assert picked(build_weeks([ranked])) == ["01", "02"]
    reversed_sections = CourseOptions("ART", ranked.sections[::-1], is_ranked=True)
    assert picked(build_weeks([reversed_sections])) == ["02", "01"]


def test_courses_that_the_student_has_stay_where_they_are() -> None:
    enrolled = section("CHE", "01", Meeting("T", "12:30", "13:00"))
    assert set(picked(build_weeks([PYT, PHP], [enrolled]))) == {"02 01"}


def test_enrolled_courses_that_overlap_do_not_make_everything_impossible() -> None:
    enrolled = [section("CHE", "01", *MEETS_FRIDAY), section("BIO", "01", *MEETS_FRIDAY)]
    assert build_weeks([options("ART", meets("T", "09:00", "10:00"))], enrolled).weeks


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        (Constraints(free_days="M"), {"02 02"}),
        (Constraints(not_before="09:30"), {"02 01", "02 02"}),
        (Constraints(not_after="18:00"), {"01 02"}),
        (Constraints(lunch_minutes=100), {"02 01"}),
        (Constraints(lunch_minutes=60), {"01 02", "02 01", "02 02"}),
    ],
)
def test_a_week_meets_the_constraints(constraints: Constraints, expected: set[str]) -> None:
    assert set(picked(build_weeks([PYT, PHP], constraints=constraints))) == expected


@pytest.mark.parametrize(
    ("rooms", "fits"), [(("Hall 1", "Lab 2"), False), (("Hall 1", "Hall 2"), True), (("", "Lab 2"), True)]
)
def test_there_is_time_to_walk_to_another_building(rooms: tuple[str, str], fits: bool) -> None:
    first = CourseOptions("A", (section("A", "01", Meeting("M", "09:00", "10:00"), room=rooms[0]),))
    second = CourseOptions("B", (section("B", "01", Meeting("M", "10:10", "11:00"), room=rooms[1]),))
    assert bool(build_weeks([first, second], constraints=Constraints(travel_minutes=11)).weeks) == fits
    assert build_weeks([first, second], constraints=Constraints(travel_minutes=10)).weeks


def test_without_a_week_the_courses_that_conflict_are_named() -> None:
    rival = options("ART", meets("MWF", "09:00", "09:50"))
    only = options("PYT", meets("MWF", "09:00", "09:50"))
    result = build_weeks([PHP, only, rival], constraints=Constraints(not_after="20:00"))
    assert (result.weeks, result.obstacles) == ([], Obstacles([], ["PYT", "ART"]))


def test_without_a_week_the_constraint_and_the_course_it_excludes_are_named() -> None:
    constraints = Constraints(free_days="F", not_before="08:00", lunch_minutes=30)
    result = build_weeks([PYT, options("ART", MEETS_FRIDAY)], constraints=constraints)
    assert result.obstacles == Obstacles(["free_days"], ["ART"])


def test_without_a_week_an_enrolled_course_can_be_the_obstacle() -> None:
    result = build_weeks([options("ART", MEETS_FRIDAY)], [section("BIO", "02", *MEETS_FRIDAY)])
    assert result.obstacles == Obstacles([], ["ART", "BIO"])


def test_a_search_that_was_cut_off_names_no_obstacles() -> None:
    result = build_weeks([PYT, PHP], constraints=Constraints(not_before="23:00"), max_steps=0)
    assert (result.weeks, result.is_complete, result.obstacles) == ([], False, None)


def test_ten_courses_with_ten_sections_take_less_than_a_second() -> None:
    dice = random.Random(4)  # noqa: S311  # the same school each time
    courses = [
        options(f"C{course}", *(meets(dice.choice(["MWF", "TR", "MW"]), *_hours(dice)) for _ in range(10)))
        for course in range(10)
    ]
    started = time.process_time()
    result = build_weeks(courses)
    assert time.process_time() - started < 1
    assert len(result.weeks) == schedule_builder.MAX_WEEKS


def _hours(dice: random.Random) -> tuple[str, str]:
    hour = dice.randint(8, 17)
    return f"{hour:02}:00", f"{hour:02}:50"


TIMES = ["09:00", "09:50", "10:00", "11:30", "12:10", "13:00", "14:00", "15:00"]
DAY_SETS = ["M", "T", "S", "MT", "TS"]

meetings = st.builds(
    lambda days, times: Meeting(days, *sorted(times)),
    st.sampled_from(DAY_SETS),
    st.lists(st.sampled_from(TIMES), min_size=2, max_size=2, unique=True),
)
section_facts = st.tuples(st.lists(meetings, max_size=2), st.sampled_from(["", "Hall 1", "Hall 2", "Lab 1"]))


@st.composite
def course_options(draw: st.DrawFn, courseID: str, most: int) -> CourseOptions:  # the stored name
    """Return a course with up to `most` sections."""
    found = draw(st.lists(section_facts, max_size=most))
    sections = [section(courseID, f"{number:02}", *times, room=room) for number, (times, room) in enumerate(found, 1)]
    return CourseOptions(courseID, tuple(sections), draw(st.booleans()))


@st.composite
def schools(draw: st.DrawFn) -> tuple[list[CourseOptions], list[Section], Constraints]:
    """Return up to four courses, what the student is enrolled in, and constraints."""
    courses = [draw(course_options(f"C{number}", 4)) for number in range(draw(st.integers(1, 4)))]
    constraints = Constraints(
        free_days=draw(st.sampled_from(["", "", "M", "TS"])),
        not_before=draw(st.sampled_from(["", "", "10:00"])),
        not_after=draw(st.sampled_from(["", "", "14:00"])),
        lunch_minutes=draw(st.sampled_from([0, 0, 45, 130])),
        travel_minutes=draw(st.sampled_from([0, 0, 10, 15])),
    )
    return courses, list(draw(course_options("E", 1)).sections), constraints


@given(schools())
@settings(max_examples=300, deadline=None)
def test_the_best_weeks_are_those_of_all_that_are_possible(
    school: tuple[list[CourseOptions], list[Section], Constraints],
) -> None:
    courses, enrolled, constraints = school
    expected = sorted(_score(courses, week, enrolled) for week in _possible(courses, enrolled, constraints))
    result = build_weeks(courses, enrolled, constraints, max_weeks=5)
    assert result.is_complete
    assert [one.score for one in result.weeks] == expected[:5]
    assert len({one.sections for one in result.weeks}) == len(result.weeks)
    for one in result.weeks:
        assert one.sections in _possible(courses, enrolled, constraints)
        assert one.score == _score(courses, one.sections, enrolled)


@given(schools())
@settings(max_examples=200, deadline=None)
def test_obstacles_are_as_few_as_possible(school: tuple[list[CourseOptions], list[Section], Constraints]) -> None:
    courses, enrolled, constraints = school
    obstacles = build_weeks(courses, enrolled, constraints).obstacles
    if obstacles is None:
        assert _possible(courses, enrolled, constraints)
        return
    courses = [one for one in courses if one.courseID in obstacles.courseIDs]
    enrolled = [one for one in enrolled if one.courseID in obstacles.courseIDs]
    for name in {*constraints.used} - {*obstacles.constraints}:
        constraints = constraints.without(name)
    assert not _possible(courses, enrolled, constraints)
    for name in obstacles.constraints:
        assert _possible(courses, enrolled, constraints.without(name))
    for courseID in obstacles.courseIDs:
        others = [one for one in courses if one.courseID != courseID]
        assert _possible(others, [one for one in enrolled if one.courseID != courseID], constraints)


def _possible(
    courses: Sequence[CourseOptions], enrolled: Sequence[Section], constraints: Constraints
) -> list[tuple[Section, ...]]:
    """Return all weeks that meet the constraints, by trying all combinations."""
    weeks = product(*(one.sections for one in courses))
    return [week for week in weeks if _is_possible([*week, *enrolled], constraints)]


def _is_possible(week: Sequence[Section], constraints: Constraints) -> bool:
    for one, other in combinations(week, 2):
        if any(theirs.overlaps(its) for theirs in one.meetings for its in other.meetings):
            return False
        if min(_minutes_between(one, other), 1440) < constraints.travel_minutes and _far(one, other):
            return False
    times = [one for section in week for one in _times(section)]
    return all(
        day not in constraints.free_days
        and start >= to_minutes(constraints.not_before or "00:00")
        and end <= to_minutes(constraints.not_after or "23:59")
        and _longest_lunch(day, times) >= constraints.lunch_minutes
        for day, start, end in times
    )


def _far(one: Section, other: Section) -> bool:
    buildings = {building_of(one), building_of(other)}
    return len(buildings) == 2 and "" not in buildings


def _minutes_between(one: Section, other: Section) -> int:
    """Return the shortest time between meetings of the two on the same day."""
    pairs = product(_times(one), _times(other))
    return min((max(a[1] - b[2], b[1] - a[2]) for a, b in pairs if a[0] == b[0]), default=1440)


def _longest_lunch(day: str, times: Sequence[tuple[str, int, int]]) -> int:
    busy = {minute for on, start, end in times if on == day for minute in range(start, end)}
    longest = length = 0
    for minute in range(11 * 60, 14 * 60):
        length = 0 if minute in busy else length + 1
        longest = max(longest, length)
    return longest


def _times(section: Section) -> Iterator[tuple[str, int, int]]:
    for meeting in section.meetings:
        yield from ((day, to_minutes(meeting.start), to_minutes(meeting.end)) for day in meeting.days)


def _score(
    courses: Sequence[CourseOptions], week: Sequence[Section], enrolled: Sequence[Section]
) -> tuple[int, int, int]:
    minutes: dict[str, set[int]] = {}
    for one in (*week, *enrolled):
        for day, start, end in _times(one):
            minutes.setdefault(day, set()).update(range(start, end))
    gaps = sum(max(busy) + 1 - min(busy) - len(busy) for busy in minutes.values())
    ranks = (course.sections.index(one) for course, one in zip(courses, week, strict=True) if course.is_ranked)
    return len(minutes), gaps, sum(ranks)
