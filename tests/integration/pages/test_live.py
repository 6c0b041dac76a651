"""Live updates of open pages."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from quart import Quart
from quart.typing import TestHTTPConnectionProtocol as Connection

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, waitlist
from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.fastpath.push_stream import Channel
from quart_enroll.observability import metrics
from quart_enroll.pages import live_stream
from quart_enroll.pages.live_stream import LivePage
from quart_enroll.services.accounts.sessions import SignInLifetimes
from quart_enroll.services.catalog import cache
from quart_enroll.services.live import updates
from quart_enroll.services.live.updates import Subscriber, UpdateBroker, WaitlistPosition
from quart_enroll.state import EXTENSION
from quart_enroll.web.jinja_environment import section_mark
from tests.support.people import ADA, BOB, PASSWORD, SECTIONS, Browser, Clock, text

FALL = "Fall 2026"
PHP_202 = SectionKey(FALL, "3333", "01")
TIMEOUT_SECONDS = 20


@pytest.fixture
async def broker(db: Database, clock: Clock) -> AsyncIterator[UpdateBroker]:
    async with (
        cache.open_catalog_cache(db, clock) as catalog_cache,
        updates.open_update_broker(db, catalog_cache) as broker,
    ):
        yield broker


class OpenPage(Subscriber):
    """An open page that only notes that there is news for it."""

    def __init__(self, terms: tuple[str, ...], courses: tuple[str, ...], user_id: int | None = None, **more: str):
        super().__init__(terms=terms, courses=courses, user_id=user_id, **more)  # type: ignore[arg-type]
        self.has_news = asyncio.Event()
        self.comparisons = 0

    def notify(self) -> None:
        self.has_news.set()

    def compare(self) -> None:
        self.comparisons += 1
        self.has_news.set()


@asynccontextmanager
async def subscribe(broker: UpdateBroker, page: OpenPage) -> AsyncIterator[bool]:
    """Keep the page open while the block runs, beginning with the whole state; yield False if there is no room."""
    if not broker.subscribe(page):
        yield False
        return
    try:
        await broker.queue_everything(page)
        page.notify()
        yield True
    finally:
        broker.unsubscribe(page)


async def next_updates(subscriber: OpenPage) -> tuple[dict[str, int], dict[SectionKey, WaitlistPosition]]:
    """Return the next updates: the open seats by courseID-section, and the waitlist positions."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await subscriber.has_news.wait()
    subscriber.has_news.clear()
    updated, positions = subscriber.take_updates()
    seats = [one.section for one in updated]
    return {f"{one.courseID}-{one.section}": one.open_seats for one in seats}, {
        position.key: position for position in positions
    }


async def next_position(subscriber: OpenPage) -> WaitlistPosition:
    """Return the subscriber's next waitlist position."""
    while True:
        _, positions = await next_updates(subscriber)
        if positions:
            return positions[PHP_202]


async def test_a_new_subscriber_first_gets_the_current_state(broker: UpdateBroker) -> None:
    async with subscribe(broker, subscriber := OpenPage((FALL,), ("1111", "3333"))):
        assert await next_updates(subscriber) == ({"1111-01": 30, "1111-02": 2, "3333-01": 1}, {})


async def test_a_subscriber_gets_changes_of_its_own_courses_only(db: Database, broker: UpdateBroker) -> None:
    async with subscribe(broker, subscriber := OpenPage((FALL,), ("1111",))):
        await next_updates(subscriber)
        await sections.take_seat(db, PHP_202, None)
        await sections.take_seat(db, SECTIONS[1].key, None)
        assert await next_updates(subscriber) == ({"1111-02": 1}, {})


