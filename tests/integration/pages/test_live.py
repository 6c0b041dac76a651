"""Live updates of open pages."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from quart import Quart
from quart.typing import TestHTTPConnectionProtocol as Connection

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import SectionKey
from quart_enroll.observability import metrics
from quart_enroll.pages import live_stream as streaming
from quart_enroll.services.accounts.sessions import SignInLifetimes
from quart_enroll.services.catalog import cache
from quart_enroll.services.live import updates
from quart_enroll.services.live.updates import Subscriber, UpdateBroker, WaitlistPosition
from quart_enroll.state import EXTENSION
from quart_enroll.web.jinja_environment import section_mark
from tests.support.people import ADA, BOB, PASSWORD, SECTIONS, Browser, Clock, text

FALL = "Fall 2026"
FULL = SectionKey(FALL, "3333", "01")
PATIENCE = 20


@pytest.fixture
async def telling(db: Database, clock: Clock) -> AsyncIterator[UpdateBroker]:
    async with cache.open_catalog_cache(db, clock) as held, updates.open_update_broker(db, held) as telling:
        yield telling


async def next_updates(reader: Subscriber) -> tuple[dict[str, int], dict[SectionKey, WaitlistPosition]]:
    """Return the next updates: open seats, each under courseID-section, and positions."""
    async with asyncio.timeout(PATIENCE):
        await reader.wait()
    shown, places = reader.take_updates()
    return {f"{one.courseID}-{one.section}": one.open_seats for one in shown}, {place.key: place for place in places}


async def next_position(reader: Subscriber) -> WaitlistPosition:
    """Return the next update of the reader's own position."""
    while True:
        _, places = await next_updates(reader)
        if places:
            return places[FULL]


async def test_a_new_subscriber_first_gets_the_current_state(telling: UpdateBroker) -> None:
    async with telling.subscribe(reader := Subscriber((FALL,), frozenset(["1111", "3333"]))):
        assert await next_updates(reader) == ({"1111-01": 30, "1111-02": 2, "3333-01": 1}, {})


async def test_a_subscriber_gets_changes_of_its_own_courses_only(db: Database, telling: UpdateBroker) -> None:
    async with telling.subscribe(reader := Subscriber((FALL,), frozenset(["1111"]))):
        await next_updates(reader)
        await sections.take_seat(db, FULL, None)
        await sections.take_seat(db, SECTIONS[1].key, None)
        assert await next_updates(reader) == ({"1111-02": 1}, {})


