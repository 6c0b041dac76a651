"""Staff see the site as a student sees it, and change nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices
from quart_enroll.domain.models import Notice
from quart_enroll.routes import ROUTES
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.route import Audience
from tests.integration.auth.test_permissions import path_of
from tests.integration.pages.test_flask_templates import TEMPLATES
from tests.integration.staff.test_everything_is_logged import rows
from tests.support.people import ADA, ARON, BOB, FALL_MORNING, PASSWORD, RITA, Browser, Clock, config, text

BEGIN, END = "/staff/view-as", "/staff/view-as/end"
SEAT = {"courseID": "1111", "section": "01", "term": "Fall 2026"}
BANNER = "You’re viewing the site as <strong>Ada Winters</strong>."
PAGES = [route for route in ROUTES if route.opens_record and route.audience is not Audience.STAFF]
REFUSED = [
    route
    for route in ROUTES
    if route.audience in (Audience.VISITORS, Audience.SIGNED_IN)
    and not route.opens_record
    and not route.works_in_views
    and not route.path.startswith("/api/")
]

CHANGES = [route for route in ROUTES if {*route.methods} - {*SAFE_METHODS} and not route.works_in_views]


async def view(browser: Browser, user_id: int = ADA.user_id) -> None:
    response = await browser.post(BEGIN, form={"user_id": str(user_id)})
    assert (response.status_code, response.location) == (303, "/")


async def entries(db: Database) -> list[tuple[Any, ...]]:
    found = await db.audit.find({"action": {"$regex": "^view"}}).sort("_id").to_list(None)
    return [(one["action"], one["actor"], one["user_id"], one["at"]) for one in found]


def without_banner(page: str) -> str:
    """Return the page without the banner and the tokens, which differ."""
    page = re.sub(r'<aside class="view-banner".*?</aside>', "", page, flags=re.DOTALL)
    return re.sub(r'name="csrf_token" value="[^"]*"', "", page)


async def test_a_registrar_sees_what_the_student_sees(ada: Browser, rita: Browser) -> None:
    await ada.post("/enrollment", form=SEAT)
    await ada.get("/enrollment")
    await view(rita)
    for path in ("/", "/courses/", "/course/1111", "/enrollment", "/enrollment/history", "/plan", "/help"):
        page = await rita.read(path)
        assert BANNER in page
        assert without_banner(page) == without_banner(await ada.read(path))


async def test_a_button_can_name_the_student_in_its_url(rita: Browser) -> None:
    assert (await rita.post(f"{BEGIN}?user_id=1")).location == "/"
    assert BANNER in await rita.read("/")


async def test_an_advisor_sees_only_advisees(aron: Browser, db: Database) -> None:
    assert (await aron.post(BEGIN, form={"user_id": "1"})).status_code == 404
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [ARON.user_id]}})
    await view(aron)
    assert BANNER in await aron.read("/plan")


@pytest.mark.parametrize("user_id", ["", "999", str(RITA.user_id), "1" * 40, "x\0"])
async def test_nobody_but_a_student_can_be_viewed(rita: Browser, user_id: str) -> None:
    assert (await rita.post(BEGIN, form={"user_id": user_id})).status_code == 404


async def test_other_staff_and_students_cannot_begin(ada: Browser, uma: Browser, ivan: Browser) -> None:
    for browser in (ada, uma, ivan):
        assert (await browser.post(BEGIN, form={"user_id": "1"})).status_code == 403


async def test_a_student_who_is_also_staff_is_seen_as_a_student(rita: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"roles": ["registrar", "student"]}})
    await view(rita)
    assert 'href="/staff"' not in await rita.read("/")


async def test_each_page_is_logged(rita: Browser, db: Database) -> None:
    await view(rita)
    for route in PAGES:
        assert BANNER in await rita.read(path_of(route.path)), route.path
    logged = await db.access.find().sort("_id").to_list(None)
    assert [(one["actor"], one["user_id"], one["page"]) for one in logged] == [
        (RITA.user_id, ADA.user_id, route.endpoint) for route in PAGES
    ]
    log = await rita.read("/staff/access")
    assert [route.path for route in PAGES if str(route.opens_record) not in log] == []


async def test_nothing_else_of_the_student_is_reachable(rita: Browser) -> None:
    await view(rita)
    for path, method in [(path_of(route.path), method) for route in REFUSED for method in route.methods]:
        response = await rita.client.open(path, method=method, headers={"Sec-Fetch-Site": "same-origin"})
        page = await text(response)
        assert response.status_code == 403, path
        assert ("so you can’t change anything" if method not in SAFE_METHODS else "Only for the student") in page
        assert BANNER in page


async def test_no_request_changes_anything(ada: Browser, rita: Browser, db: Database) -> None:
    await view(rita)
    before = await rows(db)
    for route in CHANGES:
        [method] = {*route.methods} - {*SAFE_METHODS}
        for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}):
            response = await rita.client.open(path_of(route.path), method=method, form=SEAT, headers=headers)
            assert response.status_code == 403, route.path
    assert await rows(db) == before


async def test_the_notices_of_the_student_stay_unseen(ada: Browser, rita: Browser, db: Database) -> None:
    await notices.add(db, Notice(FALL_MORNING, ADA.user_id, "promote", "1111", "PYT 101", "Fall 2026", "01"), None)
    await notices.add(db, Notice(FALL_MORNING, RITA.user_id, "promote", "3333", "PHP 202", "Fall 2026", "01"), None)
    await view(rita)
    for _ in range(2):
        page = await rita.read("/")
        assert "you’re now enrolled in PYT 101" in page
        assert "PHP 202" not in page
    await rita.post(END)
    assert "PHP 202" in await rita.read("/")
    assert "you’re now enrolled in PYT 101" in await ada.read("/")


async def test_nothing_about_the_student_is_touched(ada: Browser, rita: Browser, db: Database, clock: Clock) -> None:
    clock.now += timedelta(minutes=20)
    await rita.get("/")
    before = await db.login.find({"user_id": ADA.user_id}).to_list(None), await rows(db)
    await view(rita)
    for route in PAGES:
        await rita.get(path_of(route.path))
    assert (await db.login.find({"user_id": ADA.user_id}).to_list(None), await rows(db)) == before


async def test_the_account_page_has_no_sign_ins_and_no_ways_to_change_it(ada: Browser, rita: Browser) -> None:
    await view(rita)
    page = await rita.read("/account")
    assert ADA.email in page
    main = page.split("<main")[1].split("</main>")[0]
    assert "Signed in on" not in page
    assert "<button" not in main
    assert "/account/" not in main


async def test_pages_for_staff_stay_their_own_and_say_so(rita: Browser) -> None:
    await view(rita)
    page = await rita.read("/staff")
    assert BANNER in page
    assert "Registrar" in page
    assert (await rita.post("/staff/people/2", form={})).status_code == 403


async def test_the_api_belongs_to_the_signed_in_user(rita: Browser) -> None:
    await view(rita)
    me = await (await rita.get("/api/v1/me")).get_json()
    assert me["email"] == RITA.email


async def test_begin_and_end_are_in_the_audit_log(rita: Browser, db: Database, clock: Clock) -> None:
    await view(rita)
    begun = clock.now
    clock.now += timedelta(minutes=5)
    response = await rita.post(END)
    assert (response.status_code, response.location) == (303, f"/staff/students/{ADA.user_id}")
    assert (await rita.post(END)).status_code == 303
    assert await entries(db) == [
        ("view.begin", RITA.user_id, ADA.user_id, begun),
        ("view.end", RITA.user_id, ADA.user_id, clock.now),
    ]
    assert "view-banner" not in await rita.read("/")
    assert "Stopped viewing as a student" in await rita.read("/staff/audit")


async def test_it_ends_after_half_an_hour(rita: Browser, db: Database, clock: Clock) -> None:
    await view(rita)
    until = clock.now + timedelta(minutes=30)
    clock.now = until - timedelta(seconds=1)
    assert BANNER in await rita.read("/")
    clock.now = until + timedelta(minutes=10)
    response = await rita.post("/enrollment", form=SEAT)
    assert response.status_code == 409
    assert await db.enrollment.count_documents({}) == 0
    assert [one[0] for one in await entries(db)] == ["view.begin", "view.end"]
    assert (await entries(db))[-1][-1] == until
    assert "view-banner" not in await rita.read("/")


async def test_a_page_says_that_it_has_ended(rita: Browser, clock: Clock) -> None:
    await view(rita)
    clock.now += timedelta(minutes=31)
    page = await rita.read("/plan")
    assert "You’re no longer viewing the site as a student." in page
    assert "view-banner" not in page


async def test_signing_out_ends_it(rita: Browser, db: Database) -> None:
    await view(rita)
    assert (await rita.post("/logout")).status_code == 303
    assert [one[0] for one in await entries(db)] == ["view.begin", "view.end"]
    await rita.sign_in(RITA)
    assert "view-banner" not in await rita.read("/")


@pytest.mark.parametrize("lost", ["role", "advisee", "account"])
async def test_it_ends_when_it_is_no_longer_permitted(aron: Browser, db: Database, lost: str) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [ARON.user_id]}})
    await view(aron)
    assert BANNER in await aron.read("/")
    match lost:
        case "role":
            await db.user.update_one({"user_id": ARON.user_id}, {"$set": {"roles": ["instructor"]}})
        case "advisee":
            await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [BOB.user_id]}})
        case "account":
            await db.user.delete_one({"user_id": ADA.user_id})
    assert "view-banner" not in await aron.read("/")
    assert [one[0] for one in await entries(db)] == ["view.begin", "view.end"]


async def test_a_new_password_of_the_student_changes_nothing(ada: Browser, rita: Browser) -> None:
    await view(rita)
    changed = {"password": "another long sentence", "password_confirm": "another long sentence"}
    response = await ada.post("/account/password", form={"current_password": PASSWORD} | changed)
    assert response.status_code == 303
    assert BANNER in await rita.read("/plan")
    assert "view-banner" not in await ada.read("/plan")


async def test_only_the_browser_that_began_it_is_in_the_view(app: Quart, rita: Browser) -> None:
    await view(rita)
    elsewhere = Browser(app.test_client())
    await elsewhere.sign_in(RITA)
    assert "view-banner" not in await elsewhere.read("/")


async def test_a_second_tab_cannot_change_the_student(rita: Browser) -> None:
    await view(rita)
    assert (await rita.post(BEGIN, form={"user_id": str(BOB.user_id)})).status_code == 403
    assert BANNER in await rita.read("/")


async def test_a_page_from_before_the_view_is_reloaded_and_not_filled_with_the_students_data(rita: Browser) -> None:
    await view(rita)
    response = await rita.get("/courses/", headers={"X-Reader": str(RITA.user_id)})
    assert (response.status_code, response.headers["HX-Refresh"]) == (204, "true")


@pytest.mark.parametrize("path", ["/", "/staff"])
async def test_the_buttons_that_end_it_work_on_every_page(rita: Browser, path: str) -> None:
    await view(rita)
    [token] = {*re.findall(r'name="csrf_token" value="([^"]*)"', await rita.read(path))}
    assert (await rita.post(END, form={"csrf_token": token})).location == f"/staff/students/{ADA.user_id}"


async def test_a_form_of_the_student_is_no_longer_accepted_after_the_view(rita: Browser, db: Database) -> None:
    await view(rita)
    token = re.findall(r'name="csrf_token" value="([^"]*)"', await rita.read("/course/1111"))[0]
    await rita.post(END)
    response = await rita.post("/enrollment", form=SEAT | {"csrf_token": token})
    assert response.location == "/"
    assert await db.enrollment.count_documents({}) == 0


async def test_it_ends_without_a_password_even_long_after_signing_in(rita: Browser, clock: Clock) -> None:
    clock.now += timedelta(minutes=29)
    await view(rita)
    clock.now += timedelta(minutes=10)
    assert (await rita.post(END)).location == f"/staff/students/{ADA.user_id}"


async def test_another_site_cannot_end_it(rita: Browser) -> None:
    await view(rita)
    assert (await rita.post(END, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 400
    assert BANNER in await rita.read("/")


async def test_the_log_names_both(rita: Browser, log: pytest.LogCaptureFixture) -> None:
    await view(rita)
    log.clear()
    await rita.post("/enrollment", form=SEAT)
    [line] = [one for one in log.records if one.message == "request"]
    assert (line.__dict__["user_id"], line.__dict__["viewed_user_id"]) == (RITA.user_id, ADA.user_id)


async def test_live_updates_belong_to_the_student_and_end_with_the_view(
    ada: Browser, rita: Browser, db: Database
) -> None:
    await ada.post("/enrollment", form=SEAT)
    await view(rita)
    page = await rita.read("/course/1111")
    [mine] = re.findall(r'data-mine="(\w+)"', page)
    assert "event: mine" not in await rita.read(f"/live?course=1111&mine={mine}")
    await rita.post(END)
    assert "event: mine" in await rita.read(f"/live?course=1111&mine={mine}")


async def test_a_next_url_leads_nowhere_in_a_view(rita: Browser) -> None:
    response = await rita.post(BEGIN, form={"user_id": "1", "next": "https://evil.example"})
    assert response.location == "/"
    assert (await rita.get("/login?next=/account/data")).status_code == 403


async def test_a_schools_own_pages_have_the_banner_too(db: Database, mongod: str, clock: Clock) -> None:
    app = create_app(config(mongo_uri=mongod, template_overrides=TEMPLATES), clock=clock)
    async with app.test_app():
        rita = Browser(app.test_client())
        await rita.sign_in(RITA)
        await view(rita)
        for path in ("/", "/courses/", "/enrollment"):
            page = await rita.read(path)
            assert "Hilltop College" in page
            assert page.count(BANNER) == 1
        assert (await rita.post("/enrollment", form=SEAT)).status_code == 403
