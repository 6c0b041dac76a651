"""Indexes and validators enforce the site's promises: if one is missing, `check-seats` and `/readyz` say so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db import schema as schema
from quart_enroll.db.client import Database, Document, open_database
from quart_enroll.db.collections import waitlist
from quart_enroll.services.maintenance import audit, schema_check
from quart_enroll.services.maintenance.schema_check import SchemaCheck
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from tests.support.people import FALL_MORNING, Browser, config
from tests.support.processes import TIMEOUT_SECONDS
from tests.support.school import build

NOW = FALL_MORNING
NEWER_VALIDATOR = {
    "$jsonSchema": {"required": ["courseID"], "description": "from a version that this one does not know"}
}


@pytest.fixture
async def db(fresh_uri: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """An empty database of its own with every index and validator."""
    monkeypatch.setattr(schema_check, "RECHECK_SECONDS", 0.0)
    async with open_database(fresh_uri, 20) as db:
        await build(db)
        yield db


async def set_validator(db: Database, collection: str, validator: Document) -> None:
    await db.command("collMod", collection, validator=validator)


async def replace_index(db: Database, collection: str, name: str, keys: Any, **options: Any) -> None:
    await db[collection].drop_index(name)
    await db[collection].create_index(keys, name=name, **options)


async def is_ready(db: Database) -> bool:
    return not await SchemaCheck(db).find_problem()


async def problems(db: Database) -> list[str]:
    return (await audit.check(db, NOW)).discrepancies


async def test_a_database_with_all_indexes_and_validators_is_ready(db: Database) -> None:
    assert await problems(db) == []
    assert await is_ready(db)


@pytest.mark.parametrize(
    ("collection", "index", "consequence"),
    [
        ("user", "email_unique", "two rows can have the same email"),
        ("enrollment", "one_seat", "two rows can have the same user_id, courseID and term"),
        ("login", "expires_at_1", "expired rows are not removed"),
        ("section", "waiting_1", "queries by waiting read every row"),
    ],
)
async def test_a_missing_index_is_reported_with_its_consequence(
    db: Database, collection: str, index: str, consequence: str
) -> None:
    await db[collection].drop_index(index)
    discrepancy = f"{collection}: the index {index} is missing, so {consequence}. Run `upgrade-db`."
    assert await problems(db) == [discrepancy]
    assert not await is_ready(db)
    await upgrade(db, NOW, UpgradeDefaults())
    assert await problems(db) == []
    assert await is_ready(db)


async def test_an_index_with_other_options_is_reported(db: Database) -> None:
    await replace_index(db, "user", "user_id_1", "user_id")
    await replace_index(db, "login", "expires_at_1", "expires_at")
    await replace_index(db, "enrollment", "one_seat", [("user_id", 1), ("courseID", 1), ("term", 1)], unique=True)
    drop = "Drop it, then run `upgrade-db`."
    assert await problems(db) == [
        f"user: the index user_id_1 has other options, so two rows can have the same user_id. {drop}",
        "enrollment: the index one_seat has other options, so two rows can have the same user_id, courseID and term. "
        + drop,
        f"login: the index expires_at_1 has other options, so expired rows are not removed. {drop}",
    ]
    assert not await is_ready(db)


async def test_a_validator_that_is_missing_or_differs_is_reported(db: Database) -> None:
    await set_validator(db, "course", NEWER_VALIDATOR)
    await set_validator(db, "user", {})
    await db.command("collMod", "section", validationAction="warn")
    assert await problems(db) == [
        "course: the validator is not the one this version needs. Run `upgrade-db`.",
        "user: there is no validator. Run `upgrade-db`.",
        "section: the validator is not the one this version needs. Run `upgrade-db`.",
    ]
    assert not await is_ready(db)
    await upgrade(db, NOW, UpgradeDefaults())
    assert await problems(db) == []


async def test_a_version_stays_ready_while_a_newer_one_upgrades_the_database(db: Database) -> None:
    await upgrade(db, NOW, UpgradeDefaults())
    await schema.note_version(db, "newer")  # the first step of its upgrade-db
    await set_validator(db, "course", NEWER_VALIDATOR)
    await db.course.create_index("credits")
    assert await is_ready(db)
    assert await problems(db) == []


async def test_a_missing_index_that_a_newer_version_also_needs_is_reported(db: Database) -> None:
    await upgrade(db, NOW, UpgradeDefaults())
    await schema.note_version(db, "newer")
    await db.user.drop_index("email_unique")
    assert not await is_ready(db)
    await upgrade(db, NOW, UpgradeDefaults())
    await set_validator(db, "course", {})
    await schema.note_version(db, "newer")
    assert not await is_ready(db)


async def test_a_new_version_whose_upgrade_has_not_run_is_not_ready(db: Database) -> None:
    await schema.note_version(db, "older")
    await set_validator(db, "course", NEWER_VALIDATOR)
    assert not await is_ready(db)


async def test_after_a_rollback_the_older_version_decides(db: Database) -> None:
    await upgrade(db, NOW, UpgradeDefaults())
    await schema.note_version(db, "newer")
    await set_validator(db, "course", NEWER_VALIDATOR)
    await upgrade(db, NOW, UpgradeDefaults())
    assert (await schema.read_upgrades(db)).versions == ["newer", schema_check.version()]
    await set_validator(db, "course", NEWER_VALIDATOR)
    assert not await is_ready(db)


async def test_an_index_that_existing_rows_prevent_does_not_affect_readiness(db: Database) -> None:
    await db.course.drop_index("courseID_1")
    rows = [{"courseID": "1111", "title": "PYT", "description": "", "credits": 3, "term": "Fall"} for _ in range(2)]
    await db.course.insert_many(rows)
    assert not await is_ready(db)
    await upgrade(db, NOW, UpgradeDefaults())
    assert await is_ready(db)
    assert any("courseID_1 is missing, so two rows can have the same courseID" in line for line in await problems(db))
    await db.course.delete_one({})
    await upgrade(db, NOW, UpgradeDefaults())
    with pytest.raises(DuplicateKeyError):
        await db.course.insert_one({key: value for key, value in rows[0].items() if key != "_id"})
    await db.course.drop_index("courseID_1")
    assert not await is_ready(db)


OLD_WAITLIST_INDEXES = [
    IndexModel([("user_id", 1), ("term", 1), ("courseID", 1)], unique=True),
    IndexModel([("term", 1), ("courseID", 1), ("section", 1), ("place", 1)], unique=True),
]


@pytest.fixture
async def older_db(db: Database) -> Database:
    """The same database as an older version left it, whose waitlist could not be sharded."""
    await db.waitlist.drop_indexes()
    await db.waitlist.create_indexes(OLD_WAITLIST_INDEXES)
    return db


async def test_an_upgrade_replaces_the_unique_index_that_prevents_sharding(older_db: Database) -> None:
    assert not await is_ready(older_db)
    report = await upgrade(older_db, NOW, UpgradeDefaults())
    assert report.changes[:3] == [
        "waitlist: index term_1_courseID_1_user_id_1 created",
        "waitlist: index user_id_1_term_1 created",
        "waitlist: index user_id_1_term_1_courseID_1 dropped, because another replaces it",
    ]
    assert "user_id_1_term_1_courseID_1" not in await older_db.waitlist.index_information()
    assert (await upgrade(older_db, NOW, UpgradeDefaults())).changes == []
    assert await is_ready(older_db)


@pytest.mark.parametrize("again", ["place", "course"])
async def test_a_student_waits_once_for_a_course_and_a_place_belongs_to_one(older_db: Database, again: str) -> None:
    row = {"user_id": 1, "term": "Fall 2026", "courseID": "1111", "section": "01", "place": 1, "joined_at": NOW}
    await older_db.waitlist.insert_one({**row})
    await upgrade(older_db, NOW, UpgradeDefaults())
    with pytest.raises(DuplicateKeyError):
        await older_db.waitlist.insert_one(row | ({"user_id": 2} if again == "place" else {"section": "02"}))


async def test_an_index_that_cannot_be_replaced_yet_stays(older_db: Database) -> None:
    await older_db.waitlist.drop_index("term_1_courseID_1_section_1_place_1")
    row = {"user_id": 1, "term": "Fall 2026", "courseID": "1111", "section": "01", "place": 1, "joined_at": NOW}
    await older_db.waitlist.insert_many([row | {"_id": user_id, "user_id": user_id} for user_id in (1, 2)])
    await upgrade(older_db, NOW, UpgradeDefaults())
    assert "user_id_1_term_1_courseID_1" in await older_db.waitlist.index_information()


async def test_an_older_version_stays_ready_without_the_index_that_was_replaced(
    older_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgrade(older_db, NOW, UpgradeDefaults())
    monkeypatch.setattr(waitlist, "INDEXES", OLD_WAITLIST_INDEXES)
    assert await is_ready(older_db)
    await older_db.user.drop_index("email_unique")
    assert not await is_ready(older_db)


@pytest.fixture
def site(db: Database, fresh_uri: str) -> Quart:
    return create_app(config(mongo_uri=fresh_uri))


async def test_a_site_without_an_index_is_not_ready_and_only_its_log_says_why(
    site: Quart, db: Database, log: pytest.LogCaptureFixture
) -> None:
    await db.user.drop_index("email_unique")
    async with site.test_app():
        browser = Browser(site.test_client())
        for _ in range(2):
            response = await browser.get("/readyz")
            assert response.status_code == 503
            assert await response.get_json() == {"status": "the database is not up to date: run `upgrade-db`"}
        [line] = [line for line in log.text.splitlines() if 'level=error event="upgrade-db must run"' in line]
        assert line.endswith("lacking=user.email_unique")
        await upgrade(db, NOW, UpgradeDefaults())
        assert (await browser.get("/readyz")).status_code == 200


async def test_a_site_without_probes_logs_at_its_start_what_is_missing(
    site: Quart, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.user.drop_index("email_unique")
    logged = asyncio.Event()
    monkeypatch.setattr(schema_check.logger, "error", lambda *given, **options: logged.set())
    async with site.test_app(), asyncio.timeout(TIMEOUT_SECONDS):
        await logged.wait()


async def test_frequent_probes_share_one_check(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_check, "RECHECK_SECONDS", 60.0)
    check = SchemaCheck(db)
    assert not await check.find_problem()
    await db.user.drop_index("email_unique")
    assert not await check.find_problem()
    assert not await is_ready(db)
