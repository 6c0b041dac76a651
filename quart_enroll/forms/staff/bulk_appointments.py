"""The form that assigns enrollment appointments to many students."""

import secrets
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import IntegerField, SelectField, StringField, TimeField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from quart_enroll.domain.bulk_appointments import (
    MAX_DURATION_MINUTES,
    MAX_INTERVAL_MINUTES,
    MAX_SEED_LENGTH,
    MAX_SLOT_SIZE,
    BulkRules,
    Ranking,
)
from quart_enroll.domain.models import Term
from quart_enroll.forms.attributes import read_names
from quart_enroll.forms.base import FileForm, lazy, one_line, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.courses import RESTRICTION
from quart_enroll.forms.staff.appointments import PeriodForm, read_moment
from quart_enroll.forms.staff.spreadsheet_field import SpreadsheetField
from quart_enroll.i18n.language import gettext

MAX_LEVELS_LENGTH = 1000


def _whole_number(label: str, maximum: int, *, is_optional: bool = False, **facts: Any) -> IntegerField:
    message = lazy("Enter a whole number from 1 to %(limit)s.", limit=maximum)
    is_given = Optional() if is_optional else InputRequired(message)
    return IntegerField(label, [is_given, NumberRange(1, maximum, message)], **facts)


class ClockField(TimeField):
    """A time of day."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(gettext("Enter a time like 17:00.")) from None


class BulkAppointmentsForm(PeriodForm, FileForm):
    """Rank students, and give them appointments in slots."""

    restriction = StringField(
        lazy("Which students"),
        RESTRICTION,
        filters=[stripped],
        description=lazy(
            "Leave it empty for all active students, or enter a restriction, such as cohort: Athletes; not level: "
            "First-year."
        ),
    )
    ranking = SelectField(lazy("Ranked by"))
    levels = StringField(
        lazy("Levels"),
        [one_line, Length(max=MAX_LEVELS_LENGTH)],
        filters=[stripped],
        description=lazy(
            "Only for a ranking by level: the levels in the order in which they enroll, such as Senior; Junior; "
            "Sophomore. All other students come last."
        ),
    )
    file = SpreadsheetField(
        lazy("File with ranks"),
        description=lazy(
            "Only for a ranking by file: an Excel workbook (.xlsx), CSV or JSON with the columns student (email or "
            "ID) and rank; 1 goes first. Students who aren’t in it get no appointment."
        ),
    )
    slot_size = _whole_number(lazy("Students per slot"), MAX_SLOT_SIZE)
    interval_minutes = _whole_number(lazy("Minutes between slots"), MAX_INTERVAL_MINUTES)
    last_start = ClockField(
        lazy("Latest start of a slot"),
        [Optional()],
        description=lazy(
            "No slot begins later than this; the next one begins the next day, at the time of the first slot. Without "
            "a time, slots go on through the night."
        ),
    )
    duration_minutes = _whole_number(
        lazy("Length of an appointment in minutes"),
        MAX_DURATION_MINUTES,
        is_optional=True,
        description=lazy("Without a number, appointments last as long as enrollment."),
    )
    seed = StringField(
        lazy("Seed"),
        [one_line, Length(max=MAX_SEED_LENGTH, message=lazy("Use at most 64 characters."))],
        filters=[stripped],
        description=lazy(
            "It decides the order within a rank. Enter one that was drawn in public, or leave the field empty for a "
            "random one."
        ),
    )

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.ranking.choices = [SelectChoice(one.value, str(one.label)) for one in Ranking]

    def validate_levels(self, field: StringField) -> None:
        """Require levels for a ranking by level."""
        if self.ranking.data == Ranking.LEVEL and not read_names(field.data or ""):
            raise ValidationError(gettext("Enter the levels in order."))

    def validate_file(self, field: SpreadsheetField) -> None:
        """Require a file for a ranking by file."""
        if self.is_by_file and not getattr(field.data, "filename", ""):
            raise ValidationError(gettext("Choose a file."))

    @property
    def is_by_file(self) -> bool:
        """Whether a file has the ranks."""
        return bool(self.ranking.data == Ranking.FILE)

    def rules(self, term: Term) -> BulkRules | None:
        """Return the rules of a valid form; None, with errors in the form, if the time is unreadable."""
        starts_at = read_moment(self.starts_at, cells.opening, ZoneInfo(term.timezone))
        if starts_at is None or not self.slot_size.data or not self.interval_minutes.data:
            return None
        ranking = Ranking(self.ranking.data)
        return BulkRules(
            term.term,
            self.seed.data or secrets.token_hex(8),
            ranking,
            starts_at,
            self.slot_size.data,
            self.interval_minutes.data,
            self.duration_minutes.data,
            self.credit_limit,
            read_names(self.levels.data or "") if ranking is Ranking.LEVEL else (),
            self.restriction.data or "",
            self.last_start.data,
        )
