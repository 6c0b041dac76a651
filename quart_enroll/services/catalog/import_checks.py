"""Checks of the rows of a file against each other and against what is stored."""

from array import array
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from itertools import pairwise
from typing import Protocol, TypeVar

from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Course, Section, Term
from quart_enroll.i18n.language import Sentence
from quart_enroll.system.compact_list import CompactList

Model = TypeVar("Model", Course, Section, Term)


class InvalidRows(Exception):
    """Some rows contradict the database or each other; `problems` names each.

    The first `imported` rows of the file were stored before that was known: only if the database changed meanwhile.
    """

    def __init__(self, problems: Sequence[RowProblem], imported: int = 0) -> None:
        super().__init__(f"{len(problems)} rows can't be imported")
        self.problems = problems
        self.imported = imported


class NumberedRow(Protocol):
    """A row of a file, with its number there."""

    @property
    def number(self) -> int:
        """Its line, or its place in a list."""


NamedRow = TypeVar("NamedRow", bound=NumberedRow)


def keep_missing_fields(new: Model, old: Model | None, given: frozenset[str], optional: Sequence[str]) -> Model:
    """Return `new` with the `optional` fields that are not `given` taken from `old`."""
    if old is None:
        return new
    return replace(new, **{name: getattr(old, name) for name in optional if name not in given})


def refuse(problems: Sequence[RowProblem]) -> None:
    """Raise InvalidRows if there are problems."""
    if problems:
        raise InvalidRows(problems)


def refuse_duplicates(
    rows: Sequence[NamedRow], name_of: Callable[[NamedRow], str], field: str, key: Callable[[str], str] = str
) -> None:
    """Raise InvalidRows if two rows have names with the same `key`; rows with an empty name have none."""
    hashes = array("q", (hash(key(name)) for row in rows if (name := name_of(row))))
    repeated = {one for one, following in pairwise(sorted(hashes)) if one == following}
    refuse(CompactList(_duplicates(rows, name_of, field, key, repeated) if repeated else ()))


def _duplicates(
    rows: Sequence[NamedRow],
    name_of: Callable[[NamedRow], str],
    field: str,
    key: Callable[[str], str],
    hashes: Set[int],
) -> Iterator[RowProblem]:
    """Yield the rows whose key, which has one of these hashes, an earlier row has."""
    first: dict[str, int] = {}
    for row in rows:
        name = name_of(row)
        if name and hash(folded := key(name)) in hashes and first.setdefault(folded, row.number) != row.number:
            sentence = Sentence("%(name)s is in the file twice.", name=name)
            yield RowProblem(row.number, sentence, field, first=first[folded])


def unknown_course(number: int, courseID: str, field: str) -> RowProblem:
    """Return the problem that the field of a row names a course which doesn't exist."""
    return RowProblem(number, Sentence("There is no course %(courseID)s in the catalog.", courseID=courseID), field)