async def test_a_waitlisted_student_gets_changes_of_the_position(
    db: Database, telling: UpdateBroker, ada: Browser, bob: Browser
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    for browser in (ada, bob):
        await browser.post("/waitlist", form={"courseID": "3333"})
    async with telling.subscribe(reader := Subscriber((FALL,), frozenset(["3333"]), BOB.user_id)):
        assert await next_position(reader) == WaitlistPosition(FULL, 2, 2)
        await ada.post("/waitlist/leave", form={"courseID": "3333"})
        assert await next_position(reader) == WaitlistPosition(FULL, 1, 1)
        await bob.post("/waitlist/leave", form={"courseID": "3333"})
        assert await next_position(reader) == WaitlistPosition(FULL, 0, 0)


async def test_other_tasks_run_while_many_subscribers_are_notified(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "SUBSCRIBERS_PER_TURN", 1)
    async with cache.open_catalog_cache(db, clock) as held, AsyncExitStack() as pages:
        before, telling = await held.get(), UpdateBroker(db, held)
        readers = [Subscriber((FALL,), frozenset(["1111"])) for _ in range(3)]
        for reader in readers:
            await pages.enter_async_context(telling.subscribe(reader))
            await next_updates(reader)
        await sections.take_seat(db, SECTIONS[1].key, None)
        await held.reload()
        told = asyncio.create_task(telling._publish(before, await held.get()))
        seen = []
        while not told.done():
            await asyncio.sleep(0)
            seen.append(sum(reader.has_updates() for reader in readers))
        assert seen[:3] == [1, 2, 3]


async def test_a_closed_page_is_unsubscribed(telling: UpdateBroker) -> None:
    async with telling.subscribe(Subscriber((FALL,), frozenset(["1111"]), ADA.user_id)):
        pass
    assert telling.open_pages == 0
    assert not telling._topics
    assert not telling._topics_by_course


async def test_past_the_limit_pages_get_no_stream(telling: UpdateBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 1)
    async with telling.subscribe(Subscriber((FALL,), frozenset(["1111"]))) as first:
        async with telling.subscribe(Subscriber((FALL,), frozenset(["1111"]))) as second:
            assert (first, second) == (True, False)
    async with telling.subscribe(Subscriber((FALL,), frozenset(["1111"]))) as third:
        assert third


@pytest.fixture
def no_initial_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let thousands of pages open without a database query for each."""

    async def begin(*_: object) -> None: ...

    monkeypatch.setattr(UpdateBroker, "_queue_everything", begin)


async def open_pages(pages: AsyncExitStack, telling: UpdateBroker, *owners: int | str) -> list[Subscriber | None]:
    """Open a page for each user_id or network address; return its reader, or None if there was no room."""
    found: list[Subscriber | None] = []
    for owner in owners:
        whose = {"user_id": owner} if isinstance(owner, int) else {"network": owner}
        reader = Subscriber((FALL,), frozenset(["1111"]), **whose)  # type: ignore[arg-type]
        has_room = await pages.enter_async_context(telling.subscribe(reader))
        found.append(reader if has_room else None)
    return found


@pytest.mark.usefixtures("no_initial_queries")
async def test_each_ip_or_user_has_a_share_of_the_streams(telling: UpdateBroker) -> None:
    async with AsyncExitStack() as pages:
        for owner, share in (("192.0.2.1", updates.MAX_PAGES_PER_NETWORK), (1, updates.MAX_PAGES_PER_USER)):
            opened = await open_pages(pages, telling, *[owner] * (share + 3))
            assert [reader is not None for reader in opened] == [True] * share + [False] * 3
        assert None not in await open_pages(pages, telling, "192.0.2.2", 2)
    assert not telling._pages_by_owner
    assert not telling._anonymous


@pytest.mark.usefixtures("no_initial_queries")
async def test_anonymous_streams_never_keep_a_student_out(telling: UpdateBroker, log: pytest.LogCaptureFixture) -> None:
    async with AsyncExitStack() as pages:
        anonymous = await open_pages(pages, telling, *(f"192.0.2.{number % 250}" for number in range(4000)))
        assert len([reader for reader in anonymous if reader]) == updates.MAX_ANONYMOUS_PAGES < updates.MAX_OPEN_PAGES
        students = await open_pages(pages, telling, *range(1, 2001))
        assert None not in students
        assert telling.open_pages == updates.MAX_OPEN_PAGES
        assert await open_pages(pages, telling, "198.51.100.1") == [None]

        assert None not in await open_pages(pages, telling, 5001, 5002, 5003)
        assert [reader.must_close for reader in anonymous[:5] if reader] == [True] * 3 + [False] * 2
    assert telling.open_pages == telling._closing_pages == 0
    assert log.text.count("no room for a page (anonymous); 3000 are open, 3000 of them anonymous") == 1
    assert log.text.count("no room for a page") == 2


@pytest.mark.usefixtures("no_initial_queries")
async def test_a_process_full_of_students_refuses_further_streams(
    telling: UpdateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 3)
    async with AsyncExitStack() as pages:
        assert None not in await open_pages(pages, telling, 1, 2, 3)
        before = refused("full")
        assert await open_pages(pages, telling, 4) == [None]
        assert refused("full") == before + 1


def refused(reason: str) -> float:
    """Return how many pages were refused for that reason so far."""
    return metrics._registry.get_sample_value("enroll_live_refused_total", {"reason": reason}) or 0


@pytest.mark.parametrize(
    ("first", "second", "share_a_room"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
async def test_ips_of_one_ipv6_network_share_one_limit(
    app: Quart,
    monkeypatch: pytest.MonkeyPatch,
    keep_alives: None,
    first: str,
    second: str,
    share_a_room: bool,
) -> None:
    monkeypatch.setattr(updates, "MAX_PAGES_PER_NETWORK", 1)
    streams = [
        Browser(app.test_client()).client.request("/live?term=Fall+2026", scope_base={"client": (address, 1)})
        for address in (first, second)
    ]
    async with asyncio.timeout(PATIENCE), streams[0] as open_one:
        await open_one.send_complete()
        await wait_for_keep_alive(open_one)
        async with streams[1] as other:
            await other.send_complete()
            while not (told := await other.receive()):
                pass
            assert (int(told.split()[1]) >= 60_000) is share_a_room
            await other.disconnect()
        await open_one.disconnect()


async def test_a_refused_stream_is_retried_after_at_least_a_minute(
    anyone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 0)
    assert "Introduction to Python" in await anyone.read("/course/1111")
    stream = await text(await anyone.get("/live?term=Fall+2026&course=1111"))
    assert re.fullmatch(r"retry: \d+\n\n", stream)
    assert 60_000 <= int(stream.split()[1]) <= 180_000


@pytest.mark.usefixtures("keep_alives")
async def test_a_displaced_anonymous_stream_is_told_to_retry_later(
    anyone: Browser, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 1)
    monkeypatch.setattr(streaming, "SIGN_IN_CHECK_SECONDS", (3600.0, 3600.0))
    async with open_stream(anyone) as stream:
        while b"event: " not in await stream.receive():
            pass
        async with open_stream(ada) as of_ada:
            while not re.fullmatch(rb"retry: \d{5,6}\n\n", await stream.receive()):
                pass
            while b"event: " not in await of_ada.receive():
                pass
            await of_ada.disconnect()


async def test_the_stream_has_an_event_for_each_section(anyone: Browser) -> None:
    response = await anyone.get("/live?term=Fall+2026&course=3333&course=nothing")
    assert response.content_type == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    stream = await text(response)
    name = section_mark(FULL)
    assert f'event: {name}\ndata: <span class="seats">1 seat left</span>\n\n' in stream
    assert f"event: {name}-open\ndata: .\n\n" in stream
    assert 1000 <= int(stream.partition("\n")[0].removeprefix("retry: ")) <= 3000
    assert "-gone" not in stream  # visitors have no waitlist entries


async def test_a_student_gets_an_event_when_the_waitlist_entry_is_gone(ada: Browser) -> None:
    stream = await text(await ada.get("/live?term=Fall+2026&course=3333"))
    assert f"event: {section_mark(FULL)}-gone\ndata: .\n\n" in stream


@pytest.fixture
def keep_alives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stream continue, with a comment whenever there are no updates."""
    monkeypatch.setattr(streaming, "STREAM_SECONDS", (3600.0, 3600.0))


@asynccontextmanager
async def open_stream(browser: Browser) -> AsyncIterator[Connection]:
    """Open a stream, and expect that it has ended when the block is left, or soon after."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with (
        asyncio.timeout(PATIENCE),
        browser.client.request("/live?term=Fall+2026&course=3333", headers=headers) as stream,
    ):
        await stream.send_complete()
        yield stream


async def wait_for_keep_alive(stream: Connection) -> None:
    """Wait until the stream has sent all updates, and then a comment."""
    while await stream.receive() != b":\n\n":
        pass


@pytest.mark.usefixtures("keep_alives")
async def test_a_stream_without_changes_sends_a_comment(app: Quart, anyone: Browser) -> None:
    async with open_stream(anyone) as stream:
        await wait_for_keep_alive(stream)
        await wait_for_keep_alive(stream)
        assert app.extensions[EXTENSION].update_broker.open_pages == 1
        await stream.disconnect()
    assert app.extensions[EXTENSION].update_broker.open_pages == 0


@pytest.mark.usefixtures("keep_alives")
async def test_a_stream_ends_when_its_user_signs_out(app: Quart, ada: Browser) -> None:
    async with open_stream(ada) as stream:
        await wait_for_keep_alive(stream)
        await Browser(app.test_client()).sign_in(ADA)  # another sign-in of hers changes nothing
        await wait_for_keep_alive(stream)
        await ada.post("/logout")


@pytest.mark.usefixtures("keep_alives")
async def test_a_stream_ends_when_the_sign_in_expires(clock: Clock, ada: Browser) -> None:
    async with open_stream(ada) as stream:
        await wait_for_keep_alive(stream)
        clock.now += SignInLifetimes().age


@pytest.mark.usefixtures("keep_alives")
async def test_an_open_stream_counts_as_use_of_the_sign_in(clock: Clock, ada: Browser) -> None:
    nearly = SignInLifetimes().idle - timedelta(minutes=1)
    async with open_stream(ada) as stream:
        for _ in range(3):
            await wait_for_keep_alive(stream)
            clock.now += nearly
            await wait_for_keep_alive(stream)  # this one may have been said before
            await wait_for_keep_alive(stream)
        await stream.disconnect()
    assert (await ada.get("/enrollment")).status_code == 200


@pytest.mark.usefixtures("keep_alives")
async def test_a_stopping_process_ends_existing_and_new_streams(app: Quart, anyone: Browser) -> None:
    async with open_stream(anyone) as stream:
        await wait_for_keep_alive(stream)
        app.extensions[EXTENSION].update_broker.stop()
    stream = await text(await anyone.get("/live?term=Fall+2026&course=3333"))
    assert [line.split(":")[0] for line in stream.split("\n\n")] == ["retry", "retry", ""]


@pytest.mark.usefixtures("keep_alives")
async def test_a_head_request_does_not_subscribe(anyone: Browser) -> None:
    async with asyncio.timeout(PATIENCE):
        response = await anyone.client.head("/live?term=Fall+2026&course=3333")
    assert (response.content_type, await text(response)) == ("text/event-stream", "")


async def test_a_stream_may_name_courses_that_the_page_does_not_show_yet(ada: Browser) -> None:
    name = section_mark(FULL)
    page = await ada.read("/course/3333")
    assert re.findall(f'hx-trigger="sse:{name}-([a-z]+), moved"', page) == ["full"]
    await ada.post("/enrollment", form={"courseID": "3333"})
    assert re.findall(f'hx-trigger="sse:{name}-([a-z]+), moved"', await ada.read("/course/3333")) == ["open"]


async def test_a_joining_student_does_not_hide_a_leaving_one(
    db: Database, clock: Clock, ada: Browser, bob: Browser
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    await ada.post("/waitlist", form={"courseID": "3333"})
    async with cache.open_catalog_cache(db, clock) as held:
        before = await held.get()  # one student waits
        telling = UpdateBroker(db, held)
        await bob.post("/waitlist", form={"courseID": "3333"})
        async with telling.subscribe(reader := Subscriber((FALL,), frozenset(["3333"]), BOB.user_id)):
            assert await next_position(reader) == WaitlistPosition(FULL, 2, 2)
            await ada.post("/waitlist/leave", form={"courseID": "3333"})
            await held.reload()  # one student waits
            await telling._publish(before, await held.get())
            assert await next_position(reader) == WaitlistPosition(FULL, 1, 1)


async def test_a_page_may_show_courses_of_several_terms(db: Database, telling: UpdateBroker) -> None:
    async with telling.subscribe(reader := Subscriber((FALL, "Spring 2027"), frozenset(["2222", "3333"]))):
        assert await next_updates(reader) == ({"2222-01": 30, "3333-01": 1}, {})
        await sections.take_seat(db, FULL, None)
        assert await next_updates(reader) == ({"3333-01": 0}, {})
        await sections.take_seat(db, SectionKey("Spring 2027", "2222", "01"), None)
        assert await next_updates(reader) == ({"2222-01": 29}, {})


async def stream_url(browser: Browser, path: str) -> str:
    """Return the URL of the page's stream."""
    [url] = re.findall('sse-connect="(.*?)"', await browser.read(path))
    return unescape(url)


OWN = ["/enrollment", "/courses/Fall", "/courses/Fall?fits=y", "/course/3333?term=Fall"]


@pytest.mark.parametrize("path", OWN)
async def test_a_stream_says_whether_the_page_shows_the_current_registrations(
    db: Database, ada: Browser, path: str
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    for do, courseID in (("/enrollment", "1111"), ("/enrollment/drop", "1111"), ("/waitlist", "3333")):
        url = await stream_url(ada, path)
        assert "event: mine" not in await text(await ada.get(url))
        await ada.post(do, form={"courseID": courseID})
        await ada.get("/")  # what it tells of that is another page's
        assert "event: mine\ndata: .\n\n" in await text(await ada.get(url))


@pytest.mark.parametrize("path", OWN[1:])
async def test_a_visitor_gets_no_events_about_registrations(anyone: Browser, path: str) -> None:
    assert "mine" not in await anyone.read(path)
    assert "event: mine" not in await text(await anyone.get("/live?term=Fall+2026&course=3333&mine=0123"))


async def test_a_page_with_a_one_time_link_is_not_refetched(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await ada.post("/enrollment/calendar", form={"password": PASSWORD})
    assert "mine=" not in await stream_url(ada, "/enrollment")
    assert "mine=" in await stream_url(ada, "/enrollment")


async def test_another_students_changes_cause_no_registration_event(ada: Browser, bob: Browser) -> None:
    url = await stream_url(ada, "/enrollment")
    await bob.post("/enrollment", form={"courseID": "1111"})
    assert "event: mine" not in await text(await ada.get(url))


async def test_several_own_changes_cause_one_query(telling: UpdateBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "COMPARE_DELAY_SECONDS", 0.0)
    mine, of_bob = (Subscriber((FALL,), frozenset(["1111"]), user.user_id, "a sign") for user in (ADA, BOB))
    async with telling.subscribe(mine), telling.subscribe(of_bob):
        for reader in (mine, of_bob):
            await next_updates(reader)
            reader.must_compare = False
        telling.notify_user(ADA.user_id)
        telling.notify_user(ADA.user_id)
        assert not mine.must_compare  # the page on which she pressed may be going
        await next_updates(mine)
        assert (mine.must_compare, mine.will_compare, of_bob.must_compare) == (True, False, False)
    assert not telling._subscribers_by_user


@pytest.mark.usefixtures("keep_alives")
async def test_an_open_page_gets_an_event_about_its_users_own_change(
    ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SIGN_IN_CHECK_SECONDS", (3600.0, 3600.0))
    monkeypatch.setattr(updates, "COMPARE_DELAY_SECONDS", 0.0)
    url = await stream_url(ada, "/enrollment")
    async with (
        asyncio.timeout(PATIENCE),
        ada.client.request(url, headers={"Sec-Fetch-Site": "same-origin"}) as stream,
    ):
        await stream.send_complete()
        await stream.receive()
        await ada.post("/enrollment", form={"courseID": "1111"})
        while await stream.receive() != b"event: mine\ndata: .\n\n":
            pass
        await stream.disconnect()


async def test_the_event_is_repeated_if_fetching_the_change_failed() -> None:
    reader = Subscriber((FALL,), frozenset(["1111"]), ADA.user_id, "the sign of the page")

    async def sign_now(told: str) -> str:
        return "another"

    for _ in range(2):
        reader.compare()
        assert reader.must_compare
        assert await streaming._has_changed(reader, sign_now)
        assert not reader.must_compare


async def test_made_up_course_numbers_are_not_stored(anyone: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = []

    def noting(**given: Any) -> Subscriber:
        readers.append(Subscriber(**given))
        return readers[-1]

    monkeypatch.setattr(streaming, "Subscriber", noting)
    await anyone.get(f"/live?term={'x' * 900}&term=Fall+2026&course={'y' * 900}&course=1111")
    [reader] = readers
    assert (reader.terms, reader.courses) == ((FALL,), {"1111"})
