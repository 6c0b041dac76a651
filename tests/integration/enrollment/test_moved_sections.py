"""A section that gets other times or another room: students are notified on pages, by email and in their history."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import events, notices
from quart_enroll.db.queries import student_facts
from quart_enroll.domain.models import SYSTEM_ACTOR, Section
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.catalog import moved_sections
from quart_enroll.services.catalog.import_sections import ImportedSection, import_sections
from quart_enroll.services.notifications.outbox import send_due
from tests.support.people import ADA, BOB, EVENINGS, FALL, FALL_MORNING, MORNINGS, NOONS, SECTIONS, Browser, Clock
from tests.support.smtp import Postbox

PHP = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
"""TR 12:00–13:15 in Lab 1; ada has the one seat, and bob waits."""

CHANGED = "PHP 202, section 01, for Fall 2026 has changed."
TIMES = "New time: TR 18:00–19:15. Old time: TR 12:00–13:15."
ROOM = "New room: Hall 3. Old room: Lab 1."


@pytest.fixture
async def full(ada: Browser, bob: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    for browser in (ada, bob):
        await browser.get("/")


async def put(db: Database, *changed: Section, dry_run: bool = False) -> None:
    given = frozenset({"capacity", "waitlist_capacity", "meetings", "instructor", "room"})
    rows = [ImportedSection(number, one, given) for number, one in enumerate(changed, 2)]
    await import_sections(db, rows, FALL_MORNING, dry_run=dry_run)


@pytest.mark.usefixtures("full")
async def test_enrolled_and_waitlisted_students_see_the_move_on_the_next_page(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await put(db, replace(PHP, meetings=EVENINGS, room="Hall 3"))
    for browser in (ada, bob):
        assert f"{CHANGED} {TIMES} {ROOM}" in await browser.read("/")
        assert CHANGED not in await browser.read("/")
        moved = "The time or room of PHP 202, section 01, for Fall 2026 changed."
        assert moved in await browser.read("/enrollment/history")
    rows = await db.event.find({"action": "moved"}).to_list(None)
    assert [(row["actor"], row["user_id"]) for row in rows] == [(SYSTEM_ACTOR, one.user_id) for one in (ADA, BOB)]


@pytest.mark.usefixtures("full")
async def test_the_email_about_a_move_is_in_the_students_language(db: Database, clock: Clock) -> None:
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"language": "es"}})
    await put(db, replace(PHP, meetings=EVENINGS, room="Hall 3"))
    box = Postbox()
    await send_due(db, box, clock, EmailLinks("a key", "https://enroll.school.example"), "one")
    received = {to: (subject, text) for to, subject, text in box.letters}
    subject, text = received[ADA.email]
    assert subject == "The time or room of PHP 202 has changed"
    assert f"{CHANGED} {TIMES} {ROOM}" in text
    assert "Horario nuevo: MJ 18:00–19:15. Horario anterior: MJ 12:00–13:15." in received[BOB.email][1]


@pytest.mark.usefixtures("full")
async def test_an_unconfirmed_address_gets_no_email(db: Database, clock: Clock) -> None:
    await db.user.update_many({}, {"$set": {"email_unconfirmed": True}})
    await put(db, replace(PHP, room="Hall 3"))
    box = Postbox()
    await send_due(db, box, clock, EmailLinks("a key", "https://enroll.school.example"), "one")
    assert box.letters == []


@pytest.mark.usefixtures("full")
async def test_a_student_with_a_conflict_after_the_move_is_told(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "02"})  # in the evening
    await ada.get("/")
    await put(db, replace(PHP, meetings=EVENINGS))
    page = await ada.read("/")
    assert "PHP 202 conflicts with PYT 101: TR 18:00–19:15." in page
    assert "You’re still enrolled in both." in page
    assert "conflicts with" not in await bob.read("/")


@pytest.mark.usefixtures("full")
async def test_a_waitlisted_student_is_told_of_a_conflict_and_not_promoted_into_it(bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form={"courseID": "1111", "section": "02"})  # in the evening
    await bob.get("/")
    await put(db, replace(PHP, meetings=EVENINGS))
    page = await bob.read("/")
    assert "PHP 202 conflicts with PYT 101: TR 18:00–19:15." in page
    assert "You’re still enrolled in both." not in page


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    "changed", [replace(PHP, instructor="L. Haddad"), replace(PHP, waitlist_capacity=5), PHP], ids=str
)
async def test_a_change_of_instructor_or_waitlist_is_not_a_move(ada: Browser, db: Database, changed: Section) -> None:
    await put(db, changed)
    assert "has changed" not in await ada.read("/")
    assert await db.event.count_documents({"action": "moved"}) == 0


@pytest.mark.usefixtures("full")
async def test_a_dry_run_notifies_nobody(ada: Browser, db: Database) -> None:
    await put(db, replace(PHP, room="Hall 3"), dry_run=True)
    assert "has changed" not in await ada.read("/")


@pytest.mark.usefixtures("full")
async def test_a_move_in_a_past_term_notifies_nobody(ada: Browser, db: Database) -> None:
    over = {"withdraw_deadline": FALL_MORNING - timedelta(days=1), "ends_on": "2026-08-30", "starts_on": "2026-06-01"}
    await db.term.update_one({"term": FALL.term}, {"$set": over})
    await put(db, replace(PHP, room="Hall 3"))
    assert await db.notice.count_documents({"action": "moved"}) == 0


@pytest.mark.usefixtures("full")
async def test_an_open_schedule_gets_an_event_when_its_section_moves(db: Database) -> None:
    before = {user.user_id: await student_facts.find(db, user.user_id) for user in (ADA, BOB)}
    await put(db, replace(PHP, room="Hall 3"))
    for user_id, known in before.items():
        assert (await student_facts.find(db, user_id)).fingerprint != known.fingerprint


@pytest.mark.usefixtures("full")
async def test_an_open_catalog_gets_the_new_times_of_a_moved_section(anyone: Browser, db: Database) -> None:
    def line(page: str) -> str:
        return page.split('data-facts="')[1].split('"')[0]

    async def next_events() -> str:
        news = await anyone.read("/live?term=Fall+2026&course=3333")
        return news.split("event: facts\ndata: ")[1].split("\n")[0].split()[1]

    shown = line(await anyone.read("/course/3333?term=Fall"))
    assert await next_events() == shown
    await put(db, replace(PHP, meetings=MORNINGS))
    now_shown = line(await anyone.read("/course/3333?term=Fall"))
    assert now_shown != shown
    deadline = time.monotonic() + 20  # a stream tells it as soon as its process knows
    while (received := await next_events()) != now_shown and time.monotonic() < deadline:
        pass
    assert received == now_shown


@pytest.mark.parametrize(("at_most", "batches"), [(1000, [300]), (120, [120, 120, 60])])
async def test_many_students_are_notified_in_few_writes_and_very_many_in_several_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch, at_most: int, batches: list[int]
) -> None:
    monkeypatch.setattr(moved_sections, "MAX_NOTICES_IN_TRANSACTION", at_most)
    crowd = range(100, 400)
    rows = [
        {"user_id": user_id, "courseID": "1111", "term": FALL.term, "section": "01", "status": "enrolled"}
        for user_id in crowd
    ]
    await db.enrollment.insert_many([row | {"enrolled_at": FALL_MORNING} for row in rows])
    sizes: list[int] = []

    def counting(add_all: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def counted(db: Database, received: Sequence[object], session: Session) -> None:
            sizes.append(len(received))
            await add_all(db, received, session)

        return counted

    for module in (events, notices):
        monkeypatch.setattr(module, "add_all", counting(module.add_all))
    await put(db, replace(SECTIONS[0], meetings=NOONS))
    assert sizes == [size for size in batches for _ in (events, notices)]
    assert await db.enrollment.count_documents({"moved_at": FALL_MORNING}) == len(crowd)
