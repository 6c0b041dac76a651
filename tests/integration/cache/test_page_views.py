"""A signed-in user gets the same page without the framework's request handling as with it."""

import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from quart import Quart
from quart.wrappers import Response

from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices
from quart_enroll.domain.models import Notice, SectionKey
from quart_enroll.services.enrollment import student
from quart_enroll.state import EXTENSION, AppState
from quart_enroll.web import csrf
from tests.integration.cache.test_user_cache import framework_only, open_process, wait_until
from tests.support.people import ADA, BOB, FALL, FALL_MORNING, Browser, Clock, midnight, text

pytestmark = pytest.mark.caches

PATHS = [
    "/",
    "/courses/",
    "/courses/Fall?q=pyt&open=y",
    "/course/1111",
    "/enrollment",
    "/plan",
    "/plan/build",
    "/account",
    "/help",
]
SEAT = {"courseID": "1111", "section": "01", "term": "Fall 2026"}


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> Clock:
    return Clock(getattr(request, "param", FALL_MORNING))


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site with all its caches, as a process would run it."""
    async with open_process(mongod, clock) as app:
        yield app


@pytest.fixture
async def ada(app: Quart) -> Browser:
    """The browser of ada, who has enrolled and has seen the message about it."""
    browser = Browser(app.test_client())
    await browser.sign_in(ADA)
    assert (await browser.post("/enrollment", form=SEAT)).location == "/enrollment?term=Fall+2026"
    await browser.get("/enrollment")
    await wait_until(lambda: seats_taken(app.extensions[EXTENSION]) == 1)
    return browser


def seats_taken(state: AppState) -> int:
    """Return the seats taken in ada's section, according to the cached catalog."""
    catalog = state.catalog_cache.current
    assert catalog is not None
    return next(one.seats_taken for one in catalog.sections_in("1111", "Fall 2026") if one.section == "01")


async def is_fast(browser: Browser, framework_requests: list[str], path: str, **options: Any) -> bool:
    """Return whether the page is answered without the framework, and without messages, which change a cookie."""
    framework_requests.clear()
    response = await browser.get(path, **options)
    assert response.status_code == 200
    return not framework_requests and "Set-Cookie" not in response.headers


async def wait_until_fast(browser: Browser, framework_requests: list[str], path: str) -> None:
    """Request the page until the browser has its cookies, and has seen its messages."""
    await wait_until(lambda: is_fast(browser, framework_requests, path))


async def framework_page(app: Quart, browser: Browser, path: str, **options: Any) -> Response:
    """Return the page as the framework makes it."""
    with framework_only(app):
        return await browser.get(path, **options)


def headers_of(response: Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in response.headers.items() if name.lower() != "x-request-id")


