"""The form that checks a change of a student's enrollment in an imported file."""

from typing import ClassVar

from wtforms import StringField, ValidationError
from wtforms.validators import DataRequired, Length

from quart_enroll.forms.base import lazy, one_line, stripped
from quart_enroll.forms.imports.courses import COURSE_ID
from quart_enroll.forms.imports.sections import names_a_term
from quart_enroll.forms.imports.students import StudentRow, action_field
from quart_enroll.services.catalog.import_enrollments import ACTIONS
from quart_enroll.services.enrollment.staff_changes import StaffAction


class EnrollmentRow(StudentRow):
    """A student, and what to do for the student in a section; a swap gives up the course `dropped`."""

    NUMBERS: ClassVar = {**StudentRow.NUMBERS, "dropped": StudentRow.NUMBERS["courseID"]}

    term = StringField(validators=[DataRequired(), one_line, names_a_term], filters=[stripped])
    courseID = StringField(validators=COURSE_ID, filters=[stripped])
    section = StringField(validators=[DataRequired(), one_line, Length(max=10)], filters=[stripped])
    action = action_field(ACTIONS)
    dropped = StringField(validators=[one_line, Length(max=100)], filters=[stripped])

    def validate_dropped(self, field: StringField) -> None:
        """Require the course that a swap gives up."""
        if self.action.data == StaffAction.SWAP and not field.data:
            raise ValidationError(lazy("Name the course that the swap gives up."))
