"""The form that looks through the catalog: it comes from an address, and what it can't read does not count."""

from collections.abc import Mapping, Sequence
from typing import Any

from quart import request
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Form, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.widgets import CheckboxInput, ListWidget

from quart_enroll.services.search import Search

LONGEST = 100
"""Characters of a search at most."""

DAY_NAMES = {"M": "Mon", "T": "Tue", "W": "Wed", "R": "Thu", "F": "Fri", "S": "Sat", "U": "Sun"}

SORT_NAMES = {
    "": "Course number",
    "title": "Title",
    "credits": "Credits",
    "seats": "Most open seats",
    "time": "Earliest in the day",
}
TIME_NAMES = {"morning": "Morning, before 12", "afternoon": "Afternoon, 12 to 5", "evening": "Evening, from 5"}


def _choices(names: Mapping[str, str | None]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in names.items()]


class SearchForm(Form):
    """What is looked for; a choice that there is not is as if nothing had been chosen."""

    q = StringField("Search")
    subject = SelectField("Subject", choices=[], validate_choice=False)
    credits = SelectField("Credits", choices=[], validate_choice=False)
    time = SelectField("Time of day", choices=_choices({"": "Any"} | TIME_NAMES), validate_choice=False)
    days = SelectMultipleField(
        "Only on these days",
        choices=_choices(DAY_NAMES),
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    open = BooleanField("With open seats", false_values=("", "0", "false", "no"))
    fits = BooleanField("Fits my schedule", false_values=("", "0", "false", "no"))
    sort = SelectField("Sort by", choices=_choices(SORT_NAMES), validate_choice=False)

    @classmethod
    def from_address(cls, subjects: Sequence[str], credits: Sequence[str]) -> "SearchForm":
        """Fill in the form from the address, for a term with these subjects and credits."""
        form = cls(MultiDict((name, value[:LONGEST]) for name, value in request.args.items(multi=True)))
        form.subject.choices = _choices({"": "Any"} | dict.fromkeys(subjects))
        form.credits.choices = _choices({"": "Any"} | dict.fromkeys(credits))
        return form

    def wanted(self, without: str = "") -> Search:
        """Return what is looked for, `without` one of the fields."""
        return Search(**{field: value for field, value in self._values().items() if _FIELDS[field] != without})

    def used(self) -> dict[str, str]:
        """Return the fields that narrow the search, each with what to call it."""
        labels = {_FIELDS[field]: value for field, value in self._values().items() if value and field != "sort"}
        labels |= {"fits": True} if self.fits.data else {}
        return {name: str(self[name].label.text) for name in labels}

    def page(self) -> int:
        """Return the number of the page that is asked for, from 1."""
        given = request.args.get("page", "")
        return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 6 else 1

    def _values(self) -> dict[str, Any]:
        return {
            "words": (self.q.data or "").strip(),
            "subject": _chosen(self.subject),
            "days": "".join(day for day in DAY_NAMES if day in (self.days.data or ())),
            "time": _chosen(self.time),
            "credits": _chosen(self.credits),
            "open": bool(self.open.data),
            "sort": _chosen(self.sort),
        }


_FIELDS = {"words": "q"} | {name: name for name in ("subject", "days", "time", "credits", "open", "sort")}
"""The field of the form for each fact of a search."""


def _chosen(field: SelectField) -> str:
    """Return the choice, or nothing for one that there is not."""
    given = field.data or ""
    return given if given in [option.data for option in field] else ""
