"""The forms about consent: students request it, and staff decide about several requests at once."""

from wtforms import HiddenField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import AnyOf, DataRequired, Length

from quart_enroll.domain.permits import MAX_MESSAGE_LENGTH, MAX_TEXT_LENGTH
from quart_enroll.forms.base import SiteForm, lazy, one_line, several_lines, stripped

GIVE, DECLINE = "give", "decline"


class ConsentForm(SiteForm):
    """Request consent, perhaps with a message."""

    message = TextAreaField(
        lazy("Message"),
        [several_lines, Length(max=MAX_MESSAGE_LENGTH, message=lazy("Use at most 500 characters."))],
        filters=[stripped],
        description=lazy(
            "Optional: why you want to take this section. Only the people who decide on your request see it."
        ),
        render_kw={"rows": 4, "maxlength": MAX_MESSAGE_LENGTH},
    )


class ConsentDecisionForm(SiteForm):
    """Decide about requests, which the form names by their keys; the button that is pressed says how."""

    requests = SelectMultipleField(
        lazy("Requests"), [DataRequired(lazy("Choose at least one request."))], validate_choice=False
    )
    decision = HiddenField(validators=[AnyOf([GIVE, DECLINE])])
    answer = StringField(
        lazy("Reason"),
        [one_line, Length(max=MAX_TEXT_LENGTH, message=lazy("Use at most 200 characters."))],
        filters=[stripped],
        description=lazy("Optional. The students will see it."),
    )
