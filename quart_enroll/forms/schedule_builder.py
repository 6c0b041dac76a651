"""The forms of the schedule builder: what the week must meet, and the sections of a week that is used."""

from collections.abc import Iterable, Sequence
from typing import Any

from wtforms import BooleanField, Field, Form, SelectField, SelectMultipleField, StringField
from wtforms.validators import Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from quart_enroll.domain.readable_text import is_readable
from quart_enroll.domain.schedule_builder import LUNCH_BEGINS, LUNCH_ENDS, Constraints
from quart_enroll.forms.base import UNREADABLE, lazy, one_line
from quart_enroll.forms.enrollment import FALSE_VALUES, TermForm
from quart_enroll.forms.search import choices, chosen
from quart_enroll.i18n.language import DAYS, Hours, format_clock, format_day_name, gettext, ngettext

STARTS = [f"{hour:02}:00" for hour in range(8, 14)]
ENDS = [f"{hour:02}:00" for hour in range(12, 21)]
LUNCH_MINUTES = (30, 45, 60)
TRAVEL_MINUTES = (10, 15, 20, 30)

MAX_CHOSEN_COURSES = 30
"""Courses of a week that is used; a plan has fewer."""


class BuilderForm(Form):
    """What a week must meet. The form reads a URL, and ignores what it can't read."""

    free = SelectMultipleField(
        lazy("Days without meetings"),
        choices=[],
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    start = SelectField(lazy("No meetings before"), choices=[])
    end = SelectField(lazy("No meetings after"), choices=[])
    lunch = SelectField(lazy("Lunch break (%(hours)s)", hours=Hours(LUNCH_BEGINS, LUNCH_ENDS)), choices=[])
    travel = SelectField(lazy("Walking time between buildings"), choices=[])
    keep = SelectMultipleField(lazy("Sections to keep"), choices=[], validate_choice=False)
    open = BooleanField(lazy("Open seats only"), false_values=FALSE_VALUES)
    accepted = BooleanField(lazy("Only planned sections and their alternatives"), false_values=FALSE_VALUES)

    def set_choices(self, planned: Iterable[tuple[str, str]]) -> None:
        """Offer to keep the planned sections, given by their courseIDs with labels."""
        self.free.choices = choices({letter: format_day_name(letter) for letter in DAYS})
        self.start.choices = choices({"": lazy("Any")} | {clock: format_clock(clock) for clock in STARTS})
        self.end.choices = choices({"": lazy("Any")} | {clock: format_clock(clock) for clock in ENDS})
        self.lunch.choices = _minutes(LUNCH_MINUTES)
        self.travel.choices = _minutes(TRAVEL_MINUTES)
        self.keep.choices = choices(dict(planned))

    def constraints(self) -> Constraints:
        """Return the constraints; an unknown choice counts as none."""
        return Constraints(
            "".join(day for day in DAYS if day in (self.free.data or ())),
            chosen(self.start),
            chosen(self.end),
            int(chosen(self.lunch) or 0),
            int(chosen(self.travel) or 0),
        )


class WeekForm(TermForm):
    """The sections of a week, one for each course, and the mark of the plan for which it was built."""

    plan = StringField(lazy("Plan"), [one_line, Length(max=40)], default="")
    courseID = SelectMultipleField(lazy("Course number"), choices=[], validate_choice=False)
    section = SelectMultipleField(lazy("Section"), choices=[], validate_choice=False)

    def validate_courseID(self, field: Field) -> None:  # noqa: N802  # the field's name
        """Refuse texts that no course number has, and a course that was sent twice."""
        _check_texts(field.data or (), 20)
        if len({*field.data}) < len(field.data):
            raise ValidationError(lazy("This field was sent more than once. Fill it in only once."))

    def validate_section(self, field: Field) -> None:
        """Refuse texts that no section number has, and numbers of sections and courses that differ."""
        _check_texts(field.data or (), 10)
        if len(field.data) != len(self.courseID.data or ()):
            raise ValidationError(lazy("Choose one section of each course."))

    def chosen_sections(self) -> dict[str, str]:
        """Return the number of the chosen section by courseID."""
        return dict(zip(self.courseID.data or (), self.section.data or (), strict=True))


def _minutes(numbers: Sequence[int]) -> list[Any]:
    names = {str(one): ngettext("%(number)s minute", "%(number)s minutes", one) for one in numbers}
    return choices({"": gettext("None")} | names)


def _check_texts(texts: Sequence[str], length: int) -> None:
    if not 0 < len(texts) <= MAX_CHOSEN_COURSES:
        raise ValidationError(lazy("Choose one section of each course."))
    if not all(0 < len(text) <= length and is_readable(text) for text in texts):
        raise ValidationError(UNREADABLE)
