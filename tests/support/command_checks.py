"""Checks recorded commands: an index answers each of them, and a sharded cluster would send it where documented."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import MongoClient

from tests.support import school
from tests.support.command_recorder import Operation
from tests.support.sharding import field_names, read_table

OPERATORS = ("quart_enroll.services.maintenance.", "quart_enroll.db.queries.rehearsal.")
"""The code of `upgrade-db` and `check-seats`, which read every row, and of rehearsals, whose database is their own."""

WHOLE_READS: dict[tuple[str, frozenset[str]], str] = {
    ("term", frozenset()): "a school has a few dozen terms, and they are needed together",
    ("alert", frozenset()): "an import looks for every section with alerts",
}
"""The queries that read a whole collection, with the reason."""

ANY_TEXT = CodecOptions[dict[str, Any]](unicode_decode_error_handler="replace")
"""Reads a plan whatever its bounds are: that after "¿" and other prefixes isn't UTF-8."""

_explained: set[tuple[Any, ...]] = set()
"""The kinds of queries for which MongoDB has been asked in this process."""


def find_faults(client: MongoClient[dict[str, Any]], operations: Sequence[Operation]) -> list[str]:
    """Return a sentence for each operation that no index answers or that docs/deploy.md doesn't cover."""
    return list(dict.fromkeys(_faults(client, operations)))


def _faults(client: MongoClient[dict[str, Any]], operations: Sequence[Operation]) -> Iterator[str]:
    table = read_table()
    for operation in operations:
        if is_by_operators(operation):
            continue
        if fault := table.find_fault(operation):
            yield f"{operation}: {fault}"
        if _reads_every_row(client, operation):
            yield f"{operation}: no index answers it"


def is_by_operators(operation: Operation) -> bool:
    """Tell whether a command of operators sent it that may read every row."""
    return any(name.startswith(OPERATORS) for name in operation.sender)


def _reads_every_row(client: MongoClient[dict[str, Any]], operation: Operation) -> bool:
    """Ask MongoDB, once for each kind of query, how it would find the rows; databases without indexes don't count."""
    kind = (operation.collection, _shape(operation.fields), str(operation.sort), str(operation.collation))
    if operation.command == "insert" or kind in _explained or operation.database not in school.built_databases:
        return False
    query: dict[str, Any] = {"find": operation.collection, "filter": dict(operation.fields)}
    options = {"sort": operation.sort, "collation": operation.collation}
    query |= {name: value for name, value in options.items() if value}
    plan = client[operation.database].command("explain", query, verbosity="queryPlanner", codec_options=ANY_TEXT)
    stages = str(plan["queryPlanner"]["winningPlan"])
    if "EOF" not in stages:  # then the collection exists
        _explained.add(kind)
    return "COLLSCAN" in stages and (operation.collection, field_names(operation.fields)) not in WHOLE_READS


def _shape(condition: Any) -> Any:
    """Return the condition without its values."""
    if isinstance(condition, Mapping):
        return tuple(sorted((name, _shape(value)) for name, value in condition.items()))
    if isinstance(condition, list) and condition and isinstance(condition[0], Mapping):
        return tuple(map(_shape, condition))
    return ""
