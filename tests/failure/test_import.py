"""The process that runs an import is killed with SIGKILL."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import SectionRequest, User
from quart_enroll.domain.stored_import import ENROLLMENTS, ImportState, StoredImport
from quart_enroll.forms.imports import student_lists
from quart_enroll.importing.file_import import ImportSettings
from quart_enroll.importing.runner import ImportRunner
from quart_enroll.services.catalog.import_transactions import BATCH_ROWS
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from quart_enroll.services.staff import imports
from quart_enroll.system.wakeup import Wakeup
from tests.failure.school import FALL, open_school
from tests.failure.servers import start
from tests.support.people import FALL_MORNING, PASSWORD_METHOD, RITA

ROWS = 3 * BATCH_ROWS
STUDENTS = 150
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


def another_process(db: Database) -> ImportRunner:
    """Return the object that runs imports in this process."""
    return ImportRunner(db, ImportSettings("UTC", 18, PASSWORD_METHOD), lambda: datetime.now(UTC), Wakeup())


async def kill_in_the_middle(db: Database, uri: str, folder: Path) -> None:
    """Kill a process while it runs the only import, and end its lease."""
    with ExitStack() as stack:
        process = start(stack, folder, uri)  # as it starts, it looks for imports that others have left behind
        await wait_for(db, passed={"$gt": 0})
        process.kill()
        process.popen.wait()
    await db.client.admin.command("killAllSessions", [])  # what MongoDB does itself, a minute later
    assert (await find_only(db)).state is ImportState.RUNNING
    await another_process(db).run_pending()
    left = await find_only(db)
    assert (left.state, left.passed < left.rows) == (ImportState.RUNNING, True)  # it may be alive: its lease lasts
    await db.lease.update_one({"_id": f"import {left.import_id}"}, {"$set": {"until": datetime.now(UTC)}})


@pytest.mark.timeout(120)
async def test_another_process_finishes_the_import_of_a_killed_one_exactly_once(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    await open_school(db, ["C01"], capacity=1, waitlist_capacity=1)
    other_process = another_process(db)
    lines = [f"person{number}@school.example,P{number}" for number in range(ROWS)]
    data = "\n".join(["email,last_name", *lines]).encode()
    import_id = await imports.upload(db, 1, "user", "people.csv", BytesIO(data), datetime.now(UTC))
    assert await imports.choose_columns(db, import_id, COLUMNS)
    await other_process.run_pending()
    assert await imports.begin(db, import_id, 1, 1, FALL_MORNING)
    await kill_in_the_middle(db, fresh_uri, tmp_path)
    await other_process.run_pending()
    done = await find_only(db)
    assert (done.state, done.passed, done.added, done.changed) == (ImportState.DONE, ROWS, ROWS, 0)
    assert await db.user.count_documents({"last_name": {"$regex": "^P"}}) == ROWS
    outcomes = [one.number async for batch in imports.outcomes(db, done) for one in batch]
    assert sorted(outcomes) == list(range(2, ROWS + 2))
    assert await db.audit.count_documents({"action": "import"}) == 1


@pytest.mark.timeout(120)
async def test_what_a_killed_process_did_for_many_students_is_not_done_twice(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    await open_school(db, ["C01"], capacity=STUDENTS, waitlist_capacity=1)
    students = [User(number, f"p{number}@school.example", "P", "P") for number in range(101, 101 + STUDENTS)]
    await db.user.insert_many([users.to_row(one) | {"password": "x"} for one in (RITA, *students)])
    row = {"term": FALL, "courseID": "C01", "section": "01", "action": "add"}
    data = BytesIO(student_lists.rows_file((one.email for one in students), row))
    now = datetime.now(UTC)
    import_id = await imports.upload(db, RITA.user_id, ENROLLMENTS, "C01", data, now, columns={}, reason="Advised")
    other_process = another_process(db)
    await other_process.run_pending()
    assert await imports.begin(db, import_id, RITA.user_id, 1, FALL_MORNING)
    await kill_in_the_middle(db, fresh_uri, tmp_path)
    first = students[0].user_id  # who changes her mind before the import goes on
    await enroll.drop(EnrollmentContext(db), first, SectionRequest("C01", FALL, "01"), datetime.now(UTC))
    await other_process.run_pending()
    done = await find_only(db)
    assert (done.state, done.passed, done.added) == (ImportState.DONE, STUDENTS, STUDENTS)
    outcomes = [(one.number, one.what) async for batch in imports.outcomes(db, done) for one in batch]
    assert sorted(outcomes) == [(number, "added") for number in range(1, STUDENTS + 1)]
    assert await db.audit.count_documents({"action": "student.add"}) == STUDENTS
    assert await db.enrollment.count_documents({"status": "enrolled"}) == STUDENTS - 1
    assert (await audit.check(db, datetime.now(UTC))).discrepancies == []
