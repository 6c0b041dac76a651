"""The form in which the registrar declines a request to remove an account."""

from wtforms import StringField
from wtforms.validators import DataRequired, Length

from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped


class DeclineForm(SiteForm):
    reason = StringField(
        lazy("Reason"),
        [
            DataRequired(lazy("Enter a reason.")),
            one_line,
            Length(max=200, message=lazy("Use at most 200 characters.")),
        ],
        filters=[stripped],
        description=lazy("The user sees it on the site and gets it by email. It’s also kept in the audit log."),
    )
