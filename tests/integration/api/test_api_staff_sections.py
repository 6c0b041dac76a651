"""Version 1 of the API: sections, courses and terms for staff."""

from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.scopes import Scope
from tests.support.api_clients import ENROLLMENTS, WAITLIST, Program, program
from tests.support.people import ADA, BOB, IVAN, RITA, SAMI, UMA, seats_taken

SECTIONS, SECTION, CANCEL = "/api/v1/staff/sections", "/api/v1/staff/section", "/api/v1/staff/section/cancel"
TERMS, TERM = "/api/v1/staff/terms", "/api/v1/staff/term"
COURSES, COURSE = "/api/v1/staff/courses", "/api/v1/staff/course"
LAB = {"term": "Fall 2026", "courseID": "3333", "section": "01"}
LAB_URL = f"{SECTION}?term=Fall+2026&courseID=3333&section=01"
NEW_TERM = {
    "term": "Fall 2026 – second half",
    "opens_at": "2026-08-01",
    "add_deadline": "2026-10-20",
    "drop_deadline": "2026-10-20",
    "withdraw_deadline": "2026-11-20T12:00:00Z",
    "max_credits": 9,
    "timezone": "America/New_York",
}


@pytest.fixture
async def rita(app: Quart, db: Database) -> Program:
    return await program(app, db, RITA, Scope.STAFF_WRITE)


async def names(client: Program, query: str = "") -> list[str]:
    found = (await client.get(SECTIONS + query))["sections"]
    return [f"{one['courseID']}-{one['section']}" for one in found]


async def test_sections_are_listed_by_filter_and_in_pages(rita: Program, db: Database) -> None:
    assert await names(rita) == ["1111-01", "1111-02", "3333-01"]
    assert await names(rita, "?term=Spring+2027") == ["1111-01", "2222-01"]
    assert await names(rita, "?q=php+silva") == ["3333-01"]
    assert await names(rita, "?courseID=1111&seats=open") == ["1111-01", "1111-02"]
    await db.section.update_one(LAB, {"$set": {"status": "tentative"}})
    assert await names(rita, "?status=tentative") == ["3333-01"]
    first = await rita.get(f"{SECTIONS}?limit=2")
    assert await names(rita, f"?limit=2&cursor={first['next']}") == ["3333-01"]


async def test_staff_see_the_sections_in_their_scope(app: Quart, db: Database, other_staff: None) -> None:
    ivan, sami, uma = [await program(app, db, who, Scope.STAFF_WRITE) for who in (IVAN, SAMI, UMA)]
    assert [await names(ivan), await names(sami), len(await names(uma))] == [[], [], 3]
    assert (await ivan.send("GET", LAB_URL)).status_code == 404
    await db.section.update_one(LAB, {"$set": {"instructors": [IVAN.user_id]}})
    await db.course.update_one({"courseID": "3333"}, {"$set": {"subject": "Computing"}})
    assert [await names(ivan), await names(sami)] == [["3333-01"], ["3333-01"]]
    edit = LAB | {"revision": 0, "capacity": 5}
    statuses = [(await one.patch(SECTION, edit))[0] for one in (ivan, uma, sami)]
    assert statuses == [403, 403, 200]
    assert (await sami.patch(SECTION, edit | {"courseID": "1111"}))[0] == 404
    assert (await sami.post(CANCEL, {**LAB, "courseID": "1111", "revision": 0, "reason": "No."}))[0] == 404
    status, problem = await sami.post(SECTIONS, {**LAB, "courseID": "1111", "section": "9", "capacity": 1})
    assert (status, problem["errors"][0]["field"]) == (422, "courseID")


async def test_an_edit_changes_what_is_sent_and_says_what_it_does(rita: Program, app: Quart, db: Database) -> None:
    ada, bob = await program(app, db, ADA), await program(app, db, BOB)
    await ada.post(ENROLLMENTS, {"courseID": "3333"})
    await bob.post(WAITLIST, {"courseID": "3333"})
    edit = LAB | {"revision": 0, "capacity": 2}
    status, preview = await rita.patch(SECTION, edit | {"dry_run": True})
    assert (status, preview["dry_run"], await seats_taken(db, "3333")) == (200, True, 1)
    status, done = await rita.patch(SECTION, edit)
    assert status == 200
    assert done["changes"] == preview["changes"] == [{"field": "capacity", "old": "1", "new": "2"}]
    assert done["gained"] == preview["gained"] == [{"user_id": BOB.user_id, **LAB}]
    assert (done["section"]["room"], done["section"]["revision"]) == ("Lab 1", 1)
    assert await seats_taken(db, "3333") == 2


async def test_the_second_editor_sees_the_differences(rita: Program, db: Database) -> None:
    assert (await rita.patch(SECTION, LAB | {"revision": 0, "capacity": 5}))[0] == 200
    status, problem = await rita.patch(SECTION, LAB | {"revision": 0, "capacity": 7, "room": "Lab 1"})
    assert (status, problem["code"]) == (409, "edit_conflict")
    assert problem["differences"] == [{"field": "capacity", "yours": "7", "current": "5"}]
    assert (await rita.get(LAB_URL))["capacity"] == 5


