"""What imports have done: the rows that were added, changed or refused, and the students who got a seat."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Course, Event, Section, Term, User
from quart_enroll.domain.stored_import import Outcome
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES, values_text
from quart_enroll.i18n.language import Sentence
from quart_enroll.system.compact_list import CompactList


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The old and the new value of a field; times are in the term's timezone."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class RowChange:
    """What a row of a file changed in the entry `name`, and the number of students affected."""

    number: int
    name: str
    fields: Sequence[FieldChange]
    enrolled: int = 0
    waiting: int = 0

    @property
    def capacity_below_enrolled(self) -> int | None:
        """The new capacity, if more students are enrolled; otherwise None."""
        return next((one.new for one in self.fields if one.field == "capacity" and one.new < self.enrolled), None)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many rows were added, changed something, or changed nothing.

    `changes` has the old and new values of each changed row, `promoted` the waitlisted students who got a seat,
    `notes` are sentences about what is still missing, and `new_rows` the numbers of the rows that were added. `refused`
    are rows that were left out, in a file whose rows don't depend on each other; there, `outcomes` say what became of
    each row.
    """

    added: int
    changed: int
    unchanged: int
    changes: Sequence[RowChange] = ()
    promoted: Sequence[Event] = ()
    notes: Sequence[Sentence] = ()
    new_rows: Sequence[int] = ()
    refused: Sequence[RowProblem] = ()
    outcomes: Sequence[Outcome] = ()

    @property
    def rows(self) -> int:
        """The number of rows that were imported, or refused."""
        return self.added + self.changed + self.unchanged + len(self.refused)


_LISTS = ("changes", "promoted", "notes", "new_rows", "refused", "outcomes")


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row about the `student` that is wrong by itself: it is left out, and the others are imported.

    The `text` says what is wrong, with the value.
    """

    problem: RowProblem
    text: Sentence
    student: str

    @property
    def number(self) -> int:
        """The number of the row."""
        return self.problem.number

    def result(self) -> ImportResult:
        """Return what becomes of the row."""
        outcome = Outcome(self.number, "refused", self.text, self.problem.field, self.student)
        return ImportResult(0, 0, 0, refused=[self.problem], outcomes=[outcome])


class ImportTotal:
    """The results of the parts of an import, added up; it takes little memory however many parts there are."""

    def __init__(self) -> None:
        self._added = self._changed = self._unchanged = 0
        self._lists: dict[str, Any] = {name: CompactList() for name in _LISTS}

    def add(self, part: ImportResult) -> None:
        """Add what a part has done."""
        self._added += part.added
        self._changed += part.changed
        self._unchanged += part.unchanged
        for name, items in self._lists.items():
            items.extend(getattr(part, name))

    def result(self) -> ImportResult:
        """Return the sum of the parts."""
        return ImportResult(self._added, self._changed, self._unchanged, **self._lists)


def field_changes(old: Course | Section | Term | User, new: Course | Section | Term | User) -> list[FieldChange]:
    """Return the fields that differ."""

    def to_local(value: Any) -> Any:
        return new.local(value) if isinstance(new, Term) and isinstance(value, datetime) else value

    values = [(one.name, getattr(old, one.name), getattr(new, one.name)) for one in fields(new)]
    return [FieldChange(name, to_local(before), to_local(after)) for name, before, after in values if before != after]


def user_changes(old: User, new: User) -> list[FieldChange]:
    """Return the fields and the attributes that differ."""
    values = [(name, *(values_text(getattr(one.attributes, name)) for one in (old, new))) for name in ATTRIBUTE_NAMES]
    changes = [one for one in field_changes(old, new) if one.field != "attributes"]
    return changes + [FieldChange(*change) for change in values if change[1] != change[2]]
