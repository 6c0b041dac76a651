"""What every change of seats needs."""

from quart_enroll.db.client import Database
from quart_enroll.services.enrollment.batching import BatchQueue
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.services.enrollment.server_lock import ServerLock


class EnrollmentContext:
    """The database with the section locks and the batch queue of this process.

    A site has one, in AppState: only changes that share it wait for each other and share transactions. A command or a
    test makes its own. The processes of a server share a `folder`, for the server lock.
    """

    def __init__(self, db: Database, folder: str | None = None) -> None:
        self.db = db
        self.locks = SectionLocks(db, ServerLock(folder))
        self.batches = BatchQueue(self.locks)
