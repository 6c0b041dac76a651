"""The form that checks a change of a student's enrollment in an imported file."""

from typing import ClassVar

from wtforms import StringField
from wtforms.validators import AnyOf, DataRequired, Length

from quart_enroll.forms.base import lowered, one_line, stripped
from quart_enroll.forms.imports.base import ImportRow
from quart_enroll.forms.imports.courses import COURSE_ID
from quart_enroll.forms.imports.sections import names_a_term
from quart_enroll.services.catalog.import_enrollments import ADD, DROP


class EnrollmentRow(ImportRow):
    """A student to add to a section, or to drop from it."""

    NUMBERS: ClassVar = {**ImportRow.NUMBERS, "student": ImportRow.NUMBERS["user_id"]}

    student = StringField(validators=[DataRequired(), one_line, Length(max=254)], filters=[stripped])
    term = StringField(validators=[DataRequired(), one_line, names_a_term], filters=[stripped])
    courseID = StringField(validators=COURSE_ID, filters=[stripped])
    section = StringField(validators=[DataRequired(), one_line, Length(max=10)], filters=[stripped])
    action = StringField(
        validators=[DataRequired(), AnyOf([ADD, DROP], "This must be add or drop.")], filters=[stripped, lowered]
    )
