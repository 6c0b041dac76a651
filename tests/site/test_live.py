"""Open pages hear what changes."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from quart_enroll.models import SectionKey
from quart_enroll.mongo import Database
from quart_enroll.rendering import mark
from quart_enroll.repositories import sections
from quart_enroll.services import live, snapshot
from quart_enroll.services.live import Live, Place, Reader
from tests.people import ADA, BOB, SECTIONS, Browser, Clock, text

FALL = "Fall 2026"
FULL = SectionKey(FALL, "3333", "01")
PATIENCE = 20


@pytest.fixture
async def telling(db: Database, clock: Clock) -> AsyncIterator[Live]:
    async with snapshot.following(db, clock) as held, live.telling(db, held) as telling:
        yield telling


async def heard(reader: Reader) -> tuple[dict[str, int], dict[SectionKey, Place]]:
    """Return the next news: open seats, each under courseID-section, and places."""
    async with asyncio.timeout(PATIENCE):
        await reader.news.wait()
    shown, places = reader.take()
    return {f"{one.courseID}-{one.section}": one.open_seats for one in shown}, {place.key: place for place in places}


async def place(reader: Reader) -> Place:
    """Return the next news of the reader's own place."""
    while True:
        _, places = await heard(reader)
        if places:
            return places[FULL]


async def test_a_page_hears_first_how_everything_is(telling: Live) -> None:
    async with telling.reading(reader := Reader(FALL, frozenset(["1111", "3333"]))):
        assert await heard(reader) == ({"1111-01": 30, "1111-02": 2, "3333-01": 1}, {})


async def test_then_it_hears_of_each_change_of_its_courses_and_of_no_other(db: Database, telling: Live) -> None:
    async with telling.reading(reader := Reader(FALL, frozenset(["1111"]))):
        await heard(reader)
        await sections.take_seat(db, FULL, None)
        await sections.take_seat(db, SECTIONS[1].key, None)
        assert await heard(reader) == ({"1111-02": 1}, {})


async def test_who_waits_hears_of_the_place_and_of_its_end(
    db: Database, telling: Live, ada: Browser, bob: Browser
) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    for browser in (ada, bob):
        await browser.post("/waitlist", form={"courseID": "3333"})
    async with telling.reading(reader := Reader(FALL, frozenset(["3333"]), BOB.user_id)):
        assert await place(reader) == Place(FULL, 2, 2)
        await ada.post("/waitlist/leave", form={"courseID": "3333"})
        assert await place(reader) == Place(FULL, 1, 1)
        await bob.post("/waitlist/leave", form={"courseID": "3333"})
        assert await place(reader) == Place(FULL, 0, 0)


async def test_a_page_that_closes_is_forgotten(telling: Live) -> None:
    async with telling.reading(Reader(FALL, frozenset(["1111"]), ADA.user_id)):
        pass
    assert telling.open == 0
    assert not telling._readers


async def test_past_a_bound_pages_stand_still(telling: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    async with telling.reading(Reader(FALL, frozenset(["1111"]))) as first:
        async with telling.reading(Reader(FALL, frozenset(["1111"]))) as second:
            assert (first, second) == (True, False)
    async with telling.reading(Reader(FALL, frozenset(["1111"]))) as third:
        assert third


async def test_the_stream_has_an_event_for_each_section(anyone: Browser) -> None:
    response = await anyone.get("/live?term=Fall+2026&course=3333&course=nothing")
    assert response.content_type == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    stream = await text(response)
    name = mark(FULL)
    assert f'event: {name}\ndata: <span class="seats">1 of 1 seats open</span>\n\n' in stream
    assert f"event: {name}-open\ndata: .\n\n" in stream
    assert 1000 <= int(stream.partition("\n")[0].removeprefix("retry: ")) <= 3000
    assert "-gone" not in stream  # nobody waits who is not signed in


async def test_a_student_hears_where_there_is_no_place_any_more(ada: Browser) -> None:
    stream = await text(await ada.get("/live?term=Fall+2026&course=3333"))
    assert f"event: {mark(FULL)}-gone\ndata: .\n\n" in stream


async def test_a_page_listens_to_what_it_does_not_show_yet(ada: Browser) -> None:
    name = mark(FULL)
    page = await ada.read("/course/3333")
    assert re.findall(f'hx-trigger="sse:{name}-([a-z]+)"', page) == ["full"]
    await ada.post("/enrollment", form={"courseID": "3333"})
    assert re.findall(f'hx-trigger="sse:{name}-([a-z]+)"', await ada.read("/course/3333")) == ["open"]


async def test_who_came_does_not_hide_who_left(db: Database, clock: Clock, ada: Browser, bob: Browser) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0, "waitlist_capacity": 5}})
    await ada.post("/waitlist", form={"courseID": "3333"})
    async with snapshot.following(db, clock) as held:
        before = await held.held()  # one waits
        telling = Live(db, held)
        await bob.post("/waitlist", form={"courseID": "3333"})
        async with telling.reading(reader := Reader(FALL, frozenset(["3333"]), BOB.user_id)):
            assert await place(reader) == Place(FULL, 2, 2)
            await ada.post("/waitlist/leave", form={"courseID": "3333"})
            await held.read()  # one waits
            await telling._tell(before, await held.held())
            assert await place(reader) == Place(FULL, 1, 1)
