"""The base of forms with the fields of an imported row: one place says what is wrong with a value."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from wtforms import HiddenField

from quart_enroll.forms.base import SiteForm, lazy
from quart_enroll.forms.imports.base import ImportRow

RESTRICTION_HELP = lazy(
    "Which students may enroll, such as program: Nursing, Biology; not level: First-year. Write program, level, "
    "standing, cohort or campus. Every part has to admit the student; a name with a comma needs quotation marks."
)


class FieldDifference(NamedTuple):
    """A field for which two editors entered different values."""

    label: str
    mine: str
    now: str


class RowForm(SiteForm):
    """A form whose fields an ImportRow checks and reads; `fixed_cells` are the fields of the row that it doesn't show.

    `confirmed` is set by the page that says what the change does.
    """

    ROW: ClassVar[type[ImportRow]]

    confirmed = HiddenField()

    def __init__(self, *args: Any, fixed_cells: dict[str, str] | None = None, **values: Any) -> None:
        super().__init__(*args, **values)
        self.fixed_cells = fixed_cells or {}
        self.row: Any = None

    @property
    def cells(self) -> dict[str, str]:
        """What was entered, by field."""
        names = {field.name for field in self.ROW()}
        return self.fixed_cells | {field.name: field.data or "" for field in self if field.name in names}

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Also check the fields as those of an imported row."""
        super().validate(*args, **kwargs)
        self.row, faults = self.ROW.faults({name: text for name, text in self.cells.items() if text})
        for name, sentence in faults:
            if name in self and not self[name].errors:
                self[name].errors = [self._with_labels(str(sentence))]
        return not self.errors

    def differences(self, values: Mapping[str, str]) -> list[FieldDifference]:
        """Return the fields in which these values differ from what was entered."""
        return [
            FieldDifference(field.label.text, field.data or "", values[field.name])
            for field in self
            if field.name in values and (field.data or "") != values[field.name]
        ]

    def show(self, faults: dict[str, str]) -> None:
        """Show these sentences beside their fields, or above the form if it doesn't have the field."""
        for name, sentence in faults.items():
            if name in self:
                self[name].errors = [self._with_labels(sentence)]
            else:
                self.form_errors = [*self.form_errors, sentence]

    def _with_labels(self, sentence: str) -> str:
        """Return the sentence with labels of this form where it names columns of a file, such as add_deadline."""
        columns = [field for field in self if "_" in field.name and not isinstance(field, HiddenField)]
        for field in columns:
            sentence = sentence.replace(field.name, f"“{field.label.text}”")
        return sentence
