"""Imports in the browser: the stored file, progress in the transaction of each batch, and going on after a death."""

from functools import partial
from io import BytesIO
from typing import Any

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import import_parts
from quart_enroll.domain.models import User
from quart_enroll.domain.stored_import import ImportState, Outcome, PreviewCounts, StoredImport
from quart_enroll.services.catalog import import_users as users_service
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.catalog.import_users import import_users
from quart_enroll.services.catalog.imported_users import ImportedUser
from quart_enroll.services.staff import imports
from quart_enroll.services.staff.imports import Preview
from tests.support.people import FALL_MORNING, RITA

DATA = b"email,last_name\n" + b"x" * (5 * 2**20)
ROWS = [
    ImportedUser(number, None, User(0, f"person{number}@school.example", "", f"P{number}", frozenset()), None)
    for number in range(2, 7)
]


@pytest.fixture(autouse=True)
def _batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_service, "BATCH_ROWS", 2)


@pytest.fixture
async def stored(db: Database) -> StoredImport:
    """An import that rita has begun."""
    import_id = await imports.upload(db, RITA.user_id, "user", "people.csv", BytesIO(DATA), FALL_MORNING)
    await check(db, import_id)
    assert await imports.begin(db, import_id, RITA.user_id, 1, FALL_MORNING)
    found = await imports.find(db, import_id)
    assert found is not None
    return found


async def check(db: Database, import_id: str, label: str = "email") -> None:
    assert await imports.choose_columns(db, import_id, {label: "email"})
    found = await imports.find(db, import_id)
    assert found is not None
    assert await imports.check(db, found, preview, "process", FALL_MORNING)


async def preview(_: StoredImport) -> Preview:
    return Preview(PreviewCounts(added=len(ROWS)), [Outcome(row.number, "added", row.user.email) for row in ROWS])


async def apply(db: Database, author: ImportAuthor) -> ImportResult:
    return await import_users(db, ROWS, FALL_MORNING, unusable_password="x", author=author)


async def dying(db: Database, author: ImportAuthor) -> ImportResult:
    """Import as a process does that dies in the second batch."""
    batches = 0

    async def die(session: Session, result: ImportResult) -> None:
        nonlocal batches
        batches += 1
        await author.record(session, result)
        if batches == 2:
            raise KeyboardInterrupt

    return await import_users(db, ROWS, FALL_MORNING, unusable_password="x", author=ImportAuthor(record=die))


async def run(db: Database, stored: StoredImport, how: Any = apply, holder: str = "process") -> bool:
    return await imports.run(db, stored, partial(how, db), holder, FALL_MORNING)


async def stored_bytes(db: Database, import_id: str) -> bytes:
    file = BytesIO()
    await imports.read_file(db, import_id, file)
    return file.getvalue()


async def logged(db: Database) -> int:
    return await db.audit.count_documents({"action": "import", "actor": RITA.user_id, "about.name": "people.csv"})


async def test_an_uploaded_file_is_stored_in_parts(db: Database, stored: StoredImport) -> None:
    assert await stored_bytes(db, stored.import_id) == DATA
    assert await db.import_part.count_documents({"what": "bytes"}) == 1 + len(DATA) // import_parts.PART_BYTES


async def test_columns_can_be_chosen_until_the_import_begins(db: Database) -> None:
    import_id = await imports.upload(db, RITA.user_id, "user", "people.csv", BytesIO(DATA), FALL_MORNING)
    assert not await imports.begin(db, import_id, RITA.user_id, 0, FALL_MORNING)  # its preview hasn't been seen
    await check(db, import_id)
    await check(db, import_id, "$Con.tact")
    # This is not what the second check has found.
    assert not await imports.begin(db, import_id, RITA.user_id, 1, FALL_MORNING)
    assert await imports.begin(db, import_id, RITA.user_id, 2, FALL_MORNING)
    assert not await imports.choose_columns(db, import_id, {})
    assert not await imports.begin(db, import_id, RITA.user_id, 2, FALL_MORNING)


async def test_an_import_ends_with_its_outcome_and_one_audit_entry(db: Database, stored: StoredImport) -> None:
    assert await run(db, stored)
    found = await imports.find(db, stored.import_id)
    assert found is not None
    assert (found.state, found.rows, found.passed, found.added) == (ImportState.DONE, 5, 5, 5)
    outcome = [(one.number, one.what) async for batch in imports.outcomes(db, found) for one in batch]
    assert outcome == [(number, "added") for number in range(2, 7)]
    assert await stored_bytes(db, stored.import_id) == b""
    assert await logged(db) == 1
    assert await imports.find_pending(db) == []


async def test_another_process_goes_on_after_a_death(db: Database, stored: StoredImport) -> None:
    with pytest.raises(KeyboardInterrupt):
        await run(db, stored, dying, "dead")
    [left] = await imports.find_pending(db)
    assert (left.passed, left.added) == (2, 2)
    assert await run(db, left, holder="other")
    found = await imports.find(db, stored.import_id)
    assert found is not None
    assert (found.state, found.passed, found.added, found.changed) == (ImportState.DONE, 5, 5, 0)
    assert len([one async for batch in imports.outcomes(db, found) for one in batch]) == 5
    assert await logged(db) == 1


async def test_two_processes_do_not_run_the_same_import(db: Database, stored: StoredImport) -> None:
    async def compete(db: Database, author: ImportAuthor) -> ImportResult:
        assert not await run(db, stored, holder="other")
        return await apply(db, author)

    assert await run(db, stored, compete)
    assert not await run(db, stored, holder="other")  # it has ended
    found = await imports.find(db, stored.import_id)
    assert found is not None
    assert found.added == 5


async def test_a_failed_import_says_why_and_keeps_no_bytes(db: Database, stored: StoredImport) -> None:
    await imports.fail(db, stored, ["row 2: no"])
    found = await imports.find(db, stored.import_id)
    assert found is not None
    assert (found.state, found.failures) == (ImportState.FAILED, ("row 2: no",))
    assert await stored_bytes(db, stored.import_id) == b""
