"""Enrollment appointments as students meet them."""

import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from io import BytesIO

from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections.users import to_row
from quart_enroll.domain.stored_import import APPOINTMENTS
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.validation import read_rows
from quart_enroll.importing.file_import import ImportSettings, import_rows_of_file
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.staff.appointments import retry_begun
from quart_enroll.services.staff.verify_appointments import verify
from tests.integration.staff.test_import_pages import settle
from tests.support.appointments import appoint_ada
from tests.support.people import ADA, BOB, CAL, FALL, FALL_MORNING, RITA, Browser, Clock, text

SEAT = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
STARTS = FALL.opens_at + timedelta(days=20)
ASSIGN = {"student": BOB.email, "starts_at": "2026-08-21", "ends_at": "2026-08-25", "max_credits": "3"}


async def _refused(student: Browser, path: str = "/enrollment", seat: dict[str, str] = SEAT) -> str:
    return await student.read((await student.post(path, form=seat)).location)


async def test_students_enroll_and_wait_only_from_their_own_start(
    rita: Browser, bob: Browser, ada: Browser, db: Database, clock: Clock
) -> None:
    clock.now = STARTS - timedelta(hours=1)
    for _ in range(2):  # the second time, it is the same
        await rita.post("/staff/appointments?term=Fall+2026", form=ASSIGN)
    assert await db.notice.count_documents({"action": "appointment", "user_id": BOB.user_id}) == 1
    assert "Your enrollment appointment for Fall 2026 begins on" in await bob.read("/enrollment")
    for path in ("/", "/plan", "/courses", "/course/1111?term=Fall+2026"):
        assert "Your enrollment appointment for Fall 2026 begins on" in await bob.read(path), path
        assert "appointment" not in await ada.read(path), path
    assert 'data-opens="' in await bob.read("/plan")
    assert "begins on" in await _refused(bob)
    await ada.post("/enrollment", form=SEAT | {"courseID": "3333"})
    assert "begins on" in await _refused(bob, "/waitlist", SEAT | {"courseID": "3333"})
    clock.now = STARTS
    await bob.post("/enrollment", form=SEAT)
    assert await db.enrollment.count_documents({"user_id": BOB.user_id}) == 1
    assert "limit" in await _refused(bob, "/waitlist", SEAT | {"courseID": "3333"})
    clock.now = STARTS + timedelta(days=5)
    assert "ended at the end of" in await bob.read("/enrollment")
    remove = f"/staff/appointments/remove?term=Fall+2026&user_id={BOB.user_id}"
    assert "Bob Okafor" in await rita.read(remove)
    for _ in range(2):
        await rita.post(remove)
    assert await db.appointment.count_documents({}) == 0
    await bob.post("/waitlist", form=SEAT | {"courseID": "3333"})
    assert await db.waitlist.count_documents({"user_id": BOB.user_id}) == 1
    actions = [one["action"] async for one in db.audit.find().sort("_id")]
    assert actions == ["appointment.assign", "appointment.remove"]


async def test_staff_may_set_an_appointment_aside(rita: Browser, db: Database, clock: Clock) -> None:
    clock.now = STARTS - timedelta(hours=1)
    await rita.post("/staff/appointments?term=Fall+2026", form=ASSIGN)
    record = f"/staff/students/{BOB.user_id}"
    where = "term=Fall+2026&courseID=1111&section=01"
    assert "Your enrollment appointment" in await rita.read(f"{record}/why?{where}")
    act = f"{record}/act?action=enroll&{where}"
    await rita.post(act, form={"reason": "Asked", "overrides": "closed_term"})
    assert await db.enrollment.count_documents({}) == 0
    await rita.post(act, form={"reason": "Asked", "overrides": "appointment"})
    assert await db.enrollment.count_documents({"user_id": BOB.user_id}) == 1


async def test_a_student_over_an_own_limit_gets_the_seat_when_open_enrollment_begins(
    rita: Browser, bob: Browser, ada: Browser, db: Database, clock: Clock
) -> None:
    seat, opens = SEAT | {"courseID": "3333"}, STARTS + timedelta(days=1)
    await ada.post("/enrollment", form=seat)
    await bob.post("/waitlist", form=seat)
    await rita.post("/staff/appointments?term=Fall+2026", form=ASSIGN)
    await ada.post("/enrollment/drop", form=seat)
    assert await db.enrollment.count_documents({}) == 0
    retry = partial(retry_begun, EnrollmentContext(db), [replace(FALL, open_enrollment_at=opens)], done=set())
    await db.term.update_one({"term": FALL.term}, {"$set": {"open_enrollment_at": opens}})
    assert await retry(now=opens - timedelta(microseconds=1)) == opens
    assert await db.enrollment.count_documents({}) == 0
    for _ in range(2):
        assert await retry(now=opens) is None
        assert await db.enrollment.count_documents({"user_id": BOB.user_id}) == 1


