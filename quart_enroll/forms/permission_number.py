"""The form in which a student enters a permission number."""

from wtforms import StringField
from wtforms.validators import DataRequired, Length

from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped


class PermissionNumberForm(SiteForm):
    """Enter a permission number."""

    code = StringField(
        lazy("Permission number"),
        [
            DataRequired(lazy("Enter the permission number.")),
            one_line,
            Length(max=40, message=lazy("Use at most 40 characters.")),
        ],
        filters=[stripped],
        description=lazy("12 letters and digits, such as 4K7M-2PXW-9TRC. Hyphens and case don’t matter."),
        render_kw={"autocapitalize": "characters", "spellcheck": "false"},
    )
