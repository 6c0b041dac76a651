"""The form that checks a user in an imported file."""

from wtforms import StringField
from wtforms.validators import AnyOf, InputRequired, Length, NumberRange, Optional, Regexp

from quart_enroll.forms.accounts import NEW_EMAIL, PASSWORD_LENGTH, name_rules, normalized_email
from quart_enroll.forms.base import stripped
from quart_enroll.forms.imports.base import ImportRow, WholeNumberField

NO_HASH = (
    "Only Werkzeug hashes are accepted. You can leave passwords out; people then choose one with “Forgot your "
    "password?”, or with a link from `password-link`."
)


class UserRow(ImportRow):
    user_id = WholeNumberField(validators=[Optional(), NumberRange(1, 2**53)])
    email = StringField(validators=NEW_EMAIL, filters=[stripped, normalized_email])
    first_name = StringField(validators=name_rules("first"), filters=[stripped])
    last_name = StringField(validators=name_rules("last"), filters=[stripped])
    password = StringField(
        validators=[
            Optional(),
            Regexp(r"(scrypt|pbkdf2):[^$]+\$[^$]+\$[0-9a-f]+$", message=NO_HASH),
            Length(max=256),
        ]
    )
    role = StringField(validators=[Optional(), AnyOf(["student", "registrar"])])


class NewUserRow(UserRow):
    password = StringField(validators=[InputRequired(), PASSWORD_LENGTH])
