"""Every route, requested by a visitor, a student and each kind of staff."""

from datetime import timedelta

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.roles import Role
from quart_enroll.routes import ROUTES
from quart_enroll.web.route import Audience, Route
from tests.integration.conftest import SignIn
from tests.integration.staff.test_everything_is_logged import rows
from tests.support.people import ADA, ARON, IVAN, RITA, SAMI, UMA, Browser, Clock

# The status of a GET by a visitor, a student and the registrar. Other staff are like students here, except where
# STAFF_PAGES says more.
STATUSES_BY_ROUTE = {
    "/": (200, 200, 200),
    "/index": (200, 200, 200),
    "/home": (200, 200, 200),
    "/courses/": (200, 200, 200),
    "/courses/<path:term>": (200, 200, 200),
    "/course/<path:courseID>": (200, 200, 200),
    "/instructor/<path:name>": (404, 404, 404),
    "/live": (200, 200, 200),
    "/register": (200, 303, 303),
    "/login": (200, 303, 303),
    "/logout": (303, 303, 303),
    "/enrollment": (303, 200, 200),
    "/enrollment/form": (200, 200, 200),
    "/enrollment/drop": (405, 405, 405),
    "/enrollment/swap": (405, 405, 405),
    "/enrollment/history": (303, 200, 200),
    "/enrollment/calendar.ics": (303, 200, 200),
    "/enrollment/calendar": (303, 200, 200),
    "/enrollment/calendar/end": (405, 405, 405),
    "/calendar/<token>.ics": (404, 404, 404),
    "/enrollment/links": (303, 200, 200),
    "/enrollment/links/end": (405, 405, 405),
    "/shared/<token>": (404, 404, 404),
    "/shared/<token>/schedule.txt": (404, 404, 404),
    "/shared/<token>/schedule.ics": (404, 404, 404),
    "/waitlist": (405, 405, 405),
    "/waitlist/leave": (405, 405, 405),
    "/plan": (303, 200, 200),
    "/plan/add": (405, 405, 405),
    "/plan/remove": (405, 405, 405),
    "/plan/up": (405, 405, 405),
    "/plan/down": (405, 405, 405),
    "/plan/alternatives": (405, 405, 405),
    "/plan/save": (405, 405, 405),
    "/plan/use": (405, 405, 405),
    "/plan/rename": (405, 405, 405),
    "/plan/delete": (405, 405, 405),
    "/plan/build": (303, 200, 200),
    "/plan/week": (405, 405, 405),
    "/plan/enroll": (405, 405, 405),
    "/alert": (405, 405, 405),
    "/alert/end": (405, 405, 405),
    "/account": (303, 200, 200),
    "/account/data": (303, 200, 200),
    "/account/delete": (303, 200, 200),
    "/account/delete/end": (405, 405, 405),
    "/account/end": (405, 405, 405),
    "/account/password": (303, 200, 200),
    "/account/sign-out": (405, 405, 405),
    "/password/forgot": (200, 200, 200),
    "/password/reset": (410, 410, 410),
    "/password/reset/<token>": (303, 303, 303),
    "/email/confirm": (410, 410, 410),
    "/email/confirm/<token>": (303, 303, 303),
    "/email/change": (410, 410, 410),
    "/email/change/<token>": (303, 303, 303),
    "/account/email": (405, 405, 405),
    "/account/email/change": (303, 200, 200),
    "/account/email/stop": (405, 405, 405),
    "/account/emails": (303, 200, 200),
    "/email/unsubscribe/<token>": (410, 410, 410),
    "/account/name": (303, 200, 200),
    "/account/timezone": (303, 200, 200),
    "/account/tokens": (303, 200, 200),
    "/account/tokens/end": (405, 405, 405),
    "/help": (200, 200, 200),
    "/language": (405, 405, 405),
    "/staff": (303, 403, 200),
    "/staff/sections": (303, 403, 200),
    "/staff/section": (303, 403, 404),
    "/staff/section/new": (303, 403, 200),
    "/staff/section/cancel": (303, 403, 404),
    "/staff/courses": (303, 403, 200),
    "/staff/course": (303, 403, 404),
    "/staff/course/new": (303, 403, 200),
    "/staff/terms": (303, 403, 200),
    "/staff/term": (303, 403, 404),
    "/staff/term/new": (303, 403, 200),
    "/staff/roll": (303, 403, 200),
    "/staff/imports": (303, 403, 200),
    "/staff/import": (303, 403, 404),
    "/staff/import/new": (303, 403, 200),
    "/staff/import/columns": (303, 403, 404),
    "/staff/students": (303, 403, 200),
    "/staff/students/act": (303, 403, 200),
    "/staff/students/<int:user_id>": (303, 403, 200),
    "/staff/students/<int:user_id>/why": (303, 403, 200),
    "/staff/students/<int:user_id>/act": (303, 403, 404),
    "/staff/audit": (303, 403, 200),
    "/staff/access": (303, 403, 200),
    "/staff/dashboard": (303, 403, 200),
    "/staff/people": (303, 403, 200),
    "/staff/people/<int:user_id>": (303, 403, 200),
    "/staff/roster": (303, 403, 404),
    "/staff/roster/email": (303, 403, 404),
    "/staff/roster/no-show": (303, 403, 404),
    "/staff/removals": (303, 403, 200),
    "/staff/appointments": (303, 403, 200),
    "/staff/appointments/assign": (303, 403, 404),
    "/staff/appointments/assignment": (303, 403, 404),
    "/staff/appointments/remove": (303, 403, 404),
    "/staff/holds": (303, 403, 200),
    "/staff/holds/types": (303, 403, 200),
    "/staff/holds/type": (303, 403, 200),
    "/staff/students/<int:user_id>/holds/place": (303, 403, 200),
    "/staff/students/<int:user_id>/holds/lift": (303, 403, 404),
    "/staff/section/permits": (303, 403, 404),
    "/staff/section/numbers": (303, 403, 404),
    "/staff/section/numbers/revoke": (303, 403, 404),
    "/enrollment/permission-number": (303, 404, 404),
    "/enrollment/consent": (303, 404, 404),
    "/enrollment/consent/withdraw": (405, 405, 405),
    "/staff/section/consent": (405, 405, 405),
    "/staff/students/<int:user_id>/permits/grant": (303, 403, 200),
    "/staff/permit/revoke": (303, 403, 404),
    "/staff/removals/<int:user_id>": (303, 403, 404),
    "/staff/removals/<int:user_id>/decline": (303, 403, 404),
    "/staff/view-as": (405, 405, 405),
    "/staff/view-as/end": (405, 405, 405),
    "/user": (303, 403, 200),
    "/api/": (200, 200, 200),
    "/api/<flask_api:idx>": (200, 200, 200),
    "/api/v1/terms": (200, 200, 200),
    "/api/v1/courses": (200, 200, 200),
    "/api/v1/courses/<path:courseID>": (200, 200, 200),
    "/api/v1/sections": (200, 200, 200),
    "/api/v1/me": (401, 200, 200),
    "/api/v1/me/enrollments": (401, 200, 200),
    "/api/v1/me/swaps": (405, 405, 405),
    "/api/v1/me/waitlist": (401, 200, 200),
    "/api/v1/me/plan": (401, 422, 422),
    "/api/v1/me/plan/enroll": (405, 405, 405),
    "/api/v1/me/events": (401, 200, 200),
    "/api/v1/staff/terms": (401, 403, 200),
    "/api/v1/staff/term": (401, 403, 422),
    "/api/v1/staff/courses": (401, 403, 200),
    "/api/v1/staff/course": (401, 403, 422),
    "/api/v1/staff/sections": (401, 403, 200),
    "/api/v1/staff/section": (401, 403, 422),
    "/api/v1/staff/section/cancel": (405, 405, 405),
    "/api/v1/staff/roster": (401, 403, 422),
    "/api/v1/staff/roster/no-show": (405, 405, 405),
    "/api/v1/staff/students": (401, 403, 200),
    "/api/v1/staff/students/<int:user_id>": (401, 403, 200),
    "/api/v1/staff/students/<int:user_id>/events": (401, 403, 200),
    "/api/v1/staff/students/<int:user_id>/why": (401, 403, 422),
    "/api/v1/staff/students/<int:user_id>/holds": (405, 405, 405),
    "/api/v1/staff/students/<int:user_id>/holds/lift": (405, 405, 405),
    "/api/v1/staff/holds": (401, 403, 200),
    "/api/v1/staff/hold-types": (401, 403, 200),
    "/api/v1/staff/students/<int:user_id>/act": (405, 405, 405),
    "/api/v1/staff/people": (401, 403, 200),
    "/api/v1/staff/people/<int:user_id>": (401, 403, 200),
    "/api/v1/staff/audit": (401, 403, 200),
    "/api/v1/staff/access": (401, 403, 200),
    "/api/v1/openapi.json": (200, 200, 200),
    "/api/v1/docs": (200, 200, 200),
    "/static/<path:filename>": (200, 200, 200),
    "/healthz": (200, 200, 200),
    "/readyz": (200, 200, 200),
    "/metrics": (404, 404, 404),
}
# The staff who may open a page, besides the registrar.
STAFF_PAGES = {
    "/staff": {Role.INSTRUCTOR, Role.ADVISOR, Role.SCHEDULER, Role.AUDITOR},
    "/staff/sections": {Role.INSTRUCTOR, Role.SCHEDULER, Role.AUDITOR},
    "/staff/section/new": {Role.SCHEDULER},
    "/staff/courses": {Role.SCHEDULER, Role.AUDITOR},
    "/staff/terms": {Role.SCHEDULER, Role.AUDITOR},
    "/staff/students": {Role.ADVISOR, Role.AUDITOR},
    "/staff/students/act": {Role.ADVISOR},
    "/staff/students/<int:user_id>": {Role.AUDITOR},  # aron advises nobody
    "/staff/students/<int:user_id>/why": {Role.AUDITOR},
    "/staff/audit": {Role.AUDITOR},
    "/staff/dashboard": {Role.SCHEDULER, Role.AUDITOR},
    "/staff/access": {Role.AUDITOR},
    "/staff/appointments": {Role.AUDITOR},
    "/staff/holds": {Role.AUDITOR},
    "/api/v1/staff/terms": {Role.SCHEDULER, Role.AUDITOR},
    "/api/v1/staff/courses": {Role.SCHEDULER, Role.AUDITOR},
    "/api/v1/staff/sections": {Role.INSTRUCTOR, Role.SCHEDULER, Role.AUDITOR},
    "/api/v1/staff/students": {Role.ADVISOR, Role.AUDITOR},
    "/api/v1/staff/students/<int:user_id>": {Role.AUDITOR},
    "/api/v1/staff/students/<int:user_id>/events": {Role.AUDITOR},
    "/api/v1/staff/audit": {Role.AUDITOR},
    "/api/v1/staff/access": {Role.AUDITOR},
    "/api/v1/staff/holds": {Role.AUDITOR},
    "/api/v1/staff/hold-types": {Role.AUDITOR},
}
PATH_ARGUMENTS = {
    "<path:courseID>": "1111",
    "<path:term>": "Fall",
    "<flask_api:idx>": "0",
    "<path:filename>": "site.css",
    "<path:name>": "Nobody",
    "<token>": "no-link",
    "<int:user_id>": "1",
}

