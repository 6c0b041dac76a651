"""Sections that require consent: what students see, and who gives it."""

import asyncio
from datetime import timedelta
from html import unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.domain.models import User
from tests.support.people import ADA, BOB, FALL, IVAN, Browser, text

SECTION = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
WHERE = "term=Fall+2026&courseID=1111&section=01"
PERMITS = f"/staff/section/permits?{WHERE}"


async def require(db: Database, consent: str) -> None:
    await db.section.update_one(SECTION, {"$set": {"consent": consent, "instructors": [IVAN.user_id]}})


async def test_students_read_that_consent_is_required_and_get_no_seat_without(db: Database, ada: Browser) -> None:
    await require(db, "instructor")
    for path in ("/courses", "/course/1111"):
        page = unescape(await ada.read(path))
        assert page.count("equires the instructor’s consent") == 1, path
        assert "in PYT 101, section 01" not in page, path
    await ada.post("/plan/add", form=SECTION)
    assert "requires the instructor’s consent." in unescape(await ada.read("/plan"))
    for path in ("/api/v1/me/enrollments", "/api/v1/me/waitlist"):
        response = await ada.post(path, json=SECTION)
        assert (response.status_code, (await response.get_json())["code"]) == (409, "consent_required")
    await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026"})  # takes another section
    seat = await db.enrollment.find_one({"user_id": ADA.user_id})
    assert seat is not None
    assert seat["section"] != "01"


@pytest.mark.parametrize("consent", ["instructor", "department"])
async def test_an_instructor_gives_only_the_own_consent(
    db: Database, ivan: Browser, rita: Browser, bob: Browser, other_staff: None, consent: str
) -> None:
    await require(db, consent)
    why = unescape(await rita.read(f"/staff/students/{BOB.user_id}/why?{WHERE}"))
    assert "The student has the required consent" in why
    form = {"student": BOB.email, "overrides": "consent", "reason": "Spoke to me"}
    granted = await ivan.post(PERMITS, form=form)
    assert granted.status_code == (303 if consent == "instructor" else 422)
    await rita.post(PERMITS, form=form)
    await bob.post("/enrollment", form=SECTION)
    assert await db.enrollment.count_documents({"user_id": BOB.user_id, "overrides": ["consent"]}) == 1


ASK = f"/enrollment/consent?{WHERE}"
DECIDE = f"/staff/section/consent?{WHERE}"


async def open_requests(db: Database) -> list[str]:
    return [str(one["_id"]) async for one in db.permit.find({"status": "requested"}).sort("_id")]


async def emails(db: Database, user: User) -> list[str]:
    """Return the actions of the notices to the user, which are emailed too."""
    return [one["action"] async for one in db.notice.find({"user_id": user.user_id}).sort("_id")]


async def test_a_student_requests_consent_and_the_instructor_gives_it(
    db: Database, ada: Browser, bob: Browser, ivan: Browser, rita: Browser, other_staff: None
) -> None:
    assert "Requests for consent" not in await ivan.read("/staff")
    await require(db, "instructor")
    page = unescape(await ada.read("/course/1111"))
    assert "Request consent" in page
    assert "Why you want" not in await text(await ada.post(f"{ASK}&ask=y"))  # opens the page
    assert await open_requests(db) == []
    assert (await ada.post(ASK, form={"message": "x" * 501})).status_code == 422
    for _ in range(2):
        await ada.post(ASK, form={"message": "I took it abroad."})
    await bob.post(ASK)
    assert len(await open_requests(db)) == 2
    assert await emails(db, IVAN) == ["consent_requested"] * 2
    for path in ("/courses", "/course/1111"):
        assert "Consent requested" in await ada.read(path), path
    await ada.post("/plan/add", form=SECTION)
    assert "View request" in await ada.read("/plan")
    assert "I took it abroad." in await ada.read(ASK)
    assert "2 requests" in await ivan.read("/staff")
    assert "2 requests" not in await rita.read("/staff")  # ivan decides
    queue = await ivan.read(PERMITS)
    assert "I took it abroad." in queue
    assert "Choose at least one request." in unescape(await ivan.read((await ivan.post(DECIDE)).location))
    asked = await open_requests(db)
    for _ in range(2):
        given = await ivan.send(DECIDE, {"requests": asked, "decision": "give"})
    assert "have already been decided or withdrawn" in await ivan.read(given.location)
    assert await emails(db, ADA) == ["consent"]
    assert "You have consent to enroll in PYT 101, section 01" in unescape(await ada.read("/"))
    await ada.post("/enrollment", form=SECTION)
    assert await db.enrollment.count_documents({"user_id": ADA.user_id, "section": "01"}) == 1
    actions = ["consent.request"] * 2 + ["consent.give"] * 2
    assert [one["action"] async for one in db.audit.find().sort("_id")] == actions


