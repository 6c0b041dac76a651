"""The rows of a student's plan: the problems of each planned course, and what the student can do about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.domain import repeat_rules
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Course, PlannedSection, Section, SectionKey, Term
from quart_enroll.domain.plan_fit import ANY_SECTION, MAX_ALTERNATIVES
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.catalog.section_actions import Button, SectionActions, section_fields
from quart_enroll.pages.enrollment.credits import summarize_credits
from quart_enroll.pages.student_state import StudentState
from quart_enroll.services.enrollment import saved_plans
from quart_enroll.services.enrollment.candidates import Offering
from quart_enroll.services.enrollment.plan_check import CheckedSection


@dataclass(frozen=True, slots=True)
class AlternativeRow:
    """A section that the student accepts in place of the planned one, with the buttons that move and remove it.

    A button that can't move it changes nothing.
    """

    name: str
    move_buttons: Sequence[tuple[Button, bool]]
    remove_button: Button


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A planned course: the problems to expect, and the refusal of the last try.

    Its number counts from 1; the first row can't move up, and the last one can't move down. `others` are the other
    sections of the course, and `substitute` is the one that the student would get now.
    """

    course: Course
    choice: SectionActions
    problems: Sequence[str]
    last_refusal: str
    number: int
    is_last: bool
    alternatives: tuple[str, ...] = ()
    others: tuple[Section, ...] = ()
    substitute: Section | None = None

    @property
    def is_pending(self) -> bool:
        """Return whether the student is not enrolled yet."""
        return self.choice.state != "enrolled"

    @property
    def troubles(self) -> list[str]:
        """The problems of the course, and the refusal of the last try."""
        last = gettext("Last attempt: %(because)s", because=self.last_refusal) if self.last_refusal else ""
        return [*self.problems, *([last] if last else ())]

    @property
    def alternatives_text(self) -> str:
        """What is taken if the planned section can't be."""
        return alternatives_text(self.alternatives)

    @property
    def alternative_rows(self) -> list[AlternativeRow]:
        """The alternatives, best first, if there are several; any other section stays the last."""
        chosen, others = [*self.alternatives], {one.section: one for one in self.others}
        movable = len(chosen) - (ANY_SECTION in chosen)
        rows = list[AlternativeRow]()
        for place, number in enumerate(chosen if len(chosen) > 1 else ()):
            name = _alternative_name(number, others.get(number))
            left = [*chosen[:place], *chosen[place + 1 :]]
            moves = [(gettext("Move up"), max(place - 1, 0)), (gettext("Move down"), min(place + 1, movable - 1))]
            move_buttons = [
                (self._alternatives_button(label, [*left[:target], number, *left[target:]], name), target != place)
                for label, target in (moves if place < movable > 1 else ())
            ]
            rows.append(AlternativeRow(name, move_buttons, self._alternatives_button(gettext("Remove"), left, name)))
        return rows

    @property
    def alternative_buttons(self) -> list[Button]:
        """The buttons that add an alternative, and one that removes all."""
        chosen, buttons = self.alternatives, list[Button]()
        if ANY_SECTION not in chosen and len(chosen) < MAX_ALTERNATIVES:
            left = [one for one in self.others if one.section not in chosen]
            for one in left:
                name = _alternative_name(one.section, one)
                buttons.append(self._alternatives_button(name, [*chosen, one.section]))
            buttons.append(self._alternatives_button(gettext("Any other section"), [*chosen, ANY_SECTION]))
        if chosen:
            buttons.append(self._alternatives_button(gettext("Skip the course"), []))
        return buttons

    @property
    def substitute_text(self) -> str:
        """Which other section the student would get now; empty if none."""
        if self.substitute is None:
            return ""
        return gettext("You’d get %(section)s instead.", section=_section_with_times(self.substitute))

    def _alternatives_button(self, label: str, alternatives: Sequence[str], moved: str = "") -> Button:
        """Return the button that sets these alternatives; `moved` is the name of the one that it moves or removes."""
        fields = {**section_fields(self.choice.section.key), "alternative": alternatives}
        about = gettext("if section %(section)s isn’t available", section=self.choice.section.section)
        about = f": {moved}, {self.course.title}" if moved else f"{about}: {self.course.title}"
        return Button("plan_alternatives", label, about, fields, strong=False)

    @property
    def seat_buttons(self) -> list[Button]:
        """The buttons for other ways to get a seat."""
        return [one for one in (self.choice.button, self.choice.secondary_button) if one and one.in_plan]

    @property
    def remove_button(self) -> Button:
        return _remove_button(self.course.title, self.choice.section.key)

    @property
    def move_buttons(self) -> list[tuple[Button, bool]]:
        """The buttons that move the course, each with whether it can; a plan of one course has none."""
        if self.is_first and self.is_last:
            return []
        fields, about = section_fields(self.choice.section.key), f": {self.course.title}"
        up = Button("plan_up", gettext("Move up"), about, fields, strong=False)
        down = Button("plan_down", gettext("Move down"), about, fields, strong=False)
        return [(up, not self.is_first), (down, not self.is_last)]

    @property
    def is_first(self) -> bool:
        return self.number == 1


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """One of the student's plans for a term; `courses` is the number of its courses, unless it is in use."""

    term: str
    name: str
    is_in_use: bool
    courses: int = 0

    @property
    def title(self) -> str:
        """Its name as pages show it."""
        return self.name or gettext("Main plan")

    @property
    def buttons(self) -> list[Button]:
        """The buttons of a plan that is not in use."""
        fields, about = {"term": self.term, "name": self.name}, f": {self.title}"
        use = Button("plan_use", gettext("Use this plan"), about, fields, strong=False)
        return [use, Button("plan_delete", gettext("Delete"), about, fields, strong=False)]


