"""Version 1 of the API: people and their roles, and the logs of changes by staff."""

from datetime import timedelta
from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.scopes import Scope
from tests.support.api_clients import Program, program
from tests.support.people import ADA, ARON, BOB, RITA, SAMI, Clock

PEOPLE = "/api/v1/staff/people"
PERSON = f"{PEOPLE}/{BOB.user_id}"
AUDIT, ACCESS = "/api/v1/staff/audit", "/api/v1/staff/access"


@pytest.fixture
async def rita(app: Quart, db: Database) -> Program:
    return await program(app, db, RITA, Scope.STAFF_WRITE)


async def edit(client: Program, **changes: Any) -> tuple[int, Any]:
    version = (await client.get(PERSON))["version"]
    return await client.patch(PERSON, {"version": version} | changes)


async def test_people_are_listed_by_role_and_in_pages(rita: Program, other_staff: None) -> None:
    async def ids(query: str) -> list[int]:
        return [one["user_id"] for one in (await rita.get(PEOPLE + query))["people"]]

    assert await ids("?role=staff") == [3, 11, 12, 13, 14]
    assert await ids("?role=scheduler") == [SAMI.user_id]
    assert await ids("?q=okafor") == [BOB.user_id]
    first = await rita.get(f"{PEOPLE}?limit=5")
    assert await ids(f"?limit=5&cursor={first['next']}") == [13, 14]


async def test_a_registrar_sets_roles(rita: Program, db: Database, other_staff: None) -> None:
    status, preview = await edit(rita, roles=["advisor", "student"], dry_run=True)
    assert (status, preview["roles"]) == (200, ["student", "advisor"])
    assert (await rita.get(PERSON))["roles"] == ["student"]
    status, person = await edit(rita, roles=["advisor", "student"], advisors=[ARON.user_id])
    assert (status, person) == (200, await rita.get(PERSON))
    assert (person["roles"], person["advisors"]) == (["student", "advisor"], [ARON.user_id])


async def test_a_registrar_sets_attributes_one_by_one(rita: Program) -> None:
    status, _ = await edit(
        rita, attributes={"programs": ["Nursing", "Nursing"], "placements": ["Math 70"], "earned_credits": 30}
    )
    assert status == 200
    status, person = await edit(rita, attributes={"status": "leave", "earned_credits": None})
    assert (status, person) == (200, await rita.get(PERSON))
    assert person["attributes"] == {
        "programs": ["Nursing"],
        "level": "",
        "standing": "",
        "cohorts": [],
        "campus": "",
        "earned_credits": None,
        "placements": ["Math 70"],
        "status": "leave",
    }


@pytest.mark.parametrize(
    ("changes", "code", "fields"),
    [
        ({"attributes": {"status": "expelled"}}, "wrong_fields", ["attributes"]),
        ({"attributes": {"level": "A; B"}}, "wrong_fields", ["level"]),
        ({"roles": []}, "wrong_fields", ["roles"]),
        ({"roles": ["king"]}, "wrong_fields", ["roles"]),
        ({"roles": ["scheduler"]}, "wrong_fields", ["subjects"]),
        ({"subjects": ["Computing"]}, "wrong_fields", ["subjects"]),
        ({"advisors": [ADA.user_id]}, "not_an_advisor", []),
        ({"version": "old", "directory_opt_out": True}, "changed_meanwhile", []),
    ],
)
async def test_invalid_choices_are_refused(
    changes: dict[str, Any], code: str, fields: list[str], rita: Program
) -> None:
    status, problem = await edit(rita, **changes)
    assert status in (409, 422)
    assert (problem["code"], [one["field"] for one in problem.get("errors", [])]) == (code, fields)


async def test_the_last_registrar_keeps_the_role(rita: Program) -> None:
    path = f"{PEOPLE}/{RITA.user_id}"
    body = {"version": (await rita.get(path))["version"], "roles": ["student"]}
    status, problem = await rita.patch(path, body)
    assert (status, problem["code"]) == (409, "last_registrar")


async def test_the_audit_log_tells_who_changed_what(rita: Program) -> None:
    assert (await rita.patch("/api/v1/staff/term", {"term": "Fall 2026", "max_credits": 20}))[0] == 200
    [entry] = (await rita.get(f"{AUDIT}?action=term.edit&actor={RITA.user_id}"))["entries"]
    assert (entry["actor_name"], entry["about"]["term"]) == ("Rita Moreno", "Fall 2026")
    assert entry["changes"] == [{"field": "max_credits", "old": "18", "new": "20"}]
    assert (await rita.get(f"{AUDIT}?action=term.edit&actor={ADA.user_id}"))["entries"] == []
    assert (await rita.get(f"{AUDIT}?action=term.edit&ends=2026-08-01T00:00:00Z"))["entries"] == []


async def test_the_logs_are_paged(rita: Program, clock: Clock) -> None:
    for student in (ADA, BOB):
        await rita.get(f"/api/v1/staff/students/{student.user_id}")
        clock.now += timedelta(minutes=1)
    first = await rita.get(f"{ACCESS}?limit=1")
    second = await rita.get(f"{ACCESS}?limit=1&cursor={first['next']}")
    assert [page["entries"][0]["user_id"] for page in (first, second)] == [BOB.user_id, ADA.user_id]
    assert second["next"] is None
    assert (await rita.send("GET", f"{ACCESS}?cursor=x")).status_code == 422