async def test_a_section_is_added_once(rita: Program) -> None:
    body: dict[str, Any] = LAB | {
        "section": "7",
        "capacity": 20,
        "meetings": [{"days": "MW", "start": "10:00", "end": "10:50"}],
        "instructors": [RITA.user_id],
        "status": "tentative",
    }
    response = await rita.send("POST", SECTIONS, body, Idempotency_Key="a-key")
    section = await response.get_json()
    assert (response.status_code, section["section"], section["meetings"]) == (201, "07", body["meetings"])
    assert section == await rita.get(response.headers["Location"])
    assert (await rita.send("POST", SECTIONS, body, Idempotency_Key="a-key")).status_code == 201
    status, problem = await rita.post(SECTIONS, body)
    assert (status, problem["code"]) == (409, "section_exists")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("capacity", -1),
        ("capacity", "many"),
        ("meetings", [{"days": "MX", "start": "10:00", "end": "10:50"}]),
        ("meetings", [{"days": "M", "start": "11:00", "end": "10:50"}]),
        ("instructors", [999]),
        ("meetings", [{"days": "M\0", "start": "10:00", "end": "10:50"}]),
        ("status", "cancelled"),
        ("revision", None),
    ],
)
async def test_a_wrong_field_is_named(field: str, value: Any, rita: Program) -> None:
    status, problem = await rita.patch(SECTION, LAB | {"revision": 0, field: value})
    assert (status, [one["field"] for one in problem["errors"]]) == (422, [field])


async def test_a_section_is_cancelled_after_a_dry_run(rita: Program, app: Quart, db: Database) -> None:
    ada = await program(app, db, ADA)
    await ada.post(ENROLLMENTS, {"courseID": "3333"})
    lost = [{"user_id": ADA.user_id, "is_waiting": False, "alternatives": []}]
    body = LAB | {"revision": 0, "reason": "Too few students."}
    assert await rita.post(CANCEL, body | {"dry_run": True}) == (200, {"students": lost, "dry_run": True})
    assert await seats_taken(db, "3333") == 1
    assert await rita.post(CANCEL, body) == (200, {"students": lost, "dry_run": False})
    assert await seats_taken(db, "3333") == 0
    assert (await rita.get(LAB_URL))["status"] == "cancelled"
    assert (await rita.patch(SECTION, LAB | {"revision": 1, "capacity": 3}))[0] == 404


async def test_terms_are_listed_added_and_edited(rita: Program) -> None:
    assert [one["term"] for one in (await rita.get(TERMS))["terms"]] == ["Fall 2026", "Spring 2027"]
    response = await rita.send("POST", TERMS, NEW_TERM)
    term = await response.get_json()
    assert (response.status_code, term["add_deadline"]) == (201, "2026-10-21T04:00:00Z")
    assert term == await rita.get(response.headers["Location"])
    status, problem = await rita.post(TERMS, NEW_TERM)
    assert (status, problem["errors"][0]["field"]) == (422, "term")
    edit = {"term": NEW_TERM["term"], "max_credits": 12}
    status, done = await rita.patch(TERM, edit)
    assert (status, done["changes"]) == (200, [{"field": "max_credits", "old": "9", "new": "12"}])
    assert done["term"]["withdraw_deadline"] == term["withdraw_deadline"]
    status, problem = await rita.patch(TERM, edit | {"drop_deadline": "2026-10-01"})
    assert (status, problem["errors"][0]["field"]) == (422, "drop_deadline")


async def test_courses_are_listed_added_and_edited(rita: Program, db: Database) -> None:
    assert [one["courseID"] for one in (await rita.get(f"{COURSES}?q=php"))["courses"]] == ["3333"]
    body = {"courseID": "4444", "title": "RUS 101", "credits": 3, "term": "Fall", "prerequisites": ["1111"]}
    response = await rita.send("POST", COURSES, body)
    assert response.status_code == 201
    course = await response.get_json()
    assert course == await rita.get(response.headers["Location"])
    assert course["prerequisites"] == ["1111"]
    assert (await rita.post(COURSES, body))[0] == 422
    edit = {"courseID": "4444", "title": "RUS 102"}
    assert (await rita.patch(COURSE, edit | {"dry_run": True}))[1]["changes"][0]["new"] == "RUS 102"
    assert (await rita.get(f"{COURSE}?courseID=4444"))["title"] == "RUS 101"
    status, done = await rita.patch(COURSE, edit)
    assert (status, done["course"]["title"], done["course"]["prerequisites"]) == (200, "RUS 102", ["1111"])
    wrong = await rita.patch(COURSE, {"courseID": "4444", "requisite": "1111 or 9999"})
    assert wrong[0] == 422
    assert "Character 9: There is no course 9999 in the catalog." in str(wrong[1])
    assert (await rita.patch(COURSE, {"courseID": "4444", "requisite": "(1111 OR 2222)"}))[0] == 200
    assert (await rita.get(f"{COURSE}?courseID=4444"))["requisite"] == "1111 or 2222"
    for rule in (
        {"max_attempts": 2, "withdrawals_count": True, "equivalents": ["2222"]},
        {"max_attempts": None, "repeat_action": "warn"},
    ):
        stored = (await rita.patch(COURSE, {"courseID": "4444"} | rule))[1]["course"]
        assert stored == stored | {"withdrawals_count": True} | rule
    assert (await rita.patch(COURSE, {"courseID": "9", "title": "X"}))[0] == 404
