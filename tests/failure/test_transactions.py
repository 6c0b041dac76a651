"""Transactions whose process, connection or commit is lost."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from quart_enroll.app import create_app
from quart_enroll.db import transactions
from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database, OutcomeUnknown, Session, open_database
from quart_enroll.db.collections import sections
from quart_enroll.domain.errors import AlreadyEnrolled
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.enrollment import batching, section_lock, server_lock
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import enroll
from quart_enroll.services.enrollment.section_lock import SectionLocks
from tests.failure.school import FALL, discrepancies, open_school, read_all
from tests.support.people import PASSWORD, config
from tests.support.processes import PROJECT, environment
from tests.support.replica_set import ReplicaSet, replica_set

REQUEST = SectionRequest("C01", FALL)

ONE, TWO = 1, 2

TAKE_A_SEAT_AND_WAIT = """
import asyncio, sys
from quart_enroll.domain.models import SectionKey
from quart_enroll.db.client import open_database
from quart_enroll.db.collections import sections
from quart_enroll.db.transactions import transaction

async def main():
    async with open_database(sys.argv[1], 20) as db:
        async def body(session):
            await sections.take_seat(db, SectionKey("Fall 2026", "C01", "01"), session)
            print("has it", flush=True)
            await asyncio.Event().wait()
        await transaction(db, body)

asyncio.run(main())
"""

IMPORT_AND_WAIT = """
import asyncio, sys
from quart_enroll.cli import import_files
from quart_enroll.db.collections import alerts

async def wait(*_):
    print("has written all rows", flush=True)
    await asyncio.Event().wait()

alerts.find_sections = wait  # called last, after the rows are written
from quart.cli import main
sys.argv = ["quart", "--app", "asgi", "import", "section", sys.argv[1]]
main()
"""

CREATE_A_USER_AND_WAIT = """
import asyncio, sys
from quart_enroll.db.client import open_database
from quart_enroll.db.transactions import transaction

async def main():
    async with open_database(sys.argv[1], 20) as db:
        async def body(session):
            await db.user.insert_one({"user_id": 1, "email": "lee@school.example", "first_name": "Lee",
                "last_name": "Ray", "password": "x", "roles": ["student"]}, session=session)
            print("has it", flush=True)
            await asyncio.Event().wait()
        await transaction(db, body)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def one_member(quick_folder: Path) -> Iterator[ReplicaSet]:
    with replica_set(quick_folder / "single", members=1) as made:
        yield made


@pytest.fixture
async def db(one_member: ReplicaSet) -> AsyncIterator[Database]:
    async with open_database(one_member.uri, 20) as db:
        await db.client.drop_database(db.name)
        await open_school(db, ["C01"], capacity=5, waitlist_capacity=0)
        yield db
        await fail_commits(db, "off")


@pytest.fixture
async def transactions_never_expire(db: Database) -> AsyncIterator[None]:
    """Make MongoDB keep the transaction of a killed process longer than any command waits."""
    set_limit = db.client.admin.command
    previous = await set_limit("setParameter", 1, transactionLifetimeLimitSeconds=600)
    yield
    await set_limit("setParameter", 1, transactionLifetimeLimitSeconds=previous["was"])


async def run(one_member: ReplicaSet, *arguments: str, input_text: str | None = None) -> Result:
    """Run a command of the site."""
    runner = create_app(config(mongo_uri=one_member.uri)).test_cli_runner()
    return await asyncio.to_thread(runner.invoke, args=arguments, input=input_text)


@asynccontextmanager
async def run_until_written(
    program: str, *arguments: str, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `program` until it reports that it has written, yield its process, and kill it after the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=subprocess.PIPE, cwd=PROJECT, env=environment(**settings)
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"has ")
        yield process
    finally:
        process.kill()
        await process.wait()


async def kill_in_transaction(program: str, *arguments: str, **settings: str) -> None:
    """Run `program` until it reports that it has written, and kill it."""
    async with run_until_written(program, *arguments, **settings):
        pass


async def fail_commits(db: Database, mode: Any, **options: Any) -> None:
    """Make mongod fail commits; `mode` says how often."""
    await db.client.admin.command(
        "configureFailPoint", "failCommand", mode=mode, data={"failCommands": ["commitTransaction"], **options}
    )


async def assert_enrolled(db: Database, *students: int) -> None:
    rows = await read_all(db)
    assert sorted(row["user_id"] for row in rows["enrollment"]) == sorted(students)
    assert discrepancies(rows) == []


async def test_a_seat_locked_by_a_killed_process_is_free_in_seconds(db: Database, one_member: ReplicaSet) -> None:
    """By itself, MongoDB keeps such a transaction for 60 to 90 seconds."""
    await kill_in_transaction(TAKE_A_SEAT_AND_WAIT, one_member.uri)
    began = time.monotonic()
    await enroll(EnrollmentContext(db), ONE, REQUEST, datetime.now(UTC))
    assert 0.5 < time.monotonic() - began < 10
    await assert_enrolled(db, ONE)