# Changes on pages, each with the page that a visitor who tries it gets after signing in.
PAGE_CHANGES = {
    "/enrollment": "/enrollment/form?courseID=1111",
    "/enrollment/drop": "/enrollment",
    "/enrollment/swap": "/enrollment",
    "/waitlist": "/enrollment",
    "/waitlist/leave": "/enrollment",
    "/account/delete": "/account",
    "/account/delete/end": "/account",
    "/account/end": "/account",
    "/account/password": "/account",
    "/account/sign-out": "/account",
    "/account/email": "/account",
    "/account/email/change": "/account",
    "/account/email/stop": "/account",
    "/account/emails": "/account",
    "/account/name": "/account",
    "/account/timezone": "/account",
    "/account/tokens": "/account",
    "/account/tokens/end": "/account",
    "/plan/add": "/enrollment",
    "/plan/remove": "/enrollment",
    "/plan/up": "/enrollment",
    "/plan/down": "/enrollment",
    "/plan/alternatives": "/enrollment",
    "/plan/week": "/enrollment",
    "/plan/save": "/enrollment",
    "/plan/use": "/enrollment",
    "/plan/rename": "/enrollment",
    "/plan/delete": "/enrollment",
    "/plan/enroll": "/enrollment",
    "/alert": "/enrollment",
    "/alert/end": "/enrollment",
    "/enrollment/calendar": "/enrollment",
    "/enrollment/calendar/end": "/enrollment",
    "/enrollment/links": "/enrollment",
    "/enrollment/links/end": "/enrollment",
    "/staff/people/<int:user_id>": "/staff",
    "/staff/section": "/staff",
    "/staff/section/new": "/staff",
    "/staff/section/cancel": "/staff",
    "/staff/course": "/staff",
    "/staff/course/new": "/staff",
    "/staff/term": "/staff",
    "/staff/term/new": "/staff",
    "/staff/roll": "/staff",
    "/staff/roster/email": "/staff",
    "/staff/roster/no-show": "/staff",
    "/staff/removals/<int:user_id>": "/staff",
    "/staff/removals/<int:user_id>/decline": "/staff",
    "/staff/appointments": "/staff",
    "/staff/appointments/assign": "/staff",
    "/staff/appointments/remove": "/staff",
    "/staff/holds/type": "/staff",
    "/staff/students/<int:user_id>/holds/place": "/staff",
    "/staff/students/<int:user_id>/holds/lift": "/staff",
    "/staff/section/permits": "/staff",
    "/staff/section/numbers": "/staff",
    "/staff/section/numbers/revoke": "/staff",
    "/enrollment/permission-number": "/enrollment",
    "/enrollment/consent": "/enrollment",
    "/enrollment/consent/withdraw": "/enrollment",
    "/staff/section/consent": "/staff",
    "/staff/students/<int:user_id>/permits/grant": "/staff",
    "/staff/permit/revoke": "/staff",
    "/staff/view-as": "/staff",
    "/staff/view-as/end": "/staff",
    "/staff/students/act": "/staff",
    "/staff/import": "/staff",
    "/staff/import/new": "/staff",
    "/staff/import/columns": "/staff",
}

