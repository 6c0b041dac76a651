"""What a waitlisted student reads about the chances of a seat."""

from datetime import datetime, timedelta

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import events, terms
from quart_enroll.domain.models import Event
from quart_enroll.domain.waitlist_odds import MIN_STUDENTS
from quart_enroll.state import EXTENSION, AppState
from tests.support.people import LAST_FALL, Browser, Clock

PHP = {"term": "Fall 2026", "courseID": "3333"}


@pytest.fixture
async def waiting(db: Database, bob: Browser, ada: Browser) -> None:
    """Bob has the only seat in PHP 202; ada is first in line."""
    await db.section.update_one(PHP, {"$set": {"waitlist_capacity": 5}})
    await bob.post("/enrollment", form=PHP)
    await ada.post("/waitlist", form=PHP)


async def add_past_term(db: Database, lines: int) -> None:
    """Add last year's fall, in which the first student in each of these lines got a seat at the end."""
    await terms.put_all(db, [LAST_FALL])
    for number in range(lines):
        joined, promoted = LAST_FALL.opens_at, LAST_FALL.add_deadline - timedelta(minutes=1)
        for action, at in (("join", joined), ("promote", promoted)):
            await events.add(db, _event(number, action, at))


def _event(number: int, action: str, at: datetime) -> Event:
    return Event(at, 0, 1000 + number, action, "1111", "Fall 2025", f"{number:02}")


async def read_schedule(app: Quart, clock: Clock, ada: Browser) -> str:
    state: AppState = app.extensions[EXTENSION]
    await state.waitlist_odds.refresh(await state.catalog_cache.get(), clock())
    return await ada.read("/enrollment")


@pytest.mark.usefixtures("waiting")
async def test_the_schedule_says_how_many_got_a_seat_from_the_same_position(
    app: Quart, db: Database, clock: Clock, ada: Browser
) -> None:
    await add_past_term(db, MIN_STUDENTS)
    page = await read_schedule(app, clock, ada)
    assert (
        f"At this point before the add deadline in Fall 2025, {MIN_STUDENTS} students were at position 1 on a "
        f"waitlist. {MIN_STUDENTS} of them got a seat."
    ) in page


@pytest.mark.usefixtures("waiting")
async def test_the_schedule_says_nothing_if_too_few_students_were_at_that_position(
    app: Quart, db: Database, clock: Clock, ada: Browser
) -> None:
    await add_past_term(db, MIN_STUDENTS - 1)
    page = await read_schedule(app, clock, ada)
    assert "Waitlisted, 1 of 1" in page
    assert "got a seat" not in page


@pytest.mark.parametrize(("minutes", "words"), [(0, "1 minute"), (4, "4 minutes"), (600, "10 hours"), (4320, "3 days")])
async def test_the_course_page_says_how_soon_a_section_was_full(
    app: Quart, db: Database, clock: Clock, ada: Browser, minutes: int, words: str
) -> None:
    await add_past_term(db, 0)
    for wait in (minutes, minutes + 50):
        await events.add(db, _event(wait, "join", LAST_FALL.opens_at + timedelta(minutes=wait)))
    state: AppState = app.extensions[EXTENSION]
    await state.waitlist_odds.refresh(await state.catalog_cache.get(), clock())
    assert f"In Fall 2025, the first section filled up {words} after enrollment opened." in await ada.read(
        "/course/1111"
    )
    assert "after enrollment opened" not in await ada.read("/course/3333")
