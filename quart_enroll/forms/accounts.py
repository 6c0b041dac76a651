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


def name_rules(which: str) -> list[Any]:
    """Return the rules for the first or the last name."""
    return [
        DataRequired(f"Enter your {which} name."),
        one_line,
        Length(1, 50, "A name has at most 50 characters."),
    ]


class LoginForm(SiteForm):
    next = HiddenField()
    email = StringField("Email", EMAIL, filters=[stripped])
    password = PasswordField("Password", [InputRequired("Enter your password."), PASSWORD_LENGTH])
    remember_me = BooleanField("Remember Me", description="For 30 days on this device.")
    submit = SubmitField("Sign in")


class RegisterForm(SiteForm):
    next = HiddenField()
    email = StringField("Email", EMAIL, filters=[stripped])
    password = PasswordField(
        "Password",
        [InputRequired("Choose a password."), PASSWORD_LENGTH],
        description="8 to 128 characters; a few words are fine.",
    )
    password_confirm = PasswordField(
        "Confirm Password",
        [InputRequired("Type the password once more."), EqualTo("password", "The two passwords differ.")],
    )
    first_name = StringField("First Name", name_rules("first"), filters=[stripped])
    last_name = StringField("Last Name", name_rules("last"), filters=[stripped])
    submit = SubmitField("Make account")