async def test_a_waitlisted_student_gets_changes_of_the_position(
    db: Database, broker: UpdateBroker, ada: Browser, bob: Browser
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    for browser in (ada, bob):
        await browser.post("/waitlist", form={"courseID": "3333"})
    async with subscribe(broker, subscriber := OpenPage((FALL,), ("3333",), BOB.user_id)):
        assert await next_position(subscriber) == WaitlistPosition(PHP_202, 2, 2)
        await ada.post("/waitlist/leave", form={"courseID": "3333"})
        assert await next_position(subscriber) == WaitlistPosition(PHP_202, 1, 1)
        await bob.post("/waitlist/leave", form={"courseID": "3333"})
        assert await next_position(subscriber) == WaitlistPosition(PHP_202, 0, 0)


async def test_other_tasks_run_while_many_subscribers_are_notified(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "SUBSCRIBERS_PER_TURN", 1)
    async with cache.open_catalog_cache(db, clock) as catalog_cache, AsyncExitStack() as pages:
        before, broker = await catalog_cache.get(), UpdateBroker(db, catalog_cache)
        subscribers = [OpenPage((FALL,), ("1111",)) for _ in range(3)]
        for subscriber in subscribers:
            await pages.enter_async_context(subscribe(broker, subscriber))
            await next_updates(subscriber)
        await sections.take_seat(db, SECTIONS[1].key, None)
        await catalog_cache.reload()
        publishing = asyncio.create_task(broker._publish(before, await catalog_cache.get()))
        seen = []
        while not publishing.done():
            await asyncio.sleep(0)
            seen.append(sum(subscriber.has_news.is_set() for subscriber in subscribers))
        assert seen[:3] == [1, 2, 3]


async def test_a_closed_page_is_unsubscribed(broker: UpdateBroker) -> None:
    async with subscribe(broker, OpenPage((FALL,), ("1111",), ADA.user_id)):
        pass
    assert broker.open_pages == 0
    assert not broker._topics
    assert not broker._topics_by_course


async def test_past_the_limit_pages_get_no_stream(broker: UpdateBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 1)
    async with subscribe(broker, OpenPage((FALL,), ("1111",))) as first:
        async with subscribe(broker, OpenPage((FALL,), ("1111",))) as second:
            assert (first, second) == (True, False)
    async with subscribe(broker, OpenPage((FALL,), ("1111",))) as third:
        assert third


@pytest.fixture
def no_initial_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let thousands of pages open without a database query for each."""

    async def queue_nothing(*_: object) -> None: ...

    monkeypatch.setattr(UpdateBroker, "queue_everything", queue_nothing)


async def open_pages(pages: AsyncExitStack, broker: UpdateBroker, *owners: int | str) -> list[OpenPage | None]:
    """Open a page for each user_id or network; return its subscriber, or None if there was no room."""
    found: list[OpenPage | None] = []
    for owner in owners:
        page_owner = {"user_id": owner} if isinstance(owner, int) else {"network": owner}
        subscriber = OpenPage((FALL,), ("1111",), **page_owner)  # type: ignore[arg-type]
        has_room = await pages.enter_async_context(subscribe(broker, subscriber))
        found.append(subscriber if has_room else None)
    return found


@pytest.mark.usefixtures("no_initial_updates")
async def test_each_ip_or_user_has_a_share_of_the_streams(broker: UpdateBroker) -> None:
    async with AsyncExitStack() as pages:
        for owner, share in (("192.0.2.1", updates.MAX_PAGES_PER_NETWORK), (1, updates.MAX_PAGES_PER_USER)):
            opened = await open_pages(pages, broker, *[owner] * (share + 3))
            assert [subscriber is not None for subscriber in opened] == [True] * share + [False] * 3
        assert None not in await open_pages(pages, broker, "192.0.2.2", 2)
    assert not broker._pages_by_owner
    assert not broker._anonymous


@pytest.mark.usefixtures("no_initial_updates")
async def test_anonymous_streams_never_keep_students_out(broker: UpdateBroker, log: pytest.LogCaptureFixture) -> None:
    async with AsyncExitStack() as pages:
        anonymous = await open_pages(pages, broker, *(f"192.0.2.{number % 250}" for number in range(4000)))
        assert (
            len([subscriber for subscriber in anonymous if subscriber])
            == updates.MAX_ANONYMOUS_PAGES
            < updates.MAX_OPEN_PAGES
        )
        students = await open_pages(pages, broker, *range(1, 2001))
        assert None not in students
        assert broker.open_pages == updates.MAX_OPEN_PAGES
        assert await open_pages(pages, broker, "198.51.100.1") == [None]

        assert None not in await open_pages(pages, broker, 5001, 5002, 5003)
        assert [subscriber.must_close for subscriber in anonymous[:5] if subscriber] == [True] * 3 + [False] * 2
    assert broker.open_pages == broker._closing_pages == 0
    assert log.text.count("no room for a page (anonymous); 3000 are open, 3000 of them anonymous") == 1
    assert log.text.count("no room for a page") == 2


@pytest.mark.usefixtures("no_initial_updates")
async def test_a_process_full_of_students_refuses_further_streams(
    broker: UpdateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 3)
    async with AsyncExitStack() as pages:
        assert None not in await open_pages(pages, broker, 1, 2, 3)
        before = refused_count("full")
        assert await open_pages(pages, broker, 4) == [None]
        assert refused_count("full") == before + 1


def refused_count(reason: str) -> float:
    """Return how many pages were refused for that reason so far."""
    return metrics._registry.get_sample_value("enroll_live_refused_total", {"reason": reason}) or 0


@pytest.mark.parametrize(
    ("first", "second", "share_a_limit"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
async def test_ips_of_one_ipv6_network_share_one_limit(
    app: Quart, monkeypatch: pytest.MonkeyPatch, long_streams: None, first: str, second: str, share_a_limit: bool
) -> None:
    monkeypatch.setattr(updates, "MAX_PAGES_PER_NETWORK", 1)
    streams = [
        Browser(app.test_client()).client.request("/live?term=Fall+2026", scope_base={"client": (ip, 1)})
        for ip in (first, second)
    ]
    async with asyncio.timeout(TIMEOUT_SECONDS), streams[0] as first_stream:
        await first_stream.send_complete()
        await wait_until_idle(first_stream)
        async with streams[1] as second_stream:
            await second_stream.send_complete()
            while not (retry := await second_stream.receive()):
                pass
            assert (int(retry.split()[1]) >= 60_000) is share_a_limit
            await second_stream.disconnect()
        await first_stream.disconnect()


async def test_a_refused_stream_is_retried_after_at_least_a_minute(
    anyone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 0)
    assert "Introduction to Python" in await anyone.read("/course/1111")
    stream = await text(await anyone.get("/live?term=Fall+2026&course=1111"))
    assert re.fullmatch(r"retry: \d+\n\n", stream)
    assert 60_000 <= int(stream.split()[1]) <= 180_000


@pytest.mark.usefixtures("long_streams")
async def test_a_displaced_anonymous_stream_is_told_to_retry_later(
    anyone: Browser, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "MAX_OPEN_PAGES", 1)
    monkeypatch.setattr(live_stream, "SIGN_IN_CHECK_SECONDS", (3600.0, 3600.0))
    async with open_stream(anyone) as stream:
        while b"event: " not in await stream.receive():
            pass
        async with open_stream(ada) as ada_stream:
            while not re.fullmatch(rb"retry: \d{5,6}\n\n", await stream.receive()):
                pass
            while b"event: " not in await ada_stream.receive():
                pass
            await ada_stream.disconnect()


async def test_the_stream_has_an_event_for_each_section(anyone: Browser) -> None:
    response = await anyone.get("/live?term=Fall+2026&course=3333&course=nothing")
    assert response.content_type == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    stream = await text(response)
    name = section_mark(PHP_202)
    bar = '<meter value="0" max="1" aria-hidden="true"></meter>'
    assert f"event: {name}\ndata: {bar} 1 seat left\n\n" in stream
    assert f"event: {name}-open\ndata: .\n\n" in stream
    assert 1000 <= int(stream.partition("\n")[0].removeprefix("retry: ")) <= 3000
    assert "-gone" not in stream  # visitors have no waitlist entries


async def test_a_student_gets_an_event_when_the_waitlist_entry_is_gone(ada: Browser) -> None:
    stream = await text(await ada.get("/live?term=Fall+2026&course=3333"))
    assert f"event: {section_mark(PHP_202)}-gone\ndata: .\n\n" in stream


@pytest.fixture
def long_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stream continue, and send a comment whenever there are no updates."""
    monkeypatch.setattr(live_stream, "STREAM_SECONDS", (3600.0, 3600.0))


@asynccontextmanager
async def open_stream(browser: Browser) -> AsyncIterator[Connection]:
    """Open a stream that must end before the block does, or soon after."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        browser.client.request("/live?term=Fall+2026&course=3333", headers=headers) as stream,
    ):
        await stream.send_complete()
        yield stream


async def wait_until_idle(stream: Connection) -> None:
    """Wait until the stream has sent all updates, and then a comment."""
    while await stream.receive() != b":\n\n":
        pass


@pytest.mark.usefixtures("long_streams")
async def test_a_stream_without_changes_sends_a_comment(app: Quart, anyone: Browser) -> None:
    async with open_stream(anyone) as stream:
        await wait_until_idle(stream)
        await wait_until_idle(stream)
        assert app.extensions[EXTENSION].update_broker.open_pages == 1
        await stream.disconnect()
    assert app.extensions[EXTENSION].update_broker.open_pages == 0


@pytest.mark.usefixtures("long_streams")
async def test_a_stream_ends_when_its_user_signs_out(app: Quart, ada: Browser) -> None:
    async with open_stream(ada) as stream:
        await wait_until_idle(stream)
        await Browser(app.test_client()).sign_in(ADA)  # another sign-in of ada changes nothing
        await wait_until_idle(stream)
        await ada.post("/logout")


@pytest.mark.usefixtures("long_streams")
async def test_a_stream_ends_when_the_sign_in_expires(clock: Clock, ada: Browser) -> None:
    async with open_stream(ada) as stream:
        await wait_until_idle(stream)
        clock.now += SignInLifetimes().age


@pytest.mark.usefixtures("long_streams")
async def test_an_open_stream_counts_as_use_of_the_sign_in(clock: Clock, ada: Browser) -> None:
    almost_expired = SignInLifetimes().idle - timedelta(minutes=1)
    async with open_stream(ada) as stream:
        for _ in range(3):
            await wait_until_idle(stream)
            clock.now += almost_expired
            await wait_until_idle(stream)  # this comment may have been sent earlier
            await wait_until_idle(stream)
        await stream.disconnect()
    assert (await ada.get("/enrollment")).status_code == 200


@pytest.mark.usefixtures("long_streams")
async def test_a_stopping_process_ends_existing_and_new_streams(app: Quart, anyone: Browser) -> None:
    async with open_stream(anyone) as stream:
        await wait_until_idle(stream)
        app.extensions[EXTENSION].update_broker.stop()
    stream = await text(await anyone.get("/live?term=Fall+2026&course=3333"))
    assert [line.split(":")[0] for line in stream.split("\n\n")] == ["retry", "retry", ""]


@pytest.mark.usefixtures("long_streams")
async def test_a_head_request_does_not_subscribe(anyone: Browser) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        response = await anyone.client.head("/live?term=Fall+2026&course=3333")
    assert (response.content_type, await text(response)) == ("text/event-stream", "")


async def test_a_row_shows_for_which_change_it_must_be_reloaded(ada: Browser) -> None:
    seats_class = re.compile(f'<li class="section" id="{section_mark(PHP_202)}".*?<div class="(seats[^"]*)"', re.DOTALL)
    assert seats_class.findall(await ada.read("/course/3333")) == ["seats"]
    await ada.post("/enrollment", form={"courseID": "3333"})
    assert seats_class.findall(await ada.read("/course/3333")) == ["seats full"]


async def test_a_joining_student_does_not_hide_a_leaving_one(
    db: Database, clock: Clock, ada: Browser, bob: Browser
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    await ada.post("/waitlist", form={"courseID": "3333"})
    async with cache.open_catalog_cache(db, clock) as catalog_cache:
        before = await catalog_cache.get()  # one student is waiting
        broker = UpdateBroker(db, catalog_cache)
        await bob.post("/waitlist", form={"courseID": "3333"})
        async with subscribe(broker, subscriber := OpenPage((FALL,), ("3333",), BOB.user_id)):
            assert await next_position(subscriber) == WaitlistPosition(PHP_202, 2, 2)
            await ada.post("/waitlist/leave", form={"courseID": "3333"})
            await catalog_cache.reload()  # one student is waiting
            await broker._publish(before, await catalog_cache.get())
            assert await next_position(subscriber) == WaitlistPosition(PHP_202, 1, 1)


async def test_a_page_may_show_courses_of_several_terms(db: Database, broker: UpdateBroker) -> None:
    async with subscribe(broker, subscriber := OpenPage((FALL, "Spring 2027"), ("2222", "3333"))):
        assert await next_updates(subscriber) == ({"2222-01": 30, "3333-01": 1}, {})
        await sections.take_seat(db, PHP_202, None)
        assert await next_updates(subscriber) == ({"3333-01": 0}, {})
        await sections.take_seat(db, SectionKey("Spring 2027", "2222", "01"), None)
        assert await next_updates(subscriber) == ({"2222-01": 29}, {})


async def find_stream_url(browser: Browser, path: str) -> str:
    """Return the URL from which the page gets its live updates: live.js adds the fingerprint of a student's page."""
    page = await browser.read(path)
    [url] = re.findall('sse-connect="(.*?)"', page)
    return unescape(url) + "".join(f"&mine={fingerprint}" for fingerprint in re.findall('data-mine="(.*?)"', page))


STUDENT_PAGES = ["/enrollment", "/courses/Fall", "/courses/Fall?fits=y", "/course/3333?term=Fall"]


@pytest.mark.parametrize("path", STUDENT_PAGES)
async def test_a_stream_says_whether_the_page_shows_the_current_registrations(
    db: Database, ada: Browser, path: str
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    for action, courseID in (("/enrollment", "1111"), ("/enrollment/drop", "1111"), ("/waitlist", "3333")):
        url = await find_stream_url(ada, path)
        assert "event: mine" not in await text(await ada.get(url))
        await ada.post(action, form={"courseID": courseID})
        await ada.get("/")  # takes the message, so that the next page has none
        assert "event: mine\ndata: .\n\n" in await text(await ada.get(url))


@pytest.mark.parametrize("path", STUDENT_PAGES[1:])
async def test_a_visitor_gets_no_events_about_registrations(anyone: Browser, path: str) -> None:
    assert "mine" not in await anyone.read(path)
    assert "event: mine" not in await text(await anyone.get("/live?term=Fall+2026&course=3333&mine=0123"))


async def test_a_page_with_a_one_time_link_is_not_refetched(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await ada.post("/enrollment/calendar", form={"password": PASSWORD})
    assert "mine=" not in await find_stream_url(ada, "/enrollment")
    assert "mine=" in await find_stream_url(ada, "/enrollment")


async def test_another_students_changes_cause_no_registration_event(ada: Browser, bob: Browser) -> None:
    url = await find_stream_url(ada, "/enrollment")
    await bob.post("/enrollment", form={"courseID": "1111"})
    assert "event: mine" not in await text(await ada.get(url))


async def test_several_own_changes_cause_one_query(broker: UpdateBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "COMPARE_DELAY_SECONDS", 0.0)
    ada_page, bob_page = (OpenPage((FALL,), ("1111",), user.user_id, fingerprint="shown") for user in (ADA, BOB))
    async with subscribe(broker, ada_page), subscribe(broker, bob_page):
        for subscriber in (ada_page, bob_page):
            await next_updates(subscriber)
        broker.notify_user(ADA.user_id)
        broker.notify_user(ADA.user_id)
        assert not ada_page.comparisons  # the page on which she pressed the button may be closing
        await next_updates(ada_page)
        assert (ada_page.comparisons, ada_page.will_compare, bob_page.comparisons) == (1, False, 0)
    assert not broker._subscribers_by_user


@pytest.mark.usefixtures("long_streams")
async def test_an_open_page_gets_an_event_about_its_users_own_change(
    ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stream, "SIGN_IN_CHECK_SECONDS", (3600.0, 3600.0))
    monkeypatch.setattr(updates, "COMPARE_DELAY_SECONDS", 0.0)
    url = await find_stream_url(ada, "/enrollment")
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        ada.client.request(url, headers={"Sec-Fetch-Site": "same-origin"}) as stream,
    ):
        await stream.send_complete()
        await stream.receive()
        await ada.post("/enrollment", form={"courseID": "1111"})
        while await stream.receive() != b"event: mine\ndata: .\n\n":
            pass
        await stream.disconnect()


class RecordingChannel(Channel):
    """A channel that records what is written."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.has_text = asyncio.Event()
        self.is_ended = False
        self.is_client_ready = True

    @property
    def is_ready(self) -> bool:
        return self.is_client_ready

    def write(self, text: str) -> None:
        self.texts.append(text)
        self.has_text.set()

    def end(self) -> None:
        self.is_ended = True
        self.has_text.set()

    def abort(self, error: Exception) -> None:
        raise error

    async def wait_for(self, text: str) -> None:
        """Wait until that text is written, and forget everything written until then."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not any(text in one for one in self.texts):
                self.has_text.clear()
                await self.has_text.wait()
        self.texts.clear()


async def signed_in() -> bool:
    return True


async def current_snapshot() -> StudentSnapshot:
    return StudentSnapshot((), (), frozenset(), (), None, frozenset(), "another fingerprint")


def make_page(broker: UpdateBroker, **more: Any) -> LivePage:
    """Return a page of ada's that shows her earlier seats."""
    options: dict[str, Any] = {
        "locale": "en",
        "fingerprint": "fingerprint of the page",
        "read_snapshot": current_snapshot,
        "render": lambda _, section: f"{section.courseID}-{section.section}: {section.open_seats}\n",
    }
    return LivePage(
        terms=(FALL,),
        courses=("1111",),
        user_id=ADA.user_id,
        broker=broker,
        is_signed_in=signed_in,
        **options | more,
    )


@pytest.fixture
def page(broker: UpdateBroker, long_streams: None) -> Iterator[LivePage]:
    yield (page := make_page(broker))
    page.disconnect()
    assert broker.open_pages == 0


@pytest.mark.usefixtures("long_streams")
async def test_a_page_with_current_data_and_no_positions_opens_without_a_query(
    broker: UpdateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[int] = []
    find_positions = waitlist.find_positions

    async def recorded(db: Database, user_id: int) -> dict[SectionKey, tuple[int, int]]:
        queries.append(user_id)
        return await find_positions(db, user_id)

    monkeypatch.setattr(waitlist, "find_positions", recorded)
    for fingerprint, expected in (("another fingerprint", []), ("an old fingerprint", [ADA.user_id])):
        opened = make_page(broker, fingerprint=fingerprint)
        opened.start(channel := RecordingChannel())
        await channel.wait_for("1111-02: 2")
        opened.disconnect()
        assert queries == expected


async def test_the_event_is_repeated_if_fetching_the_change_failed(page: LivePage) -> None:
    page.start(channel := RecordingChannel())
    for _ in range(2):
        await channel.wait_for("event: mine")


async def test_a_slow_client_gets_the_latest_state_once(db: Database, page: LivePage, broker: UpdateBroker) -> None:
    async with subscribe(broker, other := OpenPage((FALL,), ("1111",))):
        page.start(channel := RecordingChannel())
        await channel.wait_for("1111-02: 2")
        channel.is_client_ready = False
        for _ in range(2):
            await sections.take_seat(db, SECTIONS[1].key, None)
        while (await next_updates(other))[0].get("1111-02") != 0:
            pass
        assert not any("1111" in one for one in channel.texts)
        channel.is_client_ready = True
        page.resume()
        assert [one for one in channel.texts if "1111" in one] == ["1111-02: 0\n"]


@pytest.mark.usefixtures("long_streams")
async def test_a_change_is_rendered_once_for_all_pages_in_a_language(db: Database, broker: UpdateBroker) -> None:
    rendered = []

    def render(locale: str, section: Section) -> str:
        rendered.append((locale, section.open_seats))
        return f"{locale} {section.open_seats} open"

    channels = [RecordingChannel() for _ in range(4)]
    pages = [make_page(broker, locale=locale, render=render) for locale in ("en", "en", "es", "es")]
    for page, channel in zip(pages, channels, strict=True):
        page.start(channel)
        await channel.wait_for("2 open")
    rendered.clear()
    await sections.take_seat(db, SECTIONS[1].key, None)
    for channel in channels:
        await channel.wait_for("1 open")
    assert sorted(rendered) == [("en", 1), ("es", 1)]
    for page in pages:
        page.disconnect()


@pytest.mark.usefixtures("long_streams")
async def test_a_student_in_a_pool_sees_more_open_seats(db: Database, broker: UpdateBroker) -> None:
    pool = {"name": "Nurses", "restriction": "program: Nursing", "seats": 2, "taken": 0}
    await db.section.update_one(section_keys.to_filter(SECTIONS[1].key), {"$set": {"pools": [pool]}})
    for attributes, shown in ((StudentAttributes(("Nursing",)), "1111-02: 2"), (None, "1111-02: 0")):
        page = make_page(broker, attributes=attributes)
        page.start(channel := RecordingChannel())
        await channel.wait_for(shown)
        page.disconnect()


async def test_made_up_course_numbers_are_not_stored(anyone: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []

    def record(**options: Any) -> LivePage:
        pages.append(LivePage(**options))
        return pages[-1]

    monkeypatch.setattr(live_stream, "LivePage", record)
    await anyone.get(f"/live?term={'x' * 900}&term=Fall+2026&course={'y' * 900}&course=1111")
    [page] = pages
    assert (page.terms, page.courses) == ((FALL,), ("1111",))