def plans(term: Term, snapshot: StudentSnapshot) -> list[PlanChoice]:
    """Return the student's plans for the term, the one in use first; none while there is only one without a name."""
    found = [one for one in snapshot.saved_plans if one.term == term.term]
    if not any(not one.is_in_use or one.name for one in found):
        return []
    in_use = PlanChoice(term.term, saved_plans.plan_names(found).in_use, is_in_use=True)
    others = sorted((one for one in found if not one.is_in_use), key=lambda one: one.name.casefold())
    return [in_use, *(PlanChoice(one.term, one.name, is_in_use=False, courses=one.courses) for one in others)]


@dataclass(frozen=True, slots=True)
class LostCourse:
    """A planned course that is no longer offered."""

    title: str
    key: SectionKey

    @property
    def remove_button(self) -> Button:
        return _remove_button(self.title, self.key)


PlannedOffering = tuple[PlannedSection, Offering]


def find(snapshot: StudentSnapshot, term: Term, offered: Catalog) -> tuple[list[PlannedOffering], list[LostCourse]]:
    """Return the planned sections of the term that the school offers, and the courses that it no longer offers."""
    found, lost = list[PlannedOffering](), list[LostCourse]()
    for planned in snapshot.plan:
        if planned.key.term != term.term:
            continue
        course, section = offered.find(planned.key.courseID), _find_section(planned, offered)
        if course and section:
            found.append((planned, Offering(term, course, section)))
        else:
            lost.append(LostCourse(course.title if course else planned.key.courseID, planned.key))
    return found, lost


def alternatives_text(alternatives: Sequence[str]) -> str:
    """Return in a sentence what is taken if the planned section can't be."""
    if not alternatives:
        return gettext("If it isn’t available, we skip the course.")
    names = [
        gettext("any other section") if one == ANY_SECTION else gettext("section %(section)s", section=one)
        for one in alternatives
    ]
    text = names[0]
    for name in names[1:]:
        text = gettext("%(first)s, then %(next)s", first=text, next=name)
    return gettext("If it isn’t available, we try %(sections)s.", sections=text)


def build(
    term: Term, checked: Sequence[CheckedSection], state: StudentState, moment: datetime, offered: Catalog
) -> list[PlanRow]:
    """Return the rows of the planned sections, in their order."""
    rows: list[PlanRow] = []
    for one in checked:
        course, section = one.offering.course, one.offering.section
        [choice] = section_actions.for_course(term, course, [section], state, moment)
        warning = repeat_rules.warning(course, term, state.taken or ()) if choice.state != "enrolled" else None
        problems = tuple(map(str, [*one.problems, *([warning] if warning else ())]))
        last_refusal = str(one.planned.because or "") if choice.state != "enrolled" else ""
        last_refusal = last_refusal if last_refusal not in " ".join(problems) else ""
        sections = offered.sections_in(course.courseID, term.term) if choice.state != "enrolled" else ()
        rows.append(
            PlanRow(
                course,
                choice,
                problems,
                last_refusal,
                len(rows) + 1,
                is_last=one is checked[-1],
                alternatives=one.planned.alternatives,
                others=tuple(other for other in sections if other.section != section.section),
                substitute=one.substitute,
            )
        )
    return rows


def credits_summary(term: Term, rows: Iterable[PlanRow], state: StudentState) -> str:
    """Return how many credits the student has and plans."""
    return summarize_credits(term.max_credits, *credits_of(rows, state))


def credits_of(rows: Iterable[PlanRow], state: StudentState) -> tuple[float, float]:
    """Return the credits of the enrolled courses and of the planned ones."""
    enrolled = sum(one.course.credits for one in state.enrolled)
    return enrolled, sum(row.course.credits for row in rows if row.is_pending)


def _find_section(planned: PlannedSection, offered: Catalog) -> Section | None:
    sections = offered.sections_in(planned.key.courseID, planned.key.term)
    return next((one for one in sections if one.section == planned.key.section), None)


def _section_with_times(section: Section) -> str:
    times = ", ".join(map(str, section.meetings)) or gettext("No fixed times")
    return gettext("section %(section)s, %(times)s", section=section.section, times=times)


def _alternative_name(number: str, section: Section | None) -> str:
    """Return the name of an alternative, with the times of a section that is still offered."""
    if number == ANY_SECTION:
        return gettext("Any other section")
    name = _section_with_times(section) if section else gettext("section %(section)s", section=number)
    return name[:1].upper() + name[1:]


def _remove_button(title: str, key: SectionKey) -> Button:
    about = gettext("%(title)s from your plan", title=title)
    return Button("plan_remove", gettext("Remove"), about, section_fields(key), strong=False)