async def test_a_declined_or_withdrawn_request_gives_nothing(
    db: Database, ada: Browser, ivan: Browser, rita: Browser, other_staff: None
) -> None:
    await require(db, "department")
    await ada.post(ASK)
    [request] = await open_requests(db)
    assert (await ivan.post(DECIDE, form={"requests": request, "decision": "give"})).status_code == 404
    assert "1 request" in await rita.read("/staff")
    await rita.post(DECIDE, form={"requests": request, "decision": "decline", "answer": "Take it in spring."})
    assert "Take it in spring." in unescape(await ada.read(ASK))
    assert "Consent declined" in await ada.read("/course/1111")
    await ada.post(ASK)
    [request] = await open_requests(db)
    for _ in range(2):
        await ada.post(f"/enrollment/consent/withdraw?{WHERE}")
    await rita.post(DECIDE, form={"requests": request, "decision": "give"})
    assert await db.permit.count_documents({"status": "granted"}) == 0
    await ada.post(ASK)
    await rita.post(PERMITS, form={"student": ADA.email, "overrides": "consent", "reason": "Asked"})
    assert await open_requests(db) == []  # the permit is the answer
    refused = await ada.post(ASK)
    assert "without requesting consent" in unescape(await ada.read(refused.location))


async def test_nobody_decides_after_the_last_day_to_enroll(db: Database, ada: Browser, rita: Browser) -> None:
    await require(db, "instructor")
    await ada.post(ASK)
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"add_deadline": FALL.opens_at + timedelta(hours=1)}})
    refused = await rita.send(DECIDE, {"requests": await open_requests(db), "decision": "give"})
    assert "Enrollment for Fall 2026 closed" in unescape(await rita.read(refused.location))
    assert await db.permit.count_documents({"status": "granted"}) == 0


async def test_canceling_a_section_closes_its_requests(db: Database, ada: Browser, rita: Browser) -> None:
    await require(db, "instructor")
    await ada.post(ASK)
    await rita.post(f"/staff/section/cancel?{WHERE}", form={"revision": "0", "reason": "Too few", "confirmed": "y"})
    assert await db.permit.count_documents({}) == 0
    assert "so your request for consent is closed" in unescape(await ada.read("/"))


async def test_of_two_answers_at_the_same_moment_one_counts(
    db: Database, ada: Browser, rita: Browser, ivan: Browser, other_staff: None
) -> None:
    await require(db, "instructor")
    outcomes = {"action": {"$in": ["consent.give", "consent.decline", "consent.withdraw"]}}
    for other in ("decline", "withdraw", "enroll"):
        await ada.post(ASK)
        requests = await open_requests(db)
        others = {
            "decline": ivan.send(DECIDE, {"requests": requests, "decision": "decline"}),
            "withdraw": ada.post(f"/enrollment/consent/withdraw?{WHERE}"),
            "enroll": ada.post("/enrollment", form=SECTION),
        }
        await asyncio.gather(rita.send(DECIDE, {"requests": requests, "decision": "give"}), others.pop(other))
        for unused in others.values():
            unused.close()
        assert await db.audit.count_documents(outcomes) == 1, other
        granted = await db.permit.count_documents({"status": "granted"})
        assert granted == await db.audit.count_documents({"action": "consent.give"}), other
        used = await db.permit.count_documents({"used_for": "01"})
        assert used == await db.enrollment.count_documents({"user_id": ADA.user_id}), other
        await db.permit.delete_many({})
        await db.audit.delete_many({})
