"""Counts what this process writes to the collections of the catalog."""

from functools import cache
from typing import Any

from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from quart_enroll.db.change_streams import CATALOG_COLLECTIONS

WRITES = frozenset({"insert", "update", "delete", "findAndModify", "drop"})


class CatalogWrites(CommandListener):
    """Counts writes twice, before and after, so that a read in between is out of date; and commits of such writes."""

    def __init__(self) -> None:
        self.count = 0
        self._in_transaction: set[bytes] = set()
        self._request_ids: set[int] = set()

    def started(self, event: CommandStartedEvent) -> None:
        command, name = event.command, event.command_name
        if name in WRITES and command[name] in CATALOG_COLLECTIONS:
            if command.get("autocommit") is False:
                self._in_transaction.add(_session(command))
        elif name != "commitTransaction" or _session(command) not in self._in_transaction:
            return
        self.count += 1
        self._request_ids.add(event.request_id)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._end(event.request_id)

    def failed(self, event: CommandFailedEvent) -> None:
        self._end(event.request_id)

    def _end(self, request_id: int) -> None:
        if request_id in self._request_ids:
            self._request_ids.remove(request_id)
            self.count += 1


def _session(command: Any) -> bytes:
    return bytes(command["lsid"]["id"])


@cache
def installed_writes() -> CatalogWrites:
    """Return the counter of this process; it hears every client that is opened from now on."""
    writes = CatalogWrites()
    monitoring.register(writes)
    return writes
