"""The student's history of changes and refusals."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import events
from quart_enroll.db.collections.events import SCHEMA
from quart_enroll.domain.models import Event
from quart_enroll.pages.enrollment import history
from tests.support.people import ADA, FALL, Browser, Clock, message_after


async def history_entries(browser: Browser) -> list[str]:
    """Return the history's entries, latest first, without their times."""
    page = (await browser.read("/enrollment/history")).split('<ol class="history"')[1].split("</ol>")[0]
    entries = re.findall(r"<li>\s*<span[^>]*>.*?</span>(.*?)</li>", page, re.DOTALL)
    return [" ".join(unescape(re.sub("<[^>]+>", "", entry)).split()) for entry in entries]


async def test_an_empty_history_says_what_will_appear_there(ada: Browser) -> None:
    assert "Nothing yet." in await ada.read("/enrollment/history")


async def test_the_history_lists_changes_and_refusals_with_the_latest_first(
    ada: Browser, bob: Browser, clock: Clock
) -> None:
    for path, form in (
        ("/enrollment", {"courseID": "1111", "section": "01"}),
        ("/enrollment/drop", {"courseID": "1111"}),
        ("/enrollment", {"courseID": "3333"}),
    ):
        await ada.post(path, form=form)
        clock.now += timedelta(minutes=1)
    await bob.post("/enrollment", form={"courseID": "3333"})
    assert await history_entries(ada) == [
        "Enrolled in PHP 202, section 01, for Fall 2026.",
        "Dropped PYT 101, section 01, for Fall 2026.",
        "Enrolled in PYT 101, section 01, for Fall 2026.",
    ]
    assert await history_entries(bob) == [
        "Tried to enroll in PHP 202, section 01, for Fall 2026. Not possible: the section was full."
    ]


async def test_changing_sections_is_recorded_as_one_swap(
    ada: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    # A week after the drop deadline and before the add deadline.
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"drop_deadline": clock.now - timedelta(days=1)}})
    await db.section.update_one({"term": "Fall 2026", "courseID": "1111", "section": "01"}, {"$set": {"capacity": 1}})
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    clock.now += timedelta(minutes=1)
    await ada.post("/enrollment/swap", form={"drop": "1111", "add": "1111", "section": "02", "term": "Fall 2026"})
    await bob.post("/enrollment", form={"courseID": "1111", "section": "01"})
    await ada.post("/waitlist", form={"courseID": "1111", "section": "01", "drop_if_enrolled": "1111"})
    clock.now += timedelta(minutes=1)
    await bob.post("/enrollment/swap", form={"drop": "1111", "add": "3333"})
    assert await history_entries(ada) == [
        "Enrolled from the waitlist: PYT 101, section 01, for Fall 2026. It replaced section 02.",
        "Joined the waitlist for PYT 101, section 01, in Fall 2026.",
        "Swapped into PYT 101, section 02, for Fall 2026. It replaced section 01.",
        "Enrolled in PYT 101, section 01, for Fall 2026.",
    ]
    assert "Withdrawn (W)" not in await ada.read("/enrollment")
    assert [row["credits"] async for row in db.schedule.find({"user_id": 1})] == [3]
    assert "Withdrew from PYT 101, section 01, for Fall 2026." in await history_entries(bob)
    assert "Withdrawn (W)" in await bob.read("/enrollment")