async def test_short_attempts_find_out_together_that_a_frozen_process_blocks_them(
    db: Database, one_member: ReplicaSet
) -> None:
    """Each of them is too short to see that a transaction makes no progress."""
    locks, key = SectionLocks(db), SectionKey(FALL, "C01", "01")

    async def take_a_seat(session: Session) -> None:
        await sections.take_seat(db, key, session)

    async with run_until_written(TAKE_A_SEAT_AND_WAIT, one_member.uri) as process:
        process.send_signal(signal.SIGSTOP)
        for _ in range(20):
            with suppress(OutcomeUnknown):
                await locks.run_transaction([key], take_a_seat, timeout_seconds=0.8)
                break
        else:
            pytest.fail("the section stays locked")
    [section] = (await read_all(db))["section"]
    assert section["seats_taken"] == 1


@pytest.mark.usefixtures("transactions_never_expire")
async def test_a_killed_import_can_be_run_again_at_once(db: Database, one_member: ReplicaSet, tmp_path: Path) -> None:
    file = tmp_path / "sections.json"
    rows = [{"term": FALL, "courseID": "C01", "section": f"{number:03}", "capacity": 5} for number in range(100, 400)]
    file.write_text(json.dumps(rows))
    await kill_in_transaction(IMPORT_AND_WAIT, str(file), MONGO_URI=one_member.uri)
    assert await db.section.count_documents({}) == 1
    again = await run(one_member, "import", "section", str(file))
    assert (again.exit_code, again.output) == (0, "section: 300 added, 0 changed, 0 unchanged.\n")


@pytest.mark.usefixtures("transactions_never_expire")
async def test_a_command_blocked_by_a_killed_process_continues(
    db: Database, one_member: ReplicaSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kill_in_transaction(CREATE_A_USER_AND_WAIT, one_member.uri)
    monkeypatch.setattr(transactions, "UNRELATED_ABANDONED_AFTER_SECONDS", 1.0)
    arguments = ["--email", "lee@school.example", "--first-name", "Lee", "--last-name", "Ray"]
    made = await run(one_member, "create-user", *arguments, input_text=f"{PASSWORD}\n{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    assert await db.user.count_documents({}) == 1


@pytest.mark.parametrize("options", [{"closeConnection": True}, {"errorCode": 189}])
async def test_a_commit_without_a_response_is_repeated(db: Database, options: dict[str, Any]) -> None:
    await fail_commits(db, {"times": 3}, **options)
    await enroll(EnrollmentContext(db), ONE, REQUEST, datetime.now(UTC))
    await assert_enrolled(db, ONE)


async def test_a_failed_commit_runs_the_transaction_again(db: Database) -> None:
    await fail_commits(db, {"times": 3}, errorCode=251, errorLabels=["TransientTransactionError"])
    await enroll(EnrollmentContext(db), ONE, REQUEST, datetime.now(UTC))
    await assert_enrolled(db, ONE)


async def test_after_an_unconfirmed_commit_the_same_click_reports_the_outcome(db: Database) -> None:
    context = EnrollmentContext(db)
    context.locks.timeout_seconds = 0.5
    # The commit happens, and its acknowledgement is what gets lost, every time.
    await fail_commits(db, "alwaysOn", writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"})
    with pytest.raises(DATABASE_UNAVAILABLE):
        await enroll(context, ONE, REQUEST, datetime.now(UTC))
    await fail_commits(db, "off")
    with pytest.raises(AlreadyEnrolled):
        await enroll(context, ONE, REQUEST, datetime.now(UTC))
    await assert_enrolled(db, ONE)


async def test_a_student_waiting_behind_a_stalled_change_gets_a_response_in_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = EnrollmentContext(db)
    context.locks.timeout_seconds = 0.5
    monkeypatch.setattr(batching, "STALLED_BATCH_SECONDS", 0.1)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 0.1)
    started, transaction = asyncio.Event(), section_lock.transaction

    async def run_and_signal(*arguments: Any) -> Any:
        started.set()
        return await transaction(*arguments)

    monkeypatch.setattr(section_lock, "transaction", run_and_signal)
    await fail_commits(db, {"times": 1}, blockConnection=True, blockTimeMS=3000)
    hanging = asyncio.create_task(enroll(context, ONE, REQUEST, datetime.now(UTC)))
    await started.wait()
    with pytest.raises(DATABASE_UNAVAILABLE):
        await enroll(context, TWO, REQUEST, datetime.now(UTC))
    assert not hanging.done()
    await hanging
    await assert_enrolled(db, ONE)
