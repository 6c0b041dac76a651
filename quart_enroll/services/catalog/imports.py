"""The basis of all imports: transactions, dry runs, invalid rows, and reports of changes."""

from array import array
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from quart_enroll.db.client import Database, Session
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import SYSTEM_ACTOR, Course, Event, Section, Term, User
from quart_enroll.domain.stored_import import Outcome
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES, values_text
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment import swap_cycles
from quart_enroll.services.enrollment.promotion import promote_all_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.system.compact_list import CompactList

BATCH_ROWS = 2000
"""The maximum number of rows of a long file in one transaction: MongoDB ends one that takes a minute, and keeps what it
has written in its cache."""

IMPORT_RETRY_SECONDS = 120.0
"""Seconds for which an import is retried: longer than MongoDB keeps a transaction whose process was killed."""

Model = TypeVar("Model", Course, Section, Term)
Batch = TypeVar("Batch")


class InvalidRows(Exception):
    """Some rows contradict the database or each other; `problems` names each.

    The first `imported` rows of the file were stored before that was known: only if the database changed meanwhile.
    """

    def __init__(self, problems: Sequence[RowProblem], imported: int = 0) -> None:
        super().__init__(f"{len(problems)} rows can't be imported")
        self.problems = problems
        self.imported = imported


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


Record = Callable[[Session, ImportResult], Awaitable[None]]
"""Writes, in the transaction of an import, that it has had this result; raises if it must not have it."""


async def record_nothing(_: Session, __: ImportResult) -> None:
    """Write nothing."""


class _DryRunDone(Exception):
    """Aborts the transaction of a dry run."""


async def run_import(
    db: Database,
    body: Callable[[Session], Coroutine[Any, Any, ImportResult]],
    *,
    dry_run: bool = False,
    record: Record = record_nothing,
) -> ImportResult:
    """Run the import and `record` in one transaction, and return what it did; a dry run then rolls it back."""
    results: list[ImportResult] = []

    async def import_and_record(session: Session) -> None:
        results[:] = [await body(session)]
        if dry_run:
            raise _DryRunDone
        await record(session, results[0])

    with suppress(_DryRunDone):
        await transaction(db, import_and_record, IMPORT_RETRY_SECONDS)
    return results[0]


@dataclass(frozen=True, slots=True)
class ImportAuthor:
    """Who imports: a staff member whose page does it, or the system; `record` runs in the import's transaction.

    The `reason` is told to students whose enrollments change, and the `overrides` are set aside for them. What has
    become of `recorded_rows` was recorded by an earlier run, which was interrupted.
    """

    user_id: int = SYSTEM_ACTOR
    record: Record = record_nothing
    reason: str = ""
    overrides: frozenset[Override] = NO_OVERRIDES
    recorded_rows: Collection[int] = ()


SYSTEM = ImportAuthor()


async def run_catalog_import(
    db: Database,
    body: Callable[[Session], Coroutine[Any, Any, ImportResult]],
    now: datetime,
    *,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Run the import, promote waitlisted students in the same transaction, and then complete swap cycles.

    So no open seat is ever visible that a waiting student could take.
    """

    async def import_and_promote(session: Session) -> ImportResult:
        result = await body(session)
        change = SeatTransaction(db, session, now, author.user_id)
        await promote_all_waitlists(change)
        return replace(result, promoted=change.promotions)

    result = await run_import(db, import_and_promote, dry_run=dry_run, record=author.record)
    if not dry_run:
        await swap_cycles.complete_all_cycles(SectionLocks(db), author.user_id, now)
    return result


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


async def run_batches(batches: AsyncIterable[Batch], run: Callable[[Batch], Awaitable[ImportResult]]) -> ImportResult:
    """Import the batches of a long file one after the other; raise InvalidRows, with the number of imported rows."""
    total, imported = ImportTotal(), 0
    async for batch in batches:
        try:
            result = await run(batch)
        except InvalidRows as refused:
            raise InvalidRows(refused.problems, imported) from refused
        total.add(result)
        imported += result.rows
    return total.result()


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


def keep_missing_fields(new: Model, old: Model | None, given: frozenset[str], optional: Sequence[str]) -> Model:
    """Return `new` with the `optional` fields that are not `given` taken from `old`."""
    if old is None:
        return new
    return replace(new, **{name: getattr(old, name) for name in optional if name not in given})


class NumberedRow(Protocol):
    """A row of a file, with its number there."""

    @property
    def number(self) -> int:
        """Its line, or its place in a list."""


NamedRow = TypeVar("NamedRow", bound=NumberedRow)


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


def refuse(problems: Sequence[RowProblem]) -> None:
    """Raise InvalidRows if there are problems."""
    if problems:
        raise InvalidRows(problems)
