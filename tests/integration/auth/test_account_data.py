"""A student's own data: downloaded on request, and removed when the account is deleted."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, notices, users
from quart_enroll.db.queries import user_data
from quart_enroll.domain.errors import AccountGone
from quart_enroll.domain.models import Notice, SectionRequest
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES
from tests.concurrency.invariants import assert_sound
from tests.support.people import (
    ADA,
    BOB,
    FALL,
    FALL_MORNING,
    PASSWORD,
    RITA,
    Browser,
    Clock,
    registration,
    seats_taken,
    text,
)

NOW = FALL_MORNING
PHP, PYT = SectionRequest("3333"), SectionRequest("1111", section="02")


@pytest.fixture
async def school(db: Database) -> Database:
    """Ada and bob each have a seat in a full section and are waitlisted for the other's; rita shares bob's section."""
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, PHP, NOW)
    await waitlist.join(EnrollmentContext(db), BOB.user_id, PHP, NOW)
    for user in (BOB, RITA):
        await enroll.enroll(EnrollmentContext(db), user.user_id, PYT, NOW)
    await waitlist.join(EnrollmentContext(db), ADA.user_id, PYT, NOW)
    return db


async def delete_account(browser: Browser, password: str = PASSWORD) -> int:
    return (await browser.post("/account/delete", form={"password": password})).status_code


async def count_rows(db: Database, user_id: int) -> dict[str, int]:
    """Return the number of the user's rows in each collection that has any."""
    counts = {name: await db[name].count_documents({"user_id": user_id}) for name in await db.list_collection_names()}
    return {name: number for name, number in counts.items() if number}


async def download_data(browser: Browser) -> dict[str, Any]:
    return dict(json.loads(await browser.read("/account/data")))


def test_the_download_includes_every_collection_that_refers_to_users() -> None:
    collections_with_users = {
        name for name, repository in COLLECTION_MODULES.items() if "user_id" in repository.SCHEMA["properties"]
    }
    assert collections_with_users == set(user_data.EXPORTED_FIELDS)


async def test_the_download_is_a_file_with_all_of_the_students_data(ada: Browser, school: Database) -> None:
    await notices.add(school, Notice(NOW, ADA.user_id, "promote", "1111", "PYT 101", "Fall 2026", "01"), None)
    await ada.post("/logout")
    await ada.sign_in(ADA)
    response = await ada.get("/account/data")
    assert response.headers["Content-Disposition"] == "attachment; filename=my-data.json"
    assert response.headers["Cache-Control"] == "no-store"
    data = json.loads(await text(response))
    assert data["user"] == {
        "user_id": 1,
        "email": ADA.email,
        "first_name": "Ada",
        "last_name": "Winters",
        "role": "student",
        "roles": ["student"],
        "signed_in_at": "2026-09-01T09:00:00+00:00",
        "language": "en",
    }
    assert [row["courseID"] for row in data["enrollment"]] == ["3333"]
    assert [row["courseID"] for row in data["waitlist"]] == ["1111"]
    assert [row["action"] for row in data["event"]] == ["join", "enroll"]
    assert [row["title"] for row in data["notice"]] == ["PYT 101"]
    assert [row["credits"] for row in data["schedule"]] == [4]
    assert [row["remembered"] for row in data["login"]] == [False]


