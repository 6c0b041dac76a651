"""The form that checks a user in an imported file."""

from typing import ClassVar

from wtforms import StringField
from wtforms.validators import AnyOf, InputRequired, Length, NumberRange, Optional, Regexp

from quart_enroll.domain.roles import Role
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES, StudentAttributes, StudentStatus
from quart_enroll.forms.accounts import NEW_EMAIL, PASSWORD_LENGTH, PERSONAL_TEXT, name_rules, normalized_email
from quart_enroll.forms.attributes import ATTRIBUTE, ATTRIBUTE_LIST, EARNED_CREDITS, PLACEMENTS, read_attributes
from quart_enroll.forms.base import lazy, lowered, several_lines, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import ImportRow, WholeNumberField, reads
from quart_enroll.i18n.language import Sentence

NO_HASH = lazy(
    "Only Werkzeug hashes are accepted. You can leave passwords out; people then choose one with “Forgot your "
    "password?”, or with a link from `password-link`."
)

STATUSES = lazy("This must be active, leave, graduated or inactive.")

DECIDED_BY_STUDENTS = ("directory_opt_out", "preferred_name", "pronouns")


class UserRow(ImportRow):
    """A user; `advisors` are the emails or user_ids of other users, who may be in the same file."""

    LISTS: ClassVar = {
        "roles": (cells.names_text, Sentence("This must be a list of roles.")),
        "subjects": (cells.names_text, Sentence("This must be a list of subjects.")),
        "advisors": (cells.names_text, Sentence("This must be a list of emails or user_ids.")),
        "programs": (cells.names_text, Sentence("This must be a list of names.")),
        "cohorts": (cells.names_text, Sentence("This must be a list of names.")),
        "placements": (cells.names_text, Sentence("This must be a list of names.")),
    }

    FLAGS = frozenset({"directory_opt_out"})

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
    roles = StringField(validators=[Optional(), reads(cells.roles)])
    subjects = StringField(validators=[several_lines, reads(cells.subjects)])
    advisors = StringField(validators=[several_lines, Length(max=1000)])
    directory_opt_out = StringField(validators=[Optional(), reads(cells.yes_or_no)])
    preferred_name = StringField(validators=PERSONAL_TEXT, filters=[stripped])
    pronouns = StringField(validators=PERSONAL_TEXT, filters=[stripped])
    programs = StringField(validators=[several_lines, *ATTRIBUTE_LIST])
    level = StringField(validators=ATTRIBUTE, filters=[stripped])
    standing = StringField(validators=ATTRIBUTE, filters=[stripped])
    cohorts = StringField(validators=[several_lines, *ATTRIBUTE_LIST])
    campus = StringField(validators=ATTRIBUTE, filters=[stripped])
    earned_credits = StringField(validators=EARNED_CREDITS, filters=[stripped])
    placements = StringField(validators=[several_lines, *PLACEMENTS])
    status = StringField(validators=[Optional(), AnyOf(list(StudentStatus), STATUSES)], filters=[stripped, lowered])

    @property
    def given(self) -> frozenset[str]:
        """Return the names of the fields that the row has; a blank cell does not say what a student has decided."""
        return super().given - {name for name in DECIDED_BY_STUDENTS if not self[name].data}

    def opts_out(self) -> bool:
        """Return whether the user's name and email are not to be passed on."""
        return cells.yes_or_no(self.directory_opt_out.data or "no")

    def read_attributes(self) -> StudentAttributes:
        """Return the attributes of a student."""
        return read_attributes({name: self[name].data or "" for name in ATTRIBUTE_NAMES})

    def read_roles(self) -> frozenset[Role]:
        """Return the roles; none if the row names none."""
        return frozenset(cells.roles(self.roles.data or ""))


class NewUserRow(UserRow):
    password = StringField(validators=[InputRequired(), PASSWORD_LENGTH])
