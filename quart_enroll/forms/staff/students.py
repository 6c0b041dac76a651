"""The forms of a student's record: the search for students, a section to look at, and the reason for acting."""

from collections.abc import Iterable
from typing import Self

from werkzeug.datastructures import MultiDict
from wtforms import Form, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from quart_enroll.domain.actors import Override
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.forms.search import MAX_SEARCH_CHARACTERS
from quart_enroll.i18n.language import format_term

MAX_REASON_LENGTH = 300


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


class SectionForm(Form):
    """A section, to check a student's eligibility for it or to act for the student in it."""

    term = SelectField(lazy("Term"), validate_choice=False)
    courseID = StringField(  # the stored name
        lazy("Course number"), [DataRequired(lazy("Enter a course number, such as 1111."))], filters=[stripped]
    )
    section = StringField(
        lazy("Section"), [DataRequired(lazy("Enter a section number, such as 01."))], filters=[stripped]
    )

    def offer_terms(self, terms: Iterable[str]) -> None:
        """Offer these terms."""
        self.term.choices = [SelectChoice(name, format_term(name)) for name in terms]


class ActForm(SiteForm):
    """Why staff act for a student, and which rules they override."""

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
    overrides = SelectMultipleField(lazy("Rules to override"), validate_choice=False)
    position = IntegerField(
        lazy("New position"), [Optional(), NumberRange(1, 9999, lazy("Enter a position of 1 or higher."))]
    )

    @property
    def chosen_overrides(self) -> frozenset[Override]:
        """The chosen overrides; unknown ones are ignored."""
        return frozenset(one for one in Override if one in (self.overrides.data or ()))
