"""What shape a row of a file of terms or sections must have."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from werkzeug.datastructures import MultiDict
from wtforms import DecimalField, Form, StringField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from quart_enroll.domain import terms
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SEASON_AND_YEAR, Section, Term
from quart_enroll.forms import cell_parsers
from quart_enroll.forms.base import one_line, several_lines, stripped
from quart_enroll.forms.import_rows import COURSE_ID, Row, WholeNumberField, number, reads
from quart_enroll.services.catalog.import_sections import DEFAULT_WAITLIST_CAPACITY

DEADLINES = ("add_deadline", "drop_deadline", "withdraw_deadline")
MOMENTS = ("opens_at", *DEADLINES)
AFTER = (("opens_at", "add_deadline"), ("opens_at", "drop_deadline"))
"""Of each two moments the second must come after the first."""

NOT_BEFORE = (
    ("add_deadline", "drop_deadline"),
    ("add_deadline", "withdraw_deadline"),
    ("drop_deadline", "withdraw_deadline"),
)
"""Of each two moments the second must not come before the first."""

MOST_SEATS = 100_000

UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
"""The Unicode categories of invisible characters."""


def _names_a_term(_: Form, field: Any) -> None:
    """Accept one term's name, or "Fall" for the next fall; which terms exist is not known here."""
    if len(terms.seasons(field.data)) > 1:
        raise ValidationError("Name one term, like Fall 2026.")


def _name_problem(name: str) -> str:
    """Return what is wrong with a term's name; empty for a season and year, or for the school's own name."""
    if not terms.unknown_names(name, ()) and not SEASON_AND_YEAR.fullmatch(name):  # empty, or only seasons
        return "Name one season and year, like Fall 2026, or give the school’s own name for the term."
    if len(name) > MAX_TERM_NAME_LENGTH:
        return f"A term’s name can have at most {MAX_TERM_NAME_LENGTH} characters."
    if any(unicodedata.category(one) in UNSEEN for one in name) or not any(map(str.isalnum, name)):
        return "A term’s name must have letters or digits, and no invisible characters."
    if {"", ".", ".."}.intersection(name.split("/")):  # browsers drop such parts from a URL
        return "A term’s name can’t begin or end with a slash, or have nothing or only dots between slashes."
    return ""


class TermRow(Row):
    """A term; its name is in `term`, as the school writes it, or in `season` and `year`."""

    term = StringField(validators=[Optional(), one_line], filters=[stripped])
    season = StringField(validators=[one_line], filters=[stripped])
    year = StringField(validators=[one_line], filters=[stripped])
    timezone = StringField(validators=[DataRequired(), one_line, Length(max=50), reads(cell_parsers.timezone)])
    max_credits = DecimalField(validators=[InputRequired(), NumberRange(0, 100)])
    opens_at = StringField(validators=[DataRequired()], filters=[stripped])
    add_deadline = StringField(validators=[DataRequired()], filters=[stripped])
    drop_deadline = StringField(validators=[DataRequired()], filters=[stripped])
    withdraw_deadline = StringField(validators=[DataRequired()], filters=[stripped])
    starts_on = StringField(validators=[Optional(), reads(cell_parsers.day)], filters=[stripped])
    ends_on = StringField(validators=[Optional(), reads(cell_parsers.day)], filters=[stripped])

    @classmethod
    def about(cls, row: Mapping[str, Any]) -> str:
        """Return the name, as it is stored, of the term that a row of a file is about; some text when it names none."""
        texts = {name: cls._text(name, row.get(name)) or "" for name in ("term", "season", "year")}
        return cls(MultiDict(texts))._name()

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Check besides what belongs together: season and year, and the moments."""
        super().validate(*args, **kwargs)
        name = self._name()
        match = SEASON_AND_YEAR.fullmatch(name)
        season, year = match.groups() if match else ("", "")
        if problem := _name_problem(name):
            self._refuse("term", problem)
        elif self.season.data and terms.seasons(self.season.data) != [season]:
            self._refuse("season", f"The term is {name}.")
        elif self.year.data and self.year.data != year:
            self._refuse("year", f"The term is {name}.")
        if not self.timezone.errors:
            self._check_moments()
        self._check_days()
        return not self.errors

    def read(self) -> Term:
        """Return the term that the row describes."""
        windows = {name: self._moment(name) for name in MOMENTS}
        return Term(
            self._name(),
            **windows,
            max_credits=number(self.max_credits),
            timezone=str(self.timezone.data),
            starts_on=cell_parsers.day(self.starts_on.data) if self.starts_on.data else None,
            ends_on=cell_parsers.day(self.ends_on.data) if self.ends_on.data else None,
        )

    def _name(self) -> str:
        return terms.canonical(self.term.data or f"{self.season.data or ''} {self.year.data or ''}")

    def _moment(self, name: str) -> datetime:
        read = cell_parsers.deadline if name in DEADLINES else cell_parsers.opening
        return read(self[name].data, cell_parsers.timezone(self.timezone.data or ""))

    def _check_moments(self) -> None:
        moments = {}
        for name in MOMENTS:
            if not self[name].errors:
                try:
                    moments[name] = self._moment(name)
                except ValueError as error:
                    self._refuse(name, str(error))
        for early, late in AFTER:
            if moments.keys() >= {early, late} and moments[late] <= moments[early]:
                self._refuse(late, f"This must come after {early}.")
        for early, late in NOT_BEFORE:
            if moments.keys() >= {early, late} and moments[late] < moments[early]:
                self._refuse(late, f"This must not come before {early}.")

    def _check_days(self) -> None:
        first, last = self.starts_on, self.ends_on
        if not first.data and not last.data:
            return
        if not first.data or not last.data:
            self._refuse("ends_on" if first.data else "starts_on", "Give both starts_on and ends_on, or neither.")
        elif not first.errors and not last.errors and cell_parsers.day(last.data) < cell_parsers.day(first.data):
            self._refuse("ends_on", "This must not come before starts_on.")

    def _refuse(self, name: str, sentence: str) -> None:
        self[name].errors = [*self[name].errors, sentence]


class SectionRow(Row):
    """A section."""

    LISTS: ClassVar = {
        "meetings": (cell_parsers.meetings_text, "This must be a list of objects with days, start and end.")
    }

    term = StringField(validators=[DataRequired(), one_line, _names_a_term], filters=[stripped])
    courseID = StringField(validators=COURSE_ID, filters=[stripped])
    section = StringField(validators=[DataRequired(), one_line, Length(max=10)], filters=[stripped])
    capacity = WholeNumberField(validators=[InputRequired(), NumberRange(0, MOST_SEATS)])
    waitlist_capacity = WholeNumberField(validators=[Optional(), NumberRange(0, MOST_SEATS)])
    meetings = StringField(validators=[several_lines, reads(cell_parsers.meetings)])
    instructor = StringField(validators=[one_line, Length(max=100)], filters=[stripped])
    room = StringField(validators=[one_line, Length(max=50)], filters=[stripped])

    def read(self) -> Section:
        """Return the section that the row describes; its term may be a season alone."""
        waitlist_capacity = self.waitlist_capacity.data
        return Section(
            term=str(self.term.data),
            courseID=str(self.courseID.data),
            section=str(self.section.data),
            capacity=self.capacity.data or 0,
            waitlist_capacity=DEFAULT_WAITLIST_CAPACITY if waitlist_capacity is None else waitlist_capacity,
            meetings=cell_parsers.meetings(self.meetings.data or ""),
            instructor=self.instructor.data or "",
            room=self.room.data or "",
        )