async def test_the_download_counts_repeated_refusals(ada: Browser, bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    for _ in range(2):
        await ada.post("/enrollment", form={"courseID": "3333"})
    [event] = (await download_data(ada))["event"]
    moment = NOW.isoformat()
    assert (event["result"], event["count"], event["at"], event["last_at"]) == ("section_full", 2, moment, moment)
    assert "day" not in event


async def test_the_download_contains_no_secrets_and_nothing_about_other_users(
    ada: Browser, bob: Browser, school: Database
) -> None:
    await enroll.drop(EnrollmentContext(school), BOB.user_id, PYT, NOW)  # promotes ada
    data = await ada.read("/account/data")
    assert '"action": "promote"' in data
    secrets = [row["_id"] async for row in school.login.find()] + ["scrypt", BOB.email, '"user_id": 2', "actor"]
    assert not [secret for secret in secrets if secret in data]


async def test_deleting_an_account_gives_its_seat_to_the_next_student(
    ada: Browser, bob: Browser, school: Database
) -> None:
    response = await ada.post("/account/delete", form={"password": PASSWORD})
    assert (response.status_code, response.location) == (303, "/")
    assert "Your account has been deleted" in await ada.read("/")
    assert "PHP 202" in await bob.read("/enrollment")
    assert await seats_taken(school, "3333") == 1
    assert await school.user.count_documents({"user_id": ADA.user_id}) == 0
    assert (await audit.check(school, NOW)).discrepancies == []
    await assert_sound(school, NOW)


async def test_only_the_history_and_closed_schedules_keep_a_deleted_users_id(ada: Browser, school: Database) -> None:
    await delete_account(ada)
    rows = await count_rows(school, ADA.user_id)
    assert rows.pop("schedule") == await school.schedule.count_documents({"user_id": 1, "closed_at": {"$exists": True}})
    assert rows == {"event": 4}  # enrolled, joined, dropped and left
    everything = [str(row) for name in await school.list_collection_names() async for row in school[name].find()]
    assert not [row for row in everything if ADA.email in row or "Winters" in row]


async def test_a_deleted_user_is_signed_out_everywhere_and_cannot_sign_in(
    ada: Browser, app: Quart, school: Database
) -> None:
    other = Browser(app.test_client())
    await other.sign_in(ADA, remember_me="y")
    await delete_account(ada)
    assert [(await browser.get("/account")).status_code for browser in (ada, other)] == [303, 303]
    assert (await other.sign_in(ADA)).status_code == 422


async def test_nothing_is_deleted_without_the_password(ada: Browser, school: Database) -> None:
    response = await ada.post("/account/delete", form={"password": "not the password"})
    assert response.status_code == 422
    assert "Incorrect password. Try again." in await text(response)
    assert await delete_account(ada, "") == 422
    assert await seats_taken(school, "3333") == 1
    assert (await ada.get("/account")).status_code == 200


async def test_a_deletion_that_fails_halfway_removes_nothing(
    ada: Browser, school: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await count_rows(school, ADA.user_id)
    with monkeypatch.context() as patch:
        patch.setattr(user_data, "remove", None)
        assert await delete_account(ada) == 500
    assert await count_rows(school, ADA.user_id) == before
    await assert_sound(school, NOW)
    assert await delete_account(ada) == 303


async def test_deleting_an_account_twice_is_harmless(ada: Browser, app: Quart, school: Database) -> None:
    assert set(await asyncio.gather(*(delete_account(ada) for _ in range(4)))) <= {303, 422}
    assert await school.user.count_documents({"user_id": ADA.user_id}) == 0
    await assert_sound(school, NOW)


async def test_seats_of_earlier_terms_and_withdrawn_courses_are_deleted_too(
    ada: Browser, school: Database, clock: Clock
) -> None:
    await enroll.drop(
        EnrollmentContext(school), ADA.user_id, SectionRequest("3333"), FALL.drop_deadline
    )  # a drop at this time is a withdrawal
    await enroll.enroll(EnrollmentContext(school), ADA.user_id, SectionRequest("1111", section="01"), NOW)
    clock.now = FALL.withdraw_deadline + timedelta(days=1)
    await ada.sign_in(ADA)
    assert await delete_account(ada) == 303
    assert await seats_taken(school, "1111") == 0
    assert await school.enrollment.count_documents({"user_id": ADA.user_id}) == 0
    assert (await audit.check(school, clock.now)).discrepancies == []


async def test_a_row_of_the_flask_site_without_a_term_is_deleted_too(ada: Browser, school: Database) -> None:
    await school.enrollment.insert_one({"user_id": 1, "courseID": "77"}, bypass_document_validation=True)
    assert await delete_account(ada) == 303
    assert await school.enrollment.count_documents({"user_id": ADA.user_id}) == 0


async def test_a_request_that_arrives_after_the_deletion_changes_nothing(ada: Browser, school: Database) -> None:
    await delete_account(ada)
    for change in (
        enroll.enroll(EnrollmentContext(school), ADA.user_id, SectionRequest("1111", section="01"), NOW),
        enroll.swap(EnrollmentContext(school), ADA.user_id, "3333", SectionRequest("1111", section="01"), NOW),
        waitlist.join(EnrollmentContext(school), ADA.user_id, SectionRequest("3333"), NOW),
    ):
        with pytest.raises(AccountGone):
            await change
    assert await enrollments.find_section_keys(school, ADA.user_id) == []
    assert await school.event.count_documents({"user_id": ADA.user_id}) == 4
    assert (await audit.check(school, NOW)).discrepancies == []


async def test_an_account_deleted_while_other_tabs_are_busy_leaves_nothing_behind(app: Quart, school: Database) -> None:
    for attempt in range(5):
        email = f"zoe{attempt}@school.example"
        zoe = Browser(app.test_client())
        await zoe.post("/register", form=registration(email))
        forms = [{"courseID": "1111", "section": "01"}, {"courseID": "3333"}, {"courseID": "2222"}] * 2
        paths = ["/enrollment", "/waitlist", "/enrollment/drop"]
        changes = [zoe.post(path, form=form) for path in paths for form in forms]
        statuses = await asyncio.gather(delete_account(zoe), *changes)
        assert statuses[0] == 303
        assert await school.user.count_documents({"email": email}) == 0
        assert (await audit.check(school, NOW)).discrepancies == []


async def test_a_deleted_users_id_is_never_reused(app: Quart, anyone: Browser, school: Database) -> None:
    await anyone.post("/register", form=registration())
    await anyone.post("/enrollment", form={"courseID": "1111", "section": "01"})
    assert await delete_account(anyone) == 303
    await school.counter.delete_many({"_id": "user_id"})  # as if it had been lost
    await Browser(app.test_client()).post("/register", form=registration())
    stored = await school.user.find_one({"email": "zoe@school.example"})
    assert stored is not None
    assert stored["user_id"] == 5


async def test_the_only_registrar_cannot_delete_the_account(rita: Browser, school: Database) -> None:
    response = await rita.post("/account/delete", form={"password": PASSWORD})
    assert response.status_code == 422
    assert "You’re the only registrar." in await text(response)
    assert await users.find(school, RITA.user_id) == RITA


async def test_two_registrars_cannot_both_delete_their_accounts_at_once(
    rita: Browser, bob: Browser, school: Database
) -> None:
    await school.user.update_one({"user_id": BOB.user_id}, {"$set": {"roles": ["registrar"]}})
    assert sorted(await asyncio.gather(delete_account(rita), delete_account(bob))) == [303, 422]
    assert await school.user.count_documents({"roles": "registrar"}) == 1