# Changes through the API: clients get an error instead of a redirect to the sign-in page.
API_CHANGES = [
    ("POST", "/api/v1/me/enrollments"),
    ("DELETE", "/api/v1/me/enrollments"),
    ("POST", "/api/v1/me/swaps"),
    ("POST", "/api/v1/me/waitlist"),
    ("DELETE", "/api/v1/me/waitlist"),
    ("POST", "/api/v1/me/plan"),
    ("PATCH", "/api/v1/me/plan"),
    ("DELETE", "/api/v1/me/plan"),
    ("POST", "/api/v1/me/plan/enroll"),
    ("POST", "/api/v1/staff/terms"),
    ("PATCH", "/api/v1/staff/term"),
    ("POST", "/api/v1/staff/courses"),
    ("PATCH", "/api/v1/staff/course"),
    ("POST", "/api/v1/staff/sections"),
    ("PATCH", "/api/v1/staff/section"),
    ("POST", "/api/v1/staff/section/cancel"),
    ("POST", "/api/v1/staff/roster/no-show"),
    ("POST", "/api/v1/staff/students/<int:user_id>/act"),
    ("POST", "/api/v1/staff/students/<int:user_id>/holds"),
    ("POST", "/api/v1/staff/students/<int:user_id>/holds/lift"),
    ("PATCH", "/api/v1/staff/people/<int:user_id>"),
]
SECOND = timedelta(seconds=1)
"""Of many sign-ins of a user, the earliest end."""

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def path_of(rule: str) -> str:
    for name, value in PATH_ARGUMENTS.items():
        rule = rule.replace(name, value)
    return rule


