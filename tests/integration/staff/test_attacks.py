"""Attacks on the registrar's office: by students, by staff outside their scope, and by texts that are no names."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from werkzeug.http import parse_options_header
from wtforms import Form
from wtforms.fields.core import UnboundField

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, sections
from quart_enroll.domain.models import SectionKey
from quart_enroll.routes import ROUTES
from quart_enroll.services.maintenance import audit
from quart_enroll.web.route import Audience, Route
from tests.support.people import ADA, ARON, BOB, FALL_MORNING, IVAN, RITA, SECTIONS, Browser, Clock, text

PHP = {"term": "Fall 2026", "courseID": "3333", "section": "01"}
PHP_KEY = SectionKey(**PHP)
PYT = PHP | {"courseID": "1111"}
SECTION_FORM = {"revision": "0", "capacity": "1", "waitlist_capacity": "1", "status": "active"}
COURSE_FORM = {"title": "PHP 202", "credits": "4", "term": "Fall", "subject": "Computing"}
TERM_FORM = {
    "opens_at": "2026-08-01",
    "add_deadline": "2026-09-14",
    "drop_deadline": "2026-09-14",
    "withdraw_deadline": "2026-10-31",
    "max_credits": "18",
    "timezone": "America/New_York",
}

STAFF_ROUTES = [route for route in ROUTES if route.audience is Audience.STAFF and route.is_localized]
PAGES = [route for route in STAFF_ROUTES if "GET" in route.methods]
FORMS = [route for route in STAFF_ROUTES if "POST" in route.methods]


def url(page: str, section: Mapping[str, str] = PHP, **more: str) -> str:
    return f"/staff/{page}?{urlencode({**section, **more})}"


@pytest.fixture
async def scopes(db: Database, other_staff: None) -> None:
    """Ivan teaches PHP 202, which belongs to sami's subject, and aron advises ada."""
    await db.course.update_one({"courseID": "3333"}, {"$set": {"subject": "Computing"}})
    await db.section.update_one(PHP, {"$set": {"instructors": [IVAN.user_id]}})
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [ARON.user_id]}})


# What lies outside of one's scope is not there, whichever way one asks for it.


@pytest.mark.parametrize("page", ["section", "roster", "roster/email", "roster/no-show", "section/cancel"])
@pytest.mark.usefixtures("scopes")
async def test_a_section_outside_the_scope_is_not_found(ivan: Browser, sami: Browser, page: str) -> None:
    missing = PHP | {"section": "99"}
    for browser in (ivan, sami):
        for more in ({}, {"format": "csv"}, {"format": "xlsx", "opted_out": "y"}):
            answers = []
            for section in (PYT, missing):
                for headers in ({}, {"HX-Request": "true", "HX-Target": "roster"}):
                    response = await browser.get(url(page, section, **more), headers=headers)
                    answers.append((response.status_code, len(await response.get_data())))
            assert {status for status, _ in answers} <= {403, 404}, more
            assert len({*answers}) == 1, more


@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("section", SECTION_FORM),
        ("section/cancel", {"revision": "0", "reason": "x"}),
        ("roster/no-show", {"students": "1", "confirmed": "y"}),
        ("roster/email", {"subject": "x", "text": "x", "to_enrolled": "y", "confirmed": "y"}),
    ],
)
@pytest.mark.usefixtures("scopes")
async def test_fields_of_a_form_move_nobody_into_another_section(
    ivan: Browser, sami: Browser, db: Database, page: str, form: dict[str, str]
) -> None:
    """The URL decides, of which the first value of each parameter counts; what a form says about it is ignored."""
    await enrollments.put(db, ADA.user_id, SectionKey(**PYT), FALL_MORNING, None)
    before = await db.section.find(PYT).to_list(None)
    for browser in (ivan, sami):
        for path in (url(page, PYT) + "&" + urlencode(PHP), url(page, PHP)):
            await browser.post(path, form=form | PYT | {"capacity": "7"})
    assert await db.section.find(PYT).to_list(None) == before
    assert await db.enrollment.count_documents(PYT) == 1
    assert await db.audit.count_documents({"about.courseID": "1111"}) == 0


@pytest.mark.usefixtures("scopes")
async def test_a_scheduler_copies_no_section_into_another_subject(sami: Browser, db: Database) -> None:
    for courseID in ("1111", " 1111 ", "1111\u200b"):
        form = SECTION_FORM | PHP | {"courseID": courseID, "section": "07"}
        response = await sami.post(url("section/new"), form=form)
        assert response.status_code == 422
    assert await db.section.count_documents({"section": "07"}) == 0
    assert (await sami.post(url("section/new"), form=SECTION_FORM | PHP | {"section": "07"})).status_code == 303


