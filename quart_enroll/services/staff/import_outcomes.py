"""What an import does to each row, in words: for its preview, and for its outcome."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import TypeVar

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.formatting import one_line
from quart_enroll.domain.models import Event
from quart_enroll.domain.stored_import import Outcome
from quart_enroll.services.catalog.import_results import ImportResult, RowChange
from quart_enroll.system.compact_list import CompactList

T = TypeVar("T")


async def find_outcomes(db: Database, result: ImportResult) -> Sequence[Outcome]:
    """Return what becomes of the rows that are not left unchanged, by their numbers, and then who gains a seat."""
    if result.outcomes:
        return result.outcomes
    names = await users.find_names(db, {event.user_id for event in result.promoted}) if result.promoted else {}
    return await asyncio.to_thread(_outcomes, result, names)


def _outcomes(result: ImportResult, names: Mapping[int, str]) -> CompactList[Outcome]:
    added = (Outcome(number, "added", "") for number in sorted(result.new_rows))
    changed = (Outcome(one.number, "changed", _describe(one)) for one in _sorted(result.changes, _number))
    refused = (Outcome(bad.number, "refused", bad.sentence, bad.field) for bad in _sorted(result.refused, _number))
    outcomes = CompactList(merge(added, changed, refused, key=_number))
    outcomes.extend(Outcome(0, "gained", _seat(event, names)) for event in result.promoted)
    return outcomes


def _number(one: Outcome | RowChange | RowProblem) -> int:
    return one.number


def _sorted(items: Iterable[T], key: Callable[[T], int]) -> Iterator[T]:
    """Yield the items in order; they may be very many, but come as a few parts that are in order."""
    parts: list[CompactList[T]] = []
    last = 0
    for item in items:
        if not parts or key(item) < last:
            parts.append(CompactList())
        parts[-1].append(item)
        last = key(item)
    return merge(*parts, key=key)


def _describe(change: RowChange) -> str:
    fields = ", ".join(f"{one.field}: {_quoted(one.old)} → {_quoted(one.new)}" for one in change.fields)
    return f"{change.name}: {fields}"


def _quoted(value: object) -> str:
    """Return the value as `one_line` does, but an empty one in no language."""
    return one_line(value) if value or value == 0 else "“”"


def _seat(event: Event, names: Mapping[int, str]) -> str:
    return f"{names.get(event.user_id, event.user_id)}: {event.courseID} {event.section}, {event.term}"
