"""Permission numbers that staff create and revoke, and that students use."""

import asyncio

from quart_enroll.db.client import Database
from quart_enroll.domain.errors import PermissionNumberRevoked, PermissionNumberUsed
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.permission_numbers import write_code
from quart_enroll.services.accounts.attempt_limits import PERMISSION_NUMBERS_PER_STUDENT
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.staff import permission_numbers
from tests.support.people import ADA, BOB, FALL_MORNING, IVAN, RITA, Browser, Clock, seats_taken, text
from tests.support.permits import NUMBER, number_for_php

KEY = SectionKey("Fall 2026", "3333", "01")
WHERE = "term=Fall+2026&courseID=3333&section=01"
NUMBERS = f"/staff/section/numbers?{WHERE}"
REVOKE = f"/staff/section/numbers/revoke?{WHERE}"
USE = "/enrollment/permission-number?term=Fall+2026&courseID=3333"
SEAT = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
TWO = {"number": "2", "overrides": "full", "ends_on": "2026-12-31", "reason": "Graduate soon", "button": "one"}


async def error_of(student: Browser, code: str) -> str:
    """Enter the code, and return what the page says."""
    refused = await student.post(USE, form={"code": code})
    assert refused.status_code == 422
    return await text(refused)


async def test_a_student_with_a_number_gets_a_permit_once(
    ada: Browser, bob: Browser, ivan: Browser, db: Database
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructors": [IVAN.user_id]}})
    await ada.post("/enrollment", form=SEAT)  # the only seat
    assert "permission number" not in await bob.read("/course/3333")
    created = await ivan.post(NUMBERS, form=TWO)
    page = await ivan.read(created.location)
    assert "2 permission numbers created." in page
    await ivan.post(NUMBERS, form=TWO)  # the same button, pressed twice
    assert "These permission numbers were already created." in await ivan.read(created.location)
    assert "Dec 31, 2026<" in page
    first, second = [one["code"] async for one in db.permission_number.find().sort("code")]
    assert write_code(first) in await text(await ivan.get(f"{NUMBERS}&format=csv"))
    assert "Enter a permission number" in await bob.read("/course/3333")
    assert "This isn’t a permission number for this course." in await error_of(bob, NUMBER)
    for _ in range(2):  # repeating it is safe
        used = await bob.post(USE, form={"code": write_code(first).lower()})
        assert "You have a permit to enroll in PHP 202, section 01." in await bob.read(used.location)
    await bob.post(USE, form={"code": second})  # it allows nothing more
    assert await db.permit.count_documents({"user_id": BOB.user_id, "author": IVAN.user_id}) == 1
    assert await db.permission_number.count_documents({"used_by": BOB.user_id}) == 1
    assert "Someone else has used this permission number." in await error_of(ada, first)
    assert "You can’t grant yourself a permit." in await error_of(ivan, second)
    await bob.post("/enrollment", form=SEAT)
    assert await seats_taken(db, "3333") == 2
    await db.permit.update_one({}, {"$set": {"status": "revoked"}})
    assert "This permission number was revoked." in await error_of(bob, first)
    assert (await ivan.post(REVOKE, form={"reason": "A mistake"})).status_code == 422  # which?
    for _ in range(2):
        await ivan.post(REVOKE, form={"which": "all", "reason": "A mistake"})
    assert "This permission number was revoked." in await error_of(ada, second)
    entries = [(one["action"], one["actor"], one.get("user_id")) async for one in db.audit.find().sort("_id")]
    assert entries == [
        ("numbers.add", IVAN.user_id, None),
        ("export", IVAN.user_id, None),
        ("numbers.use", BOB.user_id, BOB.user_id),
        ("numbers.revoke", IVAN.user_id, None),
    ]


async def test_a_number_lets_a_waiting_student_in_at_once(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/enrollment", form=SEAT)
    await bob.post("/waitlist", form=SEAT)
    await db.section.update_one({"courseID": "3333"}, {"$set": {"restriction": "program: Nursing"}})
    await ada.post("/enrollment/drop", form=SEAT)
    await number_for_php(db)
    await db.permission_number.update_one({}, {"$set": {"overrides": ["restriction"]}})
    for _ in range(2):  # repeating it is safe
        used = await bob.post(USE, form={"code": NUMBER})
        page = await bob.read(used.location)
        assert "You used your permit for PHP 202, section 01, and are now enrolled." in page
        assert "still need to enroll" not in page


async def test_a_number_expires_and_wrong_ones_are_limited(bob: Browser, db: Database, clock: Clock) -> None:
    await number_for_php(db)
    await db.section.update_one({"courseID": "3333"}, {"$set": {"status": "cancelled"}})
    assert "This permission number was revoked." in await error_of(bob, NUMBER)
    assert "Enter a permission number" not in await bob.read("/course/3333")
    await db.permission_number.update_one({}, {"$set": {"expires_at": clock.now}})
    assert "This permission number has expired." in await error_of(bob, NUMBER)
    for _ in range(PERMISSION_NUMBERS_PER_STUDENT.limit - 2):
        await error_of(bob, "2" * 12)
    refused = await bob.post(USE, form={"code": NUMBER})
    assert refused.status_code == 429
    assert "Retry-After" in refused.headers


async def test_numbers_are_for_those_who_may_grant_permits(
    ivan: Browser, uma: Browser, bob: Browser, db: Database
) -> None:
    await number_for_php(db)
    for browser in (ivan, uma, bob):  # ivan doesn't teach this section
        for path in (NUMBERS, REVOKE):
            assert (await browser.get(path)).status_code in (403, 404)
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructors": [IVAN.user_id]}})
    await ivan.post(REVOKE, form={"which": "all", "reason": "A mistake"})
    assert await db.permission_number.count_documents({"is_revoked": True}) == 0  # a registrar created it


async def test_of_two_students_one_uses_the_number(db: Database) -> None:
    await number_for_php(db)
    context = EnrollmentContext(db)
    uses = [
        permission_numbers.use(context, one.user_id, "Fall 2026", "3333", NUMBER, FALL_MORNING) for one in (ADA, BOB)
    ]
    outcomes = await asyncio.gather(*uses, return_exceptions=True)
    assert sum(isinstance(one, PermissionNumberUsed) for one in outcomes) == 1
    assert await db.permit.count_documents({}) == 1


async def test_a_number_is_either_used_or_revoked(db: Database) -> None:
    await number_for_php(db)
    context = EnrollmentContext(db)
    used, revoked = await asyncio.gather(
        permission_numbers.use(context, BOB.user_id, "Fall 2026", "3333", NUMBER, FALL_MORNING),
        permission_numbers.revoke(context, RITA, KEY, [NUMBER], "A mistake", FALL_MORNING),
        return_exceptions=True,
    )
    assert isinstance(used, PermissionNumberRevoked) == (revoked == 1)
    assert await db.permit.count_documents({}) == (1 if revoked == 0 else 0)
