"""What the API shares with the forms of imported rows, which check all new terms, courses and sections."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET, Struct

from quart_enroll.domain.errors import WrongFields
from quart_enroll.forms.imports.base import ImportRow

R = TypeVar("R", bound=ImportRow)


def check_row(kind: type[R], values: Mapping[str, Any], without: Collection[str] = ()) -> R:
    """Return the row with these values; raise WrongFields with a sentence for every invalid one."""
    row, faults = kind.faults({name: value for name, value in values.items() if name not in without})
    if faults:
        raise WrongFields({name: str(sentence) for name, sentence in faults})
    return cast(R, row)


def given(body: Struct, *others: str) -> dict[str, Any]:
    """Return the fields that a request sets, as JSON has them, without these `others`."""
    names = [name for name in body.__struct_fields__ if name not in others]
    return {name: msgspec.to_builtins(value) for name in names if (value := getattr(body, name)) is not UNSET}
