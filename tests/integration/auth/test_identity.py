"""Emails in any spelling, people with a single name, and passwords in any Unicode form."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import User
from quart_enroll.services.accounts.attempt_limits import account_digest
from quart_enroll.services.accounts.hashing import unusable_hash
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from quart_enroll.state import EXTENSION
from tests.support.people import FALL_MORNING, PASSWORD, PASSWORD_HASH, PASSWORD_METHOD, Browser, registration, text

Run = Callable[..., Awaitable[Result]]

UNICODE_EMAIL, PUNYCODE_EMAIL = "ida@bücher.example", "ida@xn--bcher-kva.example"
SPELLINGS = [UNICODE_EMAIL, PUNYCODE_EMAIL, "IDA@BU\u0308CHER.example", "Ida@XN--BCHER-KVA.example"]
IDA = User(9, UNICODE_EMAIL, "Ida", "Falk")


@pytest.fixture
def run(app: Quart, tmp_path: Path) -> Run:
    """Run a command, with a CSV file if `text` is given, in a thread, because it starts its own event loop."""

    async def invoke(*command: str, text: str = "", typed: str | None = None) -> Result:
        path = tmp_path / "people.csv"
        path.write_text(text, "utf-8")
        args = [*command, str(path)] if text else list(command)
        return await asyncio.to_thread(app.test_cli_runner().invoke, args=args, input=typed)

    return invoke


@pytest.mark.parametrize("stored", [UNICODE_EMAIL, PUNYCODE_EMAIL])
@pytest.mark.parametrize("typed", SPELLINGS)
async def test_every_spelling_of_an_email_signs_in(anyone: Browser, db: Database, stored: str, typed: str) -> None:
    await users.add(db, replace(IDA, email=stored), PASSWORD_HASH)
    assert (await anyone.sign_in(replace(IDA, email=typed))).status_code == 303
    row = await db.user.find_one({"user_id": IDA.user_id})
    assert row is not None
    assert row["email"] == stored


@pytest.mark.parametrize("stored", [UNICODE_EMAIL, PUNYCODE_EMAIL])
@pytest.mark.parametrize("typed", SPELLINGS[:3])
async def test_another_spelling_of_a_registered_email_is_refused(
    anyone: Browser, db: Database, stored: str, typed: str
) -> None:
    await users.add(db, replace(IDA, email=stored), PASSWORD_HASH)
    response = await anyone.post(
        "/register", form=registration(typed, password="another one", password_confirm="another one")
    )
    assert response.status_code == 422
    assert "An account with this email already exists." in await text(response)


@pytest.mark.parametrize("typed", SPELLINGS[:3])
async def test_a_registered_email_is_stored_with_its_domain_in_punycode(
    anyone: Browser, db: Database, typed: str
) -> None:
    await anyone.post("/register", form=registration(typed))
    row = await db.user.find_one({"user_id": {"$gt": 3}})
    assert row is not None
    assert row["email"].partition("@")[2] == "xn--bcher-kva.example"


async def test_an_import_recognizes_every_spelling_of_an_email(run: Run, db: Database) -> None:
    await users.add(db, replace(IDA, email=PUNYCODE_EMAIL), PASSWORD_HASH)
    header = "email,first_name,last_name\n"
    duplicates = await run("import", "user", text=f"{header}{UNICODE_EMAIL},A,B\n{PUNYCODE_EMAIL},A,B\n")
    assert "is in the file twice." in duplicates.output
    result = await run("import", "user", text=f"{header}Ida@Bücher.example,Ida,Winter\n")
    assert result.output.splitlines() == [
        "line 2: user 9: last_name “Falk” → “Winter”",
        "user: 0 added, 1 changed, 0 unchanged.",
    ]
    row = await db.user.find_one({"user_id": IDA.user_id})
    assert row is not None
    assert (row["email"], row["last_name"]) == (PUNYCODE_EMAIL, "Winter")


@pytest.mark.parametrize("typed", SPELLINGS[:3])
async def test_commands_recognize_every_spelling_of_an_email(run: Run, db: Database, typed: str) -> None:
    await users.add(db, replace(IDA, email=PUNYCODE_EMAIL), PASSWORD_HASH)
    assert "Signed out user 9" in (await run("sign-out", "--email", typed)).output
    result = await run(
        "create-user", "--email", typed, "--first-name", "I", "--last-name", "F", typed=f"{PASSWORD}\n" * 2
    )
    assert "An account with this email already exists." in result.output


def test_every_spelling_of_an_email_shares_one_rate_limit() -> None:
    spellings = [*SPELLINGS, f"{UNICODE_EMAIL}\u200b"]
    assert len({account_digest("key", spelling) for spelling in spellings}) == 1


async def test_duplicate_emails_of_an_old_database_are_listed(db: Database) -> None:
    await users.add(db, IDA, PASSWORD_HASH)
    await users.add(db, replace(IDA, user_id=10, email=PUNYCODE_EMAIL), PASSWORD_HASH)
    unchanged = (await upgrade(db, FALL_MORNING, UpgradeDefaults())).unchanged
    [sentence] = [sentence for sentence in unchanged if "the same email address in different spellings" in sentence]
    assert sentence.startswith("user: 9 (_id ")
    assert "bücher" not in sentence
    for email, user_id in ((UNICODE_EMAIL, 9), (PUNYCODE_EMAIL, 10)):
        found = await users.find_credentials(db, email)
        assert found is not None
        assert found.user.user_id == user_id


# Names


@pytest.mark.parametrize(("first", "last"), [("Sukarno", ""), ("", "Sukarno")])
async def test_a_person_may_have_a_single_name(anyone: Browser, db: Database, run: Run, first: str, last: str) -> None:
    await anyone.post("/register", form=registration(first_name=first, last_name=last))
    assert "Welcome, Sukarno." in await anyone.read("/")
    assert '<h2 id="who">Sukarno</h2>' in await anyone.read("/account")
    result = await run("import", "user", text=f"email,first_name,last_name\nsu@school.example,{first},{last}\n")
    assert result.output == "user: 1 added, 0 changed, 0 unchanged.\n"
    row = await db.user.find_one({"email": "su@school.example"})
    assert row is not None
    assert (row["first_name"], row["last_name"]) == (first, last)


async def test_a_name_is_required(anyone: Browser, db: Database, run: Run) -> None:
    response = await anyone.post("/register", form=registration(first_name=" ", last_name=""))
    assert response.status_code == 422
    assert "Enter your name." in await text(response)
    result = await run("import", "user", text="email,first_name,last_name\nsu@school.example,,\n")
    assert "line 2: first_name and last_name are missing." in result.output
    invisible = await run("import", "user", text="email,first_name,last_name\nsu@school.example,\u3164\u200b,Su\n")
    assert "Enter a name with visible characters." in invisible.output
    assert await db.user.count_documents({}) == 3


async def test_importing_a_file_without_names_keeps_the_stored_ones(run: Run, db: Database) -> None:
    await run("import", "user", text="email,last_name\nada@school.example,Summers\n")
    row = await db.user.find_one({"user_id": 1})
    assert row is not None
    assert (row["first_name"], row["last_name"]) == ("Ada", "Summers")


# Passwords


async def test_a_password_matches_in_every_unicode_form(anyone: Browser) -> None:
    composed, decomposed = "caf\u00e9 \u00fcber alles", "cafe\u0301 u\u0308ber alles"
    await anyone.post("/register", form=registration(password=decomposed, password_confirm=decomposed))
    zoe = User(0, "zoe@school.example", "", "")
    for password in (composed, decomposed):
        await anyone.post("/logout")
        assert (await anyone.sign_in(zoe, password)).status_code == 303


@pytest.mark.parametrize("sends_mail", [True, False])
async def test_a_user_imported_without_a_password_is_told_how_to_set_one(
    app: Quart, anyone: Browser, db: Database, sends_mail: bool
) -> None:
    await users.add(db, IDA, unusable_hash(PASSWORD_METHOD))
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], sends_mail=sends_mail)
    instruction = (
        "choose “Forgot your password?” on the sign-in page." if sends_mail else "ask your school’s registrar for one."
    )
    for email in (UNICODE_EMAIL, "rita@school.example"):  # the message doesn't reveal whether there is a password
        password_fields = {"password": "quite another one", "password_confirm": "quite another one"}
        page = await text(await anyone.post("/register", form=registration(email, **password_fields)))
        assert "An account with this email already exists." in page
        assert f"If you don’t have a password for it, {instruction}" in page
