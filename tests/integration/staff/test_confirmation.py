"""Staff confirm their password before the first change after half an hour."""

import re
from datetime import timedelta

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import Profile
from tests.support.people import BOB, PASSWORD, Browser, Clock, text

PATH = f"/staff/people/{BOB.user_id}"
FORM = {"seen": Profile.of(BOB).fingerprint, "roles": ["student", "auditor"], "advisors": "", "sure": "y"}


async def is_auditor(db: Database) -> bool:
    found = await users.find(db, BOB.user_id)
    assert found is not None
    return found.is_staff


async def test_soon_after_signing_in_a_change_is_made_at_once(rita: Browser, db: Database, clock: Clock) -> None:
    clock.now += timedelta(minutes=29)
    assert (await rita.send(PATH, FORM)).status_code == 303
    assert await is_auditor(db)


async def test_later_the_page_asks_for_the_password_and_keeps_the_form(
    rita: Browser, db: Database, clock: Clock
) -> None:
    clock.now += timedelta(minutes=31)
    assert (await rita.get(PATH)).status_code == 200
    response = await rita.send(PATH, FORM)
    page = await text(response)
    assert response.status_code == 422
    assert "Confirm your password" in page
    assert not await is_auditor(db)
    main = page.split("<main")[1].split("</main>")[0]
    repeated = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', main)
    assert repeated == [
        ("seen", FORM["seen"]),
        ("roles", "student"),
        ("roles", "auditor"),
        ("advisors", ""),
        ("sure", "y"),
    ]
    wrong = await rita.send(PATH, FORM | {"confirmed_password": "not my password"})
    assert wrong.status_code == 422
    assert "not my password" not in await text(wrong)
    empty = await rita.send(PATH, FORM | {"confirmed_password": ""})
    assert 'id="confirmed_password-error"' in await text(empty)
    assert not await is_auditor(db)
    assert (await rita.send(PATH, FORM | {"confirmed_password": PASSWORD})).status_code == 303
    assert await is_auditor(db)
    clock.now += timedelta(minutes=29)
    assert (await rita.send(PATH, FORM)).status_code == 303


async def test_wrong_passwords_are_limited_as_at_sign_in(rita: Browser, clock: Clock) -> None:
    clock.now += timedelta(minutes=31)
    statuses = [
        (await rita.send(PATH, FORM | {"confirmed_password": "not my password"})).status_code for _ in range(11)
    ]
    assert statuses == [422] * 10 + [429]
