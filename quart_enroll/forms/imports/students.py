"""What the forms for files about students have in common."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from wtforms import Form, StringField
from wtforms.validators import AnyOf, DataRequired, Length

from quart_enroll.forms.base import lazy, lowered, one_line, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import ImportRow, reads

MAX_STUDENT_LENGTH = 254
"""Characters of the longest email, or of another text that may name a student."""


class StudentRow(ImportRow):
    """A row about a student, who is named by email or user_id."""

    NUMBERS: ClassVar = {**ImportRow.NUMBERS, "student": ImportRow.NUMBERS["user_id"]}

    student = StringField(validators=[DataRequired(), one_line, Length(max=MAX_STUDENT_LENGTH)], filters=[stripped])


def action_field(words: Collection[str]) -> StringField:
    """Return the field for what to do with a student: one of the words."""
    known = AnyOf(words, lazy("This must be one of %(words)s.", words=", ".join(words)))
    return StringField(validators=[DataRequired(), known], filters=[stripped, lowered])


def reads_in_timezone(read: Callable[[str, ZoneInfo], datetime]) -> Callable[[Form, Any], None]:
    """Return a validator that reads a cell with `read`, in the row's timezone if that is known."""

    def validator(form: Form, field: Any) -> None:
        if not form["timezone"].errors:
            reads(lambda text: read(text, cells.timezone(form["timezone"].data)))(form, field)

    return validator