@pytest.mark.usefixtures("scopes")
async def test_a_scheduler_does_not_learn_whose_a_user_id_is(sami: Browser, db: Database) -> None:
    answers = set()
    for who in (str(BOB.user_id), BOB.email, "77", "nobody@school.example"):
        response = await sami.post(url("section"), form=SECTION_FORM | {"instructors": who})
        page = await text(response)
        assert who == BOB.email or BOB.email not in page
        error = page.split('id="instructors-error"')[1].split("</div>")[0]
        answers.add((response.status_code, error.replace(f"{who}.", "")))
    assert [status for status, _ in answers] == [422]  # all have the same answer
    section = await sections.find(db, PHP_KEY)
    assert section is not None
    assert section.instructors == (IVAN.user_id,)


@pytest.mark.usefixtures("scopes")
async def test_an_instructor_who_lost_the_role_may_stay(sami: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": IVAN.user_id}, {"$set": {"roles": ["student"]}})
    form = SECTION_FORM | {"instructors": IVAN.email, "room": "Lab 9"}
    assert (await sami.post(url("section"), form=form)).status_code == 303


@pytest.mark.parametrize("path", ["", "/why", "/act?action=enroll&term=Fall+2026&courseID=1111&section=01"])
@pytest.mark.usefixtures("scopes")
async def test_another_advisors_advisee_is_not_found(aron: Browser, path: str) -> None:
    answers = []
    for user_id in (BOB.user_id, 77, 10**17, 10**30):
        where = f"/staff/students/{user_id}{path}"
        response, posted = await aron.get(where), await aron.post(where, form={"reason": "x"})
        page = await text(response)
        assert posted.status_code in (404, 405)
        answers.append((response.status_code, BOB.last_name in page or BOB.email in page))
    assert {*answers} == {(404, False)}
    assert (await aron.get(f"/staff/students/{ADA.user_id}{path}")).status_code == 200


@pytest.mark.usefixtures("scopes")
async def test_files_have_only_what_the_list_has(aron: Browser, ivan: Browser, sami: Browser) -> None:
    students = await text(await aron.get("/staff/students?format=csv&opted_out=y&sort=-email&page=9"))
    assert ADA.email in students
    assert BOB.email not in students
    for browser in (ivan, sami):
        found = await text(await browser.get("/staff/sections?format=csv&term=Fall+2026"))
        assert "3333-01" in found
        assert "1111-01" not in found


async def test_a_role_that_is_lost_while_a_page_is_open_no_longer_counts(rita: Browser, db: Database) -> None:
    await rita.get(url("section"))
    await db.user.update_one({"user_id": RITA.user_id}, {"$set": {"roles": ["auditor"]}})
    assert (await rita.get(url("section"))).status_code == 200
    for route in FORMS:
        if not route.has_file:
            assert (await rita.post(path_of(route), form=SECTION_FORM)).status_code == 403, route.path


async def test_no_form_for_staff_is_accepted_from_another_site(rita: Browser, db: Database) -> None:
    before = await everything(db)
    for route in FORMS:
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://evil.example"},
        ):
            response = await rita.client.post(path_of(route), form=SECTION_FORM | {"csrf_token": "x"}, headers=headers)
            assert response.status_code == 400, (route.path, headers)
    assert await everything(db) == before


async def test_a_password_that_comes_with_a_forged_form_confirms_nothing(
    rita: Browser, db: Database, clock: Clock
) -> None:
    clock.now += timedelta(minutes=31)
    forged = SECTION_FORM | {"capacity": "9", "confirmed_password": "wrong"}
    for form in (forged, forged | {"confirmed_password": ""}, forged | {"confirmed": "y", "confirmed_at": "2099"}):
        assert (await rita.post(url("section"), form=form)).status_code == 422
    assert await db.audit.count_documents({}) == 0


# Two registrars at once: the second one sees what the first one changed.