def test_every_route_is_listed_with_its_permissions(app: Quart) -> None:
    assert {rule.rule for rule in app.url_map.iter_rules()} == set(STATUSES_BY_ROUTE)
    changes = {(m, rule.rule) for rule in app.url_map.iter_rules() for m in (rule.methods or set()) - SAFE_METHODS}
    posts = [*PAGE_CHANGES, "/language", "/register", "/login", "/logout", "/password/forgot", "/password/reset"]
    posts += ["/email/confirm", "/email/change", "/email/unsubscribe/<token>", "/staff/students/<int:user_id>/act"]
    assert changes == {*API_CHANGES, *(("POST", path) for path in posts)}


@pytest.mark.usefixtures("unlimited")
async def test_each_route_gives_each_role_the_listed_status(sign_in: SignIn, clock: Clock) -> None:
    found = {}
    for rule in STATUSES_BY_ROUTE:
        clock.now += SECOND
        visitors = [await sign_in(None), await sign_in(ADA), await sign_in(RITA)]
        found[rule] = tuple([(await visitor.get(path_of(rule))).status_code for visitor in visitors])
    assert found == STATUSES_BY_ROUTE


@pytest.mark.usefixtures("other_staff")
async def test_a_staff_page_is_only_for_the_listed_roles(sign_in: SignIn) -> None:
    people = {Role.INSTRUCTOR: IVAN, Role.ADVISOR: ARON, Role.SCHEDULER: SAMI, Role.AUDITOR: UMA}
    browsers = {role: await sign_in(user) for role, user in people.items()}
    for rule in [rule for rule, statuses in STATUSES_BY_ROUTE.items() if statuses[1] == 403]:
        statuses = {role: (await browser.get(path_of(rule))).status_code for role, browser in browsers.items()}
        admitted = {role for role, status in statuses.items() if status == 200}
        assert admitted == STAFF_PAGES.get(rule, set()), rule


