"""Several plans for a term, one of which is in use."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.services.catalog.import_terms import ImportedTerm, import_terms
from tests.support.people import FALL, PASSWORD, Browser, Clock, message_after, text

TERM = {"term": "Fall 2026"}
PHP = TERM | {"courseID": "3333", "section": "01"}


@pytest.fixture
async def ada(ada: Browser) -> Browser:
    """Ada, who plans two courses: the second with an alternative."""
    await ada.post("/plan/add", form=PHP)
    await ada.post("/plan/add", form=TERM | {"courseID": "1111", "section": "01"})
    await ada.post("/plan/alternatives", form=TERM | {"courseID": "1111", "section": "01", "alternative": "02"})
    return ada


async def planned(db: Database) -> list[tuple[str, str, list[str]]]:
    """Return the courses of the plan in use, in their order."""
    rows = await db.plan.find().sort("place").to_list(None)
    return [(row["courseID"], row["section"], row.get("alternatives", [])) for row in rows]


def plans_on(page: str) -> list[str]:
    """Return the names of the plans that the page lists, the one in use first."""
    section = page.partition('aria-labelledby="plans"')[2]
    return re.findall("<h3>(.*?)</h3>", section)


async def change(browser: Browser, action: str, name: str, **fields: str) -> str:
    return await message_after(browser, f"/plan/{action}", name=name, **TERM, **fields)


async def test_switching_saves_the_plan_in_use_and_brings_back_the_other(ada: Browser, db: Database) -> None:
    both = await planned(db)
    assert await change(ada, "save", "Late") == "Saved a copy of your plan: Late."
    await ada.post("/plan/remove", form=PHP)
    remaining = await planned(db)
    for _ in range(2):  # the second click changes nothing
        assert await change(ada, "use", "Late") == "You’re now using this plan: Late."
        assert await planned(db) == both
        assert plans_on(await ada.read("/plan")) == ["Late", "Main plan"]
    await change(ada, "use", "")
    assert (await planned(db), plans_on(await ada.read("/plan"))) == (remaining, ["Main plan", "Late"])


async def test_the_plan_in_use_can_be_renamed_and_the_others_deleted(ada: Browser, db: Database) -> None:
    await change(ada, "save", "Late")
    assert await change(ada, "rename", "Early", in_use="") == "Your plan is now named Early."
    assert "switched to another plan" in await change(ada, "rename", "Earlier", in_use="")
    assert "no longer have this plan" in await change(ada, "delete", "Early")
    assert await change(ada, "delete", "Late") == "Deleted this plan: Late."
    assert "no longer have this plan" in await change(ada, "use", "Late")
    assert plans_on(await ada.read("/plan")) == ["Early"]
    assert len(await planned(db)) == 2


async def test_a_term_has_at_most_five_plans_with_different_names(ada: Browser, bob: Browser) -> None:
    for number in range(4):
        await change(ada, "save", str(number))
    for path, name, error in (
        ("save", "3", "You already have a plan named 3."),
        ("rename", "3", "You already have a plan named 3."),
        ("save", "5", "You already have 5 plans for Fall 2026"),
        ("save", " ", "Enter a name for the plan."),
        ("rename", "x" * 31, "Use at most 30 characters."),
    ):
        response = await ada.post(f"/plan/{path}", form=TERM | {"name": name, "in_use": ""})
        assert (response.status_code, (await text(response)).count(error)) == (422, 2)
    assert len(plans_on(await ada.read("/plan"))) == 5
    assert plans_on(await bob.read("/plan")) == []


async def test_plans_cannot_change_once_enrollment_has_closed(ada: Browser, db: Database, clock: Clock) -> None:
    await change(ada, "save", "Late")
    clock.now = FALL.add_deadline
    await ada.post("/plan/use", form=TERM | {"name": "Late"})
    assert await db.saved_plan.count_documents({"is_in_use": True}) == 0


async def test_what_students_keep_for_a_term_expires_when_its_new_dates_say(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await change(ada, "save", "Late")
    await ada.post("/enrollment/links", form=TERM | {"content": "plan", "password": PASSWORD})
    await bob.post("/enrollment", form=PHP)
    await ada.post("/alert", form=PHP)
    later = replace(FALL, withdraw_deadline=FALL.withdraw_deadline + timedelta(days=7))
    await import_terms(db, [ImportedTerm(1, later, frozenset())], FALL.opens_at)
    for collection in (db.plan, db.saved_plan, db.alert, db.share):
        assert await collection.distinct("expires_at") == [later.withdraw_deadline]