async def test_times_in_the_history_are_in_the_schools_timezone(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert "Tuesday, September 1, 2026, 5:00 AM ET" in await ada.read("/enrollment/history")


async def test_a_promotion_does_not_reveal_who_dropped_the_seat(ada: Browser, bob: Browser, clock: Clock) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/waitlist", form={"courseID": "3333"})
    clock.now += timedelta(minutes=1)
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    assert await history_entries(ada) == [
        "Enrolled from the waitlist: PHP 202, section 01, for Fall 2026.",
        "Joined the waitlist for PHP 202, section 01, in Fall 2026.",
    ]
    assert "Bob" not in await ada.read("/enrollment/history")


async def test_a_refusal_that_only_reports_the_current_state_is_not_recorded(ada: Browser) -> None:
    await message_after(ada, "/enrollment/drop", courseID="1111")
    assert "Nothing yet." in await ada.read("/enrollment/history")


async def test_the_history_says_why_staff_acted_for_the_student(ada: Browser, db: Database, clock: Clock) -> None:
    place = ("3333", "Fall 2026", "01")
    by_rita = Event(clock.now, 3, 1, "enroll", *place, reason="Graduates in spring.", overrides=("full",))
    await events.add(db, by_rita)
    assert await history_entries(ada) == [
        "Enrolled in PHP 202, section 01, for Fall 2026. By the registrar’s office: Graduates in spring."
    ]
    [stored], _ = await events.find_page(db, ADA.user_id, "", 10)
    assert stored == by_rita
    for role, who in (
        ("registrar", "the registrar’s office"),
        ("advisor", "your advisor"),
        ("instructor", "the instructor"),
    ):
        clock.now += timedelta(minutes=1)
        await events.add(db, replace(by_rita, at=clock.now, acted_as=role))
        assert (await history_entries(ada))[0].endswith(f"By {who}: Graduates in spring.")


async def test_a_repeated_refusal_is_one_entry_with_a_count_and_both_times(
    ada: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    for _ in range(12):
        await ada.post("/enrollment", form={"courseID": "3333"})
        clock.now += timedelta(minutes=1)
    assert await history_entries(ada) == [
        "Tried to enroll in PHP 202, section 01, for Fall 2026. Not possible: the section was full. "
        "Tried 12 times, most recently on Tuesday, September 1, 2026, 5:11 AM ET."
    ]
    assert "Tuesday, September 1, 2026, 5:00 AM ET" in await ada.read("/enrollment/history")
    assert await db.event.count_documents({"user_id": ADA.user_id}) == 1


async def test_another_section_reason_student_or_day_is_another_entry(
    ada: Browser, bob: Browser, rita: Browser, clock: Clock
) -> None:
    await rita.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/enrollment", form={"courseID": "3333"})
    for _ in range(2):
        await ada.post("/enrollment", form={"courseID": "3333"})
    clock.now = FALL.add_deadline
    await ada.sign_in(ADA)
    for form in ({"courseID": "3333"}, {"courseID": "1111", "section": "01"}, {"courseID": "1111", "section": "02"}):
        await ada.post("/enrollment", form=form)
    clock.now += timedelta(days=1)
    await ada.sign_in(ADA)
    await ada.post("/enrollment", form={"courseID": "3333"})
    assert [
        line.removesuffix(" (America/New_York).").partition(" Not possible: ")[::2]
        for line in await history_entries(ada)
    ] == [
        ("Tried to enroll in PHP 202, section 01, for Fall 2026.", "enrollment was closed."),
        ("Tried to enroll in PYT 101, section 02, for Fall 2026.", "enrollment was closed."),
        ("Tried to enroll in PYT 101, section 01, for Fall 2026.", "enrollment was closed."),
        ("Tried to enroll in PHP 202, section 01, for Fall 2026.", "enrollment was closed."),
        (
            "Tried to enroll in PHP 202, section 01, for Fall 2026.",
            "the section was full. Tried 2 times, most recently on Tuesday, September 1, 2026, 5:00 AM ET.",
        ),
    ]


async def test_refusals_at_the_same_moment_are_all_counted_in_one_row(ada: Browser, bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    await asyncio.gather(*(ada.post("/enrollment", form={"courseID": "3333"}) for _ in range(20)))
    [row] = await db.event.find({"user_id": ADA.user_id}).to_list(None)
    assert row["result"] == "section_full"
    assert 1 <= row["count"] <= 20  # those that waited for the same batch were one request


async def test_successful_changes_are_never_counted_together(ada: Browser, db: Database) -> None:
    for _ in range(3):
        await ada.post("/enrollment", form={"courseID": "1111"})
        await ada.post("/enrollment/drop", form={"courseID": "1111"})
    assert await db.event.count_documents({"user_id": ADA.user_id, "count": {"$exists": False}}) == 6


async def test_the_row_of_a_refusal_is_found_without_reading_the_whole_history(db: Database, clock: Clock) -> None:
    refusal = Event(clock.now, ADA.user_id, ADA.user_id, "enroll", "3333", "Fall 2026", "01", "section_full")
    await db.event.insert_many([events.to_row(replace(refusal, result="ok")) for _ in range(100)])
    await events.add_refusal(db, refusal)
    row = await db.event.find_one({"result": "section_full"})
    assert row is not None
    key = {name: row[name] for name in events.REFUSAL_KEY_FIELDS}
    explained = await db.command("explain", {"find": "event", "filter": key}, verbosity="executionStats")
    assert explained["executionStats"]["totalDocsExamined"] == 1


async def test_a_long_history_comes_in_pages(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVENTS_PER_PAGE", 2)
    for _ in range(2):
        await ada.post("/enrollment", form={"courseID": "3333"})
        await ada.post("/enrollment/drop", form={"courseID": "3333"})
    assert len(await history_entries(ada)) == 2
    [earlier] = re.findall(r'<a rel="next" href="(.*?)"', await ada.read("/enrollment/history"))
    page = await ada.read(unescape(earlier))
    assert page.count("<li>\n    <span") == 2
    assert 'rel="next"' not in page
    assert (await ada.get("/enrollment/history?before=nothing")).status_code == 404


async def test_the_history_outlives_deleted_courses_and_terms(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await db.course.delete_many({})
    await db.term.delete_many({})
    assert await history_entries(ada) == ["Enrolled in 1111, section 01, for Fall 2026."]


def test_the_history_has_a_sentence_for_every_action() -> None:
    actions = set(SCHEMA["properties"]["action"]["enum"])  # type: ignore[index]
    assert actions == history.ACTION_SENTENCES.keys() | history.REFUSED_ACTION_SENTENCES.keys()
