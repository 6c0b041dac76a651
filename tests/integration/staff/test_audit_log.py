"""The collections of the audit log and the access log."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import access as access_rows
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.audit import About, AccessEntry, AuditEntry, Change, LogFilter
from quart_enroll.domain.roles import Role
from quart_enroll.services.staff import access, audit
from tests.support.people import ADA, BOB, FALL_MORNING, RITA

EVERYTHING = LogFilter()

EDIT = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "section.edit",
    About("section", "Fall 2026", "1111", "01"),
    changes=(Change("capacity", "30", "40"),),
)
ADDED = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "student.add",
    About("section", "Fall 2026", "3333", "01"),
    user_id=ADA.user_id,
    reason="Graduates in spring",
    overrides=("full",),
)


async def record(db: Database, *entries: AuditEntry) -> None:
    async def body(session: Session) -> None:
        for entry in entries:
            await audit.record(db, session, entry)

    await transaction(db, body)


async def entries(db: Database, wanted: LogFilter = EVERYTHING) -> Sequence[AuditEntry]:
    found, _ = await audit.page(db, wanted, "", 50)
    return [one.entry for one in found]


async def test_an_entry_is_read_as_it_was_recorded(db: Database) -> None:
    await record(db, EDIT, ADDED)
    assert await entries(db) == [ADDED, EDIT]


async def test_an_entry_is_not_written_without_its_change(db: Database) -> None:
    async def body(session: Session) -> None:
        await audit.record(db, session, EDIT)
        raise LookupError

    with pytest.raises(LookupError):
        await transaction(db, body)
    assert await entries(db) == []


async def test_entries_have_the_names_of_people_except_of_deleted_accounts(db: Database) -> None:
    await record(db, ADDED, replace(ADDED, user_id=99))
    found, _ = await audit.page(db, LogFilter(), "", 50)
    assert [(one.actor_name, one.person_name) for one in found] == [("Rita Moreno", ""), ("Rita Moreno", "Ada Winters")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LogFilter(actor=RITA.user_id), [ADDED, EDIT]),
        (LogFilter(actor=BOB.user_id), []),
        (LogFilter(user_id=ADA.user_id), [ADDED]),
        (LogFilter(action="section.edit"), [EDIT]),
        (LogFilter(action="section.edit", user_id=ADA.user_id), []),
        (LogFilter(begins=FALL_MORNING), [ADDED, EDIT]),
        (LogFilter(ends=FALL_MORNING), []),
    ],
)
async def test_a_filter_finds_the_entries_that_meet_all_its_conditions(
    db: Database, wanted: LogFilter, found: Sequence[AuditEntry]
) -> None:
    await record(db, EDIT, ADDED)
    assert await entries(db, wanted) == found


async def test_pages_and_batches_have_each_entry_once_with_the_latest_first(db: Database) -> None:
    recorded = [replace(EDIT, at=FALL_MORNING + timedelta(minutes=number // 2)) for number in range(5)]
    await record(db, *recorded)
    paged: list[AuditEntry] = []
    cursor = ""
    while True:
        found, cursor = await audit.page(db, LogFilter(begins=FALL_MORNING), cursor, 2)
        paged += [one.entry for one in found]
        if not cursor:
            break
    batched = [one.entry async for batch in audit.batches(db, LogFilter()) for one in batch]
    assert paged == batched == recorded[::-1]


async def test_a_look_at_the_same_record_within_a_minute_is_logged_once(db: Database) -> None:
    look = AccessEntry(FALL_MORNING, RITA.user_id, ADA.user_id, "staff_student")
    later = replace(look, at=FALL_MORNING + timedelta(minutes=1))
    others = [replace(look, actor=BOB.user_id), replace(look, user_id=BOB.user_id), replace(look, page="staff_people")]
    for entry in (look, replace(look, at=FALL_MORNING + timedelta(seconds=59)), later, *others):
        await access_rows.add(db, entry)
    found, _ = await access.page(db, LogFilter(), "", 50)
    assert {one.entry for one in found} == {look, later, *others}


async def test_opening_a_record_is_logged_and_only_possible_within_ones_scope(db: Database) -> None:
    advisor = replace(BOB, roles=frozenset({Role.ADVISOR}))
    assert await access.open_record(db, RITA, ADA.user_id, "staff_student", FALL_MORNING) == ADA
    assert await access.open_record(db, advisor, ADA.user_id, "staff_student", FALL_MORNING) is None
    assert await access.open_record(db, RITA, 99, "staff_student", FALL_MORNING) is None
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [BOB.user_id]}})
    assert await access.open_record(db, advisor, ADA.user_id, "staff_student", FALL_MORNING) is not None
    found, _ = await access.page(db, EVERYTHING, "", 50)
    assert {(one.entry.actor, one.entry.user_id) for one in found} == {
        (RITA.user_id, ADA.user_id),
        (BOB.user_id, ADA.user_id),
    }
