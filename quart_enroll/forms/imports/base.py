"""The base of the forms that check rows of imported files, and their validators."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from werkzeug.datastructures import MultiDict
from wtforms import Form, IntegerField, ValidationError

from quart_enroll.domain.readable_text import are_readable_lines
from quart_enroll.forms.base import UNREADABLE, lazy
from quart_enroll.forms.imports import cells
from quart_enroll.i18n.language import Sentence, as_sentence


def reads(read: Callable[[str], object]) -> Callable[[Form, Any], None]:
    """Return a validator that reads a cell with `read` and shows the message of its ValueError."""

    def validator(_: Form, field: Any) -> None:
        try:
            read(field.data or "")
        except ValueError as error:
            raise ValidationError(error.args[0]) from None  # a Sentence

    return validator


def number(field: Any) -> int | float:
    """Return the number of a field as it is stored: an int if it is whole."""
    found = float(field.data or 0)
    return int(found) if found.is_integer() else found


class WholeNumberField(IntegerField):
    """A whole number, written in digits."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist and valuelist[0].strip() and not re.fullmatch(r"-?\d{1,18}", valuelist[0].strip(), re.ASCII):
            raise ValueError(Sentence("This must be a whole number, like 30."))
        super().process_formdata(valuelist)


MESSAGES = {
    str(message): message
    for message in (
        lazy("This field is required."),
        lazy("Not a valid integer value."),
        lazy("Not a valid decimal value."),
        lazy("Number must be between %(min)s and %(max)s."),
    )
}
"""The messages of WTForms that have no plural."""

TOO_LONG = lazy("Use at most %(max)s characters.")
"""What replaces WTForms' message about long texts, which has a plural."""


class ImportMessages:
    """Gives WTForms sentences, which are translated when someone reads the errors in a file."""

    def gettext(self, message: str) -> str:
        """Return the message of WTForms."""
        return MESSAGES.get(message, message)

    def ngettext(self, _one: str, _many: str, _number: int) -> str:
        """Return the only message with a plural that the rows' validators use."""
        return TOO_LONG


IMPORT_MESSAGES = ImportMessages()


class ImportRow(Form):
    """A row of a file to import."""

    class Meta:
        def get_translations(self, _: Form) -> ImportMessages:
            """Return the messages for the cases in which a field has none of its own."""
            return IMPORT_MESSAGES

    LISTS: ClassVar[dict[str, tuple[Callable[[list[Any]], str | None], Sentence]]] = {}
    """For each field that is a list in JSON, the function that writes it as in CSV, and the message if it can't."""

    NUMBERS: ClassVar[dict[str, Callable[[str], str]]] = {
        **dict.fromkeys(("courseID", "section", "year", "user_id"), cells.whole_number),
        **dict.fromkeys(("prerequisites", "corequisites", "requisite", "equivalents"), cells.whole_number),
        **dict.fromkeys(
            ("credits", "max_credits", "earned_credits", "capacity", "waitlist_capacity", "max_attempts"), cells.amount
        ),
    }
    """Fields whose numbers spreadsheets may write differently, and the functions that read them."""

    FLAGS: ClassVar[frozenset[str]] = frozenset()
    """Fields that mean yes or no, so that JSON may have true or false."""

    @classmethod
    def check(cls, row: Mapping[str, Any]) -> tuple["ImportRow", list[str]]:
        """Read a row from a file, and return it with all its problems in words."""
        form, faults = cls.faults(row)
        return form, [f"{name}: {sentence}" for name, sentence in faults]

    @classmethod
    def faults(cls, row: Mapping[str, Any]) -> tuple["ImportRow", list[tuple[str, Sentence]]]:
        """Read a row from a file, and return it with a sentence for each field that is wrong."""
        form = cls()
        return form, form.refill(row)

    def refill(self, row: Mapping[str, Any]) -> list[tuple[str, Sentence]]:
        """Read a row in place of the earlier one, and return a sentence for each field that is wrong."""
        texts = {name: self._text(name, value) for name, value in row.items()}
        self.process(MultiDict({name: text for name, text in texts.items() if text is not None}))
        self.validate()
        found = {field.name: as_sentence(field.errors[0]) for field in self if field.errors}
        unreadable = [name for name, text in texts.items() if text and not are_readable_lines(text)]
        found |= dict.fromkeys(unreadable, as_sentence(UNREADABLE))
        for name, text in texts.items():
            if name not in self and name != "_id":
                found[name] = Sentence("There is no such field.")
            elif name in self and text is None and row[name] is not None:
                found[name] = self.LISTS[name][1] if name in self.LISTS else Sentence("This must be text or a number.")
        return list(found.items())

    @classmethod
    def _text(cls, name: str, value: Any) -> str | None:
        """Return the value as CSV would have it, or None if it is neither text nor a number."""
        if isinstance(value, list) and name in cls.LISTS:
            return cls.LISTS[name][0](value)
        plain = isinstance(value, str | int | float) and (name in cls.FLAGS or not isinstance(value, bool))
        return cls.NUMBERS.get(name, str)(str(value)) if plain else None

    @property
    def given(self) -> frozenset[str]:
        """Return the names of the fields that the row has."""
        return frozenset(field.name for field in self if field.raw_data and field.data is not None)
