"""Checks and imports the rows of a file. What takes long without waiting runs in a thread, so that no request waits."""

import asyncio
from typing import NamedTuple

from quart_enroll.db.client import Database
from quart_enroll.forms.imports import kinds
from quart_enroll.forms.imports.validation import FileRows
from quart_enroll.services.accounts.hashing import unusable_hash
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_rows import import_rows
from quart_enroll.services.catalog.import_terms import known_terms
from quart_enroll.services.catalog.import_transactions import SYSTEM, ImportAuthor
from quart_enroll.system.clock import Clock


class ImportSettings(NamedTuple):
    """The settings that imports need: those of new terms, and how passwords are hashed."""

    timezone: str
    max_credits: float
    password_method: str

    @property
    def term_defaults(self) -> kinds.TermDefaults:
        """What new terms have if the file leaves it out."""
        return kinds.TermDefaults(self.timezone, self.max_credits)


async def import_rows_of_file(
    db: Database,
    kind: str,
    rows: FileRows,
    settings: ImportSettings,
    clock: Clock,
    *,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Import the rows of a file of this kind; raise InvalidRows, or EmailTaken for a user."""
    known = await known_terms(db) if kind in kinds.WITH_TERMS else ()
    checked = await asyncio.to_thread(kinds.read, kind, rows, settings.term_defaults, known)
    password = unusable_hash(settings.password_method)
    return await import_rows(db, kind, checked, clock, unusable_password=password, dry_run=dry_run, author=author)
