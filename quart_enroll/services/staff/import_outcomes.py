"""What an import does to each row, in words: for its preview, and for its outcome."""

import asyncio
from collections.abc import Mapping

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.formatting import one_line
from quart_enroll.domain.models import Event
from quart_enroll.domain.stored_import import Outcome
from quart_enroll.services.catalog.imports import ImportResult, RowChange


async def find_outcomes(db: Database, result: ImportResult) -> list[Outcome]:
    """Return what becomes of the rows that are not left unchanged, by their numbers, and then who gains a seat."""
    if result.outcomes:
        return list(result.outcomes)
    names = await users.find_names(db, {event.user_id for event in result.promoted}) if result.promoted else {}
    return await asyncio.to_thread(_outcomes, result, names)


def _outcomes(result: ImportResult, names: Mapping[int, str]) -> list[Outcome]:
    found = [Outcome(number, "added", "") for number in result.new_rows]
    found += [Outcome(change.number, "changed", _describe(change)) for change in result.changes]
    found += [Outcome(bad.number, "refused", bad.sentence, bad.field) for bad in result.refused]
    return [
        *sorted(found, key=lambda one: one.number),
        *(Outcome(0, "gained", _seat(event, names)) for event in result.promoted),
    ]


def _describe(change: RowChange) -> str:
    fields = ", ".join(f"{one.field}: {_quoted(one.old)} → {_quoted(one.new)}" for one in change.fields)
    return f"{change.name}: {fields}"


def _quoted(value: object) -> str:
    """Return the value as `one_line` does, but an empty one in no language."""
    return one_line(value) if value or value == 0 else "“”"


def _seat(event: Event, names: Mapping[int, str]) -> str:
    return f"{names.get(event.user_id, event.user_id)}: {event.courseID} {event.section}, {event.term}"
