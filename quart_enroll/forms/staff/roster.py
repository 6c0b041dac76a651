"""The forms of a section's roster."""

from secrets import token_hex
from typing import Any

from wtforms import BooleanField, HiddenField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from quart_enroll.domain.models import SectionKey
from quart_enroll.forms.base import SiteForm, lazy, one_line, several_lines, stripped
from quart_enroll.i18n.language import gettext
from quart_enroll.services.staff.no_show import MAX_STUDENTS_AT_ONCE
from quart_enroll.services.staff.roster_email import RosterEmail


def _one_line_of(text: str | None) -> str | None:
    """Return the text with single blanks instead of line breaks, which a subject must not have."""
    return " ".join(text.split()) if text else text


def _with_plain_breaks(text: str | None) -> str | None:
    return text.replace("\r\n", "\n") if text else text


def _user_id(text: str) -> int:
    """Read a user_id; raise ValueError if it isn't one, such as a number that the database can't store."""
    if len(text) > 15:
        raise ValueError
    return int(text)


class RosterEmailForm(SiteForm):
    """Email the students of a section; `button` identifies the button, which sends the email only once."""

    button = HiddenField(validators=[one_line, Length(max=64)])
    confirmed = HiddenField()
    to_enrolled = BooleanField(lazy("Enrolled students"), default=True)
    to_waiting = BooleanField(lazy("Students on the waitlist"))
    subject = StringField(
        lazy("Subject"),
        [
            DataRequired(lazy("Enter a subject.")),
            one_line,
            Length(max=150, message=lazy("Use at most 150 characters.")),
        ],
        filters=[_one_line_of],
    )
    text = TextAreaField(
        lazy("Text"),
        [
            DataRequired(lazy("Enter the text.")),
            several_lines,
            Length(max=5000, message=lazy("Use at most 5,000 characters.")),
        ],
        filters=[stripped, _with_plain_breaks],
        description=lazy(
            "Each student gets a separate email, which greets them by name and says who wrote it and why they got it. "
            "Your text isn’t translated."
        ),
        render_kw={"rows": 10},
    )

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Also refuse an email to nobody."""
        super().validate(*args, **kwargs)
        if not (self.to_enrolled.data or self.to_waiting.data):
            self.to_enrolled.errors = [gettext("Choose who gets the email.")]
        return not self.errors

    def email(self, key: SectionKey) -> RosterEmail:
        """Return the email to students of this section."""
        return RosterEmail(
            key,
            self.subject.data or "",
            self.text.data or "",
            to_enrolled=bool(self.to_enrolled.data),
            to_waiting=bool(self.to_waiting.data),
        )

    def name_button(self) -> None:
        """Give the button of the preview a name that no other preview has."""
        self.button.data = token_hex(16)


class NoShowForm(SiteForm):
    """Drop no-shows; `confirmed` is set by the preview."""

    confirmed = HiddenField()
    students = SelectMultipleField(
        lazy("Students"),
        [
            DataRequired(lazy("Choose the students who didn’t attend.")),
            Length(
                max=MAX_STUDENTS_AT_ONCE,
                message=lazy("Choose at most 500 students at a time."),
            ),
        ],
        coerce=_user_id,
        validate_choice=False,
    )