@pytest.mark.parametrize("encoding", ["identity", "gzip, deflate, br"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_page_equals_the_frameworks(
    app: Quart, ada: Browser, framework_requests: list[str], path: str, encoding: str
) -> None:
    await wait_until_fast(ada, framework_requests, path)
    headers = {"Accept-Encoding": encoding}
    fast = await ada.get(path, headers=headers)
    assert framework_requests == []
    slow = await framework_page(app, ada, path, headers=headers)
    assert framework_requests
    bodies = [await one.get_data(as_text=False) for one in (fast, slow)]
    assert (fast.status_code, headers_of(fast), bodies[0]) == (200, headers_of(slow), bodies[1])
    assert ("Content-Encoding" in fast.headers) == (encoding != "identity")
    assert fast.headers["X-Request-ID"] != slow.headers["X-Request-ID"]
    given = await ada.get(path, headers={"X-Request-ID": "given-by-the-router"})
    assert given.headers["X-Request-ID"] == "given-by-the-router"


async def test_a_compressed_page_has_the_same_text(ada: Browser, framework_requests: list[str]) -> None:
    for path in PATHS:
        await wait_until_fast(ada, framework_requests, path)
        compressed = await (await ada.get(path, headers={"Accept-Encoding": "gzip"})).get_data(as_text=False)
        plain = await (await ada.get(path, headers={"Accept-Encoding": "identity"})).get_data(as_text=False)
        assert gzip.decompress(compressed) == plain
        assert len(compressed) < len(plain) / 1.5


async def _drop_seat(ada: Browser, state: AppState, _: Clock) -> None:
    await ada.post("/enrollment/drop", form=SEAT)
    await wait_until(lambda: seats_taken(state) == 0)  # of the catalog, which follows a moment later


async def _change_seat_in_database(_: Browser, state: AppState, __: Clock) -> None:
    before = state.user_cache.students.get(ADA.user_id)
    enrollment = {"user_id": ADA.user_id, "courseID": "1111"}
    await state.database.enrollment.update_one(enrollment, {"$set": {"section": "02"}})
    await wait_until(lambda: state.user_cache.students.get(ADA.user_id) is not before)  # it may be read again at once


async def _change_section_in_database(_: Browser, state: AppState, __: Clock) -> None:
    before = state.catalog_cache.current
    await state.database.section.update_one(
        {"term": "Fall 2026", "courseID": "1111", "section": "01"}, {"$set": {"room": "Hall 99"}}
    )
    await wait_until(lambda: state.catalog_cache.current is not before)


async def _let_time_pass(_: Browser, state: AppState, clock: Clock) -> None:
    """Set the clock to when the last use of the sign-in must be stored again."""
    clock.now += state.lifetimes.idle / 10


async def _end_sign_in(_: Browser, state: AppState, __: Clock) -> None:
    await state.database.login.delete_many({"user_id": ADA.user_id})
    await wait_until(lambda: len(state.user_cache.logins) == 0)


async def _add_notice(_: Browser, state: AppState, clock: Clock) -> None:
    notice = Notice(clock.now, ADA.user_id, "promote", "3333", "PHP 202", "Fall 2026", "01")
    await notices.add(state.database, notice, None)
    await wait_until(lambda: len(state.user_cache.logins) == 0)


@pytest.mark.parametrize(
    "cause",
    [_drop_seat, _change_seat_in_database, _change_section_in_database, _let_time_pass, _end_sign_in, _add_notice],
)
async def test_a_page_shows_every_change(
    app: Quart,
    ada: Browser,
    clock: Clock,
    framework_requests: list[str],
    cause: Callable[[Browser, AppState, Clock], Awaitable[None]],
) -> None:
    await wait_until_fast(ada, framework_requests, "/enrollment")
    await cause(ada, app.extensions[EXTENSION], clock)
    for path in ("/enrollment", "/courses/"):
        shown = await ada.get(path)
        for expected in (await framework_page(app, ada, path), await ada.get(path)):
            messages = re.compile(r'<div id="messages".*?<h1', re.DOTALL)
            pages = [messages.sub("<h1", await text(one)) for one in (shown, expected)]
            assert (shown.status_code, pages[0]) == (expected.status_code, pages[1])


@pytest.mark.parametrize("clock", [FALL.add_deadline - timedelta(minutes=1)], indirect=True)
async def test_a_page_changes_when_a_term_closes(ada: Browser, clock: Clock, framework_requests: list[str]) -> None:
    await wait_until_fast(ada, framework_requests, "/courses/")
    assert "formaction" in (await ada.read("/courses/")).partition('id="results"')[2]
    clock.now = FALL.add_deadline
    assert "/waitlist?" not in (await ada.read("/courses/")).partition('id="results"')[2]
    assert "/enrollment?" not in (await ada.read("/courses/")).partition('id="results"')[2]


@pytest.mark.parametrize("clock", [midnight(2026, 9, 2) - timedelta(minutes=1)], indirect=True)
async def test_a_schedule_changes_at_midnight(app: Quart, ada: Browser, clock: Clock) -> None:
    for _ in range(2):
        assert await ada.read("/enrollment") == await text(await framework_page(app, ada, "/enrollment"))
        clock.now += timedelta(minutes=1)


async def test_a_page_gets_a_new_csrf_token_every_minute(
    ada: Browser, framework_requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await wait_until_fast(ada, framework_requests, "/courses/")
    tokens = set()
    for minute in range(3):
        monkeypatch.setattr(csrf, "_token", lambda *_, minute=minute: f"{minute}##token")
        tokens |= set(re.findall(r'name="csrf_token" value="([^"]+)"', await ada.read("/courses/")))
    assert (len(tokens), framework_requests) == (3, [])


async def test_no_page_is_made_for_an_expired_sign_in(
    app: Quart, ada: Browser, clock: Clock, framework_requests: list[str]
) -> None:
    lifetimes = app.extensions[EXTENSION].lifetimes
    expires_at = clock.now + lifetimes.age
    while clock.now + lifetimes.idle < expires_at:
        clock.now += lifetimes.idle * 0.9
        await ada.get("/")
    clock.now = expires_at - timedelta(minutes=1)
    await wait_until_fast(ada, framework_requests, "/")
    clock.now = expires_at
    assert "Hello, Ada" not in await ada.read("/")


async def test_nobody_gets_another_users_page_or_one_in_another_language(
    app: Quart, ada: Browser, framework_requests: list[str]
) -> None:
    bob = Browser(app.test_client())
    await bob.sign_in(BOB)
    for path in PATHS:
        await wait_until_fast(ada, framework_requests, path)
        await wait_until_fast(bob, framework_requests, path)
    assert ("Hello, Ada" in await ada.read("/"), "Hello, Bob" in await bob.read("/")) == (True, True)
    assert ('action="/enrollment/drop?' in await bob.read("/enrollment")) is False
    await app.extensions[EXTENSION].database.user.update_one({"user_id": BOB.user_id}, {"$set": {"language": ""}})
    await wait_until(lambda: len(app.extensions[EXTENSION].user_cache.logins) == 1)
    for _ in range(2):
        spanish = await bob.get("/courses/", headers={"Accept-Language": "es"})
        assert '<html lang="es"' in await text(spanish)
        assert '<html lang="en"' in await text(await bob.get("/courses/", headers={"Accept-Language": "en"}))


async def test_a_waitlisted_student_always_sees_the_current_position(
    app: Quart, ada: Browser, framework_requests: list[str]
) -> None:
    state: AppState = app.extensions[EXTENSION]
    await state.database.section.update_one({"courseID": "3333"}, {"$set": {"seats_taken": 1}})
    await ada.post("/waitlist", form={"courseID": "3333", "term": "Fall 2026", "section": "01"})
    await ada.read("/enrollment")
    for path in ("/courses/Fall", "/enrollment"):
        for _ in range(5):
            assert "Waitlisted, 1 of 1" in await ada.read(path)


async def test_a_flashed_message_is_shown_once(ada: Browser, framework_requests: list[str]) -> None:
    await wait_until_fast(ada, framework_requests, "/enrollment")
    await ada.post("/enrollment", form=SEAT)
    assert "already enrolled" in await ada.read("/courses/")
    for _ in range(5):
        assert "already enrolled" not in await ada.read("/courses/")


@pytest.mark.parametrize(
    ("name", "value"), [("Range", "bytes=0-3"), ("Authorization", "Bearer nobody"), ("X-Forwarded-Proto", "http")]
)
async def test_the_framework_handles_unusual_requests(
    ada: Browser, framework_requests: list[str], name: str, value: str
) -> None:
    await wait_until_fast(ada, framework_requests, "/enrollment")
    assert not await is_fast(ada, framework_requests, "/enrollment", headers={name: value})


async def test_the_framework_sets_cookies(app: Quart, ada: Browser, framework_requests: list[str]) -> None:
    [cookie] = [one for one in ada.client.cookie_jar or () if one.name == "QUART_AUTH"]
    client = app.test_client(use_cookies=False)
    for _ in range(3):
        framework_requests.clear()
        response = await client.get("/courses/", headers={"Cookie": f"QUART_AUTH={cookie.value}"})
        assert (framework_requests, "Set-Cookie" in response.headers) == (["/courses/"], True)


async def test_a_view_that_fails_runs_once(
    app: Quart, ada: Browser, framework_requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await wait_until_fast(ada, framework_requests, "/course/1111")
    calls, view = [], app.view_functions["course"]

    async def counted(**arguments: Any) -> Any:
        calls.append(arguments)
        return await view(**arguments)  # type: ignore[misc]

    monkeypatch.setitem(app.view_functions, "course", counted)
    assert (await ada.get("/course/of-nothing")).status_code == 404
    assert calls == [{"courseID": "of-nothing"}]


async def test_a_student_who_has_just_left_a_waitlist_has_no_position(
    app: Quart, ada: Browser, framework_requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state: AppState = app.extensions[EXTENSION]
    await state.database.section.update_one({"courseID": "3333"}, {"$set": {"seats_taken": 1}})
    await ada.post("/waitlist", form={"courseID": "3333", "term": "Fall 2026", "section": "01"})
    await wait_until_fast(ada, framework_requests, "/courses/")
    assert "Waitlisted, 1 of 1" in await ada.read("/courses/")

    async def no_positions(*_: object) -> dict[SectionKey, tuple[int, int]]:
        return {}

    async def is_gone() -> bool:
        return "Waitlisted" not in (await ada.read("/courses/")).partition('id="results"')[2]

    monkeypatch.setattr(student, "waitlist_positions", no_positions)
    await state.database.section.update_one({"courseID": "3333"}, {"$inc": {"waiting": -1}})
    await wait_until(is_gone)


async def test_positions_are_read_again_only_when_the_section_changes(
    app: Quart, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: AppState = app.extensions[EXTENSION]
    third = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
    await state.database.section.update_one({"courseID": "3333"}, {"$set": {"seats_taken": 1, "waitlist_capacity": 5}})
    bob = Browser(app.test_client())
    await bob.sign_in(BOB)
    for browser in (bob, ada):
        await browser.post("/waitlist", form=third)
    for path in ("/courses/", "/enrollment"):
        await wait_until(lambda path=path: _shows(ada, path, "Waitlisted, 2 of 2"))
    read = student.waitlist_positions
    reads: list[int] = []

    async def count_reads(db: Database, user_id: int) -> Mapping[SectionKey, tuple[int, int]]:
        reads.append(user_id)
        return await read(db, user_id)

    monkeypatch.setattr(student, "waitlist_positions", count_reads)

    async def reads_nothing() -> bool:  # once the catalog has followed the last change
        reads.clear()
        for path in ("/courses/", "/enrollment", "/courses/"):
            assert "Waitlisted, 2 of 2" in await ada.read(path)
        return reads == []

    await wait_until(reads_nothing)
    await bob.post("/waitlist/leave", form=third | {"confirm": "y"})
    for path in ("/courses/", "/enrollment"):
        await wait_until(lambda path=path: _shows(ada, path, "Waitlisted, 1 of 1"))


async def _shows(browser: Browser, path: str, wanted: str) -> bool:
    return wanted in await browser.read(path)


@pytest.mark.parametrize("clock", [FALL.opens_at - timedelta(hours=1)], indirect=True)
@pytest.mark.parametrize("path", ["/courses/Fall", "/course/1111", "/plan"])
async def test_a_countdown_begins_at_the_time_of_its_own_request(
    app: Quart, clock: Clock, framework_requests: list[str], path: str
) -> None:
    browser = Browser(app.test_client())
    await browser.sign_in(ADA)
    await browser.post("/plan/add", form=SEAT)
    await wait_until_fast(browser, framework_requests, path)
    opens = int(FALL.opens_at.timestamp() * 1000)
    for _ in range(2):
        page = await browser.read(path)
        assert f'data-now="{int(clock.now.timestamp() * 1000)}" data-opens="{opens}"' in page
        clock.now += timedelta(seconds=1)
    assert framework_requests == []
