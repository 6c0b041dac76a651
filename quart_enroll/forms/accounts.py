"""The forms of an account."""

from typing import Any

from wtforms import BooleanField, HiddenField, PasswordField, StringField, SubmitField
from wtforms.validators import DataRequired, Email, EqualTo, InputRequired, Length, Regexp

from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped

EMAIL = [
    DataRequired(lazy("Enter your email address.")),
    one_line,
    Length(max=254, message=lazy("An email address has at most 254 characters.")),
    Email(lazy("Enter an email address like name@school.example.")),
]
IN_ASCII = Regexp(r"[!-~]*\Z", message=lazy("Enter an email address like name@school.example."))
"""For an address that anybody may type. The database takes some addresses with other letters for the same: with an
invisible mark in it, a stranger could keep an address from its owner for good."""
PASSWORD_LENGTH = Length(8, 128, lazy("A password has 8 to 128 characters."))
NOT_TOO_LONG = Length(max=128, message=lazy("A password has 8 to 128 characters."))
"""For a password that may be older than the rules of today."""


def name_rules(which: str) -> list[Any]:
    """Return the rules for the first or the last name."""
    return [
        DataRequired(lazy("Enter your first name.") if which == "first" else lazy("Enter your last name.")),
        one_line,
        Length(1, 50, lazy("A name has at most 50 characters.")),
    ]


def new_password(label: str = lazy("Password")) -> PasswordField:
    """Return the field in which a password is chosen."""
    rules = [InputRequired(lazy("Choose a password.")), PASSWORD_LENGTH]
    return PasswordField(label, rules, description=lazy("8 to 128 characters; a few words are fine."))


def new_password_again() -> PasswordField:
    """Return the field in which the password is typed once more."""
    rules = [
        InputRequired(lazy("Type the password once more.")),
        EqualTo("password", lazy("The two passwords differ.")),
    ]
    return PasswordField(lazy("Confirm Password"), rules)


class LoginForm(SiteForm):
    next = HiddenField()
    email = StringField(lazy("Email"), EMAIL, filters=[stripped])
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password.")), PASSWORD_LENGTH])
    remember_me = BooleanField(lazy("Remember Me"), description=lazy("For 30 days on this device."))
    submit = SubmitField(lazy("Sign in"))


class RegisterForm(SiteForm):
    next = HiddenField()
    email = StringField(lazy("Email"), [*EMAIL, IN_ASCII], filters=[stripped])
    password = new_password()
    password_confirm = new_password_again()
    first_name = StringField(lazy("First Name"), name_rules("first"), filters=[stripped])
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
    email = StringField(lazy("Email"), EMAIL, filters=[stripped])
    submit = SubmitField(lazy("Send the link"))


class ResetForm(SiteForm):
    password = new_password(lazy("New Password"))
    password_confirm = new_password_again()
    submit = SubmitField(lazy("Save password"))


def own_password() -> PasswordField:
    """Return the field in which people who are signed in prove that it is still they."""
    return PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password.")), NOT_TOO_LONG])


class CalendarLinkForm(SiteForm):
    password = own_password()
    submit = SubmitField(lazy("Make a secret address"))


class DeleteAccountForm(SiteForm):
    password = own_password()
    submit = SubmitField(lazy("Delete my account"))
