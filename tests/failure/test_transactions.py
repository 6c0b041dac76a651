"""One transaction whose process, connection or commit is lost."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quart_enroll.errors import AlreadyEnrolled
from quart_enroll.models import Wish
from quart_enroll.mongo import AWAY, Database, open_database
from quart_enroll.services import boarding, turnstile
from quart_enroll.services.enrollment import enroll
from tests.failure.school import FALL, disagreements, open_school, read_all
from tests.replica_set import ReplicaSet, replica_set

WISH = Wish("C01", FALL)

ONE, TWO = 1, 2

TAKES_A_SEAT_AND_WAITS = """
import asyncio, sys
from quart_enroll.models import SectionKey
from quart_enroll.mongo import open_database
from quart_enroll.repositories import sections
from quart_enroll.transactions import transaction

async def main():
    async with open_database(sys.argv[1], 20) as db:
        async def body(session):
            await sections.take_seat(db, SectionKey("Fall 2026", "C01", "01"), session)
            print("has it", flush=True)
            await asyncio.Event().wait()
        await transaction(db, body)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def single(quick_folder: Path) -> Iterator[ReplicaSet]:
    with replica_set(quick_folder / "single", members=1) as made:
        yield made


@pytest.fixture
async def db(single: ReplicaSet) -> AsyncIterator[Database]:
    async with open_database(single.uri, 20) as db:
        await db.client.drop_database(db.name)
        await open_school(db, ["C01"], capacity=5, waitlist_capacity=0)
        yield db
        await fail_commits(db, "off")


async def fail_commits(db: Database, mode: Any, **how: Any) -> None:
    """Let mongod fail when it is asked to commit: `mode` says how often."""
    await db.client.admin.command(
        "configureFailPoint", "failCommand", mode=mode, data={"failCommands": ["commitTransaction"], **how}
    )


async def assert_seated(db: Database, *students: int) -> None:
    rows = await read_all(db)
    assert sorted(row["user_id"] for row in rows["enrollment"]) == sorted(students)
    assert disagreements(rows) == []


async def test_what_a_killed_process_held_is_free_in_seconds(db: Database, single: ReplicaSet) -> None:
    """MongoDB by itself keeps such a transaction for 60 to 90 seconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TAKES_A_SEAT_AND_WAITS, single.uri, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"has it\n"
    process.kill()
    await process.wait()
    began = time.monotonic()
    await enroll(db, ONE, WISH, datetime.now(UTC))
    assert 0.5 < time.monotonic() - began < 10
    await assert_seated(db, ONE)


@pytest.mark.parametrize("how", [{"closeConnection": True}, {"errorCode": 189}])
async def test_a_commit_without_an_answer_is_asked_for_again(db: Database, how: dict[str, Any]) -> None:
    await fail_commits(db, {"times": 3}, **how)
    await enroll(db, ONE, WISH, datetime.now(UTC))
    await assert_seated(db, ONE)


async def test_a_commit_that_failed_runs_everything_again(db: Database) -> None:
    await fail_commits(db, {"times": 3}, errorCode=251, errorLabels=["TransientTransactionError"])
    await enroll(db, ONE, WISH, datetime.now(UTC))
    await assert_seated(db, ONE)


async def test_a_commit_that_stays_without_an_answer_is_no_refusal_and_the_same_click_tells(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turnstile, "PATIENCE", 0.5)
    # The commit happens, and its acknowledgement is what gets lost, every time.
    await fail_commits(db, "alwaysOn", writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"})
    with pytest.raises(AWAY):
        await enroll(db, ONE, WISH, datetime.now(UTC))
    await fail_commits(db, "off")
    with pytest.raises(AlreadyEnrolled):
        await enroll(db, ONE, WISH, datetime.now(UTC))
    await assert_seated(db, ONE)


async def test_who_stands_in_line_behind_a_change_that_hangs_is_answered_in_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turnstile, "PATIENCE", 0.5)
    monkeypatch.setattr(boarding, "WAIT", 0.1)
    begun, transaction = asyncio.Event(), turnstile.transaction

    async def noting(*given: Any) -> Any:
        begun.set()
        return await transaction(*given)

    monkeypatch.setattr(turnstile, "transaction", noting)
    await fail_commits(db, {"times": 1}, blockConnection=True, blockTimeMS=3000)
    hangs = asyncio.create_task(enroll(db, ONE, WISH, datetime.now(UTC)))
    await begun.wait()
    with pytest.raises(AWAY):
        await enroll(db, TWO, WISH, datetime.now(UTC))
    assert not hangs.done()
    await hangs
    await assert_seated(db, ONE)
