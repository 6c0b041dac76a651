"""A Flask site's own templates, unchanged, in the folder of TEMPLATE_OVERRIDES."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database, OutcomeUnknown
from quart_enroll.pages.staff import students
from quart_enroll.services.accounts import sessions
from tests.support.people import ADA, BOB, PASSWORD, RITA, SPRING, Browser, Clock, config, registration, set_clock, text

TEMPLATES = Path(__file__).parents[2] / "support/flask_templates"


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site with the school's templates; the browsers in this module use it."""
    app = create_app(config(mongo_uri=mongod, template_overrides=TEMPLATES), clock=clock)
    async with app.test_app():
        yield app


def navigation_labels(page: str) -> list[str]:
    """Return the labels of the navigation, with that of the current page in brackets."""
    found = re.findall(r'<li class="nav-item ?(active)?">\s*<a[^>]*>([^<]+)<', page)
    return [f"[{word}]" if active else word for active, word in found]


async def press_enroll(browser: Browser, page: str, courseID: str) -> str:
    """Press the enroll button of the course on this page, and return where it redirects."""
    forms = re.findall(r'<form action="/enrollment" method="POST">(.*?)</form>', page, re.DOTALL)
    sent = [dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) for form in forms]
    [fields] = [fields for fields in sent if fields["courseID"] == courseID]
    assert fields.keys() == {"courseID", "title", "credits", "term"}
    response = await browser.post("/enrollment", form=fields)
    assert response.status_code == 303
    return response.location


@pytest.mark.parametrize(
    ("path", "expected_labels"),
    [
        ("/", "[Home] Classes Login Register"),
        ("/index", "[Home] Classes Login Register"),
        ("/courses/", "Home [Classes] Login Register"),
        ("/courses/Spring", "Home [Classes] Login Register"),
        ("/login", "Home Classes [Login] Register"),
        ("/register", "Home Classes Login [Register]"),
    ],
)
async def test_everyone_sees_the_schools_pages(anyone: Browser, path: str, expected_labels: str) -> None:
    response = await anyone.get(path)
    page = await text(response)
    assert response.status_code == 200
    assert "Hilltop College" in page
    assert " ".join(navigation_labels(page)) == expected_labels


@pytest.mark.parametrize(
    ("path", "expected_labels"),
    [
        ("/home", "[Home] Classes Your Schedule Log Out"),
        ("/courses/", "Home [Classes] Your Schedule Log Out"),
        ("/enrollment", "Home Classes [Your Schedule] Log Out"),
    ],
)
async def test_a_student_sees_the_schools_pages(ada: Browser, path: str, expected_labels: str) -> None:
    response = await ada.get(path)
    page = await text(response)
    assert response.status_code == 200
    assert " ".join(navigation_labels(page)) == expected_labels


async def test_the_home_page_knows_the_students_name_and_number(ada: Browser) -> None:
    page = await ada.read("/")
    assert "Good to see you, Ada" in page
    assert f"Student number {ADA.user_id}" in page


async def test_the_registrar_sees_the_students(rita: Browser) -> None:
    page = await rita.read("/user")
    assert "<h3>Students</h3>" in page
    assert all(part in page for part in (str(ADA.user_id), "Ada Winters", ADA.email))
    assert RITA.email not in page


