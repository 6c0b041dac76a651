"""The form that asks for a course."""

from collections.abc import Sequence

from wtforms import SelectField, StringField, SubmitField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length

from quart_enroll.forms.base import SiteForm, one_line, stripped
from quart_enroll.models import Term, Wish
from quart_enroll.services.terms import named

THE_NEXT_ONE = SelectChoice("", "Next term it is taught")


class EnrollForm(SiteForm):
    """A course and a term; a school's own templates may send the whole "Fall, Spring" of a course as term."""

    courseID = StringField(
        "Course number",
        [
            DataRequired("Which course? Enter its number, such as 1111."),
            one_line,
            Length(max=20, message="A course number has at most 20 characters."),
        ],
        filters=[stripped],
    )
    term = SelectField(
        "Term",
        [one_line, Length(max=100, message="A term has a name like Fall 2026.")],
        choices=[THE_NEXT_ONE],
        validate_choice=False,
        default="",
        filters=[stripped],
    )
    submit = SubmitField("Enroll")

    def offer(self, terms: Sequence[Term]) -> None:
        """Let the visitor choose among these terms; of those that the request meant, the first is chosen."""
        self.term.choices = [THE_NEXT_ONE, *(SelectChoice(str(term)) for term in terms)]
        meant = named(self.term.data or "", terms)
        self.term.data = str(meant[0]) if meant else ""

    def wish(self) -> Wish:
        """Return what the student asks for."""
        return Wish(self.courseID.data or "", self.term.data or "")
