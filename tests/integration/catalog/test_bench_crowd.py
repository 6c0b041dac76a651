"""What `make bench` expects of a crowd's pages is what the site shows: it notices wrong ones, and only those."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.state import EXTENSION
from tests.bench import browser
from tests.bench.catalog_check import OwnCourses, Seats, ShownRow, expected_row, shown_rows
from tests.bench.crowd_school import COURSES_PER_PAGE, Situation, create_school
from tests.bench.own_pages import OWN_PAGES, OwnPage, change_all, changing_students
from tests.bench.school_data import PRODUCTION_COOKIE
from tests.support.people import Clock, config

STUDENTS = 20


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC))


@pytest.fixture
async def crowd(empty_db: Database) -> list[Situation]:
    return await create_school(empty_db, STUDENTS, key=config().secret_key)


@pytest.fixture
async def db(empty_db: Database, crowd: list[Situation]) -> Database:
    """The crowd's school instead of the small one."""
    return empty_db


@pytest.fixture
async def app(app: Quart, db: Database, clock: Clock) -> Quart:
    """The site with a catalog that is read once: it is large, and the students' changes don't matter there."""
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], catalog_cache=CatalogCache(db, clock))
    return app


async def read(app: Quart, path: str, one: Situation) -> str:
    headers = browser.headers_of(one.student.user_id, one.student.cookie.removeprefix(PRODUCTION_COOKIE))
    response = await app.test_client(use_cookies=False).get(path, headers=headers)
    assert response.status_code == 200
    return browser.decode(await response.get_data(as_text=False), response.headers.get("Content-Encoding", ""))


async def expected_rows(db: Database, one: Situation) -> list[ShownRow]:
    own = OwnCourses(*map(frozenset, (one.enrolled, one.planned, one.waitlisted)))
    sections = await db.section.find().sort("courseID").to_list(COURSES_PER_PAGE)
    seats = [Seats(row["capacity"], row["seats_taken"], row["waiting"]) for row in sections]
    return [expected_row(number, one, own) for number, one in enumerate(seats)]


async def test_each_student_sees_the_expected_catalog(app: Quart, crowd: list[Situation], db: Database) -> None:
    for one in crowd:
        assert shown_rows(await read(app, "/courses/", one)) == await expected_rows(db, one), one


async def test_another_students_page_is_noticed(app: Quart, crowd: list[Situation], db: Database) -> None:
    nothing_yet = next(one for one in crowd if not (one.enrolled or one.planned or one.waitlisted))
    enrolled = next(one for one in crowd if min((*one.enrolled, 99)) < COURSES_PER_PAGE)
    assert shown_rows(await read(app, "/courses/", nothing_yet)) != await expected_rows(db, enrolled)


@pytest.mark.parametrize("page", OWN_PAGES, ids=lambda page: page.name)
async def test_own_pages_show_whether_a_student_has_the_course(
    page: OwnPage, app: Quart, crowd: list[Situation], db: Database
) -> None:
    students = changing_students(crowd)
    assert all([page.is_right(await read(app, page.path(one), one.situation), one, False) for one in students])
    await change_all(db, students, has=True)
    assert all([page.is_right(await read(app, page.path(one), one.situation), one, True) for one in students])
