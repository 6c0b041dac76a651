"""The catalog as JSON, in the format of the Flask site."""

import pytest

from quart_enroll.db.client import Database
from tests.support.people import Browser


async def test_the_catalog_is_an_array_in_the_order_of_course_numbers(anyone: Browser) -> None:
    catalog = await (await anyone.get("/api/")).get_json()
    assert [course["courseID"] for course in catalog] == ["1111", "2222", "3333"]
    assert catalog[0] == {
        "courseID": "1111",
        "title": "PYT 101",
        "description": "Introduction to Python",
        "credits": 3,
        "term": "Fall, Spring",
    }


@pytest.mark.parametrize(("idx", "courseID"), [("0", "1111"), ("2", "3333"), ("2222", "2222")])
async def test_a_course_is_found_by_position_or_course_number(anyone: Browser, idx: str, courseID: str) -> None:
    course = await (await anyone.get(f"/api/{idx}")).get_json()
    assert course["courseID"] == courseID


async def test_credits_stored_as_text_are_returned_as_a_number(anyone: Browser, db: Database) -> None:
    old = {"$set": {"credits": "3"}}
    await db.course.update_one({"courseID": "1111"}, old, bypass_document_validation=True)
    assert (await (await anyone.get("/api/")).get_json())[0]["credits"] == 3
    assert (await (await anyone.get("/api/1111")).get_json())["credits"] == 3


@pytest.mark.parametrize("credits", ["three", "nan", float("inf"), ["3"], None])
async def test_credits_that_are_not_a_number_count_as_zero(anyone: Browser, db: Database, credits: object) -> None:
    row = {"courseID": "0000", "title": None, "credits": credits}
    await db.course.insert_one(row, bypass_document_validation=True)
    await db.course.insert_one({"title": "no number"}, bypass_document_validation=True)
    course = await (await anyone.get("/api/0")).get_json()
    assert (course["credits"], course["title"]) == (0, "")
    assert (await anyone.get("/courses/")).status_code == 200


@pytest.mark.parametrize("idx", ["x", "99", "-1", "1.0", "٣", "9" * 400, "%00", "$ne", "%FF"])
async def test_an_unknown_course_is_a_404_in_json(anyone: Browser, idx: str) -> None:
    response = await anyone.get(f"/api/{idx}", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert (await response.get_json())["error"] == "unknown_course"
