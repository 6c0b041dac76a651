"""The forms of an account."""

from typing import Any

from wtforms import BooleanField, HiddenField, PasswordField, StringField, SubmitField
from wtforms.validators import DataRequired, Email, EqualTo, InputRequired, Length

from quart_enroll.forms.base import SiteForm, one_line, stripped

EMAIL = [
    DataRequired("Enter your email address."),
    one_line,
    Length(max=254, message="An email address has at most 254 characters."),
    Email("Enter an email address like name@school.example."),
]
PASSWORD_LENGTH = Length(8, 128, "A password has 8 to 128 characters.")
NOT_TOO_LONG = Length(max=128, message="A password has 8 to 128 characters.")
"""For a password that may be older than the rules of today."""


def name_rules(which: str) -> list[Any]:
    """Return the rules for the first or the last name."""
    return [
        DataRequired(f"Enter your {which} name."),
        one_line,
        Length(1, 50, "A name has at most 50 characters."),
    ]


def new_password(label: str = "Password") -> PasswordField:
    """Return the field in which a password is chosen."""
    rules = [InputRequired("Choose a password."), PASSWORD_LENGTH]
    return PasswordField(label, rules, description="8 to 128 characters; a few words are fine.")


def new_password_again() -> PasswordField:
    """Return the field in which the password is typed once more."""
    rules = [InputRequired("Type the password once more."), EqualTo("password", "The two passwords differ.")]
    return PasswordField("Confirm Password", rules)


class LoginForm(SiteForm):
    next = HiddenField()
    email = StringField("Email", EMAIL, filters=[stripped])
    password = PasswordField("Password", [InputRequired("Enter your password."), PASSWORD_LENGTH])
    remember_me = BooleanField("Remember Me", description="For 30 days on this device.")
    submit = SubmitField("Sign in")


class RegisterForm(SiteForm):
    next = HiddenField()
    email = StringField("Email", EMAIL, filters=[stripped])
    password = new_password()
    password_confirm = new_password_again()
    first_name = StringField("First Name", name_rules("first"), filters=[stripped])
    last_name = StringField("Last Name", name_rules("last"), filters=[stripped])
    submit = SubmitField("Make account")


class ChangePasswordForm(SiteForm):
    current_password = PasswordField("Your Password Now", [InputRequired("Enter your password."), NOT_TOO_LONG])
    password = new_password("New Password")
    password_confirm = new_password_again()
    submit = SubmitField("Change password")


class ForgotForm(SiteForm):
    email = StringField("Email", EMAIL, filters=[stripped])
    submit = SubmitField("Send the link")


class ResetForm(SiteForm):
    password = new_password("New Password")
    password_confirm = new_password_again()
    submit = SubmitField("Save password")


class DeleteAccountForm(SiteForm):
    password = PasswordField("Password", [InputRequired("Enter your password."), NOT_TOO_LONG])
    submit = SubmitField("Delete my account")
