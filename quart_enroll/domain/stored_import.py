"""An import in the browser: an uploaded file, what it would change, and its progress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from quart_enroll.i18n.language import Sentence

ENROLLMENTS = "enrollment"
"""The kind of file whose rows are changes of students' seats."""

HOLDS = "hold"
"""The kind of file whose rows are holds to place or lift."""

APPOINTMENTS = "appointment"
"""The kind of file whose rows are enrollment appointments."""

ABOUT_STUDENTS = (ENROLLMENTS, HOLDS, APPOINTMENTS)
"""The kinds of files whose rows are changes for students, each in a transaction of its own."""


class ImportState(StrEnum):
    """The state of an import; after a refusal, its columns can still be matched differently.

    If the process that checks or runs it dies, another one continues.
    """

    UPLOADED = "uploaded"
    CHECKING = "checking"
    CHECKED = "checked"
    REFUSED = "refused"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


MATCHABLE_STATES = (ImportState.UPLOADED, ImportState.CHECKED, ImportState.REFUSED)
"""The states in which columns can be matched with fields."""

PENDING_STATES = (ImportState.CHECKING, ImportState.RUNNING)
"""The states in which a process is working on the import."""


class FileColumn(NamedTuple):
    """A column of a file: its label, the field that its name means (empty if none), and its first values."""

    label: str
    field: str
    examples: Sequence[str]


class Outcome(NamedTuple):
    """What becomes of row `number`: one of OUTCOME_KINDS, with a `text` that says what changes, or why it is refused.

    `column` is the one that a refusal is about, if any. `student` is the name of the student whom the row of a file
    about students is about.
    """

    number: int
    what: str
    text: str | Sentence
    column: str = ""
    student: str = ""


OUTCOME_KINDS = ("added", "changed", "unchanged", "refused", "gained")
"""What can become of a row. A student who gains a seat from the waitlist has no row of their own. Of rows that are left
unchanged, only those about students have an outcome."""


class PreviewCounts(NamedTuple):
    """How many rows would be added, changed, left unchanged and refused, and how many students would gain a seat."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    gained: int = 0

    @property
    def rows(self) -> int:
        """The number of rows that would be imported."""
        return self.added + self.changed + self.unchanged


NO_ROWS = PreviewCounts()


@dataclass(frozen=True, slots=True)
class StoredImport:
    """The import of a file of this `kind`.

    `found` are the file's columns, and `columns` has the field of each by its label, once someone has matched them.
    `reason` is told to the students whose seats the file changes, and `overrides` are the rules that are set aside for
    them. Of `rows`, the last run has come past `passed`; `added` and `changed` count all runs. `checks` counts how
    often the file was checked, each time perhaps with other columns. `failures` say why the file can't be imported, and
    `notes` are about assumptions that were made.
    """

    import_id: str
    at: datetime
    author: int
    kind: str
    filename: str
    state: ImportState = ImportState.UPLOADED
    reason: str = ""
    overrides: tuple[str, ...] = ()
    found: tuple[FileColumn, ...] = ()
    columns: Mapping[str, str] | None = None
    preview: PreviewCounts = NO_ROWS
    rows: int = 0
    passed: int = 0
    added: int = 0
    changed: int = 0
    notes: tuple[str | Sentence, ...] = ()
    failures: tuple[str | Sentence, ...] = ()
    checks: int = 0
