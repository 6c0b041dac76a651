"""The form that checks an enrollment appointment in an imported file."""

from wtforms import DecimalField, StringField
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from quart_enroll.domain.appointments import Appointment
from quart_enroll.forms.base import one_line, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import number, reads
from quart_enroll.forms.imports.students import StudentRow, reads_in_timezone
from quart_enroll.services.catalog.import_appointments import ImportedAppointment


class AppointmentRow(StudentRow):
    """A student, a term, and when the student may enroll in it; the times are in the `timezone`."""

    term = StringField(validators=[DataRequired(), one_line], filters=[stripped])
    timezone = StringField(validators=[DataRequired(), one_line, Length(max=50), reads(cells.timezone)])
    starts_at = StringField(validators=[DataRequired(), reads_in_timezone(cells.opening)], filters=[stripped])
    ends_at = StringField(validators=[Optional(), reads_in_timezone(cells.deadline)], filters=[stripped])
    max_credits = DecimalField(validators=[Optional(), NumberRange(0, 100)])

    def read(self, row_number: int) -> ImportedAppointment:
        """Return the row of this number."""
        zone = cells.timezone(self.timezone.data or "")
        appointment = Appointment(
            self.term.data or "",
            cells.opening(self.starts_at.data or "", zone),
            cells.deadline(self.ends_at.data, zone) if self.ends_at.data else None,
            None if self.max_credits.data is None else number(self.max_credits),
        )
        return ImportedAppointment(row_number, self.student.data or "", appointment)
