"""Version 1 of the API: rosters, and the drop of students who don't come."""

from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.actors import Actor
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.scopes import Scope
from quart_enroll.services.enrollment import act_for
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.support.api_clients import ENROLLMENTS, WAITLIST, program
from tests.support.people import ADA, BOB, CAL, FALL, FALL_MORNING, IVAN, PASSWORD_HASH, RITA, SAMI, UMA

LAB = {"term": "Fall 2026", "courseID": "3333", "section": "01"}
LAB_KEY = SectionKey(**LAB)
ROSTER = "/api/v1/staff/roster?term=Fall+2026&courseID=3333&section=01"
NO_SHOW = "/api/v1/staff/roster/no-show"


async def test_a_roster_has_everyone_with_who_dropped_them(app: Quart, db: Database) -> None:
    await users.add(db, CAL, PASSWORD_HASH)
    await db.section.update_one(LAB, {"$set": {"waitlist_capacity": 9}})
    rita = await program(app, db, RITA, Scope.STAFF_READ)
    ada, bob, cal = [await program(app, db, who) for who in (ADA, BOB, CAL)]
    await ada.post(ENROLLMENTS, {"courseID": "3333"})
    for student in (cal, bob):
        await student.post(WAITLIST, {"courseID": "3333"})
    found = (await rita.get(ROSTER))["students"]
    expected = [(1, "enrolled", None), (8, "waiting", 1), (2, "waiting", 2)]
    assert [(one["user_id"], one["standing"], one["position"]) for one in found] == expected
    assert (found[0]["email"], found[0]["since"], found[0]["departure"]) == (ADA.email, "2026-09-01T09:00:00Z", None)
    first = await rita.get(f"{ROSTER}&limit=2")
    await act_for.drop(EnrollmentContext(db), Actor(RITA.user_id, "Ill."), ADA.user_id, LAB_KEY, FALL_MORNING)
    rest = await rita.get(f"{ROSTER}&limit=2&cursor={first['next']}")  # cal has got ada's seat meanwhile
    assert [one["user_id"] for one in rest["students"]] == [BOB.user_id, ADA.user_id]
    assert rest["students"][0]["position"] == 1
    departure = rest["students"][1]["departure"]
    assert (departure["by"], departure["author"], departure["reason"]) == ("staff", RITA.full_name, "Ill.")
    assert [one["user_id"] for one in (await rita.get(f"{ROSTER}&standing=left"))["students"]] == [ADA.user_id]
    await db.user.update_one({"user_id": CAL.user_id}, {"$set": {"directory_opt_out": True}})
    assert [len((await rita.get(ROSTER + more))["students"]) for more in ("", "&opted_out=true")] == [2, 3]


async def test_a_roster_is_for_those_who_see_its_page(app: Quart, db: Database, other_staff: None) -> None:
    people = [await program(app, db, who, Scope.STAFF_WRITE) for who in (IVAN, SAMI, UMA)]
    assert [(await one.send("GET", ROSTER)).status_code for one in people] == [404, 404, 200]
    body = LAB | {"students": [ADA.user_id]}
    assert [(await one.post(NO_SHOW, body))[0] for one in people] == [404, 403, 403]
    await db.section.update_one(LAB, {"$set": {"instructors": [IVAN.user_id]}})
    assert (await people[0].send("GET", ROSTER)).status_code == 200
    assert (await people[0].post(NO_SHOW, body)) == (200, {"dropped": [], "gained": [], "dry_run": False})


async def test_students_who_dont_come_are_dropped_after_a_dry_run(app: Quart, db: Database) -> None:
    rita, ada, bob = [
        await program(app, db, who, Scope.STAFF_WRITE if who is RITA else Scope.ENROLL) for who in (RITA, ADA, BOB)
    ]
    await ada.post(ENROLLMENTS, {"courseID": "3333"})
    await bob.post(WAITLIST, {"courseID": "3333"})
    body = LAB | {"students": [ADA.user_id, ADA.user_id, BOB.user_id]}
    expected = {"dropped": [ADA.user_id], "gained": [LAB | {"user_id": BOB.user_id}]}
    assert await rita.post(NO_SHOW, body | {"dry_run": True}) == (200, expected | {"dry_run": True})
    assert await rita.post(NO_SHOW, body) == (200, expected | {"dry_run": False})
    assert [row["user_id"] async for row in db.enrollment.find()] == [BOB.user_id]
    await db.term.update_one({"term": FALL.term}, {"$set": {"add_deadline": FALL_MORNING}})
    status, problem = await rita.post(NO_SHOW, body)
    assert (status, problem["code"]) == (409, "census_over")
