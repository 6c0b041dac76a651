"""What the school records about a student besides the name: programs, level, standing and so on."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from quart_enroll.i18n.language import Sentence

MAX_VALUE_LENGTH = 50
"""The maximum number of characters in a program, a level, and so on."""

MAX_VALUES = 20
"""How many programs, or cohorts, a student may have."""

MAX_EARNED_CREDITS = 1000

PLACEMENT = re.compile(r"(\S.*) (\d{1,4}(?:\.\d{1,2})?)", re.ASCII)
"""A placement test and the score in it."""


class StudentStatus(StrEnum):
    """Whether a person studies at the school now. The values never change, because users are stored with them."""

    ACTIVE = "active"
    LEAVE = "leave"
    GRADUATED = "graduated"
    INACTIVE = "inactive"

    @property
    def label(self) -> Sentence:
        """The name of the status."""
        return _STATUS_NAMES[self]


_STATUS_NAMES = {
    StudentStatus.ACTIVE: Sentence("Active"),
    StudentStatus.LEAVE: Sentence("On leave"),
    StudentStatus.GRADUATED: Sentence("Graduated"),
    StudentStatus.INACTIVE: Sentence("Inactive"),
}


@dataclass(frozen=True, slots=True)
class StudentAttributes:
    """The attributes of a student, in the school's own words; those that it hasn't recorded are empty.

    The `placements` are tests with scores, such as "Math 70". The status is the exception: without one, a student is
    active.
    """

    programs: tuple[str, ...] = ()
    level: str = ""
    standing: str = ""
    cohorts: tuple[str, ...] = ()
    campus: str = ""
    earned_credits: int | float | None = None
    placements: tuple[str, ...] = ()
    status: StudentStatus = StudentStatus.ACTIVE

    @property
    def is_active(self) -> bool:
        """Return whether the student may enroll."""
        return self.status is StudentStatus.ACTIVE

    def scores(self, test: str) -> list[float]:
        """Return the student's scores in the placement test."""
        found = [PLACEMENT.fullmatch(one) for one in self.placements]
        return [float(one[2]) for one in found if one and one[1].casefold() == test.casefold()]

    @property
    def stored(self) -> dict[str, Any]:
        """The attributes that are recorded, as they are stored."""
        values = {name: [*value] if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        values["status"] = "" if self.is_active else str(self.status)
        return {name: value for name, value in values.items() if value not in ("", [], None)}

    @classmethod
    def read(cls, stored: object) -> "StudentAttributes":
        """Return the attributes in a stored row; what another program may have stored wrongly counts as missing."""
        if not isinstance(stored, Mapping) or not stored:
            return NO_ATTRIBUTES
        credits = stored.get("earned_credits")
        status = stored.get("status")
        return cls(
            programs=_texts(stored.get("programs")),
            level=str(stored.get("level") or ""),
            standing=str(stored.get("standing") or ""),
            cohorts=_texts(stored.get("cohorts")),
            campus=str(stored.get("campus") or ""),
            earned_credits=credits if isinstance(credits, int | float) else None,
            placements=_texts(stored.get("placements")),
            status=StudentStatus(status) if status in tuple(StudentStatus) else StudentStatus.ACTIVE,
        )


NO_ATTRIBUTES = StudentAttributes()

ATTRIBUTE_NAMES: Mapping[str, Sentence] = {
    "programs": Sentence("Programs"),
    "level": Sentence("Level"),
    "standing": Sentence("Standing"),
    "cohorts": Sentence("Cohorts"),
    "campus": Sentence("Campus"),
    "earned_credits": Sentence("Earned credits"),
    "placements": Sentence("Placement scores"),
    "status": Sentence("Status"),
}
"""The names of the attributes, by field."""


def values_text(value: object) -> str:
    """Return the value of an attribute as it is written in files; empty for one that isn't recorded."""
    if isinstance(value, tuple):
        return "; ".join(value)
    return "" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def in_words(attributes: StudentAttributes) -> list[tuple[Sentence, str]]:
    """Return the name and the value of each attribute that is recorded, for a page; nothing if none is."""
    if attributes == NO_ATTRIBUTES:
        return []
    texts = {name: values_text(getattr(attributes, name)) for name in ATTRIBUTE_NAMES}
    texts["status"] = str(attributes.status.label)
    return [(label, texts[name]) for name, label in ATTRIBUTE_NAMES.items() if texts[name]]


def _texts(stored: Any) -> tuple[str, ...]:
    return tuple(map(str, stored)) if isinstance(stored, list | tuple) else ()
