"""The forms about enrollment appointments: one to assign, and the filters of the list."""

from collections.abc import Callable, Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from wtforms import DecimalField, Form, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, NumberRange, Optional

from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.models import Term
from quart_enroll.forms.base import SiteForm, lazy, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.staff.logs import NAMES_A_PERSON
from quart_enroll.forms.staff.permits import StudentForm
from quart_enroll.i18n.language import TermName


class PeriodForm(SiteForm):
    """When appointments begin, and their credit limit."""

    starts_at = StringField(
        lazy("Begins"),
        [DataRequired(lazy("Enter a date and time, such as 2026-08-01T09:00."))],
        filters=[stripped],
        description=lazy("A date and time, such as 2026-08-01T09:00, in the term’s time zone."),
    )
    max_credits = DecimalField(
        lazy("Credit limit"),
        [Optional(), NumberRange(0, 100, lazy("Enter a number from 0 to 100."))],
        description=lazy("Without one, the term’s limit applies. It ends when open enrollment begins."),
    )

    @property
    def credit_limit(self) -> float | None:
        """The limit, if there is one."""
        return None if self.max_credits.data is None else float(self.max_credits.data)


class AppointmentForm(StudentForm, PeriodForm):
    """Give a student an appointment."""

    ends_at = StringField(
        lazy("Ends"),
        filters=[stripped],
        description=lazy("The last day, or a date and time. Without one, it lasts as long as enrollment."),
    )

    def appointment(self, term: Term) -> Appointment | None:
        """Return the appointment of a valid form; None, with errors in the form, if a time is unreadable."""
        zone = ZoneInfo(term.timezone)
        starts_at = read_moment(self.starts_at, cells.opening, zone)
        ends_at = read_moment(self.ends_at, cells.deadline, zone)
        if starts_at is None or self.errors:
            return None
        return Appointment(term.term, starts_at, ends_at, self.credit_limit)


class AppointmentListForm(Form):
    """The filters of the list of appointments."""

    term = SelectField(lazy("Term"), validate_choice=False)
    person = StringField(lazy("Student (email or ID)"), NAMES_A_PERSON, filters=[stripped])

    def choose_term(self, terms: Iterable[Term], current: Term | None) -> Term | None:
        """Offer the terms, the latest first; return the chosen one, or else the current one."""
        known = {one.term: one for one in terms}
        self.term.choices = [SelectChoice(name, str(TermName(name))) for name in reversed(known)]
        chosen = known.get(self.term.data or "", current)
        self.term.data = chosen.term if chosen else ""
        return chosen


def read_moment(field: StringField, read: Callable[[str, ZoneInfo], datetime], zone: ZoneInfo) -> datetime | None:
    """Return the moment of a field in UTC; None if it is empty or, with an error in the field, unreadable."""
    if not field.data:
        return None
    try:
        return read(field.data, zone)
    except ValueError as error:
        field.errors = [str(error.args[0])]
        return None
