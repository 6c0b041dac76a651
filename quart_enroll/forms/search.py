"""The search form of the catalog. It reads a URL, and ignores what it can't read."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Form, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.widgets import CheckboxInput, ListWidget

from quart_enroll.domain.filter_choices import FilterChoices
from quart_enroll.domain.search import NO_FIXED_TIMES, Search
from quart_enroll.forms.base import lazy
from quart_enroll.i18n.language import DAYS, ClockTime, Hours, format_day_name, format_number

MAX_SEARCH_CHARACTERS = 100

SORT_NAMES = {
    "": lazy("Best match"),
    "number": lazy("Course number"),
    "title": lazy("Title"),
    "credits": lazy("Credits"),
    "seats": lazy("Most open seats"),
    "time": lazy("Earliest start time"),
}
TIME_NAMES = {
    "morning": lazy("Morning (before noon)"),
    "afternoon": lazy("Afternoon (%(hours)s)", hours=Hours("12:00", "17:00")),
    "evening": lazy("Evening (from %(time)s)", time=ClockTime("17:00")),
    NO_FIXED_TIMES: lazy("No fixed times"),
}


def choices(names: Mapping[str, str | None]) -> list[SelectChoice]:
    """Return the choices of a field with their labels; one without a label is its own."""
    return [SelectChoice(value, label) for value, label in names.items()]


class SearchForm(Form):
    """The search and filters of the catalog; an unknown choice counts as none."""

    q = StringField(lazy("Search"))
    subject = SelectField(lazy("Subject"), choices=[], validate_choice=False)
    level = SelectField(lazy("Level"), choices=[], validate_choice=False)
    credits = SelectField(lazy("Credits"), choices=[], validate_choice=False)
    instructor = StringField(lazy("Instructor"))
    building = SelectField(lazy("Building"), choices=[], validate_choice=False)
    time = SelectField(lazy("Time of day"), choices=choices({"": lazy("Any")} | TIME_NAMES), validate_choice=False)
    days = SelectMultipleField(
        lazy("Meets only on"),
        choices=[],
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    open = BooleanField(lazy("Open seats only"), false_values=("", "0", "false", "no"))
    fits = BooleanField(lazy("Hide conflicts"), false_values=("", "0", "false", "no"))
    unmet = BooleanField(
        lazy("Hide courses whose prerequisites you haven’t taken"), false_values=("", "0", "false", "no")
    )
    sort = SelectField(lazy("Sort by"), choices=choices(SORT_NAMES), validate_choice=False)

    @staticmethod
    @cache
    def parameters() -> tuple[str, ...]:
        """Return the query parameters that the form reads."""
        return tuple(field.name for field in SearchForm())

    @staticmethod
    def parameters_of(query: MultiDict[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the parameters of a URL's search in one order, without the page number."""
        if not query:
            return ()
        firsts = (
            (name, query.get(name, "")[:MAX_SEARCH_CHARACTERS]) for name in SearchForm.parameters() if name != "days"
        )
        days = (("days", day) for day in DAYS if day in query.getlist("days"))
        return (*(one for one in firsts if one[1]), *days)

    @classmethod
    def from_parameters(cls, parameters: Iterable[tuple[str, str]], offered: FilterChoices) -> "SearchForm":
        """Fill in the form, for a term with these choices."""
        form = cls(MultiDict(parameters))
        form.days.choices = choices({letter: format_day_name(letter) for letter in DAYS})
        form.subject.choices = choices({"": lazy("Any")} | dict.fromkeys(offered.subjects))
        form.level.choices = choices({"": lazy("Any")} | dict.fromkeys(offered.levels))
        credit_names = {number: format_number(float(number)) for number in offered.credits}
        form.credits.choices = choices({"": lazy("Any")} | credit_names)
        form.building.choices = choices({"": lazy("Any")} | dict.fromkeys(offered.buildings))
        return form

    @property
    def is_personal(self) -> bool:
        """Whether the search finds other courses for each student."""
        return bool(self.fits.data or self.unmet.data)

    def search(self, without: Collection[str] = ()) -> Search:
        """Return the search, `without` some of the fields."""
        return Search(**{name: value for name, value in self._values().items() if _field(name) not in without})

    def active_filters(self) -> dict[str, str]:
        """Return the label of each field that narrows the search; that of the words is the words themselves."""
        labels = {_field(name): value for name, value in self._values().items() if value and name != "sort"}
        labels |= {name: True for name in ("fits", "unmet") if self[name].data}
        return {name: labels["q"] if name == "q" else str(self[name].label.text) for name in labels}

    def _values(self) -> dict[str, Any]:
        return {
            "words": (self.q.data or "").strip(),
            "subject": chosen(self.subject),
            "level": chosen(self.level),
            "days": "".join(day for day in DAYS if day in (self.days.data or ())),
            "time": chosen(self.time),
            "credits": chosen(self.credits),
            "instructor": (self.instructor.data or "").strip(),
            "building": chosen(self.building),
            "open": bool(self.open.data),
            "sort": chosen(self.sort),
        }


def _field(attribute: str) -> str:
    """Return the name of the form's field for an attribute of Search."""
    return "q" if attribute == "words" else attribute


def chosen(field: SelectField) -> str:
    """Return the choice, or an empty one if it is unknown."""
    given = field.data or ""
    return given if given in [option.data for option in field] else ""
