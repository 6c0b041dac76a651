"""The form that checks a row of a file with students and their ranks."""

from wtforms import DecimalField
from wtforms.validators import InputRequired, NumberRange

from quart_enroll.forms.imports.base import number
from quart_enroll.forms.imports.students import StudentRow

MAX_RANK = 1_000_000_000


class RankRow(StudentRow):
    """A student, and the rank: students with a lower number enroll first."""

    rank = DecimalField(validators=[InputRequired(), NumberRange(0, MAX_RANK)])

    def read(self, row_number: int) -> tuple[int, str, int | float]:
        """Return the number of the row, the student and the rank."""
        return row_number, self.student.data or "", number(self.rank)
