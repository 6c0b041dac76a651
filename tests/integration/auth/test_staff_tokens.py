"""Tokens for staff: the roles that can create one, its scope, and that it never exceeds its owner's roles."""

from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.roles import Role
from quart_enroll.domain.scopes import Scope
from quart_enroll.services.accounts import sessions
from tests.support.api_clients import ENROLLMENTS, PYT, program
from tests.support.people import ADA, ARON, PASSWORD, RITA, Browser, Clock, text

SECTIONS, TERMS, STUDENTS = "/api/v1/staff/sections", "/api/v1/staff/terms", "/api/v1/staff/students"
TERM = "/api/v1/staff/term"
RECORD = f"{STUDENTS}/{ADA.user_id}"
TOKEN_FORM = {"name": "reports", "scope": "staff:read", "expires_at": "2026-09-08", "password": PASSWORD}

OWN_READ, OWN_CHANGE = ("GET", "/api/v1/me"), ("POST", ENROLLMENTS)
STAFF_READ, STAFF_CHANGE = ("GET", TERMS), ("POST", f"{RECORD}/act")


@pytest.mark.parametrize(
    ("scope", "codes"),
    [
        (Scope.READ, ["", "read_only_token", "wrong_scope", "read_only_token"]),
        (Scope.ENROLL, ["", "", "wrong_scope", "wrong_scope"]),
        (Scope.STAFF_READ, ["", "read_only_token", "", "read_only_token"]),
        (Scope.STAFF_WRITE, ["", "wrong_scope", "", ""]),
    ],
)
async def test_a_token_is_valid_only_for_its_scope(scope: Scope, codes: list[str], app: Quart, db: Database) -> None:
    client = await program(app, db, RITA, scope)
    act = {"action": "enroll", "term": "Fall 2026", "section": "01", "reason": "Asked."} | PYT
    found = []
    for (method, path), body in ((OWN_READ, None), (OWN_CHANGE, PYT), (STAFF_READ, None), (STAFF_CHANGE, act)):
        response = await client.send(method, path, body)
        found.append((await response.get_json()).get("code", ""))
        assert response.status_code == 403 if found[-1] else response.status_code < 300
    assert found == codes


async def test_a_token_ends_with_the_role_of_its_owner(app: Quart, db: Database) -> None:
    client = await program(app, db, RITA, Scope.STAFF_WRITE)
    assert (await client.send("GET", TERMS)).status_code == 200
    await db.user.update_one({"user_id": RITA.user_id}, {"$set": {"roles": [Role.STUDENT]}})
    response = await client.send("GET", TERMS)
    assert (response.status_code, (await response.get_json())["code"]) == (403, "forbidden")


async def test_a_token_sees_the_scope_of_its_owner(app: Quart, db: Database, other_staff: None) -> None:
    client = await program(app, db, ARON, Scope.STAFF_WRITE)
    assert (await client.send("GET", RECORD)).status_code == 404
    assert (await client.get(STUDENTS))["students"] == []
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [ARON.user_id]}})
    assert (await client.get(RECORD))["student"]["user_id"] == ADA.user_id
    assert [one["user_id"] for one in (await client.get(STUDENTS))["students"]] == [ADA.user_id]
    assert (await client.send("GET", SECTIONS)).status_code == 403


async def test_only_staff_are_offered_scopes_for_staff(ada: Browser, rita: Browser, db: Database) -> None:
    assert "staff:read" not in await ada.read("/account/tokens")
    response = await ada.post("/account/tokens", form=TOKEN_FORM)
    assert response.status_code == 422
    assert "Choose its permissions." in await text(response)
    assert 'value="staff:write"' in await rita.read("/account/tokens")
    assert (await rita.post("/account/tokens", form=TOKEN_FORM)).status_code == 201
    assert "Read as staff" in await rita.read("/account/tokens")


async def test_a_token_for_staff_needs_the_password_and_is_audited(rita: Browser, db: Database) -> None:
    assert (await rita.post("/account/tokens", form=TOKEN_FORM | {"password": ""})).status_code == 422
    assert await db.audit.count_documents({}) == 0
    await rita.post("/account/tokens", form=TOKEN_FORM)
    entry = await db.audit.find_one({})
    assert entry is not None
    assert (entry["action"], entry["actor"], entry["about"]["name"]) == ("token.add", RITA.user_id, "reports")


async def test_a_token_for_staff_is_short_lived(rita: Browser, ada: Browser) -> None:
    assert 'value="2026-09-08"' in await rita.read("/account/tokens")
    assert 'value="2026-11-30"' in await ada.read("/account/tokens")
    response = await rita.post("/account/tokens", form=TOKEN_FORM | {"expires_at": "2026-12-01"})
    assert response.status_code == 422
    assert "Choose a date between today and Nov 30, 2026." in await text(response)
    form = TOKEN_FORM | {"expires_at": "2026-12-01", "scope": "read"}
    assert (await rita.post("/account/tokens", form=form)).status_code == 201


async def test_only_a_browser_confirms_the_password_again(
    app: Quart, db: Database, rita: Browser, clock: Clock
) -> None:
    client = await program(app, db, RITA, Scope.STAFF_WRITE)
    edit: dict[str, Any] = {"json": {"term": "Fall 2026", "max_credits": 20}}
    edit["headers"] = {"Sec-Fetch-Site": "same-origin"}
    assert (await rita.client.patch(TERM, **edit)).status_code == 200
    clock.now += sessions.CONFIRMED_FOR
    response = await rita.client.patch(TERM, **edit)
    assert (response.status_code, (await response.get_json())["code"]) == (403, "password_needed")
    assert (await rita.get(TERMS)).status_code == 200
    assert (await client.patch(TERM, edit["json"]))[0] == 200
