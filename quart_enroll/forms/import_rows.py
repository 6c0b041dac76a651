"""What shape a row of an imported file must have; the same rules as on the pages."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from werkzeug.datastructures import MultiDict
from wtforms import Form, IntegerField, StringField, TextAreaField, ValidationError
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, NumberRange, Optional, Regexp

from quart_enroll.domain.folding import visible
from quart_enroll.domain.models import Course
from quart_enroll.forms import cell_parsers
from quart_enroll.forms.accounts import EMAIL, PASSWORD_LENGTH, name_rules, normalized_email
from quart_enroll.forms.base import one_line, several_lines, stripped

NEWER_API = "v1/"
"""What begins the rest of an address below /api/ where that is one of the newer API."""


def _has_an_address(_: Form, field: Any) -> None:
    """Refuse a number whose pages no address can lead to."""
    number = field.data or ""
    if visible(number) != number:
        raise ValidationError("This number has invisible characters. Type it again.")
    if {"", ".", ".."}.intersection(number.split("/")):  # browsers leave such parts out of an address
        raise ValidationError(
            "A course number can’t begin or end with a slash, or have nothing or only dots between slashes."
        )
    if number.startswith(NEWER_API):
        raise ValidationError(f"A course number can’t begin with {NEWER_API}, which is reserved for the API.")


COURSE_ID = [DataRequired(), one_line, Length(max=20)]
NEW_COURSE_ID = [*COURSE_ID, _has_an_address]


def _separated_by_commas(_: Form, field: Any) -> None:
    if re.search("[;|]", field.data or ""):
        raise ValidationError("Separate seasons with commas, like Fall, Spring.")


def reads(read: Callable[[str], object]) -> Callable[[Form, Any], None]:
    """Make a validator of what reads a cell and raises ValueError in words."""

    def validator(_: Form, field: Any) -> None:
        try:
            read(field.data or "")
        except ValueError as error:
            raise ValidationError(str(error)) from None

    return validator


def number(field: Any) -> int | float:
    """Return what a DecimalField has read, as it is stored."""
    found = float(field.data or 0)
    return int(found) if found.is_integer() else found


class WholeNumberField(IntegerField):
    """A whole number, written in digits."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist and valuelist[0].strip() and not re.fullmatch(r"-?\d{1,18}", valuelist[0].strip(), re.ASCII):
            raise ValueError("This must be a whole number, like 30.")
        super().process_formdata(valuelist)


def _are_course_ids(text: str) -> None:
    if any(len(name) > 20 for name in cell_parsers.courseIDs(text)):
        raise ValueError("A courseID can have at most 20 characters.")


class Row(Form):
    """A row of a file; `check` says in words what is wrong with it."""

    LISTS: ClassVar[dict[str, tuple[Callable[[list[Any]], str | None], str]]] = {}
    """For each field that is a list in JSON, what writes it as in CSV, and what to say when it can't."""

    NUMBERS: ClassVar[dict[str, Callable[[str], str]]] = {
        **dict.fromkeys(("courseID", "section", "year", "user_id"), cell_parsers.whole_number),
        **dict.fromkeys(("prerequisites", "corequisites"), cell_parsers.whole_number),
        **dict.fromkeys(("credits", "max_credits", "capacity", "waitlist_capacity"), cell_parsers.amount),
    }
    """Fields whose numbers spreadsheets may write differently, and the functions that read them."""

    @classmethod
    def check(cls, row: Mapping[str, Any]) -> tuple["Row", list[str]]:
        """Take a row as a file has it, and return it with every problem, in words."""
        form, faults = cls.faults(row)
        return form, [f"{name}: {sentence}" for name, sentence in faults]

    @classmethod
    def faults(cls, row: Mapping[str, Any]) -> tuple["Row", list[tuple[str, str]]]:
        """Read a row from a file, and return it with a sentence for each field that is wrong."""
        texts = {name: cls._text(name, value) for name, value in row.items()}
        form = cls(MultiDict({name: text for name, text in texts.items() if text is not None}))
        form.validate()
        found = {field.name: str(field.errors[0]) for field in form if field.errors}
        for name, text in texts.items():
            if name not in form and name != "_id":
                found[name] = "There is no such field."
            elif name in form and text is None and row[name] is not None:
                found[name] = cls.LISTS[name][1] if name in cls.LISTS else "This must be text or a number."
        return form, list(found.items())

    @classmethod
    def _text(cls, name: str, value: Any) -> str | None:
        """Return the value as CSV would have it, or None when it can't."""
        if isinstance(value, list) and name in cls.LISTS:
            return cls.LISTS[name][0](value)
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        return cls.NUMBERS.get(name, str)(str(value)) if plain else None

    @property
    def given(self) -> frozenset[str]:
        """The names of the fields that the row has."""
        return frozenset(field.name for field in self if field.raw_data and field.data is not None)


def _is_credits(_: Form, field: Any) -> None:
    if not re.fullmatch(r"\d{1,2}(\.\d{1,2})?", field.data or "", re.ASCII) or float(field.data) > 30:
        raise ValidationError("A number from 0 to 30 is needed.")


class CourseRow(Row):
    A_LIST = (cell_parsers.courseIDs_text, "A list of courseIDs is needed.")
    LISTS: ClassVar = {"prerequisites": A_LIST, "corequisites": A_LIST}

    courseID = StringField(validators=NEW_COURSE_ID, filters=[stripped])
    title = StringField(validators=[DataRequired(), one_line, Length(max=100)], filters=[stripped])
    description = TextAreaField(validators=[Length(max=2000), several_lines], filters=[stripped])
    credits = StringField(validators=[InputRequired(), _is_credits], filters=[stripped])
    term = StringField(validators=[DataRequired(), one_line, Length(max=100), _separated_by_commas], filters=[stripped])
    subject = StringField(validators=[one_line, Length(max=50)], filters=[stripped])
    prerequisites = StringField(validators=[reads(_are_course_ids)])
    corequisites = StringField(validators=[reads(_are_course_ids)])

    def course(self) -> Course:
        """Return the course that the row describes."""
        return Course(
            courseID=self.courseID.data or "",
            title=self.title.data or "",
            description=self.description.data or "",
            credits=number(self.credits),
            term=self.term.data or "",
            subject=self.subject.data or "",
            prerequisites=cell_parsers.courseIDs(self.prerequisites.data or ""),
            corequisites=cell_parsers.courseIDs(self.corequisites.data or ""),
        )


NO_HASH = (
    "Only Werkzeug hashes are accepted. You can leave passwords out; people then choose one with “Forgot your "
    "password?”, or with a link from `password-link`."
)


class UserRow(Row):
    user_id = WholeNumberField(validators=[Optional(), NumberRange(1, 2**53)])
    email = StringField(validators=EMAIL, filters=[stripped, normalized_email])
    first_name = StringField(validators=name_rules("first"), filters=[stripped])
    last_name = StringField(validators=name_rules("last"), filters=[stripped])
    password = StringField(
        validators=[
            Optional(),
            Regexp(r"(scrypt|pbkdf2):[^$]+\$[^$]+\$[0-9a-f]+$", message=NO_HASH),
            Length(max=256),
        ]
    )
    role = StringField(validators=[Optional(), AnyOf(["student", "registrar"])])


class NewUserRow(UserRow):
    password = StringField(validators=[InputRequired(), PASSWORD_LENGTH])
