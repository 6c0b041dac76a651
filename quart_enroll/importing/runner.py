"""Checks and runs the imports that pages have begun, in the background of each process.

A process that dies leaves its import behind, and another one does it again when the lease has expired.
"""

import logging
import secrets
from dataclasses import dataclass, field

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database
from quart_enroll.domain.errors import EmailTaken
from quart_enroll.domain.stored_import import ImportState, StoredImport
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.forms.imports.validation import FileRows
from quart_enroll.i18n.language import Sentence
from quart_enroll.importing.file_import import ImportSettings, import_rows_of_file
from quart_enroll.importing.preview import SPELLED_DIFFERENTLY, find_preview, read_stored
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.staff import imports
from quart_enroll.services.staff.imports import Preview
from quart_enroll.system.clock import Clock
from quart_enroll.system.wakeup import Wakeup

POLL_SECONDS = 5.0
"""How often each process looks for imports that another one has left behind."""

MAX_FAILURES = 50
"""Refused rows that are named by an import that failed although its preview was fine."""

UNEXPECTED = Sentence("Something went wrong on our side. The site’s log has the details.")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportRunner:
    """What does imports in this process."""

    db: Database
    settings: ImportSettings
    clock: Clock
    wakeup: Wakeup
    holder: str = field(default_factory=lambda: secrets.token_hex(8))

    async def run_forever(self) -> None:
        """Do imports as they come."""
        while True:
            try:
                await self.run_pending()
            except Exception as error:  # noqa: BLE001  # the database may be unavailable for a while
                logger.warning("imports: %s; the next look is in %g s", type(error).__name__, POLL_SECONDS)
            await self.wakeup.wait(POLL_SECONDS)

    async def run_pending(self) -> None:
        """Check and run what is to be checked or run, unless another process does it."""
        for stored in await imports.find_pending(self.db):
            try:
                if stored.state is ImportState.CHECKING:
                    await imports.check(self.db, stored, self._find_preview, self.holder, self.clock())
                else:
                    await self._run(stored)
            except DATABASE_UNAVAILABLE:
                raise
            except Exception:
                logger.exception("import %s", stored.import_id)
                await imports.fail(self.db, stored, [UNEXPECTED])

    async def _find_preview(self, stored: StoredImport) -> Preview:
        return await find_preview(self.db, stored, self.settings, self.clock)

    async def _run(self, stored: StoredImport) -> None:
        read: list[FileRows] = []

        async def apply(author: ImportAuthor) -> ImportResult:
            read[:] = [await read_stored(self.db, stored)]
            return await import_rows_of_file(self.db, stored.kind, read[0], self.settings, self.clock, author=author)

        try:
            await imports.run(self.db, stored, apply, self.holder, self.clock())
        except UnreadableFile as unreadable:
            await imports.fail(self.db, stored, unreadable.sentences)
        except EmailTaken:
            await imports.fail(self.db, stored, [SPELLED_DIFFERENTLY])
        except InvalidRows as invalid:  # the database has changed since the preview
            failures = [read[0].describe(one) for one in invalid.problems[:MAX_FAILURES]]
            await imports.fail(self.db, stored, failures)
