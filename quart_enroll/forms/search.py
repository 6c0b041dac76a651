"""The form that looks through the catalog: it comes from an address, and what it can't read does not count."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Form, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.widgets import CheckboxInput, ListWidget

from quart_enroll.domain.search import Search
from quart_enroll.forms.base import lazy
from quart_enroll.i18n.language import DAYS, format_day_name, format_number

LONGEST = 100
"""Characters of a search at most."""

SORT_NAMES = {
    "": lazy("Course number"),
    "title": lazy("Title"),
    "credits": lazy("Credits"),
    "seats": lazy("Most open seats"),
    "time": lazy("Earliest start time"),
}
TIME_NAMES = {
    "morning": lazy("Morning (before 12:00)"),
    "afternoon": lazy("Afternoon (12:00–17:00)"),
    "evening": lazy("Evening (from 17:00)"),
}


def _choices(names: Mapping[str, str | None]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in names.items()]


class SearchForm(Form):
    """What is looked for; a choice that there is not is as if nothing had been chosen."""

    q = StringField(lazy("Search"))
    subject = SelectField(lazy("Subject"), choices=[], validate_choice=False)
    credits = SelectField(lazy("Credits"), choices=[], validate_choice=False)
    time = SelectField(lazy("Time of day"), choices=_choices({"": lazy("Any")} | TIME_NAMES), validate_choice=False)
    days = SelectMultipleField(
        lazy("Meets only on"),
        choices=[],
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    open = BooleanField(lazy("Open seats only"), false_values=("", "0", "false", "no"))
    fits = BooleanField(lazy("Fits my schedule"), false_values=("", "0", "false", "no"))
    sort = SelectField(lazy("Sort by"), choices=_choices(SORT_NAMES), validate_choice=False)

    @staticmethod
    def parameters() -> tuple[str, ...]:
        """Return the query parameters that the form reads."""
        return (*_FIELDS.values(), "fits")

    @staticmethod
    def asked(address: MultiDict[str, str]) -> tuple[tuple[str, str], ...]:
        """Return what an address looks for, the same in whatever order it says so; which page is shown is not of it."""
        firsts = ((name, address.get(name, "")[:LONGEST]) for name in SearchForm.parameters() if name != "days")
        days = (("days", day) for day in DAYS if day in address.getlist("days"))
        return (*(one for one in firsts if one[1]), *days)

    @classmethod
    def from_address(
        cls, asked: Iterable[tuple[str, str]], subjects: Sequence[str], credits: Sequence[str]
    ) -> "SearchForm":
        """Fill in the form with what is `asked` for, for a term with these subjects and credits."""
        form = cls(MultiDict(asked))
        form.days.choices = _choices({letter: format_day_name(letter) for letter in DAYS})
        form.subject.choices = _choices({"": lazy("Any")} | dict.fromkeys(subjects))
        form.credits.choices = _choices(
            {"": lazy("Any")} | {number: format_number(float(number)) for number in credits}
        )
        return form

    def wanted(self, without: str = "") -> Search:
        """Return what is looked for, `without` one of the fields."""
        return Search(**{field: value for field, value in self._values().items() if _FIELDS[field] != without})

    def used(self) -> dict[str, str]:
        """Return the fields that narrow the search, each with what to call it: the words by themselves."""
        labels = {_FIELDS[field]: value for field, value in self._values().items() if value and field != "sort"}
        labels |= {"fits": True} if self.fits.data else {}
        return {name: labels["q"] if name == "q" else str(self[name].label.text) for name in labels}

    def _values(self) -> dict[str, Any]:
        return {
            "words": (self.q.data or "").strip(),
            "subject": _chosen(self.subject),
            "days": "".join(day for day in DAYS if day in (self.days.data or ())),
            "time": _chosen(self.time),
            "credits": _chosen(self.credits),
            "open": bool(self.open.data),
            "sort": _chosen(self.sort),
        }


class StudentForm(Form):
    """What the registrar looks for among the students."""

    q = StringField(lazy("Search"))

    @classmethod
    def from_address(cls, address: MultiDict[str, str]) -> "StudentForm":
        """Fill in the form; of what is too long the rest does not count."""
        return cls(MultiDict({"q": address.get("q", "")[:LONGEST]}))

    @property
    def words(self) -> list[str]:
        """The words that are looked for, each once."""
        return list(dict.fromkeys((self.q.data or "").replace("\0", " ").split()))


_FIELDS = {"words": "q"} | {name: name for name in ("subject", "days", "time", "credits", "open", "sort")}
"""The field of the form for each fact of a search."""


def _chosen(field: SelectField) -> str:
    """Return the choice, or nothing for one that there is not."""
    given = field.data or ""
    return given if given in [option.data for option in field] else ""
