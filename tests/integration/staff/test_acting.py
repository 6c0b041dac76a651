"""Students' records, and acting for a student on pages."""

import re
from html import unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import alerts
from quart_enroll.domain.models import SectionKey
from tests.support.people import ADA, ARON, BOB, FALL, FALL_MORNING, RITA, Browser, seats_taken, text

LAB = SectionKey("Fall 2026", "3333", "01")
EVENING = SectionKey("Fall 2026", "1111", "02")
RECORD = f"/staff/students/{ADA.user_id}"
ENROLL = f"{RECORD}/act?action=enroll&term=Fall+2026&courseID=3333&section=01"
REASON = "The dean agreed on the phone."


async def advise(db: Database) -> None:
    """Make aron ada's advisor."""
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [ARON.user_id]}})


async def fill_the_lab(bob: Browser) -> None:
    response = await bob.post("/enrollment", form={"courseID": "3333", "term": "Fall 2026", "section": "01"})
    assert response.status_code in (302, 303)


async def test_staff_find_the_students_in_their_scope(db: Database, rita: Browser, aron: Browser) -> None:
    await advise(db)
    assert [name in await rita.read("/staff/students") for name in (ADA.email, BOB.email)] == [True, True]
    assert [name in await aron.read("/staff/students") for name in (ADA.email, BOB.email)] == [True, False]
    assert BOB.email not in await rita.read("/staff/students?q=winters")


async def test_students_are_sorted_and_exported(db: Database, rita: Browser) -> None:
    page = await rita.read("/staff/students?sort=-name")
    assert page.index(ADA.email) < page.index(BOB.email)
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"directory_opt_out": True}})
    file = await text(await rita.get("/staff/students?format=csv"))
    assert ADA.email in file
    assert BOB.email not in file
    assert BOB.email in await text(await rita.get("/staff/students?format=csv&opted_out=y"))


async def test_an_advisor_sees_only_advisees(db: Database, aron: Browser) -> None:
    for path in (RECORD, f"{RECORD}/why", ENROLL):
        assert (await aron.get(path)).status_code == 404
    await advise(db)
    for path in (RECORD, f"{RECORD}/why", ENROLL):
        assert (await aron.get(path)).status_code == 200


async def test_an_auditor_sees_a_record_and_changes_nothing(uma: Browser) -> None:
    assert "Sign-ins" not in await uma.read(RECORD)
    assert (await uma.get(ENROLL)).status_code == 403
    assert (await uma.post(ENROLL, form={"reason": REASON})).status_code == 403


async def test_a_record_has_everything_about_the_student(
    db: Database, rita: Browser, ada: Browser, bob: Browser, aron: Browser
) -> None:
    await advise(db)
    await fill_the_lab(bob)
    await ada.post("/waitlist", form={"courseID": "3333"})
    await ada.post("/plan/add", form={"courseID": "2222", "term": "Spring 2027"})
    await alerts.add(db, ADA.user_id, EVENING, FALL_MORNING, FALL.withdraw_deadline, None)
    await rita.post(ENROLL.replace("3333", "1111"), form={"reason": REASON})
    shown = parts(await rita.read(RECORD))
    expected = {
        "schedule": "Fall 2026 PYT 101 1111, section 01 Drop",
        "waitlists": "PHP 202 3333, section 01 Fall 2026 Position 1 of 1.",
        "plan": "JAV 201 2222, section 01 Spring 2027",
        "alerts": "PYT 101 1111, section 02 Fall 2026",
        "history": f"By the registrar’s office: {REASON}",
        "notices": "Rita Moreno enrolled you in PYT 101, section 01, for Fall 2026.",
        "sign-ins": "Signed in on",
    }
    assert {name: sentence for name, sentence in expected.items() if sentence not in shown[name]} == {}
    assert parts(await aron.read(RECORD)).keys() == shown.keys() - {"attributes", "permits", "sign-ins"}


def parts(page: str) -> dict[str, str]:
    """Return the text of each part of a record, by its ID."""
    found = re.findall(r'<section aria-labelledby="([\w-]+)">(.*?)</section>', page, re.DOTALL)
    return {name: " ".join(re.sub("<[^>]*>", " ", unescape(part)).split()) for name, part in found}


async def test_why_lists_every_rule_with_its_override(rita: Browser, bob: Browser) -> None:
    await fill_the_lab(bob)
    page = unescape(await rita.read(f"{RECORD}/why?term=Fall+2026&courseID=3333&section=01"))
    assert "Within the credit limit" in page
    assert "Override: “Exceed the capacity”" in page


async def test_boxes_appear_only_for_rules_in_the_way(rita: Browser, bob: Browser) -> None:
    assert 'name="overrides"' not in await rita.read(ENROLL)
    await fill_the_lab(bob)
    page = await rita.read(ENROLL)
    assert page.count('name="overrides"') == 1
    assert 'value="full"' in page


async def test_staff_exceed_the_capacity_with_a_reason(db: Database, rita: Browser, ada: Browser, bob: Browser) -> None:
    await fill_the_lab(bob)
    assert (await rita.post(ENROLL, form={"reason": "", "overrides": "full"})).status_code == 422
    assert (await rita.post(ENROLL, form={"reason": REASON})).status_code == 422
    assert await seats_taken(db, "3333") == 1
    assert (await rita.post(ENROLL, form={"reason": REASON, "overrides": "full"})).status_code == 303
    assert await seats_taken(db, "3333") == 2
    entry = await db.audit.find_one({"action": "student.add"})
    assert entry is not None
    assert (entry["actor"], entry["user_id"], entry["reason"], entry["overrides"]) == (
        RITA.user_id,
        ADA.user_id,
        REASON,
        ["full"],
    )
    assert f"Rita Moreno enrolled you in PHP 202, section 01, for Fall 2026. Reason: {REASON}" in unescape(
        await ada.read("/")
    )
    assert f"By the registrar’s office: {REASON}" in unescape(await ada.read("/enrollment/history"))


async def test_the_history_says_that_an_advisor_acted(db: Database, aron: Browser, ada: Browser) -> None:
    await advise(db)
    assert (await aron.post(ENROLL, form={"reason": REASON})).status_code == 303
    assert f"By your advisor: {REASON}" in await ada.read("/enrollment/history")
    assert f"By the advisor: {REASON}" in await aron.read(RECORD)


async def test_the_record_offers_to_undo(db: Database, rita: Browser) -> None:
    await rita.post(ENROLL, form={"reason": REASON})
    [undo] = re.findall('<a href="([^"]*)">Undo', unescape(await rita.read(RECORD)))
    assert (await rita.post(undo, form={"reason": "By mistake."})).status_code == 303
    assert await seats_taken(db, "3333") == 0


@pytest.mark.parametrize("query", ["", "?action=", "?action=expel&term=Fall+2026&courseID=3333&section=01"])
async def test_an_unknown_action_is_not_found(rita: Browser, query: str) -> None:
    assert (await rita.get(f"{RECORD}/act{query}")).status_code == 404


async def test_an_action_that_makes_no_sense_leads_back_to_the_record(rita: Browser) -> None:
    response = await rita.get(ENROLL.replace("enroll", "leave"))
    assert (response.status_code, response.location) == (303, RECORD)
