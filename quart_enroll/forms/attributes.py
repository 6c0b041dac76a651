"""The attributes of a student as they are written in forms and in the cells of imported files."""

import re
from collections.abc import Mapping
from typing import Any

from wtforms import Form, ValidationError
from wtforms.validators import Length

from quart_enroll.domain.student_attributes import (
    ATTRIBUTE_NAMES,
    MAX_EARNED_CREDITS,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    PLACEMENT,
    StudentAttributes,
    StudentStatus,
    values_text,
)
from quart_enroll.forms.base import lazy, one_line

RESERVED = re.compile('[;"]')
"""What separates or quotes names, so that none can have it."""


def read_names(text: str) -> tuple[str, ...]:
    """Return the names of a text that separates them by semicolons, or ends each with a line break."""
    names = (" ".join(name.split()) for name in re.split(r"[;\n]", text))
    return tuple(dict.fromkeys(filter(None, names)))


def read_attributes(texts: Mapping[str, str]) -> StudentAttributes:
    """Return the attributes of valid texts; one that is empty or missing is not recorded."""
    credits = texts.get("earned_credits") or ""
    return StudentAttributes(
        programs=read_names(texts.get("programs", "")),
        level=texts.get("level", ""),
        standing=texts.get("standing", ""),
        cohorts=read_names(texts.get("cohorts", "")),
        campus=texts.get("campus", ""),
        earned_credits=_number(credits) if credits else None,
        placements=read_names(texts.get("placements", "")),
        status=StudentStatus(texts.get("status") or StudentStatus.ACTIVE),
    )


def attribute_texts(attributes: StudentAttributes) -> dict[str, str]:
    """Return the texts from which `read_attributes` reads these attributes."""
    return {name: values_text(getattr(attributes, name)) for name in ATTRIBUTE_NAMES}


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _is_name(_: Form, field: Any) -> None:
    if RESERVED.search(field.data or ""):
        raise ValidationError(lazy("A name can’t have a semicolon or a quotation mark."))


def _are_names(_: Form, field: Any) -> None:
    names = read_names(field.data or "")
    if len(names) > MAX_VALUES:
        raise ValidationError(lazy("Enter at most %(number)s names.", number=MAX_VALUES))
    if any(len(name) > MAX_VALUE_LENGTH for name in names):
        raise ValidationError(
            lazy(
                "A name can have at most %(number)s characters. Separate names with semicolons.",
                number=MAX_VALUE_LENGTH,
            )
        )
    if any(RESERVED.search(name) for name in names):
        raise ValidationError(lazy("A name can’t have a semicolon or a quotation mark."))


def _is_credits(_: Form, field: Any) -> None:
    text = field.data or ""
    if text and not (re.fullmatch(r"\d{1,4}(\.\d{1,2})?", text, re.ASCII) and float(text) <= MAX_EARNED_CREDITS):
        raise ValidationError(lazy("This must be a number from 0 to %(limit)s.", limit=MAX_EARNED_CREDITS))


def _are_placements(_: Form, field: Any) -> None:
    if not all(PLACEMENT.fullmatch(one) for one in read_names(field.data or "")):
        raise ValidationError(lazy("Write tests with their scores, separated by semicolons, such as Math 70."))


ATTRIBUTE = [one_line, Length(max=MAX_VALUE_LENGTH, message=lazy("Use at most 50 characters.")), _is_name]
ATTRIBUTE_LIST = [_are_names]
PLACEMENTS = [_are_names, _are_placements]
EARNED_CREDITS = [one_line, _is_credits]
