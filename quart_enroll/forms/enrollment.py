"""The forms that ask for a seat, give one back, swap, and wait."""

from collections.abc import Iterable, Sequence
from typing import Any

from wtforms import BooleanField, SelectField, StringField, SubmitField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length

from quart_enroll.domain.models import Section, SectionRequest, Term
from quart_enroll.domain.terms import named
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.i18n.language import format_term

THE_NEXT_ONE = SelectChoice("", lazy("Next term it’s offered"))
ANY_SEAT = SelectChoice("", lazy("Any with an open seat"))
NO = (False, "false", "0", "no", "")


def _course(label: str, *rules: Any) -> StringField:
    length = Length(max=20, message=lazy("Enter a course number of at most 20 characters."))
    return StringField(label, [*rules, one_line, length], filters=[stripped])


def _named_course(label: str) -> StringField:
    return _course(label, DataRequired(lazy("Enter a course number, such as 1111.")))


def _choices(field: SelectField, names: Iterable[str]) -> list[SelectChoice]:
    wrong = [field.data] if field.errors and field.data else []
    return [SelectChoice(name, format_term(name)) for name in dict.fromkeys([*names, *wrong])]


class TermForm(SiteForm):
    """A term; a school's own templates may send the whole "Fall, Spring" of a course."""

    term = SelectField(
        lazy("Term"),
        [one_line, Length(max=100, message=lazy("Enter a term like Fall 2026."))],
        choices=[THE_NEXT_ONE],
        validate_choice=False,
        default="",
        filters=[stripped],
    )


class SectionForm(TermForm):
    """A term, and a section of a course in it."""

    section = SelectField(
        lazy("Section"),
        [one_line, Length(max=10, message=lazy("Enter a section number like 01."))],
        choices=[ANY_SEAT],
        validate_choice=False,
        default="",
        filters=[stripped],
    )


class EnrollForm(SectionForm):
    """Take a seat; `with_corequisites` takes one in each missing corequisite too."""

    courseID = _named_course(lazy("Course number"))
    with_corequisites = BooleanField(false_values=NO)
    submit = SubmitField(lazy("Enroll"))

    def offer(self, terms: Sequence[Term], chosen: Term | None, sections: Sequence[Section]) -> None:
        """Let the visitor choose among these terms and sections; what the request meant is chosen already.

        So is what can't be had, while an error stands beside it.
        """
        meant = [chosen] if chosen and self.term.data else named(self.term.data or "", terms)
        if not self.term.errors:
            self.term.data = str(meant[0]) if meant else ""
        self.term.choices = [THE_NEXT_ONE, *_choices(self.term, map(str, terms))]
        self.section.choices = [ANY_SEAT, *_choices(self.section, [section.section for section in sections])]

    def wish(self) -> SectionRequest:
        """Return what the student asks for."""
        return SectionRequest(self.courseID.data or "", self.term.data or "", self.section.data or "")


class DropForm(TermForm):
    """Give back a seat; `with_corequisites` says yes to what goes along, `ask` wants to be asked before."""

    courseID = _named_course(lazy("Course number"))
    with_corequisites = BooleanField(false_values=NO)
    ask = BooleanField(false_values=NO)

    def wish(self) -> SectionRequest:
        """Return what the student gives back, or waits for no longer."""
        return SectionRequest(self.courseID.data or "", self.term.data or "")


class SwapForm(SectionForm):
    """Take the seat `add` for the one in `drop`; `ask` wants to be asked before, where others wait for that one."""

    drop = _named_course(lazy("Drop"))
    add = _named_course(lazy("Course number"))
    ask = BooleanField(false_values=NO)

    def wish(self) -> SectionRequest:
        """Return what the student asks for."""
        return SectionRequest(self.add.data or "", self.term.data or "", self.section.data or "")


class WaitlistForm(EnrollForm):
    """Join a waitlist; `drop_if_enrolled` is given back when the seat comes."""

    drop_if_enrolled = _course(lazy("Drop"))

    def given_up(self) -> str | None:
        """Return the course that goes when the seat comes, or None."""
        return self.drop_if_enrolled.data or None
