"""The forms that create and revoke personal access tokens."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from quart import current_app
from wtforms import DateField, HiddenField, SelectField, StringField, SubmitField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length

from quart_enroll.forms.accounts import own_password
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.i18n.language import format_day, gettext
from quart_enroll.services.accounts.tokens import MAX_TOKEN_LIFETIME
from quart_enroll.state import now

DEFAULT_LIFETIME = timedelta(days=90)


class DayField(DateField):
    """A day by the school's clock."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(gettext("Enter a date like 2026-12-31.")) from None


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
        [AnyOf(["read", "enroll"], lazy("Choose its permissions."))],
        choices=[
            SelectChoice("read", lazy("Read your schedule")),
            SelectChoice("enroll", lazy("Read your schedule, enroll and drop")),
        ],
        validate_choice=False,
        default="read",
    )
    expires_at = DayField(lazy("Expires on"), [InputRequired(lazy("Enter a date like 2026-12-31."))])
    password = own_password()
    submit = SubmitField(lazy("Create token"))

    @classmethod
    async def with_defaults(cls) -> "TokenForm":
        """Return the form as it was sent, or with default values."""
        return await cls.from_request(expires_at=today() + DEFAULT_LIFETIME)

    def validate_expires_at(self, field: DateField) -> None:
        """Refuse a day in the past or too far in the future."""
        if field.data and not today() <= field.data <= today() + MAX_TOKEN_LIFETIME:
            raise ValidationError(
                gettext("Choose a date between today and %(last)s.", last=format_day(today() + MAX_TOKEN_LIFETIME))
            )

    def expiry(self) -> datetime:
        """Return the moment at which the token's last day ends."""
        last: date = self.expires_at.data  # type: ignore[assignment]  # a valid form has one
        return datetime.combine(last + timedelta(days=1), time(), _school())


class EndTokenForm(SiteForm):
    """Revoke a token."""

    token_id = HiddenField(lazy("Token"), [DataRequired(lazy("Choose a token.")), one_line, Length(max=50)])


def today() -> date:
    """Return the current day by the school's clock."""
    return now().astimezone(_school()).date()


def _school() -> ZoneInfo:
    return ZoneInfo(current_app.config["TIMEZONE"])
