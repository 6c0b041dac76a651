"""The form that checks a hold in an imported file."""

from wtforms import StringField
from wtforms.validators import DataRequired, Length, Optional

from quart_enroll.domain.holds import MAX_NAME_LENGTH, MAX_TEXT_LENGTH
from quart_enroll.forms.base import one_line, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import reads
from quart_enroll.forms.imports.students import StudentRow, action_field, reads_in_timezone
from quart_enroll.services.catalog.import_holds import ACTIONS, ImportedHold


class HoldRow(StudentRow):
    """A student, a type of hold, and whether to place one with this reason, or to lift those the student has.

    The days are those of the `timezone`.
    """

    type = StringField(validators=[DataRequired(), one_line, Length(max=MAX_NAME_LENGTH)], filters=[stripped])
    action = action_field(ACTIONS)
    reason = StringField(validators=[DataRequired(), one_line, Length(max=MAX_TEXT_LENGTH)], filters=[stripped])
    timezone = StringField(validators=[DataRequired(), one_line, Length(max=50), reads(cells.timezone)])
    begins_on = StringField(validators=[Optional(), reads_in_timezone(cells.opening)], filters=[stripped])
    ends_on = StringField(validators=[Optional(), reads_in_timezone(cells.deadline)], filters=[stripped])

    def read(self, number: int) -> ImportedHold:
        """Return the row of this number."""
        begins, ends, zone = self.begins_on.data, self.ends_on.data, cells.timezone(self.timezone.data or "")
        return ImportedHold(
            number,
            self.student.data or "",
            self.type.data or "",
            self.action.data or "",
            self.reason.data or "",
            cells.opening(begins, zone) if begins else None,
            cells.deadline(ends, zone) if ends else None,
        )
