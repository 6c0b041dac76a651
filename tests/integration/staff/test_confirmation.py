"""Staff confirm their password before the first change after half an hour."""

import re
from datetime import timedelta
from io import BytesIO

import pytest
from quart import Quart, request
from quart.datastructures import FileStorage

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import Profile
from quart_enroll.domain.roles import Role
from quart_enroll.pages.staff.confirmation import confirmed
from quart_enroll.web import auth
from quart_enroll.web.route import GET, POST, Audience, Route
from tests.support.people import BOB, PASSWORD, Browser, Clock, text

PATH = f"/staff/people/{BOB.user_id}"
FORM = {"seen": Profile.of(BOB).fingerprint, "roles": ["student", "auditor"], "advisors": "", "confirmed": "y"}


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
        ("confirmed", "y"),
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


@pytest.fixture
def upload(app: Quart) -> list[str]:
    """Add a form with a file at /staff/upload; return the names of the fields that reach its view."""
    reached: list[str] = []

    async def view() -> str:
        reached.extend([request.method, *(await request.files)])
        return "the form"

    facts = {"audience": Audience.STAFF, "roles": frozenset({Role.REGISTRAR}), "has_file": True}
    route = Route("/staff/upload", "upload", view, GET + POST, **facts)
    rule = app.url_rule_class("/staff/upload", endpoint="upload", methods=["GET", "POST"], route=route)
    app.url_map.add(rule)
    app.view_functions["upload"] = auth.restrict(confirmed(view), Audience.STAFF)
    return reached


async def test_before_a_form_with_a_file_the_password_comes_first(
    rita: Browser, clock: Clock, upload: list[str]
) -> None:
    assert await rita.read("/staff/upload") == "the form"
    clock.now += timedelta(minutes=31)
    page = await rita.read("/staff/upload?kind=user")
    assert "Enter it again, then choose the file." in page
    assert "There’s a problem" not in page
    assert (await rita.post("/staff/upload", files={"file": FileStorage(BytesIO(b"x"), "x.csv")})).status_code == 422
    assert upload == ["GET"]
    response = await rita.send("/staff/upload?kind=user", {"confirmed_password": PASSWORD})
    assert (response.status_code, response.location) == (303, "/staff/upload?kind=user")
    await rita.post("/staff/upload", files={"file": FileStorage(BytesIO(b"x"), "x.csv")})
    assert upload == ["GET", "POST", "file"]
