"""The form that checks a grade in an imported file."""

from typing import ClassVar

from wtforms import StringField
from wtforms.validators import DataRequired, Length

from quart_enroll.domain import grades
from quart_enroll.forms.base import one_line, stripped
from quart_enroll.forms.imports.base import ImportRow, reads
from quart_enroll.forms.imports.courses import COURSE_ID
from quart_enroll.forms.imports.sections import names_a_term


class GradeRow(ImportRow):
    """A student's grade in a course that the student took in a term."""

    NUMBERS: ClassVar = {**ImportRow.NUMBERS, "student": ImportRow.NUMBERS["user_id"]}

    student = StringField(validators=[DataRequired(), one_line, Length(max=254)], filters=[stripped])
    term = StringField(validators=[DataRequired(), one_line, names_a_term], filters=[stripped])
    courseID = StringField(validators=COURSE_ID, filters=[stripped])
    grade = StringField(validators=[DataRequired(), reads(grades.read)], filters=[stripped])

    def read_grade(self) -> str:
        """Return the grade; empty for a course in progress."""
        return grades.read(self.grade.data or "")