@pytest.mark.parametrize(
    ("path", "form", "field", "first", "second"),
    [
        ("/staff/course?courseID=3333", COURSE_FORM, "title", "PHP for all", {"credits": "3"}),
        ("/staff/term?term=Fall+2026", TERM_FORM, "max_credits", "12", {"timezone": "Europe/Berlin"}),
    ],
)
async def test_the_second_editor_of_a_course_or_term_sees_what_the_first_changed(
    rita: Browser, db: Database, path: str, form: dict[str, str], field: str, first: str, second: dict[str, str]
) -> None:
    seen = (await rita.read(path)).split('name="seen" type="hidden" value="')[1].split('"')[0]
    assert (await rita.post(path, form=form | {"seen": seen, field: first})).status_code == 303
    response = await rita.post(path, form=form | {"seen": seen} | second)
    page = await text(response)
    assert response.status_code == 409
    assert "Someone else has changed this in the meantime." in page
    assert f'<td role="cell" data-label="Saved by someone else">{first}</td>' in page
    assert all(f'value="{value}"' in page for value in second.values())
    assert await db.audit.count_documents({}) == 1
    seen = page.split('name="seen" type="hidden" value="')[1].split('"')[0]
    assert (await rita.post(path, form=form | {"seen": seen} | second)).status_code == 303
    assert await db.audit.count_documents({}) == 2


async def test_the_same_form_sent_twice_is_not_a_conflict(rita: Browser, db: Database) -> None:
    path = "/staff/course?courseID=3333"
    seen = (await rita.read(path)).split('name="seen" type="hidden" value="')[1].split('"')[0]
    form = COURSE_FORM | {"seen": seen, "prerequisites": "1111"}
    assert [(await rita.post(path, form=form)).status_code for _ in range(2)] == [303, 303]
    assert await db.audit.count_documents({}) == 1


async def test_a_preview_in_between_keeps_what_the_editor_saw(
    rita: Browser, ada: Browser, bob: Browser, db: Database
) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    await db.section.update_one(PHP, {"$set": {"capacity": 2}})
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"add_deadline": FALL_MORNING}})
    path = "/staff/term?term=Fall+2026"
    seen = (await rita.read(path)).split('name="seen" type="hidden" value="')[1].split('"')[0]
    page = await text(await rita.post(path, form=TERM_FORM | {"seen": seen}))
    assert f'name="seen" value="{seen}"' in page
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"max_credits": 12}})
    response = await rita.post(path, form=TERM_FORM | {"seen": seen, "confirmed": "y"})
    assert response.status_code == 409
    assert 'name="confirmed" type="hidden" value=""' in await text(response)
    assert await db.enrollment.count_documents({}) == 1


async def test_two_removals_of_registrars_at_once_leave_one(rita: Browser, ada: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"roles": ["registrar"]}})
    for user_id in (ADA.user_id, RITA.user_id):
        await db.removal.insert_one({"user_id": user_id, "asked_at": FALL_MORNING})
    await asyncio.gather(rita.post(f"/staff/removals/{ADA.user_id}"), ada.post(f"/staff/removals/{RITA.user_id}"))
    assert await db.user.count_documents({"roles": "registrar"}) == 1


async def test_only_the_current_revision_is_accepted(rita: Browser, db: Database) -> None:
    for revision in ("9" * 5000, "9" * 30, "-1", "1e3", "٣", "x"):
        form = SECTION_FORM | {"revision": revision, "reason": "x", "capacity": "5"}
        for page in ("section", "section/cancel"):
            assert (await rita.post(url(page), form=form)).status_code == 409, revision
    assert await db.audit.count_documents({}) == 0


# How many students a section may have, and what the counters say.


async def test_no_shows_lower_how_far_a_section_may_be_over_capacity(
    rita: Browser, ada: Browser, db: Database, clock: Clock
) -> None:
    await ada.post("/enrollment", form=PHP)
    act = f"/staff/students/{BOB.user_id}/act?" + urlencode({"action": "enroll", **PHP})
    assert (await rita.post(act, form={"reason": "Graduates", "overrides": "full"})).status_code == 303
    await rita.post(url("roster/no-show"), form={"students": str(ADA.user_id), "confirmed": "y"})
    row = {"user_id": 8, "courseID": "3333", "term": "Fall 2026", "section": "01"}
    await db.enrollment.insert_one(row | {"enrolled_at": clock.now, "status": "enrolled"})
    await db.section.update_one(PHP, {"$inc": {"seats_taken": 1}})
    found = (await audit.check(db, clock.now)).discrepancies
    assert "3333, section 01, Fall 2026: 2 enrolled, but the capacity is 1." in found


# Names and other texts that are more than texts.

MARKUP = "<i id=x>'\"&%(title)s{{7*7}}"
FORMULA = "=1+1"