async def test_a_file_assigns_appointments_row_by_row(db: Database) -> None:
    await appoint_ada(db)
    file = b"""student,term,begins,ends,credit limit
1,fall 2026,2026-08-01,,
1,Fall 2026,2026-08-20T09:30,2026-08-25,6
bob@school.example,Fall 2026,2026-08-20,,
rita@school.example,Fall 2026,2026-08-20,,
2,Fall,2026-08-20,,
2,Fall 2026,2026-07-31,,
2,Spring 2027,tomorrow,,
"""
    rows = read_rows(ROW_FORMS[APPOINTMENTS], "appointments.csv", BytesIO(file))
    settings = ImportSettings("UTC", 18, "scrypt")
    run = partial(import_rows_of_file, db, APPOINTMENTS, rows, settings, lambda: FALL_MORNING)
    refused = ["refused"] * 4
    for dry_run in (True, False):
        done = await run(dry_run=dry_run)
        assert [one.what for one in done.outcomes] == ["unchanged", "changed", "added", *refused]
        assert [one.field for one in done.refused] == ["student", "term", "starts_at", "starts_at"]
        assert await db.appointment.count_documents({}) == (1 if dry_run else 2)
    ada = await db.appointment.find_one({"user_id": ADA.user_id})
    assert ada
    assert (ada["starts_at"], ada["max_credits"]) == (FALL.opens_at + timedelta(days=19, hours=9.5), 6)
    again = await run()
    assert [one.what for one in again.outcomes] == ["changed", "changed", "unchanged", *refused]
    assert await db.notice.count_documents({"action": "appointment"}) == 4


async def test_a_bulk_assignment_can_be_recomputed(app: Quart, rita: Browser, db: Database, clock: Clock) -> None:
    clock.now = FALL.opens_at - timedelta(days=1)
    await db.user.insert_one(to_row(CAL) | {"password": "x"})
    for user, credits in ((ADA, 90), (BOB, 30), (CAL, 30)):
        await db.user.update_one({"user_id": user.user_id}, {"$set": {"attributes.earned_credits": credits}})
    await appoint_ada(db)
    settings = {"ranking": "credits", "starts_at": "2026-08-20T09:00", "slot_size": "1", "interval_minutes": "30"}
    assign = "/staff/appointments/assign?term=Fall+2026"
    refused = await rita.post(assign, form=settings | {"slot_size": "0"})
    assert refused.status_code == 422
    late = settings | {"starts_at": "2026-09-14T23:30"}
    assert "Choose larger slots" in await text(await rita.post(assign, form=late))
    prepared = await rita.post(assign, form=settings | {"seed": "drawn", "max_credits": "9"})
    await settle(app)
    preview = await rita.read(prepared.location)
    assert "3 slots" in preview
    assert "Previously:" in preview
    assert await db.appointment.count_documents({}) == 1
    for _ in range(2):
        await rita.post(prepared.location, form={"checks": "1"})
        await settle(app)
    order = [ADA, *sorted((BOB, CAL), key=lambda one: sha256(f"drawn:{one.user_id}".encode()).digest())]
    found = [row async for row in db.appointment.find().sort("starts_at")]
    assert [row["user_id"] for row in found] == [one.user_id for one in order]
    assert {row["max_credits"] for row in found} == {9}
    assert await db.notice.count_documents({"action": "appointment"}) == 3
    listed = await rita.read("/staff/appointments?term=Fall+2026")
    [details] = re.findall(r'"(/staff/appointments/assignment[^"]*)"', listed)
    file = await text(await rita.get(f"{details}&format=csv"))
    assert f"1,{ADA.user_id},90,{sha256(f'drawn:{ADA.user_id}'.encode()).hexdigest()},1," in file

    async def differences() -> dict[int, tuple[str, bool]]:
        found = await verify(db, FALL)
        return {one.user_id: (one.reason.rpartition(": ")[2], one.is_explained) for one in found.differences}

    assert await differences() == {}
    clock.now += timedelta(minutes=1)
    await rita.post("/staff/appointments?term=Fall+2026", form=ASSIGN)
    await db.appointment.update_one({"user_id": CAL.user_id}, {"$set": {"starts_at": STARTS}})
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"attributes.earned_credits": 120}})
    assert await differences() == {
        ADA.user_id: ("attributes have changed since", True),
        BOB.user_id: (f"changed by user {RITA.user_id} on 2026-07-31 04:01 UTC", True),
        CAL.user_id: ("no change explains it", False),
    }
