"""The form that checks a term in an imported file."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from werkzeug.datastructures import MultiDict
from wtforms import DecimalField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from quart_enroll.domain import terms
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SEASON_AND_YEAR, Term
from quart_enroll.forms.base import one_line, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import ImportRow, number, reads
from quart_enroll.i18n.language import Sentence

DEADLINE_FIELDS = ("add_deadline", "drop_deadline", "withdraw_deadline")
MOMENT_FIELDS = ("opens_at", *DEADLINE_FIELDS, "open_enrollment_at")
MUST_COME_AFTER = (
    ("opens_at", "add_deadline"),
    ("opens_at", "drop_deadline"),
    ("open_enrollment_at", "add_deadline"),
)
"""Pairs of moments of which the second must come after the first."""

MUST_NOT_COME_BEFORE = (
    ("opens_at", "open_enrollment_at"),
    ("add_deadline", "drop_deadline"),
    ("add_deadline", "withdraw_deadline"),
    ("drop_deadline", "withdraw_deadline"),
)
"""Pairs of moments of which the second must not come before the first."""

INVISIBLE_CATEGORIES = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
"""The Unicode categories of invisible characters."""


def _name_problem(name: str) -> Sentence | None:
    """Return what is wrong with a term's name; None for a season and year, or for the school's own name."""
    if not terms.unknown_names(name, ()) and not SEASON_AND_YEAR.fullmatch(name):  # empty, or only seasons
        return Sentence("Name one season and year, like Fall 2026, or give the school’s own name for the term.")
    if len(name) > MAX_TERM_NAME_LENGTH:
        return Sentence("A term’s name can have at most %(number)s characters.", number=MAX_TERM_NAME_LENGTH)
    if any(unicodedata.category(one) in INVISIBLE_CATEGORIES for one in name) or not any(map(str.isalnum, name)):
        return Sentence("A term’s name must have letters or digits, and no invisible characters.")
    if {"", ".", ".."}.intersection(name.split("/")):  # browsers drop such parts from a URL
        return Sentence("A term’s name can’t begin or end with a slash, or have nothing or only dots between slashes.")
    return None


class TermRow(ImportRow):
    """A term; its name is in `term`, as the school writes it, or in `season` and `year`."""

    FLAGS = frozenset({"in_progress_counts"})

    term = StringField(validators=[Optional(), one_line], filters=[stripped])
    season = StringField(validators=[one_line], filters=[stripped])
    year = StringField(validators=[one_line], filters=[stripped])
    timezone = StringField(validators=[DataRequired(), one_line, Length(max=50), reads(cells.timezone)])
    max_credits = DecimalField(validators=[InputRequired(), NumberRange(0, 100)])
    opens_at = StringField(validators=[DataRequired()], filters=[stripped])
    add_deadline = StringField(validators=[DataRequired()], filters=[stripped])
    drop_deadline = StringField(validators=[DataRequired()], filters=[stripped])
    withdraw_deadline = StringField(validators=[DataRequired()], filters=[stripped])
    starts_on = StringField(validators=[Optional(), reads(cells.day)], filters=[stripped])
    ends_on = StringField(validators=[Optional(), reads(cells.day)], filters=[stripped])
    open_enrollment_at = StringField(filters=[stripped])
    in_progress_counts = StringField(validators=[Optional(), reads(cells.yes_or_no)])

    @classmethod
    def about(cls, row: Mapping[str, Any]) -> str:
        """Return the stored name of the row's term; if the row has no name, the text is not that of any term."""
        texts = {name: cls._text(name, row.get(name)) or "" for name in ("term", "season", "year")}
        return cls(MultiDict(texts))._name()

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Also check that season and year, and the moments, go together."""
        super().validate(*args, **kwargs)
        name = self._name()
        match = SEASON_AND_YEAR.fullmatch(name)
        season, year = match.groups() if match else ("", "")
        if problem := _name_problem(name):
            self._refuse("term", problem)
        elif self.season.data and terms.seasons(self.season.data) != [season]:
            self._refuse("season", Sentence("The term is %(name)s.", name=name))
        elif self.year.data and self.year.data != year:
            self._refuse("year", Sentence("The term is %(name)s.", name=name))
        if not self.timezone.errors:
            self._check_moments()
        self._check_days()
        return not self.errors

    def read(self) -> Term:
        """Return the term that the row describes."""
        windows = {name: self._moment(name) for name in MOMENT_FIELDS if self[name].data}
        return Term(
            self._name(),
            **windows,
            max_credits=number(self.max_credits),
            timezone=str(self.timezone.data),
            starts_on=cells.day(self.starts_on.data) if self.starts_on.data else None,
            ends_on=cells.day(self.ends_on.data) if self.ends_on.data else None,
            in_progress_counts=cells.yes_or_no(self.in_progress_counts.data or "yes"),
        )

    def _name(self) -> str:
        return terms.canonical(self.term.data or f"{self.season.data or ''} {self.year.data or ''}")

    def _moment(self, name: str) -> datetime:
        read = cells.deadline if name in DEADLINE_FIELDS else cells.opening
        return read(self[name].data, cells.timezone(self.timezone.data or ""))

    def _check_moments(self) -> None:
        moments = {}
        for name in MOMENT_FIELDS:
            if self[name].data and not self[name].errors:
                try:
                    moments[name] = self._moment(name)
                except ValueError as error:
                    self._refuse(name, error.args[0])
        for early, late in MUST_COME_AFTER:
            if moments.keys() >= {early, late} and moments[late] <= moments[early]:
                self._refuse(late, Sentence("This must come after %(field)s.", field=early))
        for early, late in MUST_NOT_COME_BEFORE:
            if moments.keys() >= {early, late} and moments[late] < moments[early]:
                self._refuse(late, Sentence("This must not come before %(field)s.", field=early))

    def _check_days(self) -> None:
        first, last = self.starts_on, self.ends_on
        if not first.data and not last.data:
            return
        if not first.data or not last.data:
            sentence = Sentence("Give both starts_on and ends_on, or neither.")
            self._refuse("ends_on" if first.data else "starts_on", sentence)
        elif not first.errors and not last.errors and cells.day(last.data) < cells.day(first.data):
            self._refuse("ends_on", Sentence("This must not come before %(field)s.", field="starts_on"))

    def _refuse(self, name: str, sentence: Sentence) -> None:
        self[name].errors = [*self[name].errors, cast(str, sentence)]
