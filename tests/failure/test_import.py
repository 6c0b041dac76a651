"""The process that runs an import is killed with SIGKILL."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quart_enroll.db.client import Database
from quart_enroll.domain.stored_import import ImportState
from quart_enroll.services.staff import imports
from tests.failure.school import open_school
from tests.failure.servers import Process, start

ROWS = 6000
COLUMNS = {"email": "email", "last_name": "last_name"}

POLL_SECONDS = 0.05


async def wait_for(db: Database, **wanted: object) -> None:
    """Wait until the only import is like this."""
    while await db["import"].find_one(wanted) is None:  # noqa: ASYNC110  # another process changes it
        await asyncio.sleep(POLL_SECONDS)


@pytest.mark.timeout(300)  # the lease of the killed process lasts for half a minute
async def test_another_process_finishes_the_import_of_a_killed_one_exactly_once(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    await open_school(db, ["C01"], capacity=1, waitlist_capacity=1)
    lines = [f"person{number}@school.example,P{number}" for number in range(ROWS)]
    data = "\n".join(["email,last_name", *lines]).encode()
    with ExitStack() as stack:
        first = start(stack, tmp_path, fresh_uri)
        await first.wait_until_listening()
        import_id = await imports.upload(db, 1, "user", "people.csv", data, datetime.now(UTC))
        assert await imports.choose_columns(db, import_id, COLUMNS)
        await wait_for(db, state=ImportState.CHECKED)
        assert await imports.begin(db, import_id, 1, 1)
        await wait_for(db, passed={"$gt": 0})
        first.kill()
        left = await imports.find(db, import_id)
        assert left is not None
        assert left.state is ImportState.RUNNING
        other: Process = start(stack, tmp_path, fresh_uri)
        await other.wait_until_listening()
        await wait_for(db, state=ImportState.DONE)
    done = await imports.find(db, import_id)
    assert done is not None
    assert (done.passed, done.added, done.changed) == (ROWS, ROWS, 0)
    assert await db.user.count_documents({"last_name": {"$regex": "^P"}}) == ROWS
    outcomes = [one.number async for batch in imports.outcomes(db, done) for one in batch]
    assert sorted(outcomes) == list(range(2, ROWS + 2))
    assert await db.audit.count_documents({"action": "import"}) == 1
