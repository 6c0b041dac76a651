"""The catalog of a term."""

import pytest

from quart_enroll.mongo import Database
from tests.people import Browser, Clock, text


async def test_the_catalog_shows_the_courses_of_the_current_term(anyone: Browser) -> None:
    page = await anyone.read("/courses/")
    assert "Fall 2026" in page
    assert "PYT 101" in page
    assert "PHP 202" in page
    assert "Intermediate Java" not in page


@pytest.mark.parametrize("term", ["Fall", "fall", "Autumn", "Fall 2026", "fall%202026"])
async def test_a_term_has_several_names(anyone: Browser, term: str) -> None:
    assert "PHP 202" in await anyone.read(f"/courses/{term}")


async def test_the_term_filters(anyone: Browser) -> None:
    page = await anyone.read("/courses/Spring")
    assert "Spring 2027" in page
    assert "JAV 201" in page
    assert "PHP 202" not in page


@pytest.mark.parametrize(
    "term", ["Winterfell", "Fall 1999", "Summer", "%FF", "x" * 300, "$ne", "\u017fpring", "Spr\u0131ng"]
)
async def test_an_unknown_term_lists_the_known_ones(anyone: Browser, term: str) -> None:
    response = await anyone.get(f"/courses/{term}")
    page = await text(response)
    assert response.status_code == 404
    assert 'href="/courses/Fall%202026"' in page
    assert 'href="/courses/Spring%202027"' in page


async def test_the_address_without_a_slash_leads_to_the_catalog(anyone: Browser) -> None:
    response = await anyone.get("/courses?x=1")
    assert (response.status_code, response.location) == (308, "/courses/?x=1")


async def test_in_spring_the_catalog_begins_with_spring(anyone: Browser, clock: Clock) -> None:
    clock.now = clock.now.replace(year=2027, month=2)
    assert "JAV 201" in await anyone.read("/courses/")


async def test_a_course_that_the_student_has_is_marked(ada: Browser) -> None:
    assert (await ada.read("/courses/")).count('value="1111"') == 1
    await ada.post("/enrollment", form={"courseID": "1111"})
    page = await ada.read("/courses/")
    assert 'value="1111"' not in page
    assert 'value="3333"' in page


async def test_an_empty_catalog_says_so(anyone: Browser, db: Database) -> None:
    await db.course.delete_many({})
    response = await anyone.get("/courses/")
    assert response.status_code == 200
    assert "No classes are listed" in await text(response)
