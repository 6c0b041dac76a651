"""Fitting a plan together: which sections to take if planned ones are full or overlap."""

from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quart_enroll.domain import plan_fit
from quart_enroll.domain.models import Meeting, PlannedSection, Section, SectionKey, SectionStatus
from quart_enroll.domain.plan_fit import ANY_SECTION, PlanFit, accepted_sections

Ranked = list[tuple[int, Section]]


def section(courseID: str, number: str, *days: str, status: SectionStatus = SectionStatus.ACTIVE) -> Section:
    """Return a section that meets on those days at nine."""
    meetings = tuple(Meeting(day, "09:00", "10:00") for day in days)
    return Section("Fall 2026", courseID, number, 30, meetings=meetings, status=status)


def fit(courses: list[Ranked], enrolled: list[Section]) -> list[Section | None]:
    """Return the section of each course, or None for one that was not kept."""
    search = PlanFit(enrolled)
    kept = [search.add([course]) for course in courses]
    best = iter(search.best())
    return [next(best) if one else None for one in kept]


DAYS = st.lists(st.sampled_from("MTWR"), max_size=2, unique=True)


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[Ranked], list[Section]]:
    """Draw up to four courses with up to three open sections, perhaps not the planned one, and an enrolled section."""
    courses: list[Ranked] = []
    for number in range(draw(st.integers(1, 4))):
        ranked = list(enumerate(draw(st.lists(DAYS, min_size=1, max_size=4))))
        open_ones = [(rank, section(f"C{number}", f"{rank}", *days)) for rank, days in ranked if draw(st.booleans())]
        courses.append(open_ones)
    return courses, [section("OWN", "1", *draw(DAYS))]


@given(plans())
@settings(max_examples=300)
def test_the_sections_are_the_best_of_all_that_are_possible(plan: tuple[list[Ranked], list[Section]]) -> None:
    courses, enrolled = plan

    def quality(choice: tuple[tuple[int, Section] | None, ...]) -> object:
        ranks = [one[0] for one in choice if one]
        return [one is None for one in choice], sum(rank > 0 for rank in ranks), ranks

    def is_possible(choice: tuple[tuple[int, Section] | None, ...]) -> bool:
        days = [meeting.days for one in choice if one for meeting in one[1].meetings]
        days += [meeting.days for meeting in enrolled[0].meetings]
        return len(set(days)) == len(days)

    expected = min(filter(is_possible, product(*([*course, None] for course in courses))), key=quality)
    found = fit(courses, enrolled)
    assert [one and one.section for one in found] == [one and one[1].section for one in expected]


def test_an_earlier_course_moves_for_a_later_one_but_is_not_given_up() -> None:
    movable = [(0, section("PYT", "01", "M")), (1, section("PYT", "02", "T"))]
    fixed = [(0, section("PHP", "01", "M"))]
    assert [one and one.section for one in fit([movable, fixed], [])] == ["02", "01"]
    assert [one and one.section for one in fit([movable[:1], fixed], [])] == ["01", None]


def test_courses_that_need_each_other_are_kept_together_or_not_at_all() -> None:
    lecture, lab = [(0, section("LEC", "01", "M"))], [(0, section("LAB", "01", "M")), (1, section("LAB", "02", "T"))]
    assert PlanFit([]).add([lecture, lab])
    assert not PlanFit([section("OWN", "01", "T")]).add([lecture, lab])


def test_a_search_that_is_too_long_keeps_what_fits_in_without_moving_others(monkeypatch: pytest.MonkeyPatch) -> None:
    movable = [(0, section("C0", "01", "M")), (1, section("C0", "02", "T"))]
    courses = [movable, [(0, section("C1", "01", "M"))], [(0, section("C2", "01", "W"))]]
    assert [one and one.section for one in fit(courses, [])] == ["02", "01", "01"]
    monkeypatch.setattr(plan_fit, "MAX_STEPS", 1)
    assert [one and one.section for one in fit(courses, [])] == ["01", None, "01"]


def test_alternatives_come_in_the_students_order_and_then_by_number() -> None:
    offered = [section("PYT", number) for number in ("01", "02", "03", "04")]
    planned = PlannedSection(SectionKey("Fall 2026", "PYT", "03"), 1, datetime.now(UTC))
    assert accepted_sections(planned, offered) == [offered[2]]
    with_alternatives = PlannedSection(planned.key, 1, planned.added_at, alternatives=("04", ANY_SECTION))
    assert [one.section for one in accepted_sections(with_alternatives, offered)] == ["03", "04", "01", "02"]


def test_a_canceled_section_gives_way_to_the_first_alternative() -> None:
    offered = [section("PYT", "01", status=SectionStatus.CANCELLED), section("PYT", "02")]
    planned = PlannedSection(SectionKey("Fall 2026", "PYT", "01"), 1, datetime.now(UTC), alternatives=(ANY_SECTION,))
    assert accepted_sections(planned, offered) == [offered[1]]
