"""The forms to enroll, drop, swap and join a waitlist."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from quart import request
from wtforms import (
    BooleanField,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length

from quart_enroll.domain.models import MAX_PLAN_NAME_LENGTH, Section, SectionRequest, Term
from quart_enroll.domain.plan_fit import MAX_ALTERNATIVES
from quart_enroll.domain.readable_text import is_readable
from quart_enroll.domain.terms import named
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.i18n.language import format_term
from quart_enroll.web.request import current_request

NEXT_TERM_CHOICE = SelectChoice("", lazy("Next term it’s offered"))
ANY_SECTION_CHOICE = SelectChoice("", lazy("Any with an open seat"))
FALSE_VALUES = (False, "false", "0", "no", "")


def _course(label: str, *rules: Any) -> StringField:
    length = Length(max=20, message=lazy("Enter a course number of at most 20 characters."))
    return StringField(label, [*rules, one_line, length], filters=[stripped])


def _named_course(label: str) -> StringField:
    return _course(label, DataRequired(lazy("Enter a course number, such as 1111.")))


def _choices(field: SelectField, names: Iterable[str]) -> list[SelectChoice]:
    wrong = [field.data] if field.errors and field.data else []
    return [SelectChoice(name, format_term(name)) for name in dict.fromkeys([*names, *wrong])]


class ButtonForm(SiteForm):
    """A form of a button, which may have its fields in the URL to which it posts."""

    @classmethod
    async def from_request(cls, **values: Any) -> Self:
        return cls(await current_request().button_fields() if request.method == "POST" else None, **values)


class TermForm(ButtonForm):
    """A term; a school's own templates may send the whole "Fall, Spring" of a course."""

    term = SelectField(
        lazy("Term"),
        [one_line, Length(max=100, message=lazy("Enter a term like Fall 2026."))],
        choices=[NEXT_TERM_CHOICE],
        validate_choice=False,
        default="",
        filters=[stripped],
    )


class SectionRequestForm(TermForm):
    """A form about a course of a term, and perhaps about one of its sections."""

    def section_request(self) -> SectionRequest:
        """Return the course, term and section as they were entered."""
        raise NotImplementedError


class SectionForm(SectionRequestForm):
    """A form in which a section can be chosen."""

    section = SelectField(
        lazy("Section"),
        [one_line, Length(max=10, message=lazy("Enter a section number like 01."))],
        choices=[ANY_SECTION_CHOICE],
        validate_choice=False,
        default="",
        filters=[stripped],
    )


class EnrollForm(SectionForm):
    """Enroll in a section; `with_corequisites` also enrolls in every missing corequisite."""

    courseID = _named_course(lazy("Course number"))
    with_corequisites = BooleanField(false_values=FALSE_VALUES)
    submit = SubmitField(lazy("Enroll"))

    def set_choices(self, terms: Sequence[Term], chosen: Term | None, sections: Sequence[Section]) -> None:
        """Offer these terms and sections; the requested ones are selected.

        So is a value that the form refused, while its error is shown beside it.
        """
        matches = [chosen] if chosen and self.term.data else named(self.term.data or "", terms)
        if not self.term.errors:
            self.term.data = str(matches[0]) if matches else ""
        self.term.choices = [NEXT_TERM_CHOICE, *_choices(self.term, map(str, terms))]
        self.section.choices = [ANY_SECTION_CHOICE, *_choices(self.section, [section.section for section in sections])]

    def section_request(self) -> SectionRequest:
        return SectionRequest(self.courseID.data or "", self.term.data or "", self.section.data or "")


class DropForm(SectionRequestForm):
    """Drop a course; `with_corequisites` also drops the courses that need it, and `ask` asks for confirmation."""

    courseID = _named_course(lazy("Course number"))
    with_corequisites = BooleanField(false_values=FALSE_VALUES)
    ask = BooleanField(false_values=FALSE_VALUES)

    def section_request(self) -> SectionRequest:
        return SectionRequest(self.courseID.data or "", self.term.data or "")


class PlannedSectionForm(SectionForm):
    """Remove or move a planned course.

    With a section, only if that is the planned one: a page that is out of date must not act on another.
    """

    courseID = _named_course(lazy("Course number"))

    def section_request(self) -> SectionRequest:
        return SectionRequest(self.courseID.data or "", self.term.data or "", self.section.data or "")


class AlternativesForm(PlannedSectionForm):
    """Set the sections to take if the planned one can't be taken."""

    alternative = SelectMultipleField(lazy("Alternatives"), choices=[], validate_choice=False)

    def validate_alternative(self, field: SelectMultipleField) -> None:
        """Refuse more alternatives than a plan has, and texts that no section has as its number."""
        wanted = field.data or ()
        if len(wanted) > MAX_ALTERNATIVES or not all(is_readable(one) and len(one) <= 10 for one in wanted):
            raise ValidationError(lazy("Choose up to %(number)s sections.", number=MAX_ALTERNATIVES))


class SavedPlanForm(TermForm):
    """Use or delete a saved plan; the name of the first plan is empty."""

    name = StringField(lazy("Name"), [one_line, Length(max=MAX_PLAN_NAME_LENGTH)])


class PlanNameForm(TermForm):
    """Name a copy of the plan in use, or rename that plan; `in_use` is the name that it had on the page."""

    name = StringField(
        lazy("Name"),
        [
            DataRequired(lazy("Enter a name for the plan.")),
            one_line,
            Length(max=MAX_PLAN_NAME_LENGTH, message=lazy("Use at most 30 characters.")),
        ],
        filters=[stripped],
        description=lazy("Such as “With the late lab”."),
    )
    in_use = HiddenField(lazy("Plan"), [one_line, Length(max=MAX_PLAN_NAME_LENGTH)])


class SwapForm(SectionForm):
    """Swap the course `drop` for a section of `add`; `ask` asks for confirmation if the dropped seat has a waitlist."""

    drop = _named_course(lazy("Drop"))
    add = _named_course(lazy("Course number"))
    ask = BooleanField(false_values=FALSE_VALUES)

    def section_request(self) -> SectionRequest:
        return SectionRequest(self.add.data or "", self.term.data or "", self.section.data or "")


class WaitlistForm(EnrollForm):
    """Join a waitlist; a promotion drops the course `drop_if_enrolled`."""

    drop_if_enrolled = _course(lazy("Drop"))

    def dropped_course(self) -> str | None:
        """Return the course that a promotion drops, or None."""
        return self.drop_if_enrolled.data or None
