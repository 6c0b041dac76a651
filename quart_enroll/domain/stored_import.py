"""An import in the browser: a file that was uploaded, and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ImportState(StrEnum):
    """How far an import has come. One that is running goes on in another process if its own dies."""

    UPLOADED = "uploaded"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredImport:
    """The import of a file into a collection, its `kind`.

    `columns` has the field of columns that someone has matched, by label. Of `rows`, the last run has come past
    `passed`; `added` and `changed` count all runs. `failures` are sentences.
    """

    import_id: str
    at: datetime
    author: int
    kind: str
    filename: str
    state: ImportState = ImportState.UPLOADED
    columns: Mapping[str, str] | None = None
    rows: int = 0
    passed: int = 0
    added: int = 0
    changed: int = 0
    failures: tuple[str, ...] = ()
