"""Version 1 of the API: students' records, and acting for students."""

from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.scopes import Scope
from tests.support.api_clients import ENROLLMENTS, WAITLIST, Program, program
from tests.support.people import ADA, ARON, BOB, CAL, PASSWORD_HASH, RITA, UMA, seats_taken

STUDENTS = "/api/v1/staff/students"
RECORD = f"{STUDENTS}/{ADA.user_id}"
LAB = {"term": "Fall 2026", "courseID": "3333", "section": "01"}
WHY = f"{RECORD}/why?term=Fall+2026&courseID=3333&section=01"
REASON = "The dean agreed on the phone."
ENROLL = LAB | {"action": "enroll", "reason": REASON}


@pytest.fixture
async def rita(app: Quart, db: Database) -> Program:
    return await program(app, db, RITA, Scope.STAFF_WRITE)


@pytest.fixture
async def bob(app: Quart, db: Database) -> Program:
    """Bob has the only seat in the lab."""
    client = await program(app, db, BOB)
    await client.post(ENROLLMENTS, {"courseID": "3333"})
    return client


async def act(client: Program, **changes: Any) -> tuple[int, Any]:
    return await client.post(f"{RECORD}/act", ENROLL | changes)


async def test_students_are_listed_in_pages(rita: Program, db: Database) -> None:
    await users.add(db, CAL, PASSWORD_HASH)
    first = await rita.get(f"{STUDENTS}?limit=2")
    second = await rita.get(f"{STUDENTS}?limit=2&cursor={first['next']}")
    assert [one["user_id"] for page in (first, second) for one in page["students"]] == [1, 2, 8]
    assert (first["next"] is None, second["next"]) == (False, None)
    assert [one["email"] for one in (await rita.get(f"{STUDENTS}?q=winters"))["students"]] == [ADA.email]


async def test_students_who_opted_out_are_listed_only_on_request(rita: Program, db: Database) -> None:
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"directory_opt_out": True}})
    found = [(await rita.get(STUDENTS + query))["students"] for query in ("", "?opted_out=true")]
    assert [[one["directory_opt_out"] for one in page] for page in found] == [[False], [False, True]]


async def test_a_record_has_the_schedule_waitlists_and_history(
    rita: Program, app: Quart, bob: Program, db: Database
) -> None:
    ada = await program(app, db, ADA)
    await ada.post(ENROLLMENTS, {"courseID": "1111"})
    await ada.post(WAITLIST, {"courseID": "3333"})
    record = await rita.get(RECORD)
    assert record["student"]["email"] == ADA.email
    assert [(one["courseID"], one["status"]) for one in record["enrollments"]] == [("1111", "enrolled")]
    assert [(one["courseID"], one["position"]) for one in record["waitlist"]] == [("3333", 1)]
    events = (await rita.get(f"{RECORD}/events"))["events"]
    assert [(one["action"], one["result"]) for one in events] == [("join", "ok"), ("enroll", "ok")]


async def test_a_number_of_any_length_names_nobody(rita: Program) -> None:
    for user_id in (999, 2**63, 10**40):
        assert (await rita.send("GET", f"{STUDENTS}/{user_id}")).status_code == 404


async def test_why_lists_every_rule_with_its_override(rita: Program, bob: Program) -> None:
    rules = {one.pop("rule"): one for one in (await rita.get(WHY))["rules"]}
    assert rules["credits"] == {"is_met": True, "code": None, "detail": None, "override": None}
    assert (rules["seat"]["is_met"], rules["seat"]["code"], rules["seat"]["override"]) == (
        False,
        "section_full",
        "full",
    )


async def test_staff_exceed_the_capacity_with_an_override(rita: Program, bob: Program, db: Database) -> None:
    status, problem = await act(rita)
    assert (status, problem["code"]) == (409, "section_full")
    assert (await act(rita, dry_run=True))[1]["code"] == "section_full"
    status, result = await act(rita, overrides=["full"], dry_run=True)
    assert (status, result["standing"], await seats_taken(db, "3333")) == (200, "none", 1)
    status, result = await act(rita, overrides=["full"])
    assert (status, result["standing"], result["section"]) == (200, "enrolled", "01")
    assert await seats_taken(db, "3333") == 2
    [event] = (await rita.get(f"{RECORD}/events"))["events"]
    assert (event["actor"], event["reason"], event["overrides"]) == (RITA.user_id, REASON, ["full"])
    assert (await act(rita, overrides=["full"]))[1]["code"] == "already_enrolled"


async def test_staff_do_whatever_the_student_could(rita: Program, bob: Program) -> None:
    steps = [
        ({"action": "join"}, "waiting"),
        ({"action": "reorder", "position": 1}, "waiting"),
        ({"action": "leave"}, "none"),
        ({"courseID": "1111"}, "enrolled"),
        ({"action": "swap", "courseID": "1111", "section": "02", "dropped": "1111"}, "enrolled"),
        ({"action": "withdraw", "courseID": "1111", "section": "02"}, "withdrawn"),
    ]
    for change, standing in steps:
        status, result = await act(rita, **change)
        assert (status, result["standing"]) == (200, standing)


async def test_an_idempotency_key_acts_once(rita: Program, db: Database) -> None:
    answers = [await rita.post(f"{RECORD}/act", ENROLL, Idempotency_Key="a-key") for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 200
    assert await db.audit.count_documents({"action": "student.add"}) == 1
    status, problem = await rita.post(f"{STUDENTS}/{BOB.user_id}/act", ENROLL, Idempotency_Key="a-key")
    assert (status, problem["code"]) == (422, "key_reused")


@pytest.mark.parametrize(
    ("field", "value"),
    [("reason", ""), ("reason", "  "), ("action", "expel"), ("overrides", ["all"]), ("position", 0)],
)
async def test_a_wrong_field_is_named(field: str, value: Any, rita: Program) -> None:
    status, problem = await act(rita, **{field: value})
    assert (status, [one["field"] for one in problem["errors"]]) == (422, [field])


async def test_a_swap_names_the_course_to_give_up(rita: Program) -> None:
    status, problem = await act(rita, action="swap")
    assert (status, problem["errors"][0]["field"]) == (422, "dropped")


async def test_only_the_registrar_and_the_advisor_act_for_a_student(
    app: Quart, db: Database, other_staff: None
) -> None:
    uma, aron = [await program(app, db, who, Scope.STAFF_WRITE) for who in (UMA, ARON)]
    assert (await uma.send("GET", RECORD)).status_code == 200
    assert [(await act(one))[0] for one in (uma, aron)] == [403, 404]
    assert [(await aron.send("GET", path)).status_code for path in (RECORD, f"{RECORD}/events", WHY)] == [404] * 3
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [ARON.user_id]}})
    assert (await act(aron))[0] == 200