@pytest.mark.usefixtures("other_staff", "unlimited")
async def test_a_route_admits_its_audience_and_nobody_else(sign_in: SignIn, clock: Clock) -> None:
    people = {
        Role.STUDENT: ADA,
        Role.INSTRUCTOR: IVAN,
        Role.ADVISOR: ARON,
        Role.SCHEDULER: SAMI,
        Role.REGISTRAR: RITA,
        Role.AUDITOR: UMA,
    }
    assert people.keys() == {*Role}
    anyone, browsers = await sign_in(None), {role: await sign_in(user) for role, user in people.items()}
    for route in ROUTES:
        expected = {role for role in Role if route.audience is not Audience.STAFF or role in route.roles}
        admits_anyone = route.audience in (Audience.EVERYBODY, Audience.VISITORS)
        assert await _is_admitted(route, anyone) == admits_anyone, route.path
        admitted = {role for role, browser in browsers.items() if await _is_admitted(route, browser)}
        assert admitted == expected, route.path
        if route.methods[-1] not in SAFE_METHODS:  # it may have ended their sign-ins
            clock.now += SECOND
            browsers = {role: await sign_in(user) for role, user in people.items()}


async def _is_admitted(route: Route, visitor: Browser) -> bool:
    response = await visitor.client.open(
        path_of(route.path), method=route.methods[-1], headers={"Sec-Fetch-Site": "same-origin"}
    )
    redirected_to_sign_in = response.status_code == 303 and response.location.startswith("/login?next=")
    return response.status_code not in (401, 403) and not redirected_to_sign_in


async def test_head_gets_the_same_status_as_get(anyone: Browser, ada: Browser) -> None:
    for rule in sorted({*STATUSES_BY_ROUTE} - {"/logout"}):  # where HEAD must not sign anyone out
        statuses = [(await visitor.client.head(path_of(rule))).status_code for visitor in (anyone, ada)]
        assert tuple(statuses) == STATUSES_BY_ROUTE[rule][:2], rule


async def test_no_change_is_possible_without_signing_in(anyone: Browser) -> None:
    for path, page_after in PAGE_CHANGES.items():
        response = await anyone.post(path_of(path), form={"courseID": "1111"})
        assert response.status_code == 303
        page = await anyone.read(response.location)
        assert "Please sign in" in page
        assert f'name="next" type="hidden" value="{page_after}"' in page


async def test_a_form_on_another_site_changes_nothing(ada: Browser, db: Database) -> None:
    before = await rows(db)
    for path in PAGE_CHANGES:
        response = await ada.post(path_of(path), form={"courseID": "1111"}, headers={"Sec-Fetch-Site": "cross-site"})
        # A long body isn't read at all.
        with_files = ("/staff/import/new", "/staff/students/act", "/staff/appointments/assign")
        assert response.status_code == (403 if path in with_files else 400), path
    assert await rows(db) == before


async def test_the_api_changes_nothing_for_visitors_and_other_sites(anyone: Browser, ada: Browser) -> None:
    body = {"courseID": "1111", "drop": "1111", "add": "3333"}
    for method, rule in API_CHANGES:
        path = path_of(rule)
        response = await anyone.client.open(path, method=method, json=body)
        assert (response.status_code, (await response.get_json())["code"]) == (401, "sign_in_first")
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            response = await ada.client.open(path, method=method, json=body, headers=headers)
            assert (response.status_code, (await response.get_json())["code"]) == (400, "bad_request")