@pytest.fixture
async def malicious_school(rita: Browser, ada: Browser, bob: Browser, db: Database) -> None:
    """Everything that anybody may have written has markup in it, and something has happened to it."""
    await db.course.update_many({}, {"$set": {"title": MARKUP, "subject": MARKUP, "description": MARKUP}})
    texts = {"instructor": MARKUP, "room": MARKUP, "instructors": [BOB.user_id]}
    await db.section.update_many({}, {"$set": texts})
    await db.user.update_many({}, {"$set": {"first_name": MARKUP, "last_name": MARKUP}})
    await ada.post("/enrollment", form=PHP)
    await bob.post("/waitlist", form=PHP)
    act = f"/staff/students/{ADA.user_id}/act?" + urlencode({"action": "enroll", **PYT})
    assert (await rita.post(act, form={"reason": MARKUP})).status_code == 303
    act = f"/staff/students/{BOB.user_id}/act?" + urlencode({"action": "enroll", **PYT})
    assert (await rita.post(act, form={"reason": MARKUP})).status_code == 303
    await rita.post(url("roster/no-show", PYT), form={"students": str(BOB.user_id), "confirmed": "y"})
    cancel = url("section/cancel", PYT | {"section": "02"})
    assert (await rita.post(cancel, form={"revision": "0", "reason": MARKUP})).status_code == 303
    for user_id in (ADA.user_id, BOB.user_id):
        await db.removal.insert_one({"user_id": user_id, "asked_at": FALL_MORNING})


@pytest.mark.usefixtures("malicious_school")
async def test_no_text_becomes_markup_on_a_page_for_staff(rita: Browser) -> None:
    for route in PAGES:
        for query in (urlencode(PHP | {"q": MARKUP, "subject": MARKUP}), urlencode(PYT | {"report": "sections"})):
            page = await rita.read(f"{path_of(route)}?{query}")
            assert "<i id=x>" not in page, route.path


@pytest.mark.usefixtures("malicious_school")
async def test_no_text_becomes_markup_on_a_confirmation_page(rita: Browser) -> None:
    posts = [
        (url("section"), SECTION_FORM | {"capacity": "9", "instructor": MARKUP, "room": MARKUP}),
        (url("section", PYT), SECTION_FORM | {"capacity": MARKUP, "instructors": MARKUP, "status": MARKUP}),
        (url("roster/email"), {"subject": MARKUP, "text": MARKUP, "to_enrolled": "y"}),
        (url("roster/no-show"), {"students": [str(ADA.user_id)]}),
        (f"/staff/people/{ADA.user_id}", {"roles": "student", "advisors": MARKUP}),
        (f"/staff/people/{ADA.user_id}", {"roles": ["scheduler"], "subjects": MARKUP, "directory_opt_out": "y"}),
        ("/staff/roll", {"source": MARKUP, "target": "Spring 2027"}),
        ("/staff/course?courseID=3333", COURSE_FORM | {"title": MARKUP, "credits": MARKUP, "prerequisites": MARKUP}),
        ("/staff/term?term=Fall+2026", TERM_FORM | {"opens_at": MARKUP, "timezone": MARKUP, "seen": MARKUP}),
        (f"/staff/removals/{ADA.user_id}/decline", {"reason": MARKUP * 20}),
    ]
    for path, form in posts:
        page = await text(await rita.send(path, form))
        assert "<i id=x>" not in page, path
        assert "&lt;i id=x&gt;" in page, path


@pytest.mark.usefixtures("malicious_school")
async def test_no_text_becomes_markup_on_the_pages_of_the_student(ada: Browser, bob: Browser) -> None:
    for browser in (ada, bob):
        for path in ("/", "/enrollment", "/enrollment/history", "/account", "/help"):
            assert "<i id=x>" not in await browser.read(path), path


@pytest.mark.usefixtures("unlimited")
async def test_a_file_is_named_after_any_course(rita: Browser, db: Database) -> None:
    php = next(one for one in SECTIONS if one.key == PHP_KEY)
    for courseID in ("PÄD 1", "日本", "a;b", 'a"b', "a/b", "a'b,c"):
        course = {"courseID": courseID, "title": "x", "description": "", "credits": 1, "term": "Fall"}
        await db.course.insert_one(course)
        await sections.put_all(db, [replace(php, courseID=courseID)])
        for format in ("csv", "xlsx"):
            response = await rita.get(url("roster", PHP | {"courseID": courseID}, format=format))
            assert response.status_code == 200
            header = response.headers["Content-Disposition"]
            assert header.isascii()
            kind, options = parse_options_header(header)
            assert (kind, options) == ("attachment", {"filename": f"roster-{courseID}-01-2026-09-01.{format}"})


