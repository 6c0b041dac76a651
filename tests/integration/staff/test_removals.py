"""Users ask for their account to be removed, and the registrar decides."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices, removals, users
from quart_enroll.domain.audit import AuditEntry, LogFilter
from quart_enroll.domain.errors import LastRegistrar, RemovalDecided
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit as seat_audit
from quart_enroll.services.notifications import messages
from quart_enroll.services.staff import audit
from quart_enroll.services.staff import removals as service
from tests.support.people import (
    ADA,
    BOB,
    FALL,
    FALL_MORNING,
    PASSWORD,
    RITA,
    Browser,
    seats_taken,
    text,
)

NOW = FALL_MORNING
PHP = SectionRequest("3333")
LINKS = EmailLinks("a key that only the tests know, and long", "https://enroll.school.example")


@pytest.fixture(autouse=True)
def by_registrar(app: Quart) -> None:
    app.config["ACCOUNT_REMOVAL"] = "registrar"


@pytest.fixture
async def seats(db: Database) -> None:
    """Ada has a seat, for which bob waits."""
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, PHP, NOW)
    await waitlist.join(EnrollmentContext(db), BOB.user_id, PHP, NOW)


async def ask(browser: Browser, password: str = PASSWORD) -> int:
    return (await browser.post("/account/delete", form={"password": password})).status_code


async def entries(db: Database) -> Sequence[AuditEntry]:
    return [one.entry async for batch in audit.batches(db, LogFilter()) for one in batch]


async def enrollment_rows(db: Database) -> list[tuple[int, str, str]]:
    rows = await db.enrollment.find().sort("_id").to_list(None)
    return [(row["user_id"], row["courseID"], row["status"]) for row in rows]


@pytest.mark.usefixtures("seats")
async def test_a_request_changes_nothing_until_there_is_a_decision(ada: Browser, db: Database) -> None:
    assert [await ask(ada), await ask(ada)] == [303, 303]
    page = unescape(await ada.read("/account/delete"))
    assert "You asked the registrar on" in page
    assert await db.removal.count_documents({}) == 1
    assert await users.find(db, ADA.user_id) is not None
    assert await seats_taken(db, "3333") == 1


async def test_a_request_needs_the_password(ada: Browser, db: Database) -> None:
    assert await ask(ada, "not the password") == 422
    assert await db.removal.count_documents({}) == 0


async def test_a_request_can_be_withdrawn(ada: Browser, db: Database) -> None:
    await ask(ada)
    for _ in range(2):
        assert (await ada.post("/account/delete/end")).location == "/account"
    assert await db.removal.count_documents({}) == 0
    assert "Ask the registrar" in await ada.read("/account/delete")


async def test_the_registrar_sees_who_has_asked(ada: Browser, rita: Browser) -> None:
    assert "No requests are waiting for a decision." in await rita.read("/staff/removals")
    await ask(ada)
    assert re.findall(r'href="/staff/removals/(\d+)"', await rita.read("/staff/removals")) == ["1"]
    assert "ada@school.example" in await rita.read("/staff/removals?format=csv")
    assert (await rita.get("/staff/removals/2")).status_code == 404


@pytest.mark.usefixtures("seats")
async def test_a_granted_request_frees_the_seats_and_leaves_an_entry(ada: Browser, rita: Browser, db: Database) -> None:
    await ask(ada)
    page = unescape(await rita.read("/staff/removals/1"))
    assert "1 course in a current or upcoming term will be dropped" in page
    response = await rita.post("/staff/removals/1")
    assert (response.status_code, response.location) == (303, "/staff/removals")
    assert await users.find(db, ADA.user_id) is None
    assert (await ada.get("/account")).status_code == 303
    assert await enrollment_rows(db) == [(BOB.user_id, "3333", "enrolled")]
    [entry] = await entries(db)
    assert (entry.action, entry.actor, entry.user_id) == ("removal.grant", RITA.user_id, ADA.user_id)
    actors = {event["action"]: event["actor"] async for event in db.event.find({"user_id": ADA.user_id})}
    assert actors["drop"] == RITA.user_id
    assert (await seat_audit.check(db, NOW)).discrepancies == []


@pytest.mark.parametrize(
    ("moment", "status", "taken"),
    [
        (FALL.drop_deadline, "withdrawn", 0),
        (FALL.withdraw_deadline + timedelta(days=1), "enrolled", 1),
    ],
)
@pytest.mark.usefixtures("seats")
async def test_courses_past_their_drop_deadline_stay_on_record_without_a_name(
    db: Database, moment: datetime, status: str, taken: int
) -> None:
    await removals.add(db, ADA.user_id, moment, None)
    await service.grant(EnrollmentContext(db), RITA.user_id, ADA.user_id, moment)
    assert await enrollment_rows(db) == [(ADA.user_id, "3333", status)]
    assert await seats_taken(db, "3333") == taken
    everything = [
        str(row) for name in await db.list_collection_names() if name != "notice" async for row in db[name].find()
    ]
    assert not [row for row in everything if ADA.email in row or "Winters" in row]
    assert (await seat_audit.check(db, moment)).discrepancies == []
    await db.schedule.delete_many({"closed_at": {"$exists": True}})  # as MongoDB does after an hour
    assert (await seat_audit.check(db, moment)).discrepancies == []
    assert await seat_audit.repair(db, moment) == []
    await db.counter.delete_many({"_id": "user_id"})  # as if it had been lost
    assert await users.next_user_id(db) > RITA.user_id


async def test_the_number_of_a_removed_account_is_never_reused(db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"user_id": 99}})
    await removals.add(db, 99, NOW, None)
    await service.grant(EnrollmentContext(db), RITA.user_id, 99, NOW)
    await db.counter.delete_many({"_id": "user_id"})
    assert await users.next_user_id(db) == 100


async def outgoing(db: Database) -> list[tuple[str, str, str]]:
    """Return the address, the subject and the text of each email that waits."""
    found = []
    while (email := await notices.find_due(db, NOW - timedelta(days=1), NOW)) is not None:
        assert email.to is not None
        sent = messages.compose(email.notice, email.to, LINKS, NOW)
        found.append((email.to.user.email, sent.subject, sent.text))
        await notices.claim(db, email, NOW)
    return found


async def test_the_owner_of_a_removed_account_gets_an_email_in_their_language(db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"language": "es"}})
    await removals.add(db, ADA.user_id, NOW, None)
    await service.grant(EnrollmentContext(db), RITA.user_id, ADA.user_id, NOW)
    [(address, subject, message)] = await outgoing(db)
    assert address == ADA.email
    assert subject == "Se ha eliminado tu cuenta"
    assert "Ada" not in message


async def test_an_address_that_was_never_confirmed_gets_no_email(db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"email_unconfirmed": True}})
    await removals.add(db, ADA.user_id, NOW, None)
    await service.grant(EnrollmentContext(db), RITA.user_id, ADA.user_id, NOW)
    assert await outgoing(db) == []


async def test_a_declined_request_leaves_the_account_and_the_reason(ada: Browser, rita: Browser, db: Database) -> None:
    await ask(ada)
    response = await rita.post("/staff/removals/1/decline", form={"reason": " "})
    assert response.status_code == 422
    assert 'id="reason-error"' in await text(response)
    assert (await rita.post("/staff/removals/1/decline", form={"reason": "You owe fees"})).status_code == 303
    assert await users.find(db, ADA.user_id) is not None
    [entry] = await entries(db)
    assert (entry.action, entry.user_id, entry.reason) == ("removal.decline", ADA.user_id, "You owe fees")
    [(address, _, message)] = await outgoing(db)
    assert address == ADA.email
    assert "The registrar declined your request to remove your account. Reason: You owe fees" in message
    assert "Reason: You owe fees" in await ada.read("/account")


async def test_a_request_is_decided_only_once(ada: Browser, rita: Browser, db: Database) -> None:
    await ask(ada)
    page = await rita.read("/staff/removals/1")
    assert "Remove account" in page
    await ada.post("/account/delete/end")
    await rita.post("/staff/removals/1")
    assert "decided or withdrawn" in await rita.read("/staff/removals")
    assert await users.find(db, ADA.user_id) is not None
    for decide in (
        service.grant(EnrollmentContext(db), RITA.user_id, ADA.user_id, NOW),
        service.decline(db, RITA.user_id, ADA.user_id, "", NOW),
    ):
        with pytest.raises(RemovalDecided):
            await decide
    assert await entries(db) == []


async def test_the_last_registrar_cannot_be_removed(rita: Browser, db: Database) -> None:
    await ask(rita)
    with pytest.raises(LastRegistrar):
        await service.grant(EnrollmentContext(db), RITA.user_id, RITA.user_id, NOW)
    await rita.post("/staff/removals/3")
    assert "This is the only registrar." in await rita.read("/staff/removals")
    assert await db.removal.count_documents({}) == 1
    assert await entries(db) == []


async def test_a_removal_that_fails_halfway_leaves_everything(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await removals.add(db, ADA.user_id, NOW, None)

    async def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        await service.grant(EnrollmentContext(db), RITA.user_id, ADA.user_id, NOW)
    assert await users.find(db, ADA.user_id) is not None
    assert await db.removal.count_documents({}) == 1


async def test_where_users_delete_their_accounts_themselves_the_page_says_so(app: Quart, ada: Browser) -> None:
    app.config["ACCOUNT_REMOVAL"] = "user"
    page = await ada.read("/account/delete")
    assert "Delete my account" in page
    assert "Ask the registrar" not in page
