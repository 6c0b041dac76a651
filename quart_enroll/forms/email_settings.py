"""The form that chooses which emails a user gets, and when."""

from wtforms import SelectField, SubmitField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from quart_enroll.domain.email_settings import KIND_NAMES, TIMING_NAMES, EmailKind, EmailSettings, timings_of
from quart_enroll.forms.base import SiteForm, lazy, offered, one_line
from quart_enroll.i18n.language import Sentence


def _timing(kind: EmailKind, description: str) -> SelectField:
    return SelectField(
        _label(KIND_NAMES[kind]),
        [one_line, offered(lazy("Choose one from the list."))],
        choices=[SelectChoice(str(timing), _label(TIMING_NAMES[timing])) for timing in timings_of(kind)],
        description=description,
        validate_choice=False,
    )


def _label(name: Sentence) -> str:
    return lazy(name.message)


class EmailSettingsForm(SiteForm):
    """Choose when to get each kind of email. The fields are the kinds."""

    confirmation = _timing(
        EmailKind.CONFIRMATION, lazy("When you enroll, drop, withdraw or swap. Calendar files are attached.")
    )
    waitlist = _timing(EmailKind.WAITLIST, lazy("When a seat opens, but you can’t be enrolled."))
    alert = _timing(EmailKind.ALERT, lazy("When a seat opens in a section you have an alert for."))
    section_change = _timing(EmailKind.SECTION_CHANGE, lazy("When a time, room or instructor changes."))
    submit = SubmitField(lazy("Save"))

    @property
    def settings(self) -> EmailSettings:
        """The settings as they were chosen."""
        return EmailSettings.read({kind: self[kind].data for kind in EmailKind})
