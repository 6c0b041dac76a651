"""The limit on each account's changes, so that no account can overload the site."""

import re
from dataclasses import replace
from html import unescape

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.accounts.rate_limiter import Rate, RateLimiter
from quart_enroll.services.enrollment import plan
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.state import EXTENSION
from tests.support.api_clients import ENROLLMENTS, program
from tests.support.people import ADA, BOB, FALL_MORNING, PASSWORD, Browser, registration, seats_taken, text

ENROLL_FORM = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
MESSAGE = "You’ve made too many changes in a short time. This one wasn’t saved."


def allow(app: Quart, changes: int) -> RateLimiter:
    """Let each account make that many changes from now on, and one more each minute; return the limiter."""
    limiter = RateLimiter(Rate(burst=changes + 1, interval=60))
    for user in (ADA, BOB):
        limiter.take(user.user_id)
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], change_limiter=limiter)
    return limiter


async def test_too_many_changes_get_a_429_with_a_button_to_send_the_form_again(
    app: Quart, ada: Browser, db: Database
) -> None:
    allow(app, changes=0)
    response = await ada.post("/enrollment", form=ENROLL_FORM)
    page = await text(response)
    assert response.status_code == 429
    assert 59 <= int(response.headers["Retry-After"]) <= 60
    assert MESSAGE in page
    assert await seats_taken(db, "1111") == 0

    [form] = re.findall(r'<form method="post" action="/enrollment" data-retry-after.*?</form>', page, re.DOTALL)
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    assert ENROLL_FORM.items() <= fields.items()
    allow(app, changes=1)
    assert (await ada.post("/enrollment", form=fields)).status_code == 303
    assert await seats_taken(db, "1111") == 1


async def test_an_api_client_gets_a_problem_with_a_stable_code(app: Quart, db: Database) -> None:
    api_client = await program(app, db, ADA)
    allow(app, changes=1)
    assert (await api_client.send("POST", ENROLLMENTS, ENROLL_FORM)).status_code == 201
    response = await api_client.send("DELETE", f"{ENROLLMENTS}?courseID=1111")
    problem = await response.get_json()
    assert (response.status_code, response.content_type) == (429, "application/problem+json")
    assert (problem["code"], problem["detail"]) == ("too_many_changes", MESSAGE)
    assert int(response.headers["Retry-After"]) > 0
    assert "too_many_changes" in await (await app.test_client().get("/api/v1/docs")).get_data(as_text=True)
    assert await seats_taken(db, "1111") == 1


async def test_pages_and_api_clients_of_one_account_share_its_rate_limit(
    app: Quart, ada: Browser, db: Database
) -> None:
    api_client = await program(app, db, ADA)
    allow(app, changes=1)
    await ada.post("/language", form={"language": "es"})
    assert (await api_client.send("POST", ENROLLMENTS, ENROLL_FORM)).status_code == 429


@pytest.mark.parametrize(
    "path",
    [
        *("/enrollment", "/enrollment/drop", "/enrollment/swap", "/enrollment/permission-number"),
        *("/enrollment/consent", "/enrollment/consent/withdraw"),
        *("/waitlist", "/waitlist/leave"),
        *(
            "/plan/add",
            "/plan/remove",
            "/plan/up",
            "/plan/down",
            "/plan/alternatives",
            "/plan/week",
            "/plan/save",
            "/plan/use",
            "/plan/rename",
            "/plan/delete",
            "/plan/enroll",
            "/alert",
            "/alert/end",
        ),
        *(
            "/enrollment/calendar",
            "/account/email/change",
            "/account/emails",
            "/account/name",
            "/account/timezone",
            "/account/tokens",
            "/language",
        ),
    ],
)
async def test_every_change_counts_toward_the_rate_limit(app: Quart, ada: Browser, path: str) -> None:
    allow(app, changes=0)
    assert (await ada.post(path, form=ENROLL_FORM)).status_code == 429


@pytest.mark.parametrize(
    "path", ["/account/end", "/account/tokens/end", "/account/email/stop", "/enrollment/calendar/end", "/logout"]
)
async def test_ending_access_is_not_limited(app: Quart, ada: Browser, path: str) -> None:
    allow(app, changes=0)
    assert (await ada.post(path, form={"login": "x", "token_id": "0" * 16})).status_code == 303


async def test_using_up_the_rate_limit_does_not_prevent_a_password_change(app: Quart, ada: Browser) -> None:
    allow(app, changes=0)
    form = {"current_password": PASSWORD} | registration(password="a newer horse battery")
    form["password_confirm"] = form["password"]
    assert (await ada.post("/account/password", form=form)).status_code == 303


async def test_reading_is_not_limited_and_each_account_has_its_own_limit(
    app: Quart, ada: Browser, bob: Browser
) -> None:
    allow(app, changes=1)
    for browser in (ada, bob):
        assert (await browser.post("/enrollment", form=ENROLL_FORM)).status_code == 303
        assert (await browser.post("/enrollment", form=ENROLL_FORM)).status_code == 429
        assert (await browser.get("/enrollment")).status_code == 200


async def test_another_sites_page_cannot_use_up_the_rate_limit(app: Quart, ada: Browser) -> None:
    allow(app, changes=1)
    response = await ada.client.post("/enrollment", form=ENROLL_FORM, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 400
    assert (await ada.post("/enrollment", form=ENROLL_FORM)).status_code == 303


async def test_enrolling_in_a_plan_counts_once_plus_once_per_course(app: Quart, ada: Browser, db: Database) -> None:
    for courseID in ("1111", "3333"):
        await plan.add(EnrollmentContext(db), ADA.user_id, SectionRequest(courseID, "Fall 2026"), FALL_MORNING)
    limiter = allow(app, changes=4)
    assert (await ada.post("/plan/enroll", form={"term": "Fall 2026"})).status_code == 303
    assert not limiter.take(ADA.user_id)
    assert limiter.take(ADA.user_id)
