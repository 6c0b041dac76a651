"""The form that checks a grade in an imported file."""

from wtforms import StringField
from wtforms.validators import DataRequired

from quart_enroll.domain import grades
from quart_enroll.forms.base import one_line, stripped
from quart_enroll.forms.imports.base import reads
from quart_enroll.forms.imports.courses import COURSE_ID
from quart_enroll.forms.imports.sections import names_a_term
from quart_enroll.forms.imports.students import StudentRow


class GradeRow(StudentRow):
    """A student's grade in a course that the student took in a term."""

    term = StringField(validators=[DataRequired(), one_line, names_a_term], filters=[stripped])
    courseID = StringField(validators=COURSE_ID, filters=[stripped])
    grade = StringField(validators=[DataRequired(), reads(grades.read)], filters=[stripped])

    def read_grade(self) -> str:
        """Return the grade; empty for a course in progress."""
        return grades.read(self.grade.data or "")
