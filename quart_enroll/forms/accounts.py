"""The forms for accounts and passwords."""

from typing import Any

from wtforms import BooleanField, Field, Form, HiddenField, PasswordField, StringField, SubmitField, ValidationError
from wtforms.validators import DataRequired, Email, EqualTo, InputRequired, Length, Regexp

from quart_enroll.domain import email_addresses
from quart_enroll.domain.folding import visible
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.i18n.language import gettext

EXISTING_EMAIL = [
    DataRequired(lazy("Enter your email.")),
    one_line,
    Length(max=254, message=lazy("Use an email of at most 254 characters.")),
]
"""For the email of an existing account, which may be older than today's rules: its shape doesn't matter."""

EMAIL_SHAPE = lazy("Enter an email like name@school.example.")
NEW_EMAIL = [*EXISTING_EMAIL, Email(EMAIL_SHAPE)]

ASCII_ONLY = Regexp(r"[!-~]*\Z", message=EMAIL_SHAPE)
"""For the email of a new account. MongoDB treats some other letters as equal and ignores some marks, so a stranger
could block an email from its owner for good."""
PASSWORD_LENGTH = Length(8, 128, lazy("Use 8 to 128 characters."))
MAX_PASSWORD_LENGTH = Length(max=128, message=lazy("Use at most 128 characters."))
"""For an existing password, which may be older than today's rules."""


def name_rules(which: str) -> list[Any]:
    """Return the validators of the first or last name; a person may have only one of them."""
    rules = [one_line, can_be_seen, Length(max=50, message=lazy("Use at most 50 characters."))]
    return [one_name_at_least, *rules] if which == "first" else rules


def one_name_at_least(form: Form, _: Field) -> None:
    """Refuse a person without any name."""
    if not any((form[name].data or "").strip() for name in ("first_name", "last_name")):
        raise ValidationError(gettext("Enter your name."))


def can_be_seen(_: Form, field: Field) -> None:
    """Refuse a name of invisible characters."""
    if field.data and not visible(field.data).strip():
        raise ValidationError(gettext("Enter a name with visible characters."))


PERSONAL_TEXT = [one_line, can_be_seen, Length(max=50, message=lazy("Use at most 50 characters."))]
"""For the preferred name and the pronouns, which may be blank."""


def normalized_email(text: str | None) -> str | None:
    """Return the email as it is stored."""
    return email_addresses.normalized(text) if text else text


def registered_email(text: str | None) -> str | None:
    """Return the email as a registration stores it: the domain in Punycode."""
    return email_addresses.in_ascii(email_addresses.normalized(text)) if text else text


def new_password(label: str = lazy("Password")) -> PasswordField:
    """Return the field for a new password."""
    rules = [InputRequired(lazy("Choose a password.")), PASSWORD_LENGTH]
    return PasswordField(label, rules, description=lazy("At least 8 characters. Several words work well."))


def new_password_again() -> PasswordField:
    """Return the field that repeats the new password."""
    rules = [
        InputRequired(lazy("Re-enter your password.")),
        EqualTo("password", lazy("Passwords don’t match.")),
    ]
    return PasswordField(lazy("Confirm password"), rules)


class LoginForm(SiteForm):
    next = HiddenField()
    email = StringField(lazy("Email"), EXISTING_EMAIL, filters=[stripped])
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password.")), MAX_PASSWORD_LENGTH])
    remember_me = BooleanField(lazy("Remember me"), description=lazy("For 30 days on this device."))
    submit = SubmitField(lazy("Sign in"))


class RegisterForm(SiteForm):
    next = HiddenField()
    email = StringField(lazy("Email"), [*NEW_EMAIL, ASCII_ONLY], filters=[stripped, registered_email])
    password = new_password()
    password_confirm = new_password_again()
    first_name = StringField(
        lazy("First name"),
        name_rules("first"),
        filters=[stripped],
        description=lazy("If you have only one name, leave the other field blank."),
    )
    last_name = StringField(lazy("Last name"), name_rules("last"), filters=[stripped])
    submit = SubmitField(lazy("Create account"))


class ChangePasswordForm(SiteForm):
    current_password = PasswordField(
        lazy("Current password"), [InputRequired(lazy("Enter your password.")), MAX_PASSWORD_LENGTH]
    )
    password = new_password(lazy("New password"))
    password_confirm = new_password_again()
    submit = SubmitField(lazy("Change password"))


class ChangeEmailForm(SiteForm):
    email = StringField(lazy("New email"), [*NEW_EMAIL, ASCII_ONLY], filters=[stripped, registered_email])
    password = PasswordField(
        lazy("Current password"), [InputRequired(lazy("Enter your password.")), MAX_PASSWORD_LENGTH]
    )
    submit = SubmitField(lazy("Change email"))


class PreferredNameForm(SiteForm):
    preferred_name = StringField(
        lazy("Preferred first name"),
        PERSONAL_TEXT,
        filters=[stripped],
        description=lazy("What we and your instructors call you. Leave it blank to use your legal first name."),
    )
    pronouns = StringField(
        lazy("Pronouns"),
        PERSONAL_TEXT,
        filters=[stripped],
        description=lazy("For example, she/her, he/him or they/them. Optional."),
    )
    submit = SubmitField(lazy("Save"))


class ForgotForm(SiteForm):
    email = StringField(lazy("Email"), [*EXISTING_EMAIL, Regexp(".+@.+", message=EMAIL_SHAPE)], filters=[stripped])
    submit = SubmitField(lazy("Send link"))


class ResetForm(SiteForm):
    password = new_password(lazy("New password"))
    password_confirm = new_password_again()
    submit = SubmitField(lazy("Save password"))


def own_password() -> PasswordField:
    """Return the field in which signed-in users enter their password again."""
    return PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password.")), MAX_PASSWORD_LENGTH])


class CalendarLinkForm(SiteForm):
    password = own_password()
    submit = SubmitField(lazy("Create private link"))


class DeleteAccountForm(SiteForm):
    password = own_password()
    submit = SubmitField(lazy("Delete my account"))
