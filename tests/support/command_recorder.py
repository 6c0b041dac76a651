"""Records the commands that the site sends to MongoDB, with the code that sent each."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from motor.frameworks import asyncio as motor_asyncio
from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

SITE, TESTS = "quart_enroll", "tests"

OTHER_COMMANDS = frozenset(
    {
        "count",  # only for all rows, which MongoDB knows without reading them; others are counted by `aggregate`
        *("ping", "hello", "getMore", "killCursors", "killSessions", "endSessions"),
        *("commitTransaction", "abortTransaction", "saslStart", "saslContinue", "serverStatus"),
        *("create", "collMod", "createIndexes", "dropIndexes", "drop", "listCollections", "listIndexes"),
    }
)
"""Commands without a filter: for cursors, transactions and connections, and what `upgrade-db` and probes send."""

_sender: ContextVar[tuple[str, ...]] = ContextVar("sender", default=())
"""The functions of the site that wait for the running command, the innermost first; empty if a test sent it."""


@dataclass(frozen=True)
class Operation:
    """What a command does in one collection; `fields` are those of the inserted row, or the filter.

    `transaction` identifies the transaction, if there is one. `single_write` is a write of at most one row, which
    MongoDB must be able to send to one shard.
    """

    command: str
    collection: str
    fields: Mapping[str, Any]
    database: str
    sender: tuple[str, ...]
    transaction: tuple[bytes, int] | None = None
    single_write: bool = False
    sort: Mapping[str, Any] | None = None
    collation: Mapping[str, Any] | None = None

    @property
    def is_write(self) -> bool:
        return self.command in ("insert", "update", "delete", "findAndModify")

    def __str__(self) -> str:
        where = " in a transaction" if self.transaction else ""
        senders = " < ".join(self.sender[:3])
        return f"{self.command} in {self.collection}{where}, with {dict(self.fields)}, sent by {senders}"


class UnknownCommand(Exception):
    """The site sends a command that no test has looked at."""


@dataclass
class CommandRecorder(CommandListener):
    """Collects operations while `is_recording`."""

    operations: list[Operation] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_recording: bool = False

    def started(self, event: CommandStartedEvent) -> None:
        sender = _sender.get()
        if self.is_recording and sender:
            try:
                self.operations.extend(_operations(event, sender))
            except UnknownCommand as error:
                self.errors.append(f"{error}, sent by {' < '.join(sender[:3])}")

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    @contextmanager
    def record(self) -> Iterator[list[Operation]]:
        """Record during the block, and yield the list of operations."""
        self.operations, self.errors, self.is_recording = [], [], True
        try:
            yield self.operations
        finally:
            self.is_recording = False


@cache
def installed_recorder() -> CommandRecorder:
    """Return the recorder of this process; it hears every client that is opened from now on."""
    recorder = CommandRecorder()
    monitoring.register(recorder)
    run_on_executor = motor_asyncio.run_on_executor

    def run_with_sender(loop: Any, function: Any, *arguments: Any, **options: Any) -> Any:
        token = _sender.set(_find_sender())
        try:
            return run_on_executor(loop, function, *arguments, **options)  # copies the context for its thread
        finally:
            _sender.reset(token)

    motor_asyncio.run_on_executor = run_with_sender
    return recorder


def _find_sender() -> tuple[str, ...]:
    names: list[str] = []
    frame = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith(TESTS + "."):
            break
        if module.startswith(SITE + "."):
            names.append(f"{module}.{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]  # ends with None
    return tuple(names)


def _operations(event: CommandStartedEvent, sender: tuple[str, ...]) -> Iterator[Operation]:
    command, name = event.command, event.command_name
    in_transaction = command.get("autocommit") is False
    transaction = (bytes(command["lsid"]["id"]), int(command["txnNumber"])) if in_transaction else None

    def operation(fields: Mapping[str, Any], *, single_write: bool = False, **options: Any) -> Operation:
        facts = {"collection": command[name], "sort": command.get("sort"), "collation": command.get("collation")}
        return Operation(
            name,
            fields=fields,
            database=event.database_name,
            sender=sender,
            transaction=transaction,
            single_write=single_write,
            **facts | options,
        )

    match name:
        case "find":
            yield operation(command.get("filter", {}))
        case "distinct":
            yield operation(command.get("query", {}))
        case "aggregate":
            for collection, fields in _matches(command[name], command["pipeline"]):
                yield operation(fields, collection=collection)
        case "insert":
            yield from [operation(row) for row in command["documents"]]
        case "update":
            for one in command["updates"]:
                yield operation(one["q"], single_write=not one.get("multi"), collation=one.get("collation"))
        case "delete":
            yield from [operation(one["q"], single_write=one["limit"] == 1) for one in command["deletes"]]
        case "findAndModify":
            yield operation(command["query"], single_write=True)
        case _ if name not in OTHER_COMMANDS:
            raise UnknownCommand(f"The command {name}")


def _matches(collection: Any, pipeline: list[dict[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each collection that the pipeline reads, with the filter."""
    first = pipeline[0]
    if "$changeStream" in first or "$currentOp" in first:
        return
    if "$documents" not in first:
        yield collection, first.get("$match", {})
    for stage in pipeline:
        if lookup := stage.get("$lookup"):
            fields = dict(_first_match(lookup.get("pipeline", [])))
            if "foreignField" in lookup:
                fields[lookup["foreignField"]] = "the value of the joined row"
            yield lookup["from"], fields


def _first_match(pipeline: list[dict[str, Any]]) -> Mapping[str, Any]:
    match: Mapping[str, Any] = pipeline[0].get("$match", {}) if pipeline else {}
    if "$expr" not in match:
        return match
    pairs = [condition["$eq"] for condition in match["$expr"].get("$and", []) if "$eq" in condition]
    return {name.removeprefix("$"): "the value of the joined row" for name, _ in pairs}
