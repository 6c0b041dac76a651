"""The forms of a student's record: the search for students, a section to look at, and the reason for acting."""

from collections.abc import Iterable
from typing import Any, Self

from werkzeug.datastructures import MultiDict
from wtforms import (
    Form,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import Term
from quart_enroll.forms.base import FileForm, SiteForm, lazy, one_line, several_lines, stripped
from quart_enroll.forms.search import MAX_SEARCH_CHARACTERS
from quart_enroll.forms.staff.spreadsheet_field import SpreadsheetField
from quart_enroll.i18n.language import format_term, gettext
from quart_enroll.services.enrollment.staff_changes import ACTION_NAMES, StaffAction

MAX_REASON_LENGTH = 300

MAX_LIST_LENGTH = 50_000
"""Characters of a list of students that someone types or pastes."""


class StudentListForm(Form):
    """The search of a list of people."""

    q = StringField(lazy("Search"), description=lazy("Name, email or ID"))

    @classmethod
    def from_query(cls, query: MultiDict[str, str]) -> Self:
        """Fill in the form; text that is too long is cut."""
        return cls(MultiDict({name: value[:MAX_SEARCH_CHARACTERS] for name, value in query.items()}))

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the search, each once."""
        return tuple(dict.fromkeys((self.q.data or "").replace("\0", " ").split()))


class SectionChoiceForm(Form):
    """A section, to check a student's eligibility for it or to act for the student in it."""

    term = SelectField(lazy("Term"), validate_choice=False)
    courseID = StringField(  # the stored name
        lazy("Course number"), [DataRequired(lazy("Enter a course number, such as 1111."))], filters=[stripped]
    )
    section = StringField(
        lazy("Section"), [DataRequired(lazy("Enter a section number, such as 01."))], filters=[stripped]
    )

    def offer_terms(self, terms: Iterable[Term], current: Term | None) -> None:
        """Offer these terms; without a choice, the current one is chosen."""
        self.term.choices = [SelectChoice(one.term, format_term(one.term)) for one in terms]
        if not self.term.data and current:
            self.term.data = current.term


class OverridesForm(SiteForm):
    """Which rules staff override."""

    overrides = SelectMultipleField(lazy("Rules to override"), validate_choice=False)

    @property
    def chosen_overrides(self) -> frozenset[Override]:
        """The chosen overrides; unknown ones are ignored."""
        return frozenset(one for one in Override if one in (self.overrides.data or ()))

    def offer_overrides(self) -> None:
        """Offer all rules that can be overridden."""
        self.overrides.choices = [SelectChoice(one.value, str(one.label)) for one in Override]


class ReasonForm(OverridesForm):
    """Why staff act for students, and which rules they override."""

    reason = StringField(
        lazy("Reason"),
        [
            DataRequired(lazy("Enter a reason. The student will see it.")),
            one_line,
            Length(max=MAX_REASON_LENGTH, message=lazy("Use at most 300 characters.")),
        ],
        filters=[stripped],
        description=lazy("The student sees it in a notice and in the enrollment history."),
    )


class ActForm(ReasonForm):
    """Act for one student; the position is for moving on a waitlist."""

    position = IntegerField(
        lazy("New position"), [Optional(), NumberRange(1, 9999, lazy("Enter a position of 1 or higher."))]
    )


class ManyStudentsForm(FileForm, SectionChoiceForm, ReasonForm):
    """Act for many students, who are listed in a text or a file."""

    students = TextAreaField(
        lazy("Students"),
        [several_lines, Length(max=MAX_LIST_LENGTH, message=lazy("Upload a file for a list this long."))],
        description=lazy("Emails or IDs, one per line."),
        render_kw={"rows": 8},
    )
    file = SpreadsheetField(
        lazy("Or a file with the students"),
        description=lazy("An Excel workbook (.xlsx), CSV or JSON with a column named student, email or ID."),
    )
    action = SelectField(lazy("What to do"))
    dropped = StringField(
        lazy("Course number to drop"),
        [one_line, Length(max=20)],
        filters=[stripped],
        description=lazy("Only for a swap."),
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.action.choices = [SelectChoice(one.value, str(name)) for one, name in ACTION_NAMES.items()]
        self.offer_overrides()

    def validate_students(self, field: TextAreaField) -> None:
        """Require students, from one source."""
        if self.has_file and field.data:
            raise ValidationError(gettext("Use either the list or a file."))
        if not self.has_file and not (field.data or "").strip():
            raise ValidationError(gettext("Enter at least one student, or choose a file."))

    def validate_dropped(self, field: StringField) -> None:
        """Require the course that a swap gives up."""
        if self.action.data == StaffAction.SWAP and not field.data:
            raise ValidationError(gettext("Enter the number of the course to drop."))

    @property
    def has_file(self) -> bool:
        """Whether a file has the students."""
        return bool(getattr(self.file.data, "filename", ""))

    @property
    def row(self) -> dict[str, str]:
        """What the rows of the list have in common."""
        names = ("term", "courseID", "section", "action", "dropped")
        return {name: self[name].data or "" for name in names}
