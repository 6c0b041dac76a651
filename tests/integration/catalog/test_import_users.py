"""Imports of users: a long file is stored in batches, and nothing is stored before all of it has been checked."""

from dataclasses import replace
from typing import Any

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import Role
from quart_enroll.services.catalog import import_users as service
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.catalog.import_users import import_users
from quart_enroll.services.catalog.imported_users import ImportedUser
from tests.support.people import ADA, FALL_MORNING, RITA


@pytest.fixture(autouse=True)
def _batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BATCH_ROWS", 2)


def person(number: int, **facts: Any) -> ImportedUser:
    user = User(
        0,
        facts.pop("email", f"person{number}@school.example"),
        "Pat",
        f"Person{number}",
        facts.pop("roles", frozenset()),
    )
    return ImportedUser(number, facts.pop("user_id", None), user, None, **facts)


FIVE = [person(number) for number in range(1, 6)]


async def stored(db: Database) -> list[str]:
    rows = db.user.find({"email": {"$regex": "^person"}}).sort("user_id")
    return [row["email"] async for row in rows]


async def test_each_batch_is_recorded_in_its_transaction(db: Database) -> None:
    recorded: list[int] = []

    async def record(session: Session, result: ImportResult) -> None:
        assert session.in_transaction
        recorded.append(result.rows)

    result = await import_users(db, FIVE, FALL_MORNING, unusable_password="x", author=ImportAuthor(record=record))
    assert (result.added, recorded) == (5, [2, 2, 1])
    assert await stored(db) == [row.user.email for row in FIVE]
    assert (await import_users(db, FIVE, FALL_MORNING, unusable_password="x")).unchanged == 5


@pytest.mark.parametrize("advisor", ["9" * 19, "9" * 5000])
async def test_a_number_that_is_too_long_matches_nobody(db: Database, advisor: str) -> None:
    with pytest.raises(InvalidRows) as refused:
        await import_users(db, [person(1, advisors=(advisor,))], FALL_MORNING, unusable_password="x")
    assert [one.field for one in refused.value.problems] == ["advisors"]


async def test_nothing_is_stored_if_the_last_row_is_refused(db: Database) -> None:
    taken = person(6, email=ADA.email, user_id=999)
    for dry_run in (True, False):
        with pytest.raises(InvalidRows) as refused:
            await import_users(db, [*FIVE, taken], FALL_MORNING, unusable_password="x", dry_run=dry_run)
        assert [one.number for one in refused.value.problems] == [6]
        assert refused.value.imported == 0
    assert await stored(db) == []


async def test_what_an_interrupted_import_has_stored_stays_and_is_not_repeated(db: Database) -> None:
    batches = 0

    async def fail_in_second(_: Session, __: ImportResult) -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise KeyError

    with pytest.raises(KeyError):
        await import_users(db, FIVE, FALL_MORNING, unusable_password="x", author=ImportAuthor(record=fail_in_second))
    assert await stored(db) == [row.user.email for row in FIVE[:2]]
    again = await import_users(db, FIVE, FALL_MORNING, unusable_password="x")
    assert (again.added, again.unchanged) == (3, 2)


async def test_a_row_that_conflicts_with_a_concurrent_change_ends_the_import_there(db: Database) -> None:
    async def register(_: Session, __: ImportResult) -> None:
        rival = {"user_id": 900, "email": FIVE[3].user.email, "first_name": "R", "last_name": "R", "password": "x"}
        await db.user.update_one({"user_id": 900}, {"$setOnInsert": rival | {"roles": ["student"]}}, upsert=True)

    rows = [*FIVE[:3], person(4, user_id=800)]
    with pytest.raises(InvalidRows) as refused:
        await import_users(db, rows, FALL_MORNING, unusable_password="x", author=ImportAuthor(record=register))
    assert [str(one.sentence) for one in refused.value.problems] == ["This email belongs to user 900."]
    assert refused.value.imported == 2


async def test_an_advisor_may_come_later_in_the_file(db: Database) -> None:
    advised = [person(number, advisors=("person5@school.example",), given=frozenset({"advisors"})) for number in (1, 2)]
    advisor = person(5, roles=frozenset({Role.ADVISOR}))
    rows = [*advised, *FIVE[2:4], advisor]
    assert (await import_users(db, rows, FALL_MORNING, unusable_password="x", dry_run=True)).added == 5
    await import_users(db, rows, FALL_MORNING, unusable_password="x")
    found = await db.user.find_one({"email": "person5@school.example"})
    assert found is not None
    assert await db.user.count_documents({"advisors": found["user_id"]}) == 2


async def test_another_registrar_may_come_later_in_the_file(db: Database) -> None:
    rita = ImportedUser(1, RITA.user_id, replace(RITA, roles=frozenset({Role.AUDITOR})), None)
    successor = person(4, roles=frozenset({Role.REGISTRAR}))
    with pytest.raises(InvalidRows):
        await import_users(db, [rita, *FIVE[1:4]], FALL_MORNING, unusable_password="x")
    await import_users(db, [rita, *FIVE[1:3], successor], FALL_MORNING, unusable_password="x")
    assert await db.user.count_documents({"roles": "registrar"}) == 1


async def test_a_dry_run_uses_up_no_numbers(db: Database) -> None:
    before = await db.counter.find_one({"_id": "user_id"})
    assert (await import_users(db, FIVE, FALL_MORNING, unusable_password="x", dry_run=True)).added == 5
    assert await db.counter.find_one({"_id": "user_id"}) == before
    assert await stored(db) == []
