"""A busy site: what its pages say, and how they repeat the request."""

import re
from html import unescape
from typing import cast

import pytest
from quart import Quart

from quart_enroll.db.client import Database, OutcomeUnknown, Session
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.accounts import sessions
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.enrollment import plan, server_lock
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.state import EXTENSION, AppState
from quart_enroll.web import application, retry
from tests.support.people import ADA, FALL_MORNING, PASSWORD, Browser, seats_taken, text

SECTION_FORM = {"courseID": "1111", "term": "Fall 2026", "section": "01"}


@pytest.fixture
def locks(app: Quart) -> SectionLocks:
    """The section locks of the site."""
    return cast(AppState, app.extensions[EXTENSION]).enrollment.locks


@pytest.fixture
def at_capacity(locks: SectionLocks) -> None:
    """Let the site refuse further changes as busy."""
    locks.max_changes = 0


def repeat_form(page: str) -> dict[str, str] | None:
    """Return what the button that repeats an enrollment sends, without the CSRF token; None if there is no button."""
    form = re.search(r'<form method="post" action="/enrollment".*?</form>', page, re.DOTALL)
    if form is None:
        return None
    values = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[0]))
    values.pop("csrf_token")
    return {name: unescape(value) for name, value in values.items()}


async def test_a_busy_page_repeats_the_enrollment_when_there_is_capacity(
    ada: Browser, db: Database, locks: SectionLocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(locks, "max_changes", 0)
        response = await ada.post("/enrollment", form=SECTION_FORM)
    page = await text(response)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "Refresh" not in response.headers  # a reload would not repeat the change
    assert "Many people are enrolling right now. No changes were made." in page
    assert 'data-retry-after="5"' in page
    assert await seats_taken(db, "1111") == 0

    fields = repeat_form(page)
    assert fields == SECTION_FORM | {"again": "1"}
    assert (await ada.post("/enrollment", form=fields)).status_code == 303
    assert (await ada.post("/enrollment", form=fields)).status_code == 303  # a repeat is harmless
    assert await seats_taken(db, "1111") == 1


@pytest.mark.usefixtures("at_capacity")
async def test_a_busy_page_stops_retrying_after_a_while(ada: Browser) -> None:
    page = await text(await ada.post("/enrollment", form=SECTION_FORM | {"again": str(retry.MAX_AUTOMATIC_REPEATS)}))
    assert "data-retry-after" not in page
    assert repeat_form(page) is not None


@pytest.mark.usefixtures("at_capacity")
async def test_a_busy_api_response_has_retry_after(ada: Browser) -> None:
    headers = {"Accept": "application/json"}
    response = await ada.client.post(
        "/api/v1/me/enrollments", json=SECTION_FORM, auth=(ADA.email, PASSWORD), headers=headers
    )
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.content_type == "application/problem+json"
    assert (await response.get_json())["code"] == "busy"


@pytest.mark.usefixtures("at_capacity")
async def test_a_plan_refused_as_busy_stays_and_is_retried(ada: Browser, db: Database) -> None:
    await plan.add(EnrollmentContext(db), ADA.user_id, SectionRequest("1111", "Fall 2026", "01"), FALL_MORNING)
    response = await ada.post("/plan/enroll", form={"term": "Fall 2026"})
    page = await text(response)
    assert response.status_code == 503
    assert '<form method="post" action="/plan/enroll" data-retry-after="5">' in page
    assert "PYT 101" in await ada.read("/plan")


async def test_a_busy_page_never_contains_a_password(anyone: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hasher, "_run", _raise_outcome_unknown)
    page = await text(await anyone.sign_in(ADA))
    assert PASSWORD not in page
    assert "<form" not in page.split("<main")[1].split("</main>")[0]


async def test_a_busy_page_reloads_automatically(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "resume", _raise_outcome_unknown)
    response = await ada.get("/enrollment")
    assert response.status_code == 503
    assert 5 <= int(response.headers["Refresh"]) <= 10
    assert "reloads automatically" in await text(response)
    json_response = await ada.get("/enrollment", headers={"Accept": "application/json"})
    assert "Refresh" not in json_response.headers


async def test_a_form_from_another_site_is_not_retried(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "resume", _raise_outcome_unknown)
    response = await ada.client.post("/enrollment", form=SECTION_FORM, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 503
    assert repeat_form(await text(response)) is None
    own_form = await ada.post("/enrollment", form=SECTION_FORM)
    assert repeat_form(await text(own_form)) is not None
    assert "may have gone through" in await text(own_form)


async def test_a_slow_change_is_answered_before_the_router_times_out(
    ada: Browser, db: Database, locks: SectionLocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "MAX_CHANGE_SECONDS", 0.2)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 20)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", 20)
    async with locks.server_lock.shared():
        response = await ada.post("/enrollment", form=SECTION_FORM)
        assert response.status_code == 503
    await locks.finish()
    assert await seats_taken(db, "1111") == 1  # it had begun, so it is completed


async def test_a_promotion_caused_by_a_change_needs_no_capacity_of_its_own(db: Database) -> None:
    locks = SectionLocks(db)
    locks.max_changes = 1
    done = []

    async def body(_: Session) -> None:
        done.append("body")

    async def follow_up() -> None:
        await locks.run([], body)

    await locks.run([], body, follow_up=follow_up)
    assert done == ["body", "body"]
    assert locks.pending_changes == 0


async def _raise_outcome_unknown(*_: object) -> None:
    raise OutcomeUnknown
