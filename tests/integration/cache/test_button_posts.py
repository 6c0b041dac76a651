"""A button that changes seats gets the same response without the framework's contexts as with them."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.errors import AutoReconnect
from quart import Quart
from quart.wrappers import Response

from quart_enroll.db.client import Database
from quart_enroll.domain.models import User
from quart_enroll.services.enrollment.batching import BatchQueue
from quart_enroll.state import EXTENSION
from tests.integration.cache.test_page_views import seats_taken
from tests.integration.cache.test_user_cache import framework_only, open_process, wait_until
from tests.support.people import ADA, BOB, FALL_MORNING, Browser, Clock, text

pytestmark = pytest.mark.caches

SEAT = {"courseID": "1111", "section": "01", "term": "Fall 2026"}
FULL = {"courseID": "3333", "section": "01", "term": "Fall 2026"}
JSON = {"Accept": "application/json"}

PRESSES: list[tuple[str, dict[str, Any]]] = [
    ("/enrollment", {"form": SEAT}),
    ("/enrollment?courseID=1111&section=01&term=Fall+2026", {"form": {"csrf_token": "x"}}),
    ("/enrollment", {"form": FULL}),
    ("/enrollment", {"form": {"courseID": "9999"}}),
    ("/enrollment", {"form": {"courseID": "1111", "term": "Fall\x00"}}),
    ("/enrollment", {"form": {}}),
    ("/enrollment", {"form": FULL, "headers": JSON}),
    ("/enrollment", {"form": SEAT, "headers": {"Sec-Fetch-Site": "cross-site"}}),
    ("/enrollment", {"form": SEAT, "headers": {"Accept-Language": "es"}}),
    ("/enrollment/drop", {"form": SEAT}),
    ("/enrollment/drop", {"form": SEAT | {"ask": "1"}}),
    ("/enrollment/swap", {"form": {"drop": "1111", "add": "3333", "section": "01", "term": "Fall 2026"}}),
    ("/waitlist", {"form": FULL}),
    ("/waitlist/leave", {"form": FULL}),
    ("/alert", {"form": FULL}),
    ("/plan/add", {"form": SEAT, "headers": {"HX-Request": "true"}}),
    ("/plan/enroll", {"form": {"term": "Fall 2026"}}),
    ("/plan/up", {"form": {"courseID": "1111"}}),
    ("/plan/down", {"form": {"courseID": "1111"}}),
    ("/plan/save", {"form": {"term": "Fall 2026", "name": "Late"}}),
    ("/plan/rename", {"form": {"term": "Fall 2026", "name": ""}}),
    ("/plan/use", {"form": {"term": "Fall 2026", "name": "Late"}}),
    ("/plan/delete", {"form": {"term": "Fall 2026", "name": ""}}),
    ("/plan/week", {"form": {"courseID": "1111", "section": "01", "term": "Fall 2026"}}),
]


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site with all its caches, as a process would run it; PHP 202 is full."""
    clock.now = FALL_MORNING
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    async with open_process(mongod, clock) as app:
        yield app


async def _press_in_framework(app: Quart, browser: Browser, path: str, **options: Any) -> Response:
    """Return the response that the framework gives."""
    with framework_only(app):
        return await browser.post(path, **options)


def _facts(response: Response) -> tuple[int, list[tuple[str, str]]]:
    """Return the status and the headers, except for what differs in each response: the ID, and the signed session."""
    headers = [(name, value) for name, value in response.headers.items() if name.lower() != "x-request-id"]
    return response.status_code, sorted((name, _unsigned(name, value)) for name, value in headers)


async def _shared_text(response: Response, user: User) -> str:
    """Return the body without the ID of the request, and without what is the user's own."""
    body = (await text(response)).replace(response.headers["X-Request-ID"], "ID")
    for own in (user.first_name, user.last_name, user.email, f'data-reader="{user.user_id}"'):
        body = body.replace(own, "OWN")
    return re.sub(r"[^\"]+##\d*", "TOKEN", body)


def _unsigned(name: str, value: str) -> str:
    return value.partition("=")[0] + value[value.find(";") :] if name.lower() == "set-cookie" else value


@pytest.mark.parametrize(("path", "options"), PRESSES)
async def test_a_button_gets_the_frameworks_response(
    app: Quart, ada: Browser, bob: Browser, framework_requests: list[str], path: str, options: dict[str, Any]
) -> None:
    framework_requests.clear()
    light = await ada.post(path, **options)
    assert framework_requests == []
    framework = await _press_in_framework(app, bob, path, **options)
    assert framework_requests == [path.partition("?")[0]]
    assert _facts(light) == _facts(framework)
    assert await _shared_text(light, ADA) == await _shared_text(framework, BOB)
    assert (await ada.read("/help")).count("alert ") == (await bob.read("/help")).count("alert ")


@pytest.mark.parametrize("path", ["/enrollment", "/courses/Fall", "/course/1111", "/plan"])
async def test_the_page_after_a_button_is_the_frameworks(
    app: Quart, ada: Browser, bob: Browser, framework_requests: list[str], path: str
) -> None:
    for browser in (ada, bob):
        await browser.post("/enrollment", form=SEAT)
    await wait_until(lambda: seats_taken(app.extensions[EXTENSION]) == 2)
    framework_requests.clear()
    light = await ada.get(path)
    assert framework_requests == []
    with framework_only(app):
        framework = await bob.get(path)
    assert framework_requests == [path]
    for response in (light, framework):
        del response.headers["Content-Length"]  # their names have different lengths
    assert _facts(light) == _facts(framework)
    page = await _shared_text(light, ADA)
    assert page == await _shared_text(framework, BOB)
    assert "You’re enrolled in PYT 101 for Fall 2026." in page
    assert "You’re enrolled in PYT 101 for Fall 2026." not in await ada.read(path)


async def test_an_error_in_a_button_is_answered_as_by_the_framework(
    app: Quart, ada: Browser, framework_requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise AutoReconnect("no server")

    monkeypatch.setattr(BatchQueue, "enroll", fail)
    framework_requests.clear()
    light = await ada.post("/enrollment", form=SEAT, headers=JSON)
    assert framework_requests == []
    framework = await _press_in_framework(app, ada, "/enrollment", form=SEAT, headers=JSON)
    assert _facts(light) == _facts(framework)
    assert light.status_code == 503


@pytest.mark.parametrize(
    "options",
    [
        {"json": SEAT},
        {"data": b"courseID=1111", "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}},
        {"data": b"x" * 17_000, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"data": b"\xff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"form": SEAT, "headers": {"Expect": "100-continue"}},
    ],
)
async def test_an_unusual_request_is_left_to_the_framework(
    ada: Browser, framework_requests: list[str], options: dict[str, Any]
) -> None:
    framework_requests.clear()
    await ada.post("/enrollment", **options)
    assert framework_requests == ["/enrollment"]


async def test_messages_that_were_not_shown_yet_are_kept(ada: Browser) -> None:
    for _ in range(2):
        await ada.post("/enrollment", form=SEAT)
    assert (await ada.read("/enrollment")).count('<div class="alert') == 2


async def test_a_visitor_is_asked_to_sign_in(app: Quart) -> None:
    response = await Browser(app.test_client()).post("/enrollment", form=SEAT)
    assert response.status_code == 303
    assert response.location.startswith("/login")
