"""Templates of a sibling site: other names for the same lists, fields and pages, and Flask-Login's attributes."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.web.overrides import names
from quart_enroll.web.overrides.names import FormNames, RowNames, endpoints
from tests.support.people import ADA, BOB, COURSES, PASSWORD, Browser, Clock, config, registration, text

TEMPLATES = Path(__file__).parents[2] / "support/sibling_templates"


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site with the templates of a sibling site."""
    app = create_app(config(mongo_uri=mongod, template_overrides=TEMPLATES), clock=clock)
    async with app.test_app():
        yield app


def menu(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<li><a href="([^"]*)">([^<]*)<', page)


async def test_known_alternative_names_cause_no_log_line(log: pytest.LogCaptureFixture, app: Quart) -> None:
    assert "template" not in log.text


async def test_blueprint_and_alternative_endpoint_names_work(anyone: Browser, ada: Browser) -> None:
    assert menu(await anyone.read("/")) == [
        *(("/", "Start"), ("/courses/", "Course list"), ("/login", "Sign me in"), ("/register", "Join")),
    ]
    assert menu(await ada.read("/")) == [
        *(("/", "Start"), ("/courses/", "Course list"), ("/enrollment", "My courses")),
        *(("/account", "Ada Winters"), ("/logout", "Leave")),
    ]
    assert 'href="/courses/Spring"' in await anyone.read("/")


async def test_the_user_has_the_attributes_of_flask_login(ada: Browser) -> None:
    page = await ada.read("/")
    assert f"Hi Ada, you are number {ADA.user_id} ({ADA.email})." in page
    assert "Ada is here" in page


async def test_the_catalog_is_available_under_its_alternative_names(anyone: Browser) -> None:
    page = await anyone.read("/courses/")
    assert re.findall(r'<li id="course-(\d+)">\s*<b>([^<]*)</b> \((\d)\)', page) == [
        ("1111", "PYT 101", "3"),
        ("3333", "PHP 202", "4"),
    ]
    assert "2 in all, 1111 3333" in page


async def test_the_schedules_courses_are_available_under_alternative_names(ada: Browser) -> None:
    assert "You are not enrolled in anything." in await ada.read("/enrollment")
    course = COURSES[0]
    await ada.post("/enrollment", form={"courseID": course.courseID, "title": course.title, "term": course.term})
    page = await ada.read("/enrollment")
    cells = re.findall(r"<td>([^<]*)</td>", page)
    assert cells == [course.courseID, course.title, course.description, str(course.credits)]
    assert "<h1>Your schedule</h1>" in page


async def test_a_drop_works_under_its_alternative_name(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    page = await ada.read("/enrollment")
    action, fields = re.findall(r'<form action="([^"]+)" method="post">(.*?)</form>', page, re.DOTALL)[0]
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', fields))
    assert (await ada.post(action, form=form)).status_code == 303
    assert await db.enrollment.count_documents({"status": "enrolled"}) == 0


async def test_the_registrar_sees_the_students(rita: Browser) -> None:
    page = await rita.read("/user")
    assert f"{ADA.user_id}: Ada Winters, {ADA.email}" in page
    assert f"{BOB.user_id}: Bob Okafor" in page


async def test_a_wrong_and_a_right_password_work_as_expected(anyone: Browser) -> None:
    response = await anyone.sign_in(ADA, password="not the password")
    page = await text(response)
    assert response.status_code == 422
    assert '<p class="flash">' in page
    assert "Incorrect email or password." in page
    assert (await anyone.sign_in(ADA)).status_code == 303


async def test_a_field_works_under_its_alternative_name(anyone: Browser) -> None:
    page = await anyone.read("/register")
    assert re.findall(r'<input id="(\w+)"', page) == [
        *("next", "csrf_token", "email", "password", "password_confirm", "first_name", "last_name", "submit")
    ]
    response = await anyone.post("/register", form=registration(password_confirm="another one"))
    assert '<span class="error">Passwords don’t match.</span>' in await text(response)


async def test_pages_without_a_template_use_the_schools_layout(ada: Browser) -> None:
    for path in (
        "/account",
        "/account/password",
        "/enrollment/form?courseID=1111",
        "/course/1111",
        "/help",
        "/nowhere",
    ):
        page = await text(await ada.get(path))
        assert "Riverside Academy" in page
        assert len(page.split("<main>")[1].split("</main>")[0].strip()) > 100


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        *(("index", "index"), ("Index", "index"), ("home", "index"), ("main.index", "index"), (".index", "index")),
        *(("users.login", "login"), ("auth.sign_in", "login"), ("courses.index", "courses"), ("students.list", "user")),
        *(("application.courses", "courses"), ("my_courses", "enrollment"), ("static", "static")),
        *(("main.about", None), ("", None), (".", None), ("users.", None)),
    ],
)
async def test_endpoint_names_are_resolved(app: Quart, name: str, endpoint: str | None) -> None:
    assert next(iter(endpoints(name, app.view_functions)), None) == endpoint


async def test_every_alternative_endpoint_name_resolves_to_an_endpoint(app: Quart) -> None:
    assert set(names.ENDPOINTS.values()) <= app.view_functions.keys()


def test_a_row_has_alternative_names_but_no_private_attributes() -> None:
    row = RowNames(COURSES[0])
    assert row.r2.result_2.course_id == row.courseID == row.get("id") == "1111"
    assert row.get("no such name", "otherwise") == "otherwise"
    with pytest.raises(AttributeError):
        _ = row.password
    assert RowNames(ADA).id == ADA.user_id


def test_iterating_a_form_yields_its_real_fields() -> None:
    form = FormNames({"password_confirm": PASSWORD})
    assert form["password2"] == PASSWORD
    assert list(form) == ["password_confirm"]
