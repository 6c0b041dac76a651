"""The shard keys in docs/deploy.md, and where MongoDB would send each command with them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from tests.support.command_recorder import Operation
from tests.support.processes import PROJECT

DOCUMENT = PROJECT / "docs/deploy.md"

ONE, SOME, ALL, PRIMARY = "one shard", "as many shards as values", "all shards", "the primary shard"


@dataclass(frozen=True)
class ShardTable:
    """The tables of docs/deploy.md: the shard key of each collection, and the filters that may go to all shards.

    `transactions` has, for each change, whose rows it writes, and how many queries of a transaction go to all shards.
    """

    keys: Mapping[str, tuple[str, ...]]
    broadcasts: frozenset[tuple[str, frozenset[str]]]
    transactions: Mapping[str, tuple[str, str]]

    def target(self, operation: Operation) -> str:
        """Return where the operation goes."""
        key = self.keys[operation.collection]
        if not key:
            return PRIMARY
        alternatives = operation.fields.get("$or") or [{}]
        numbers = [_count_values({**operation.fields, **one}, key) for one in alternatives]
        if 0 in numbers:
            return ALL
        return ONE if numbers == [1] else SOME

    def find_fault(self, operation: Operation) -> str | None:
        """Return why a sharded cluster would refuse the operation or send it to more shards than documented."""
        if operation.collection not in self.keys:
            return "docs/deploy.md has no shard key for this collection"
        if not self.keys[operation.collection]:
            return None
        if operation.command == "distinct" and operation.transaction:
            return "MongoDB refuses `distinct` on a sharded collection in a transaction"
        if self.target(operation) != ALL:
            return None
        if operation.single_write and "_id" not in operation.fields:
            return "MongoDB refuses to write one row without the shard key or the _id"
        if (operation.collection, field_names(operation.fields)) not in self.broadcasts:
            return "it would go to all shards, and docs/deploy.md doesn't list it"
        return None


@cache
def read_table(document: Path = DOCUMENT) -> ShardTable:
    """Read the tables of the document."""
    headings = ("| collection | shard key |", "| sent to all shards |", "| change |")
    keys_table, broadcast_table, transactions = _tables(document.read_text(), *headings)
    keys = {name: tuple(_names(row[1])) for row in keys_table for name in _names(row[0])}
    broadcasts = {(row[0].strip("` "), frozenset(_names(row[1]))) for row in broadcast_table}
    written = {row[0].strip(): (row[1].strip(), row[2].strip()) for row in transactions}
    return ShardTable(keys, frozenset(broadcasts), written)


def field_names(filter: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that the filter names."""
    return frozenset(name for name in filter if not name.startswith("$"))


def _tables(text: str, *headings: str) -> Iterator[list[list[str]]]:
    for heading in headings:
        [table] = re.findall(rf"^ *{re.escape(heading)}.*\n *\|[ -|]*\n((?: *\|.*\n)+)", text, re.MULTILINE)
        yield [line.strip().strip("|").split("|") for line in table.splitlines()]


def _names(cell: str) -> list[str]:
    return [name for quoted in re.findall(r"`([^`]+)`", cell) for name in quoted.split(", ")]


def _count_values(fields: Mapping[str, Any], key: Sequence[str]) -> int:
    """Return to how many values of the shard key the filter is limited; 0 if it isn't limited to any."""
    return prod(len(_values(fields[name])) if name in fields else 0 for name in key)


def _values(condition: Any) -> list[Any]:
    """Return the values to which the condition limits a field; none if it doesn't."""
    if not isinstance(condition, Mapping):
        return [condition]
    return list(condition.get("$in", [condition["$eq"]] if "$eq" in condition else []))
