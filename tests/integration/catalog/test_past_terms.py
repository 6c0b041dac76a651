"""The catalog of a term that is over, as its students see it."""

from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.services.catalog.cache import CatalogCache
from tests.support.people import ADA, BOB, FALL, SPRING, Browser, Clock, buttons, set_clock

CATALOG, COURSE = "/courses/Fall%202026", "/course/1111?term=Fall+2026"


@pytest.fixture
async def past(ada: Browser, bob: Browser, clock: Clock) -> None:
    """Ada has taken a course in a term that is over now."""
    await ada.post("/enrollment", form={"courseID": "1111"})
    await set_clock(FALL.withdraw_deadline + timedelta(days=60), clock, (ada, ADA), (bob, BOB))


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize("path", [CATALOG, COURSE])
async def test_students_read_the_catalog_of_a_past_term(ada: Browser, path: str) -> None:
    page = await ada.read(path)
    assert "Past term" in page
    assert "Section 01" in page
    assert ">Enrolled<" in page
    assert buttons(page) == []
    assert f'href="{CATALOG}"' in page


@pytest.mark.usefixtures("past")
async def test_the_catalog_still_opens_at_the_term_to_enroll_in(ada: Browser) -> None:
    page = await ada.read("/courses")
    assert "<h1>Courses <small>Spring 2027</small>" in page
    assert page.index("Spring 2027</a></li>") < page.index("Fall 2026</a></li>")
    assert "<small>Spring 2027" in await ada.read("/course/1111")


@pytest.mark.usefixtures("past")
async def test_students_who_were_not_there_see_nothing_of_that_term(
    ada: Browser, bob: Browser, anyone: Browser
) -> None:
    await ada.read("/courses")
    for stranger in (bob, anyone):
        assert "Fall 2026</a></li>" not in await stranger.read("/courses")
        for path in (CATALOG, COURSE):
            assert (await stranger.get(path)).status_code == 404


@pytest.mark.usefixtures("past")
async def test_searches_find_the_courses_of_a_past_term(ada: Browser) -> None:
    page = await ada.read(CATALOG + "?q=php")
    assert "PHP 202" in page
    assert "PYT 101" not in page


async def test_one_past_term_is_kept_in_memory(db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.now = SPRING.withdraw_deadline - timedelta(days=1)
    cache, find_all, reads = CatalogCache(db, clock), sections.find_all, []

    async def counted(db: Database, names: list[str]) -> object:
        reads.append(names)
        return await find_all(db, names)

    monkeypatch.setattr(sections, "find_all", counted)
    fall = await cache.past_term("Fall 2026")
    assert {section.term for section in fall.sections} == {"Fall 2026"}
    assert await cache.past_term("Fall 2026") is fall
    await cache.past_term("Winter 2025")
    await cache.past_term("Fall 2026")
    assert reads == [["Fall 2026"], ["Winter 2025"], ["Fall 2026"]]
    await cache.reload()
    assert await cache.past_term("Fall 2026") is not fall
