"""Permits that staff grant and revoke, and what students do with them."""

import pytest

from quart_enroll.db.client import Database
from quart_enroll.services.maintenance import audit
from tests.support.people import ADA, BOB, FALL, IVAN, RITA, Browser, Clock, seats_taken, text
from tests.support.permits import PERMIT_ID, permit_ada

WHERE = "term=Fall+2026&courseID=3333&section=01"
PERMITS = f"/staff/section/permits?{WHERE}"
RECORD = f"/staff/students/{BOB.user_id}"
SEAT = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
FOR_BOB = {"student": BOB.email, "overrides": "full", "reason": "Graduates soon", "ends_on": "2026-12-31"}


@pytest.fixture(autouse=True)
async def section_full(ada: Browser, db: Database, other_staff: None) -> None:
    """Ada has the only seat of PHP 202, which ivan teaches."""
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructors": [IVAN.user_id]}})
    await ada.post("/enrollment", form=SEAT)
    await ada.get("/")


async def test_an_instructor_lets_a_student_into_a_full_section_past_the_waitlist(
    ivan: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    assert "Permit" not in await bob.read("/course/3333")
    await bob.post("/waitlist", form=SEAT)
    for _ in range(2):  # the second time, there is one already
        granted = await ivan.post(PERMITS, form=FOR_BOB)
    assert await db.permit.count_documents({}) == 1
    assert "1 student is on the waitlist, which this permit bypasses." in await ivan.read(granted.location)
    assert "You have a permit to enroll in PHP 202, section 01" in await bob.read("/")
    page = await bob.read("/course/3333")
    assert '<span class="badge-state permit">Permit</span>' in page
    assert "Leave waitlist" in page
    assert ">Permit</span>" in await bob.read("/courses")
    await bob.post("/enrollment", form=SEAT)
    assert await seats_taken(db, "3333") == 2
    assert "Used" in await ivan.read(PERMITS)
    assert (await audit.check(db, clock.now)).discrepancies == []
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    assert "In effect" in await ivan.read(PERMITS)
    [permit] = await db.permit.find().to_list(None)
    revoke = f"/staff/permit/revoke?permit={permit['_id']}"
    for _ in range(2):
        await ivan.post(revoke, form={"reason": "A mistake"})
    assert "Revoked" in await ivan.read(PERMITS)
    own_data = await text(await bob.get("/account/data"))
    assert '"overrides"' in own_data
    assert "Graduates soon" not in own_data
    assert "A mistake" not in own_data
    assert [one["action"] async for one in db.audit.find().sort("_id")] == ["permit.grant", "permit.revoke"]
    refused = await bob.post("/enrollment", form=SEAT)
    assert "is full" in await bob.read(refused.location)


async def test_the_form_names_what_is_wrong(ivan: Browser, uma: Browser, db: Database) -> None:
    wrong = await ivan.post(PERMITS, form=FOR_BOB | {"student": "nobody@school.example", "overrides": "credit_limit"})
    page = await text(wrong)
    assert wrong.status_code == 422
    assert 'class="invalid-feedback d-block">Choose at least one.' in page  # shown although it precedes the boxes
    unknown = await ivan.post(PERMITS, form=FOR_BOB | {"student": "nobody@school.example"})
    assert "No account has this email or ID." in await text(unknown)
    endless = await ivan.post(PERMITS, form=FOR_BOB | {"ends_on": "9999-12-31"})
    assert "The year must be between 1900 and 2200." in await text(endless)
    assert (await uma.post(PERMITS, form=FOR_BOB)).status_code in (403, 404)
    assert await db.permit.count_documents({}) == 0


async def test_a_registrar_grants_and_revokes_on_the_record(rita: Browser, bob: Browser, db: Database) -> None:
    form = {"term": "Fall 2026", "courseID": "3333", "overrides": "full", "reason": "Asked"}
    refused = await rita.post(f"{RECORD}/permits/grant", form=form | {"section": "77"})
    assert "has no section 77" in await text(refused)
    await rita.post(f"{RECORD}/permits/grant", form=form)
    record = await rita.read(RECORD)
    assert "all sections" in record
    assert "by Rita Moreno: Asked" in record
    assert "Graduates" not in await text(await rita.get(f"{PERMITS}&format=csv"))
    why = await rita.read(f"{RECORD}/why?{WHERE}")
    assert "is full" not in why
    await bob.post("/enrollment", form=SEAT)
    assert await db.enrollment.count_documents({"user_id": BOB.user_id, "overrides": ["full"]}) == 1


async def test_a_lost_enrollment_gives_the_permit_back(ivan: Browser, bob: Browser, db: Database, clock: Clock) -> None:
    await ivan.post(PERMITS, form=FOR_BOB)
    await bob.post("/enrollment", form=SEAT)
    await db.enrollment.delete_one({"user_id": BOB.user_id})
    assert any("a permit for 3333 counts as used" in one for one in (await audit.check(db, clock.now)).discrepancies)
    assert any("the permit for 3333 can be used again" in one for one in await audit.repair(db, clock.now))
    assert await db.permit.count_documents({"used_for": {"$exists": True}}) == 0


async def test_joining_the_waitlist_with_a_permit_gives_the_seat(ivan: Browser, bob: Browser, db: Database) -> None:
    await ivan.post(PERMITS, form=FOR_BOB)
    joined = await bob.post("/waitlist", form=SEAT)
    assert "enrolled in PHP 202" in await bob.read(joined.location)
    assert await db.waitlist.count_documents({}) == 0
    assert await db.permit.count_documents({"used_for": "01"}) == 1


async def test_nobody_grants_themselves_a_permit(ivan: Browser, rita: Browser, db: Database) -> None:
    refused = await ivan.post(PERMITS, form=FOR_BOB | {"student": IVAN.email})
    assert refused.status_code == 422
    assert "You can’t grant yourself a permit." in await text(refused)
    form = {"term": "Fall 2026", "courseID": "3333", "overrides": "full", "reason": "Asked"}
    refused = await rita.post(f"/staff/students/{RITA.user_id}/permits/grant", form=form)
    assert "You can’t grant yourself a permit." in await rita.read(refused.location)
    assert await db.permit.count_documents({}) == 0


async def test_only_a_registrar_revokes_what_a_registrar_granted(ivan: Browser, rita: Browser, db: Database) -> None:
    await rita.post(PERMITS, form=FOR_BOB)
    [permit] = await db.permit.find().to_list(None)
    revoke = f"/staff/permit/revoke?permit={permit['_id']}"
    assert revoke.replace("&", "&amp;") not in await ivan.read(PERMITS)
    refused = await ivan.post(revoke, form={"reason": "A mistake"})
    assert "A registrar granted this permit. Only registrars can revoke it." in await ivan.read(refused.location)
    assert await db.permit.count_documents({"status": "granted"}) == 1
    await rita.post(revoke, form={"reason": "A mistake"})
    assert await db.permit.count_documents({"status": "revoked"}) == 1


async def test_a_look_at_a_permit_to_revoke_is_logged(ivan: Browser, db: Database) -> None:
    await permit_ada(db)
    await db.permit.update_one({}, {"$set": {"by_registrar": False}})
    await ivan.read(f"/staff/permit/revoke?permit={PERMIT_ID}")
    [look] = await db.access.find({"page": "staff_permit_revoke"}).to_list(None)
    assert (look["actor"], look["user_id"]) == (IVAN.user_id, ADA.user_id)


async def test_a_withdrawal_keeps_the_permit_used_until_another_section_replaces_it(
    ivan: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    other = await db.section.find_one({"courseID": "3333"}, {"_id": 0}) or {}
    await db.section.insert_one(other | {"section": "02", "capacity": 5, "seats_taken": 0, "meetings": []})
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"drop_deadline": FALL.opens_at}})
    await ivan.post(PERMITS, form=FOR_BOB)
    await bob.post("/enrollment", form=SEAT)
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    assert await db.permit.count_documents({"used_for": "01"}) == 1
    assert not any("permit" in one for one in (await audit.check(db, clock.now)).discrepancies)
    await bob.post("/enrollment", form=SEAT | {"section": "02"})
    assert await db.enrollment.count_documents({"user_id": BOB.user_id, "section": "02", "status": "enrolled"}) == 1
    assert await db.permit.count_documents({"used_for": {"$exists": True}}) == 0


async def test_a_permit_counts_as_used_only_with_a_seat_in_its_section(
    ivan: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    await ivan.post(PERMITS, form=FOR_BOB)
    await bob.post("/enrollment", form=SEAT)
    await db.permit.update_one({}, {"$set": {"used_for": "02"}})
    assert any("there is no seat in section 02" in one for one in (await audit.check(db, clock.now)).discrepancies)
