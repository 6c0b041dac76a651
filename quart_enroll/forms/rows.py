"""What shape a row of an imported file must have; the same rules as on the pages."""

import re
from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Form, IntegerField, StringField, TextAreaField, ValidationError
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, NumberRange, Optional, Regexp

from quart_enroll.forms.accounts import EMAIL, PASSWORD_LENGTH, name_rules
from quart_enroll.forms.base import one_line, several_lines, stripped
from quart_enroll.models import SEASONS, Course
from quart_enroll.services import terms


def _names_a_season(_: Form, field: Any) -> None:
    if not terms.seasons(field.data or ""):
        raise ValidationError(f"Name at least one season: {', '.join(SEASONS)}.")


class Row(Form):
    """A row of a file; `problems` says in words what is wrong with it."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Row":
        """Take a row as a file has it: text from CSV, text and numbers from JSON."""
        return cls(MultiDict({name: str(value) for name, value in row.items() if _is_plain(value)}))

    @classmethod
    def check(cls, row: Mapping[str, Any]) -> tuple["Row", list[str]]:
        """Return the row and every problem with it, in words."""
        form = cls.of(row)
        form.validate()
        problems = [f"{name}: {error}" for name, errors in form.errors.items() for error in errors]
        problems += [f"{name}: There is no such field." for name in row if name not in form and name != "_id"]
        problems += [
            f"{name}: A text or a number is needed."
            for name, value in row.items()
            if name in form and value is not None and not _is_plain(value)
        ]
        return form, problems


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_credits(_: Form, field: Any) -> None:
    if not re.fullmatch(r"\d{1,2}(\.\d{1,2})?", field.data or "", re.ASCII) or float(field.data) > 30:
        raise ValidationError("A number from 0 to 30 is needed.")


class CourseRow(Row):
    courseID = StringField(validators=[DataRequired(), one_line, Length(max=20)], filters=[stripped])
    title = StringField(validators=[DataRequired(), one_line, Length(max=100)], filters=[stripped])
    description = TextAreaField(validators=[Length(max=2000), several_lines], filters=[stripped])
    credits = StringField(validators=[InputRequired(), _is_credits], filters=[stripped])
    term = StringField(validators=[DataRequired(), one_line, Length(max=100), _names_a_season], filters=[stripped])

    def course(self) -> Course:
        """Return the course that the row describes."""
        number = float(self.credits.data or 0)
        return Course(
            courseID=self.courseID.data or "",
            title=self.title.data or "",
            description=self.description.data or "",
            credits=int(number) if number.is_integer() else number,
            term=self.term.data or "",
        )


class UserRow(Row):
    user_id = IntegerField(validators=[Optional(), NumberRange(1, 2**53)])
    email = StringField(validators=EMAIL, filters=[stripped])
    first_name = StringField(validators=name_rules("first"), filters=[stripped])
    last_name = StringField(validators=name_rules("last"), filters=[stripped])
    password = StringField(
        validators=[
            Optional(),
            Regexp(r"(scrypt|pbkdf2):[^$]+\$[^$]+\$[0-9a-f]+$", message="Only Werkzeug’s hashes are taken."),
            Length(max=256),
        ]
    )
    role = StringField(validators=[Optional(), AnyOf(["student", "registrar"])])


class NewUserRow(UserRow):
    password = StringField(validators=[InputRequired(), PASSWORD_LENGTH])
