"""The forms that create and revoke personal access tokens."""

from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from quart import current_app
from wtforms import DateField, HiddenField, SelectField, StringField, SubmitField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length

from quart_enroll.domain.models import User, start_of_day
from quart_enroll.domain.scopes import SCOPE_PERMISSIONS, STAFF_SCOPES, Scope
from quart_enroll.forms.accounts import own_password
from quart_enroll.forms.base import SiteForm, lazy, offered, one_line, stripped
from quart_enroll.forms.search import choices
from quart_enroll.i18n.language import format_day, gettext
from quart_enroll.services.accounts.tokens import MAX_STAFF_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME
from quart_enroll.state import now

DEFAULT_LIFETIME = timedelta(days=90)

DEFAULT_STAFF_LIFETIME = timedelta(days=7)
"""What the form suggests to staff."""


class DayField(DateField):
    """A day by the school's clock."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(gettext("Enter a date like 2026-12-31.")) from None
        if self.data and not 1900 <= self.data.year <= 2200:
            raise ValueError(gettext("The year must be between 1900 and 2200."))

    @property
    def start(self) -> datetime | None:
        """The first moment of the day in UTC; None without a day."""
        return start_of_day(self.data, _school()) if self.data else None

    @property
    def end(self) -> datetime | None:
        """The moment in UTC at which the day ends; None without a day."""
        return start_of_day(self.data + timedelta(days=1), _school()) if self.data else None


class TokenForm(SiteForm):
    """Create a token."""

    name = StringField(
        lazy("Name"),
        [
            DataRequired(lazy("Give it a name you’ll recognize.")),
            one_line,
            Length(1, 50, lazy("Use at most 50 characters.")),
        ],
        filters=[stripped],
        description=lazy("What it’s for, such as “calendar on my phone”."),
    )
    scope = SelectField(
        lazy("Permissions"),
        [offered(lazy("Choose its permissions."))],
        choices=[],
        validate_choice=False,
        default=Scope.READ,
    )
    expires_at = DayField(lazy("Expires on"), [InputRequired(lazy("Enter a date like 2026-12-31."))])
    password = own_password()
    submit = SubmitField(lazy("Create token"))

    @classmethod
    async def for_owner(cls, owner: User) -> "TokenForm":
        """Return the form as it was sent, or with default values; it offers the scopes for staff only to them."""
        lifetime = DEFAULT_STAFF_LIFETIME if owner.is_staff else DEFAULT_LIFETIME
        form = await cls.from_request(expires_at=today() + lifetime)
        scopes = [scope for scope in Scope if owner.is_staff or scope not in STAFF_SCOPES]
        form.scope.choices = choices({scope: cast(str, SCOPE_PERMISSIONS[scope]) for scope in scopes})
        return form

    def validate_expires_at(self, field: DateField) -> None:
        """Refuse a day in the past or too far in the future."""
        longest = MAX_STAFF_TOKEN_LIFETIME if self.scope.data in STAFF_SCOPES else MAX_TOKEN_LIFETIME
        if field.data and not today() <= field.data <= today() + longest:
            raise ValidationError(
                gettext("Choose a date between today and %(last)s.", last=format_day(today() + longest))
            )

    def expiry(self) -> datetime:
        """Return the moment at which the token's last day ends."""
        return cast(datetime, self.expires_at.end)  # a valid form has one


class EndTokenForm(SiteForm):
    """Revoke a token."""

    token_id = HiddenField(lazy("Token"), [DataRequired(lazy("Choose a token.")), one_line, Length(max=50)])


def today() -> date:
    """Return the current day by the school's clock."""
    return now().astimezone(_school()).date()


def _school() -> ZoneInfo:
    return ZoneInfo(current_app.config["TIMEZONE"])
