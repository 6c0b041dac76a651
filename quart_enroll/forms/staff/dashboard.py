"""The filters of the dashboard's reports, in the URL; an unknown choice counts as the first."""

from collections.abc import Iterable, Mapping, Sequence

from werkzeug.datastructures import MultiDict
from wtforms import Form, SelectField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from quart_enroll.domain.models import Term
from quart_enroll.forms.base import lazy
from quart_enroll.i18n.language import TermName, gettext

WHOLE_TERM = "term"

PERIOD_NAMES = {
    "minute": lazy("The first minute"),
    "10min": lazy("The first 10 minutes"),
    "hour": lazy("The first hour"),
    "day": lazy("The first 24 hours"),
    WHOLE_TERM: lazy("The whole term"),
}

STUDENT_NUMBERS = ("10", "5", "15", "20", "30")
CREDIT_NUMBERS = ("12", "1", "3", "6", "9", "15")
"""Limits to choose from; the first is the default."""


def _in_order(numbers: Iterable[str]) -> list[SelectChoice]:
    return [SelectChoice(one, one) for one in sorted(numbers, key=int)]


class DashboardForm(Form):
    """What a report is about."""

    term = SelectField(lazy("Term"), validate_choice=False)
    subject = SelectField(lazy("Subject"), validate_choice=False)
    period = SelectField(
        lazy("Period"), choices=[SelectChoice(*one) for one in PERIOD_NAMES.items()], validate_choice=False
    )
    students = SelectField(lazy("Fewer students than"), choices=_in_order(STUDENT_NUMBERS), validate_choice=False)
    credits = SelectField(lazy("Fewer credits than"), choices=_in_order(CREDIT_NUMBERS), validate_choice=False)

    @classmethod
    def from_query(
        cls, query: MultiDict[str, str], terms: Sequence[Term], current: Term | None, subjects: Sequence[str]
    ) -> "DashboardForm":
        """Fill in the form for a school with these terms, of which `current` is the default, and these subjects."""
        form = cls(query)
        form.term.choices = [SelectChoice(one.term, str(TermName(one.term))) for one in reversed(terms)]
        form.subject.choices = [SelectChoice("", gettext("All")), *(SelectChoice(one, one) for one in subjects)]
        defaults: Mapping[str, tuple[str, Iterable[str]]] = {
            "term": (current.term if current else "", [one.term for one in terms]),
            "subject": ("", subjects),
            "period": ("minute", PERIOD_NAMES),
            "students": (STUDENT_NUMBERS[0], STUDENT_NUMBERS),
            "credits": (CREDIT_NUMBERS[0], CREDIT_NUMBERS),
        }
        for name, (default, allowed) in defaults.items():
            if form[name].data not in allowed:
                form[name].data = default
        return form
