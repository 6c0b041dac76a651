"""The forms for accounts and passwords."""

from typing import Any

from wtforms import BooleanField, Field, Form, HiddenField, PasswordField, StringField, SubmitField, ValidationError
from wtforms.validators import DataRequired, Email, EqualTo, InputRequired, Length, Regexp

from quart_enroll.domain import email_addresses
from quart_enroll.domain.folding import visible
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.i18n.language import gettext

KNOWN_EMAIL = [
    DataRequired(lazy("Enter your email address.")),
    one_line,
    Length(max=254, message=lazy("An email address has at most 254 characters.")),
]
"""For the email of an existing account, which may be older than today's rules: its shape doesn't matter."""

EMAIL_SHAPE = lazy("Enter an email address like name@school.example.")
EMAIL = [*KNOWN_EMAIL, Email(EMAIL_SHAPE)]

IN_ASCII = Regexp(r"[!-~]*\Z", message=EMAIL_SHAPE)
"""For the email of a new account. MongoDB treats some other letters as equal and ignores some marks, so a stranger
could block an email from its owner for good."""
PASSWORD_LENGTH = Length(8, 128, lazy("A password has 8 to 128 characters."))
NOT_TOO_LONG = Length(max=128, message=lazy("A password has at most 128 characters."))
"""For an existing password, which may be older than today's rules."""


def name_rules(which: str) -> list[Any]:
    """Return the validators of the first or last name; a person may have only one of them."""
    rules = [one_line, can_be_seen, Length(max=50, message=lazy("A name has at most 50 characters."))]
    return [one_name_at_least, *rules] if which == "first" else rules


def one_name_at_least(form: Form, _: Field) -> None:
    """Refuse a person without any name."""
    if not any((form[name].data or "").strip() for name in ("first_name", "last_name")):
        raise ValidationError(gettext("Enter your name."))


def can_be_seen(_: Form, field: Field) -> None:
    """Refuse a name of invisible characters."""
    if field.data and not visible(field.data).strip():
        raise ValidationError(gettext("A name needs characters that can be seen."))


def normalized_email(text: str | None) -> str | None:
    """Return the email as it is stored."""
    return email_addresses.normalized(text) if text else text


def registered_email(text: str | None) -> str | None:
    """Return the email as a registration stores it: the domain in Punycode."""
    return email_addresses.in_ascii(email_addresses.normalized(text)) if text else text


def new_password(label: str = lazy("Password")) -> PasswordField:
    """Return the field for a new password."""
    rules = [InputRequired(lazy("Choose a password.")), PASSWORD_LENGTH]
    return PasswordField(label, rules, description=lazy("8 to 128 characters; a few words are fine."))


def new_password_again() -> PasswordField:
    """Return the field that repeats the new password."""
    rules = [
        InputRequired(lazy("Type the password once more.")),
        EqualTo("password", lazy("The two passwords differ.")),
    ]
    return PasswordField(lazy("Confirm Password"), rules)


class LoginForm(SiteForm):
    next = HiddenField()
    email = StringField(lazy("Email"), KNOWN_EMAIL, filters=[stripped])
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password.")), NOT_TOO_LONG])
    remember_me = BooleanField(lazy("Remember Me"), description=lazy("For 30 days on this device."))
    submit = SubmitField(lazy("Sign in"))


class RegisterForm(SiteForm):
    next = HiddenField()
    email = StringField(lazy("Email"), [*EMAIL, IN_ASCII], filters=[stripped, registered_email])
    password = new_password()
    password_confirm = new_password_again()
    first_name = StringField(
        lazy("First Name"),
        name_rules("first"),
        filters=[stripped],
        description=lazy("If you have only one name, leave the other field empty."),
    )
    last_name = StringField(lazy("Last Name"), name_rules("last"), filters=[stripped])
    submit = SubmitField(lazy("Make account"))


class ChangePasswordForm(SiteForm):
    current_password = PasswordField(
        lazy("Your Password Now"), [InputRequired(lazy("Enter your password.")), NOT_TOO_LONG]
    )
    password = new_password(lazy("New Password"))
    password_confirm = new_password_again()
    submit = SubmitField(lazy("Change password"))


class ForgotForm(SiteForm):
    email = StringField(lazy("Email"), [*KNOWN_EMAIL, Regexp(".+@.+", message=EMAIL_SHAPE)], filters=[stripped])
    submit = SubmitField(lazy("Send the link"))


class ResetForm(SiteForm):
    password = new_password(lazy("New Password"))
    password_confirm = new_password_again()
    submit = SubmitField(lazy("Save password"))


def own_password() -> PasswordField:
    """Return the field in which signed-in users enter their password again."""
    return PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password.")), NOT_TOO_LONG])


class CalendarLinkForm(SiteForm):
    password = own_password()
    submit = SubmitField(lazy("Make a secret address"))


class DeleteAccountForm(SiteForm):
    password = own_password()
    submit = SubmitField(lazy("Delete my account"))
