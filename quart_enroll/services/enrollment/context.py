"""What every change of seats needs."""

from quart_enroll.db.client import Database
from quart_enroll.services.enrollment.batching import MainBatchQueue
from quart_enroll.services.enrollment.section_lock import SectionLocks


class EnrollmentContext:
    """The database with the section locks and the batch queue of this process.

    A site has one, in AppState: only changes that share it wait for each other and share transactions. A command or a
    test makes its own.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        self.locks = SectionLocks(db)
        self.batches = MainBatchQueue(self.locks)