async def test_the_registrar_is_told_when_there_are_more_students_than_a_page_holds(
    rita: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(students, "MAX_STUDENTS_ON_ONE_PAGE", 1)
    page = await rita.read("/user")
    assert "Not all students are shown, only 1." in page
    assert (ADA.email in page, BOB.email in page) == (True, False)


async def test_pages_without_an_override_use_the_schools_layout(ada: Browser) -> None:
    pages = ("/enrollment/form?courseID=1111", "/account", "/account/password", "/account/delete", "/password/forgot")
    for path, status in (*((path, 200) for path in pages), ("/nowhere", 404), ("/courses/never", 404)):
        response = await ada.get(path)
        assert response.status_code == status
        assert "navbar-brand" in await text(response)


async def test_the_schools_static_files_take_precedence(anyone: Browser) -> None:
    page = await anyone.read("/")
    [stylesheet_url] = re.findall(r'href="(/static/css/main[^"]*)"', page)
    for path in (stylesheet_url, "/static/css/main.css"):
        response = await anyone.get(path)
        assert response.status_code == 200
        assert await response.get_data() == (TEMPLATES / "static/css/main.css").read_bytes()
    assert (await anyone.get("/static/site.css")).status_code == 200


async def test_registering_enrolling_and_signing_out_work(anyone: Browser) -> None:
    page = await text(await anyone.post("/register", form=registration(), follow_redirects=True))
    assert "Good to see you, Zoe" in page
    assert 'class="alert alert-success' in page

    assert await press_enroll(anyone, await anyone.read("/courses/"), "1111") == "/enrollment?term=Fall+2026"
    page = await anyone.read("/enrollment")
    assert "You’re enrolled in PYT 101 for Fall 2026." in page
    assert "Zoe's classes" in page
    assert '<tr id="class-1111">' in page
    assert "<td>PYT 101: Introduction to Python</td>" in page

    page = await text(await anyone.get("/logout", follow_redirects=True))
    assert " ".join(navigation_labels(page)) == "[Home] Classes Login Register"
    response = await anyone.get("/enrollment")
    assert response.location.startswith("/login?next=")


SPRING_PAGE = {"Referer": "http://localhost/courses/Spring"}


async def enroll_in_pyt_101(browser: Browser, term: str | None, headers: dict[str, str]) -> str:
    """Press the button of PYT 101, which is offered in both terms, and return the next page."""
    form = {"courseID": "1111", "title": "PYT 101"} | ({} if term is None else {"term": term})
    response = await browser.post("/enrollment", form=form, headers=headers)
    return await browser.read(response.location)


@pytest.mark.parametrize("term", [None, "", "Fall, Spring", " Fall, Spring "])
async def test_a_button_on_the_page_of_a_term_enrolls_in_that_term(ada: Browser, term: str | None) -> None:
    assert "You’re enrolled in PYT 101 for Spring 2027." not in await enroll_in_pyt_101(ada, term, {})
    page = await enroll_in_pyt_101(ada, term, SPRING_PAGE)
    assert "Enrollment for Spring 2027 opens on Sunday, November 15, 2026, 12:00 AM" in page


async def test_the_button_enrolls_when_that_term_is_open(ada: Browser, clock: Clock, db: Database) -> None:
    await set_clock(SPRING.opens_at, clock, (ada, ADA))
    deadlines = {"add_deadline": SPRING.add_deadline, "drop_deadline": SPRING.add_deadline}
    await db.term.update_one({"term": "Fall 2026"}, {"$set": deadlines | {"withdraw_deadline": SPRING.add_deadline}})
    page = await ada.read("/courses/Spring")
    fields = re.search(r'name="term" value="([^"]*)"', page)
    assert fields is not None
    assert "You’re enrolled in PYT 101 for Spring 2027." in await enroll_in_pyt_101(ada, fields[1], SPRING_PAGE)
    assert [row["term"] async for row in db.enrollment.find()] == ["Spring 2027"]


@pytest.mark.parametrize("term", ["Fall", "fall 2026"])
async def test_a_term_in_the_form_takes_precedence(ada: Browser, term: str) -> None:
    assert "You’re enrolled in PYT 101 for Fall 2026." in await enroll_in_pyt_101(ada, term, SPRING_PAGE)


async def test_an_unknown_term_in_the_form_is_not_replaced(ada: Browser) -> None:
    assert "There is no term “2028 Spring” in the catalog." in await enroll_in_pyt_101(ada, "2028 Spring", SPRING_PAGE)


@pytest.mark.parametrize(
    "page",
    [
        "http://elsewhere.example/courses/Spring",
        "https://localhost/courses/Spring",
        "http://localhost/courses/",
        "http://localhost/enrollment",
        "http://localhost/no/such/page",
        "http://localhost/courses/" + "x" * 101,
        "http://[/courses/Spring",
        "http://localhost/courses/%FF%00",
        "",
    ],
)
async def test_other_pages_do_not_set_the_term(ada: Browser, page: str) -> None:
    next_page = await enroll_in_pyt_101(ada, None, {"Referer": page})
    expected = "There is no term" if "%FF" in page else "You’re enrolled in PYT 101 for Fall 2026."
    assert expected in next_page


async def test_the_term_of_the_page_is_kept_when_a_form_is_retried(
    ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.read("/courses/Spring")
    monkeypatch.setattr(sessions, "resume", _raise_outcome_unknown)
    response = await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall, Spring"}, headers=SPRING_PAGE)
    assert response.status_code == 503
    assert '<input type="hidden" name="term" value="Spring">' in await text(response)


async def _raise_outcome_unknown(*_: object) -> None:
    raise OutcomeUnknown


async def test_the_term_of_the_page_is_kept_while_the_visitor_signs_in(anyone: Browser) -> None:
    await anyone.read("/courses/Spring")
    response = await anyone.post("/enrollment", form={"courseID": "1111", "term": "Fall, Spring"}, headers=SPRING_PAGE)
    assert unquote(response.location) == "/login?next=/enrollment/form?courseID=1111&term=Spring"


async def test_a_course_requested_before_signing_in_is_kept(anyone: Browser) -> None:
    login = await press_enroll(anyone, await anyone.read("/courses/"), "3333")
    page = await anyone.read(login)
    assert "Please sign in" in page
    [next_url] = re.findall(r'name="next"[^>]*value="([^"]*)"', page)
    sent = {"email": ADA.email, "password": PASSWORD, "next": unescape(next_url)}
    response = await anyone.post(login, form=sent)
    page = await anyone.read(response.location)
    assert 'value="3333"' in page
    assert "Hilltop College" in page


async def test_errors_appear_beside_their_fields_and_values_stay(anyone: Browser) -> None:
    response = await anyone.post("/register", form=registration(email="zoe", password_confirm="another one"))
    page = await text(response)
    assert response.status_code == 422
    assert page.count('class="text-danger"') == 2
    assert 'value="zoe"' in page
    assert "correct horse" not in page


async def test_another_sites_page_cannot_submit_the_form_without_a_token(ada: Browser, db: Database) -> None:
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    response = await ada.post("/enrollment", form={"courseID": "1111"}, headers=cross_site)
    assert response.status_code == 400
    assert await db.enrollment.count_documents({}) == 0


async def test_a_link_on_another_site_does_not_sign_out(ada: Browser) -> None:
    response = await ada.get("/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 200
    assert "Your Schedule" in await ada.read("/")
