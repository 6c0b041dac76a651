"""Version 1 of the API: the plan for a term."""

from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from tests.support.api_clients import ENROLLMENTS, Program, program
from tests.support.people import ADA, BOB, FALL, FALL_MORNING, offer_course

PLAN = "/api/v1/me/plan"
FALL_PLAN = f"{PLAN}?term=Fall"
PYT = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
PHP = {"courseID": "3333", "term": "Fall 2026", "section": "01"}


@pytest.fixture
async def ada(app: Quart, db: Database) -> Program:
    return await program(app, db, ADA)


def sections(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["courseID"], one["section"]) for one in plan["sections"]]


async def test_each_change_of_a_plan_returns_it_and_is_safe_to_repeat(ada: Program) -> None:
    for body, status in ((PYT, 201), (PYT, 200), (PHP, 201), (PYT | {"section": "02"}, 201)):
        assert (await ada.post(PLAN, body))[0] == status
    assert sections(await ada.get(FALL_PLAN)) == [("1111", "02"), ("3333", "01")]
    for _ in range(2):
        edit = {"courseID": "1111", "term": "Fall 2026", "position": 9, "alternatives": ["01", "*"]}
        status, plan = await ada.patch(PLAN, edit)
        assert (status, sections(plan)) == (200, [("3333", "01"), ("1111", "02")])
        assert plan["sections"][1]["alternatives"] == ["01", "*"]
    for query in ("&section=02", "&section=02", ""):
        status, plan = await ada.delete(f"{PLAN}?courseID=1111&term=Fall{query}")
        assert (status, sections(plan)) == (200, [("3333", "01")])


async def test_a_plan_says_why_its_sections_cannot_be_taken(ada: Program, db: Database) -> None:
    await offer_course(db, "7777", "BIO 101", (), prerequisites=("2222",))
    await ada.post(PLAN, {"courseID": "7777", "term": "Fall 2026"})
    await ada.post(PLAN, PHP)
    await db.plan.insert_one(
        {**PYT, "courseID": "9999", "user_id": 1, "place": 7, "added_at": FALL_MORNING, "expires_at": FALL.opens_at}
    )
    bio, php, gone = (await ada.get(FALL_PLAN))["sections"]
    assert "requires" in bio["problems"][0]
    assert (php["state"], php["problems"], php["credits"]) == ("planned", [], 4)
    assert (gone["state"], gone["title"], gone["credits"]) == ("not_offered", "9999", None)


async def test_enrolling_in_a_plan_reports_each_section(app: Quart, ada: Program, db: Database) -> None:
    bob = await program(app, db, BOB)
    await bob.post(ENROLLMENTS, {"courseID": "3333"})
    await db.section.update_one(PYT, {"$set": {"capacity": 0}})
    for body in (PYT, PHP):
        await ada.post(PLAN, body)
    await ada.patch(PLAN, PYT | {"alternatives": ["02"]})
    status, result = await ada.post(f"{PLAN}/enroll", {"term": "Fall 2026"})
    found = [(one["courseID"], one["section"], one["result"], one["instead_of"]) for one in result["outcomes"]]
    assert (status, found) == (200, [("1111", "02", "enrolled", "01"), ("3333", "01", "section_full", None)])
    [php] = (await ada.get(FALL_PLAN))["sections"]
    assert php["last_refusal"] == result["outcomes"][1]["detail"]
    status, again = await ada.post(f"{PLAN}/enroll", {"term": "Fall 2026"})
    assert [one["result"] for one in again["outcomes"]] == ["section_full"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (PYT | {"alternatives": ["02", "03", "04", "05"]}, (422, "wrong_fields")),
        (PYT | {"position": 0}, (422, "wrong_fields")),
        (PYT | {"term": ""}, (422, "wrong_fields")),
        (PYT | {"alternatives": ["77"]}, (409, "unknown_section")),
        (PHP, (409, "not_planned")),
        (PYT | {"section": "02"}, (409, "not_planned")),
    ],
)
async def test_a_wrong_edit_is_refused(body: dict[str, Any], expected: tuple[int, str], ada: Program) -> None:
    await ada.post(PLAN, PYT)
    status, problem = await ada.patch(PLAN, body)
    assert (status, problem["code"]) == expected
