"""The weeks that the schedule builder shows, and why there are none."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration, Section, SectionStatus
from quart_enroll.domain.plan_fit import accepted_sections
from quart_enroll.domain.schedule_builder import BuiltWeek, Constraints, CourseOptions, Obstacles, Result
from quart_enroll.domain.week import WeekEntry
from quart_enroll.i18n.language import format_day_name, format_list_of, gettext, ngettext, plural
from quart_enroll.pages.catalog.section_actions import section_name
from quart_enroll.pages.enrollment import schedule_rows, week_grid
from quart_enroll.pages.enrollment.plan_rows import PlannedOffering
from quart_enroll.pages.enrollment.week_grid import WeekGrid
from quart_enroll.pages.student_state import StudentState
from quart_enroll.services.enrollment.candidates import Offering


@dataclass(frozen=True, slots=True)
class BuilderFacts:
    """The planned courses in which the student is not enrolled, with their sections by courseID, and the enrolled
    ones.

    `accepted` has the planned section of each course and its alternatives, best first.
    """

    planned: Sequence[Offering]
    sections: Mapping[str, Sequence[Section]]
    enrolled: Sequence[Registration]
    accepted: Mapping[str, Sequence[Section]]

    @classmethod
    def of(cls, found: Sequence[PlannedOffering], state: StudentState, offered: Catalog) -> "BuilderFacts":
        """Return the facts about a plan."""
        courses = {one.courseID for one in state.enrolled}
        pairs = [(one, offering) for one, offering in found if offering.course.courseID not in courses]
        planned = [offering for _, offering in pairs]
        sections = {
            one.course.courseID: [*map(state.sees, offered.sections_of(one.course.courseID, one.term))]
            for one in planned
        }
        accepted = {one.key.courseID: accepted_sections(one, sections[one.key.courseID]) for one, _ in pairs}
        return cls(planned, sections, state.enrolled, accepted)

    @property
    def has_alternatives(self) -> bool:
        """Return whether the student accepts other sections of a course."""
        return any(len(sections) > 1 for sections in self.accepted.values())

    def keep_choices(self) -> list[tuple[str, str]]:
        """Return the courseIDs of the planned courses, with the sections that can be kept."""
        return [(one.course.courseID, _name_with_times(one)) for one in self.planned]

    def options(
        self, kept_courses: Collection[str], *, only_open: bool, only_accepted: bool = False
    ) -> list[CourseOptions]:
        """Return the sections that may be chosen: the planned one of each course to keep, any active one of others.

        With `only_accepted`, they are ranked as the student prefers them.
        """
        options = []
        for one in self.planned:
            courseID = one.course.courseID
            offered = (self.accepted if only_accepted else self.sections)[courseID]
            active = [other for other in offered if other.status is SectionStatus.ACTIVE]
            allowed = [other for other in active if other.open_seats or not only_open]
            chosen = (one.section,) if courseID in kept_courses else tuple(allowed)
            options.append(CourseOptions(courseID, chosen, is_ranked=only_accepted))
        return options

    def title(self, courseID: str) -> str:
        """Return the title of one of the courses."""
        courses = [*(one.course for one in self.planned), *(one.course for one in self.enrolled)]
        return next(one.title for one in courses if one.courseID == courseID)


@dataclass(frozen=True, slots=True)
class WeekSection:
    """A section of a week, and whether it is planned already."""

    title: str
    section: Section
    is_planned: bool


@dataclass(frozen=True, slots=True)
class OfferedWeek:
    """A week with its summary."""

    number: int
    summary: str
    sections: Sequence[WeekSection]
    grid: WeekGrid

    @property
    def is_planned(self) -> bool:
        """Return whether it is the week of the plan."""
        return all(one.is_planned for one in self.sections)

    @property
    def choice(self) -> dict[str, list[str]]:
        """The fields of the button that plans it."""
        return {
            "courseID": [one.section.courseID for one in self.sections],
            "section": [one.section.section for one in self.sections],
        }


@dataclass(frozen=True, slots=True)
class BuiltWeeks:
    """The weeks, what else is in each of them, and a sentence if there are none or perhaps better ones."""

    weeks: Sequence[OfferedWeek]
    enrolled: Sequence[str]
    remark: str


def built(facts: BuilderFacts, result: Result, constraints: Constraints) -> BuiltWeeks:
    """Return the result as the page shows it."""
    weeks = [_week(facts, one, number) for number, one in enumerate(result.weeks, 1)]
    return BuiltWeeks(weeks, [one.course.title for one in facts.enrolled], _remark(facts, result, constraints))


def _week(facts: BuilderFacts, found: BuiltWeek, number: int) -> OfferedWeek:
    pairs = list(zip(facts.planned, found.sections, strict=True))
    sections = [WeekSection(one.course.title, section, one.section.key == section.key) for one, section in pairs]
    entries = [
        *map(schedule_rows.enrolled_entry, facts.enrolled),
        *(WeekEntry(one.courseID, title, "planned", one.meetings) for title, one in _titled(sections)),
    ]
    return OfferedWeek(number, _summary(found), sections, week_grid.build(entries))


def _titled(sections: Sequence[WeekSection]) -> Iterator[tuple[str, Section]]:
    return ((one.title, one.section) for one in sections)


def _summary(found: BuiltWeek) -> str:
    days = ngettext("%(number)s day a week", "%(number)s days a week", found.score.days)
    if not found.score.gap_minutes:
        return gettext("%(days)s, no gaps", days=days)
    summary = plural(
        "%(days)s, %(number)s hour of gaps",
        "%(days)s, %(number)s hours of gaps",
        round(found.score.gap_minutes / 60, 1),
        days=days,
    )
    return str(summary)


def _remark(facts: BuilderFacts, result: Result, constraints: Constraints) -> str:
    if result.obstacles:
        return _explain(facts, result.obstacles, constraints)
    if not result.is_complete and result.weeks:
        return gettext("There are too many possible weeks to check them all. These are the best we found.")
    if not result.is_complete:
        return gettext("We found no week in time, but there may be one. Keep some sections to make the search easier.")
    return ""


def _explain(facts: BuilderFacts, obstacles: Obstacles, constraints: Constraints) -> str:
    titles = [facts.title(courseID) for courseID in obstacles.courseIDs]
    if not obstacles.constraints and len(titles) == 1:
        return gettext("No section of %(title)s is available.", title=titles[0])
    wanted = [*titles, *(_describe(name, constraints) for name in obstacles.constraints)]
    return gettext(
        "These don’t all fit into one week: %(list)s. Remove any one of them and try again.",
        list=format_list_of(wanted),
    )


def _describe(constraint: str, constraints: Constraints) -> str:
    """Return the constraint in words."""
    match constraint:
        case "free_days":
            days = format_list_of([format_day_name(day) for day in constraints.free_days])
            return gettext("no meetings on %(days)s", days=days)
        case "not_before":
            return gettext("no meetings before %(time)s", time=constraints.not_before)
        case "not_after":
            return gettext("no meetings after %(time)s", time=constraints.not_after)
        case "lunch_minutes":
            return gettext("a lunch break of %(number)s minutes", number=constraints.lunch_minutes)
        case _:
            return gettext("%(number)s minutes between buildings", number=constraints.travel_minutes)


def _name_with_times(offering: Offering) -> str:
    name = section_name(offering.course.title, offering.section.section)
    return ", ".join([name, *map(str, offering.section.meetings)])
