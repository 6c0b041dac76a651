"""The process that runs an import is killed with SIGKILL."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quart_enroll.db.client import Database
from quart_enroll.domain.stored_import import ImportState, StoredImport
from quart_enroll.importing.file_import import ImportSettings
from quart_enroll.importing.runner import ImportRunner
from quart_enroll.services.catalog.import_users import BATCH_ROWS
from quart_enroll.services.staff import imports
from quart_enroll.system.wakeup import Wakeup
from tests.failure.school import open_school
from tests.failure.servers import start
from tests.support.people import PASSWORD_METHOD

ROWS = 3 * BATCH_ROWS
COLUMNS = {"email": "email", "last_name": "last_name"}

POLL_SECONDS = 0.02


async def wait_for(db: Database, **wanted: object) -> None:
    """Wait until the only import is like this."""
    while await db["import"].find_one(wanted) is None:  # noqa: ASYNC110  # another process changes it
        await asyncio.sleep(POLL_SECONDS)


async def find_only(db: Database) -> StoredImport:
    """Return the only import."""
    [(found, _)] = await imports.find_latest(db)
    return found


@pytest.mark.timeout(120)
async def test_another_process_finishes_the_import_of_a_killed_one_exactly_once(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    await open_school(db, ["C01"], capacity=1, waitlist_capacity=1)
    other_process = ImportRunner(db, ImportSettings("UTC", 18, PASSWORD_METHOD), lambda: datetime.now(UTC), Wakeup())
    lines = [f"person{number}@school.example,P{number}" for number in range(ROWS)]
    data = "\n".join(["email,last_name", *lines]).encode()
    import_id = await imports.upload(db, 1, "user", "people.csv", data, datetime.now(UTC))
    assert await imports.choose_columns(db, import_id, COLUMNS)
    await other_process.run_pending()
    assert await imports.begin(db, import_id, 1, 1)
    with ExitStack() as stack:
        process = start(stack, tmp_path, fresh_uri)  # as it starts, it looks for imports that others have left behind
        await wait_for(db, passed={"$gt": 0})
        process.kill()
        process.popen.wait()
    assert (await find_only(db)).state is ImportState.RUNNING
    await other_process.run_pending()
    left = await find_only(db)
    assert (left.state, left.passed < ROWS) == (ImportState.RUNNING, True)  # it may still be alive: its lease lasts
    await db.lease.update_one({"_id": f"import {import_id}"}, {"$set": {"until": datetime.now(UTC)}})
    await other_process.run_pending()
    done = await find_only(db)
    assert (done.state, done.passed, done.added, done.changed) == (ImportState.DONE, ROWS, ROWS, 0)
    assert await db.user.count_documents({"last_name": {"$regex": "^P"}}) == ROWS
    outcomes = [one.number async for batch in imports.outcomes(db, done) for one in batch]
    assert sorted(outcomes) == list(range(2, ROWS + 2))
    assert await db.audit.count_documents({"action": "import"}) == 1
