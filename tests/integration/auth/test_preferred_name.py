"""A preferred name and pronouns, which the person chooses or an import sets."""

from dataclasses import replace

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.services.accounts import accounts
from quart_enroll.services.catalog.import_users import ImportedUser, import_users
from tests.support.people import ADA, FALL_MORNING, Browser

NAMES = {"preferred_name": "Max", "pronouns": "they/them"}
PHP_SECTION = "term=Fall+2026&courseID=3333&section=01"


@pytest.fixture
async def named(ada: Browser) -> Browser:
    """The browser of ada, who prefers to be called Max."""
    assert (await ada.post("/account/name", form=NAMES)).location == "/account"
    return ada


async def test_pages_greet_by_the_preferred_name(named: Browser) -> None:
    assert "Hello, Max" in await named.read("/")
    await named.post("/account/name", form={"preferred_name": "", "pronouns": ""})
    assert "Hello, Ada" in await named.read("/")


async def test_staff_see_the_legal_name_beside_the_preferred_one(named: Browser, rita: Browser) -> None:
    await named.post("/enrollment", form={"term": "Fall 2026", "courseID": "3333", "section": "01"})
    roster = await rita.read(f"/staff/roster?{PHP_SECTION}")
    assert "Max Winters (legal name: Ada Winters), they/them" in roster
    assert "Max,they/them" in await rita.read(f"/staff/roster?{PHP_SECTION}&format=csv")
    record = await rita.read(f"/staff/students/{ADA.user_id}")
    for shown in ("<h1>Max Winters</h1>", "Legal name: Ada Winters", "Pronouns: they/them"):
        assert shown in record
    assert "Max Winters (legal name: Ada Winters)" in await rita.read("/staff/students?q=max")


async def test_an_import_sets_them_or_keeps_them(db: Database) -> None:
    await accounts.set_preferred_name(db, ADA.user_id, "Max", "they/them")
    row = ImportedUser(1, ADA.user_id, replace(ADA, pronouns="she/her"), None, frozenset({"pronouns"}))
    await import_users(db, [row], FALL_MORNING, unusable_password="-")
    assert await users.find(db, ADA.user_id) == replace(ADA, preferred_name="Max", pronouns="she/her")