LISTS = ["students", "people", "sections", "courses", "terms", "removals", "audit", "access", "dashboard", "roster"]


async def test_no_name_becomes_a_formula_in_any_file(rita: Browser, ada: Browser, db: Database) -> None:
    await db.course.update_many({}, {"$set": {"title": FORMULA, "subject": FORMULA}})
    await db.section.update_many({}, {"$set": {"instructor": FORMULA, "room": FORMULA}})
    await db.user.update_many({}, {"$set": {"first_name": FORMULA, "last_name": FORMULA}})
    await ada.post("/enrollment", form=PHP)
    await rita.get(f"/staff/students/{ADA.user_id}")
    act = f"/staff/students/{BOB.user_id}/act?" + urlencode({"action": "enroll", **PYT})
    await rita.post(act, form={"reason": FORMULA})
    await db.removal.insert_one({"user_id": ADA.user_id, "asked_at": FALL_MORNING})
    for page in LISTS:
        file = await text(await rita.get(url(page, format="csv")))
        assert "=1+1" in file or page == "terms"
        cells = [cell for line in file.lstrip("\ufeff").splitlines() for cell in line.replace('"', "").split(",")]
        assert [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@"))] == [], page


# Input that no form sends.

ODD_VALUES = ["", "\0", "\r\nX: y", "9" * 30, "-1", "٣", "²", "1e999", "$ne", "a" * 300, "\ud800", "Fall 2026"]
ENDLESS = "9" * 5000
"""More digits than Python reads."""


def _field_names(of: type[Form] = Form) -> set[str]:
    """Return the names of the fields of all forms of the site."""
    own = {name for name in dir(of) if isinstance(getattr(of, name), UnboundField)}
    return own.union(*map(_field_names, of.__subclasses__()))


NAMES = sorted(_field_names().union(*(route.query_parameters or () for route in STAFF_ROUTES)))
"""Everything that a view may read."""


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: ascii(value)[:12])
@pytest.mark.usefixtures("unlimited", "scopes")
async def test_no_parameter_breaks_a_page_for_staff(rita: Browser, value: str) -> None:
    for route in PAGES:
        odd = _encode(dict.fromkeys(route.query_parameters or (), value))
        for query in (f"{odd}&{odd}", f"format=csv&{urlencode(PHP)}&{odd}"):
            response = await rita.get(f"{path_of(route)}?{query}")
            assert response.status_code < 500, (route.path, query)


@pytest.mark.usefixtures("unlimited", "scopes")
async def test_no_endless_number_breaks_a_page_for_staff(rita: Browser) -> None:
    for route in PAGES:
        for name in route.query_parameters or ():
            response = await rita.get(f"{path_of(route)}?{urlencode({**PHP, 'action': 'enroll', name: ENDLESS})}")
            assert response.status_code < 500, (route.path, name)


@pytest.mark.parametrize("value", [*ODD_VALUES, ENDLESS], ids=lambda value: ascii(value)[:12])
@pytest.mark.usefixtures("unlimited", "scopes")
async def test_no_field_breaks_a_form_for_staff(rita: Browser, value: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    at_once = 10 if value == ENDLESS else len(NAMES)
    for number, route in enumerate(FORMS, [*ODD_VALUES, ENDLESS].index(value)):
        path = f"{path_of(route)}?{urlencode({**PHP, 'action': 'enroll'})}"
        for start in range(0, len(NAMES), at_once):
            form = _encode(dict.fromkeys(NAMES[start : start + at_once], value))
            body = f"{form}&{form}" if number % 2 else form  # so each route gets either, with other values
            response = await rita.post(path, data=body, headers=headers)
            assert response.status_code < 500, (route.path, body[:200])


async def test_no_number_breaks_a_page_about_a_person(rita: Browser) -> None:
    for route in STAFF_ROUTES:
        for user_id in ("0", "77", "9" * 18, "9" * 19, "9" * 30, "9" * 300) if "user_id" in route.path else ():
            path = route.path.replace("<int:user_id>", user_id)
            assert (await rita.get(path)).status_code == 404, path
            assert (await rita.post(path)).status_code in (303, 404, 405, 422), path


def _encode(values: Mapping[str, str]) -> str:
    return urlencode(values, errors="surrogatepass")


def path_of(route: Route) -> str:
    return route.path.replace("<int:user_id>", str(ADA.user_id))


async def everything(db: Database) -> dict[str, list[object]]:
    names = {*await db.list_collection_names()} - {"login", "attempt"}
    return {name: await db[name].find().sort("_id").to_list(None) for name in names}
