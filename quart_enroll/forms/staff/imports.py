"""The forms of imports in the browser: the file, and the fields of its columns."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from wtforms import IntegerField, SelectField, SelectMultipleField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.fields.core import UnboundField
from wtforms.form import BaseForm
from wtforms.validators import Length, NumberRange

from quart_enroll.domain.stored_import import APPOINTMENTS, ENROLLMENTS, HOLDS, FileColumn, StoredImport
from quart_enroll.forms.base import FileForm, SiteForm, lazy, one_line, stripped
from quart_enroll.forms.imports import columns
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.matching import IGNORED
from quart_enroll.forms.staff.spreadsheet_field import SpreadsheetField
from quart_enroll.forms.staff.students import OverridesForm
from quart_enroll.i18n.language import Sentence, gettext

KIND_NAMES: Mapping[str, Sentence] = {
    "term": Sentence("Terms"),
    "course": Sentence("Courses"),
    "section": Sentence("Sections"),
    "user": Sentence("People"),
    ENROLLMENTS: Sentence("Enrollments"),
    "grade": Sentence("Grades"),
    HOLDS: Sentence("Holds"),
    APPOINTMENTS: Sentence("Enrollment appointments"),
}
"""What a file can contain, in the order in which a new school imports it."""

MAX_REASON_CHARACTERS = 300


class UploadForm(FileForm, OverridesForm):
    """A file, what it contains, and for enrollments the reason that students are told, and the rules to override."""

    kind = SelectField(lazy("What is in the file?"))
    file = SpreadsheetField(
        lazy("File"),
        description=lazy(
            "An Excel workbook (.xlsx) or a CSV file of at most 32 MB, or a JSON file of at most 16 MB. Choose it or "
            "drop it here."
        ),
    )
    reason = StringField(
        lazy("Reason (only for enrollments)"),
        [one_line, Length(max=MAX_REASON_CHARACTERS)],
        filters=[stripped],
        description=lazy("Students see it if their enrollment changes."),
    )
    overrides = SelectMultipleField(lazy("Rules to override (for enrollments)"), validate_choice=False)

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.kind.choices = [SelectChoice(kind, str(KIND_NAMES[kind])) for kind in KIND_NAMES]
        self.offer_overrides()

    def leave_out(self, kinds: Collection[str]) -> None:
        """Offer all kinds but these."""
        self.kind.choices = [SelectChoice(one, str(name)) for one, name in KIND_NAMES.items() if one not in kinds]

    def validate_file(self, field: SpreadsheetField) -> None:
        """Refuse a form without a file."""
        if not getattr(field.data, "filename", ""):
            raise ValidationError(gettext("Choose a file."))

    def validate_reason(self, field: StringField) -> None:
        """Require a reason for enrollments."""
        if self.kind.data == ENROLLMENTS and not field.data:
            raise ValidationError(gettext("Enter a reason."))


class BeginForm(SiteForm):
    """Import a file; `checks` names the preview that the page showed."""

    checks = IntegerField(validators=[NumberRange(0, 10**6)])


class ColumnsForm(SiteForm):
    """A field for each column of a file, in which its meaning is chosen."""

    class Meta(SiteForm.Meta):
        def bind_field(self, form: BaseForm, unbound_field: "UnboundField[Any]", options: Any) -> Any:
            """Create the field: it belongs to this file, and is not kept for others."""
            return unbound_field.bind(form=form, **options)

    @classmethod
    async def for_import(cls, stored: StoredImport) -> Self:
        """Return the form for the columns of a file, as they were matched or else as their names suggest."""
        choices = [SelectChoice(IGNORED, gettext("Don’t import this column"))]
        choices += [SelectChoice(field.name, field.name) for field in ROW_FORMS[stored.kind]()]
        fields = {
            _name(place): SelectField(
                column.label,
                choices=choices,
                default=(stored.columns or {}).get(column.label, column.field),
                description=", ".join(column.examples),
            )
            for place, column in enumerate(stored.found)
        }
        form: type[Self] = type("ColumnsForm", (cls,), fields)
        return await form.from_request()

    def chosen(self, found: Sequence[FileColumn]) -> dict[str, str]:
        """Return the field of each column by its label."""
        return {column.label: self[_name(place)].data for place, column in enumerate(found)}

    def check(self, stored: StoredImport) -> bool:
        """Return whether the choices make sense; otherwise the form says what is wrong."""
        if not self.validate():
            return False
        chosen: dict[str, str] = {}
        for place, column in enumerate(stored.found):
            field = self[_name(place)]
            if field.data in chosen:
                sentence = gettext(
                    "“%(column)s” is already matched with this field. Choose another field for one of them.",
                    column=chosen[field.data],
                )
                field.errors = [sentence]
            elif field.data != IGNORED:
                chosen[field.data] = column.label
        if lacks := columns.missing(ROW_FORMS[stored.kind], chosen):
            sentence = gettext(
                "No column is matched with: %(fields)s. Choose a column for each of them.", fields=", ".join(lacks)
            )
            self.form_errors = [sentence]
        return not self.errors


def _name(place: int) -> str:
    return f"column_{place}"
