"""A section that changes: its students see what is new on pages, by email and in their history."""

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import events, notices, users
from quart_enroll.db.queries import student_facts
from quart_enroll.domain.email_settings import EmailSettings, EmailTiming
from quart_enroll.domain.models import SYSTEM_ACTOR, Section, SectionStatus
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.catalog import changed_sections
from quart_enroll.services.catalog.import_sections import ImportedSection, import_sections
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.notifications.delivery import Mailer
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.services.staff import sections as staff_sections
from tests.support.people import ADA, BOB, EVENINGS, FALL, FALL_MORNING, MORNINGS, NOONS, RITA, SECTIONS, Browser, Clock
from tests.support.smtp import Postbox

PHP = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
"""TR 12:00–1:15 PM in Lab 1; ada has the only seat, and bob is on the waitlist."""

CHANGED = "PHP 202, section 01, for Fall 2026 has changed."
TIMES = "New time: TR 6:00–7:15 PM. Old time: TR 12:00–1:15 PM."
ROOM = "New room: Hall 3. Old room: Lab 1."


@pytest.fixture
async def section_full(ada: Browser, bob: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    for browser in (ada, bob):
        await browser.get("/")


async def import_changed_sections(db: Database, *changed: Section, dry_run: bool = False) -> None:
    columns = frozenset({"capacity", "waitlist_capacity", "meetings", "instructor", "room"})
    rows = [ImportedSection(number, one, columns) for number, one in enumerate(changed, 2)]
    await import_sections(db, rows, FALL_MORNING, dry_run=dry_run)


async def latest_in_history(browser: Browser) -> str:
    """Return the text of the latest entry, without its date."""
    page = await browser.read("/enrollment/history")
    entry = page.split('<ol class="history"')[1].split("</li>")[0].split("</span>", 1)[1]
    return " ".join(unescape(re.sub("<[^>]+>", " ", entry)).split())


async def edit_section(db: Database, wanted: Section) -> None:
    """Edit the section as rita does on its page."""
    await staff_sections.edit(EnrollmentContext(db), RITA.user_id, wanted, FALL_MORNING)


async def send_emails(db: Database, clock: Clock) -> dict[str, list[tuple[str, str]]]:
    """Send the emails that are due, and return their subjects and texts by recipient."""
    postbox = Postbox()
    await send_due(db, Mailer(postbox, clock, EmailLinks("a key", "https://enroll.school.example")), "one")
    letters: dict[str, list[tuple[str, str]]] = {}
    for to, subject, text in postbox.letters:
        letters.setdefault(to, []).append((subject, text))
    return letters


@pytest.mark.usefixtures("section_full")
async def test_enrolled_and_waitlisted_students_see_the_move_on_the_next_page(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await import_changed_sections(db, replace(PHP, meetings=EVENINGS, room="Hall 3"))
    for browser in (ada, bob):
        assert f"{CHANGED} {TIMES} {ROOM}" in await browser.read("/")
        assert CHANGED not in await browser.read("/")
        assert f"PHP 202, section 01, for Fall 2026 changed. {TIMES} {ROOM}" in await latest_in_history(browser)
    rows = await db.event.find({"action": "moved"}).to_list(None)
    assert [(row["actor"], row["user_id"]) for row in rows] == [(SYSTEM_ACTOR, one.user_id) for one in (ADA, BOB)]


@pytest.mark.usefixtures("section_full")
async def test_the_email_about_a_move_is_in_the_students_language(db: Database, clock: Clock) -> None:
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"language": "es"}})
    await import_changed_sections(db, replace(PHP, meetings=EVENINGS, room="Hall 3"))
    letters = await send_emails(db, clock)
    [(subject, text)] = letters[ADA.email]
    assert subject == "Your section of PHP 202 has changed"
    assert f"{CHANGED} {TIMES} {ROOM}" in text
    assert "Horario nuevo: MJ 18:00–19:15. Horario anterior: MJ 12:00–13:15." in letters[BOB.email][0][1]


@pytest.mark.usefixtures("section_full")
async def test_an_unconfirmed_address_gets_no_email(db: Database, clock: Clock) -> None:
    await db.user.update_many({}, {"$set": {"email_unconfirmed": True}})
    await import_changed_sections(db, replace(PHP, room="Hall 3"))
    assert await send_emails(db, clock) == {}


@pytest.mark.usefixtures("section_full")
async def test_a_student_with_a_conflict_after_the_move_is_notified(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "02"})  # in the evening
    await ada.get("/")
    await import_changed_sections(db, replace(PHP, meetings=EVENINGS))
    page = await ada.read("/")
    assert "PHP 202 conflicts with PYT 101: TR 6:00–7:15 PM." in page
    assert "You’re still enrolled in both." in page
    assert "conflicts with" not in await bob.read("/")


@pytest.mark.usefixtures("section_full")
async def test_a_waitlisted_student_is_notified_of_a_conflict_and_not_promoted(bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form={"courseID": "1111", "section": "02"})  # in the evening
    await bob.get("/")
    await import_changed_sections(db, replace(PHP, meetings=EVENINGS))
    page = await bob.read("/")
    assert "PHP 202 conflicts with PYT 101: TR 6:00–7:15 PM." in page
    assert "You’re still enrolled in both." not in page


@pytest.mark.usefixtures("section_full")
@pytest.mark.parametrize(
    "changed",
    [replace(PHP, capacity=5, waitlist_capacity=5), replace(PHP, instructors=(RITA.user_id,)), PHP],
    ids=["capacity", "who may see the roster", "nothing"],
)
async def test_other_changes_are_told_to_nobody(ada: Browser, db: Database, changed: Section) -> None:
    await edit_section(db, changed)
    assert "has changed" not in await ada.read("/")
    assert await db.event.count_documents({"action": "moved"}) == 0
    assert await db.notice.count_documents({"action": "moved"}) == 0


INSTRUCTOR = "New instructor: L. Haddad. Old instructor: P. Silva."
CLOSED = "The section is now closed to new students."
REOPENED = "The section is open to new students again."


@pytest.mark.usefixtures("section_full")
@pytest.mark.parametrize(
    ("changed", "enrolled_sees", "waitlisted_sees"),
    [
        ({"instructor": "L. Haddad"}, INSTRUCTOR, INSTRUCTOR),
        (
            {"instructor": ""},
            "The new instructor hasn’t been announced. Old instructor: P. Silva.",
            "The new instructor hasn’t been announced. Old instructor: P. Silva.",
        ),
        (
            {"status": SectionStatus.CLOSED},
            f"{CLOSED} You keep your seat.",
            f"{CLOSED} You keep your place in line, but no one gets a seat until it reopens.",
        ),
        ({"room": "", "meetings": EVENINGS}, TIMES, "The new room hasn’t been announced. Old room: Lab 1."),
    ],
    ids=["instructor", "no instructor", "closed", "times and no room"],
)
async def test_an_edit_is_on_the_next_page_in_the_history_and_in_an_email(
    ada: Browser,
    bob: Browser,
    db: Database,
    clock: Clock,
    changed: dict[str, Any],
    enrolled_sees: str,
    waitlisted_sees: str,
) -> None:
    await edit_section(db, replace(PHP, **changed))
    letters = await send_emails(db, clock)
    for browser, user, sentence in ((ada, ADA, enrolled_sees), (bob, BOB, waitlisted_sees)):
        page = await browser.read("/")
        assert "PHP 202, section 01, for Fall 2026 has changed." in page
        assert sentence in page
        assert sentence in await latest_in_history(browser)
        [(subject, text)] = letters[user.email]
        assert subject == "Your section of PHP 202 has changed"
        assert sentence in text
    events_found = await db.event.find({"action": "moved"}).to_list(None)
    assert {row["actor"] for row in events_found} == {RITA.user_id}


@pytest.mark.usefixtures("section_full")
async def test_an_import_tells_students_about_a_new_instructor(bob: Browser, db: Database) -> None:
    await import_changed_sections(db, replace(PHP, instructor="L. Haddad"))
    assert f"{CHANGED} {INSTRUCTOR}" in await bob.read("/")
    assert INSTRUCTOR in await latest_in_history(bob)


@pytest.mark.usefixtures("section_full")
async def test_a_reopened_section_is_announced(ada: Browser, db: Database) -> None:
    await edit_section(db, replace(PHP, status=SectionStatus.CLOSED))
    await ada.read("/")
    await edit_section(db, replace(PHP, status=SectionStatus.ACTIVE, revision=1))
    assert f"{CHANGED} {REOPENED}" in await ada.read("/")


@pytest.mark.usefixtures("section_full")
async def test_several_edits_before_the_email_are_one_email_about_the_last_state(
    ada: Browser, db: Database, clock: Clock
) -> None:
    edited = replace(PHP, room="Hall 1", meetings=EVENINGS)
    for revision, one in enumerate((edited, replace(edited, instructor="L. Haddad"), replace(edited, room="Hall 3"))):
        await edit_section(db, replace(one, revision=revision))
    letters = await send_emails(db, clock)
    for user in (ADA, BOB):
        [(_, text)] = letters[user.email]
        assert f"{CHANGED} {TIMES} {ROOM}\n" in text  # the instructor is P. Silva again
    page = await ada.read("/")
    assert page.count("has changed.") == 1
    assert f"{CHANGED} {TIMES} {ROOM}" in page
    assert "New room: Hall 3. Old room: Hall 1." in await latest_in_history(ada)
    assert await db.event.count_documents({"user_id": ADA.user_id, "action": "moved"}) == 3


@pytest.mark.usefixtures("section_full")
@pytest.mark.parametrize("timing", [EmailTiming.AT_ONCE, EmailTiming.DAILY])
async def test_an_edit_that_is_undone_before_the_email_is_told_to_nobody(
    ada: Browser, db: Database, clock: Clock, timing: EmailTiming
) -> None:
    for user in (ADA, BOB):
        await users.set_email_settings(db, user.user_id, EmailSettings(section_change=timing))
    await edit_section(db, replace(PHP, room="Hall 3"))
    if timing is EmailTiming.DAILY:
        assert await send_emails(db, clock) == {}
        assert await db.notice.count_documents({"digest_at": {"$exists": True}}) == 2
    await edit_section(db, replace(PHP, revision=1))
    assert await send_emails(db, clock) == {}
    assert await db.notice.count_documents({"digest_at": {"$exists": True}}) == 0
    assert "has changed" not in await ada.read("/")
    assert "New room: Lab 1. Old room: Hall 3." in await latest_in_history(ada)


@pytest.mark.usefixtures("section_full")
async def test_a_student_who_has_seen_the_first_edit_is_told_about_the_second_alone(
    ada: Browser, db: Database, clock: Clock
) -> None:
    await edit_section(db, replace(PHP, room="Hall 3"))
    assert ROOM in await ada.read("/")
    await edit_section(db, replace(PHP, revision=1))
    assert f"{CHANGED} New room: Lab 1. Old room: Hall 3." in await ada.read("/")
    letters = await send_emails(db, clock)
    assert [ROOM in text for _, text in letters[ADA.email]] == [True, False]
    assert BOB.email not in letters


@pytest.mark.usefixtures("section_full")
async def test_a_dry_run_notifies_nobody(ada: Browser, db: Database) -> None:
    await import_changed_sections(db, replace(PHP, room="Hall 3"), dry_run=True)
    assert "has changed" not in await ada.read("/")


@pytest.mark.usefixtures("section_full")
async def test_a_move_in_a_past_term_notifies_nobody(ada: Browser, db: Database) -> None:
    past_dates = {
        "withdraw_deadline": FALL_MORNING - timedelta(days=1),
        "ends_on": "2026-08-30",
        "starts_on": "2026-06-01",
    }
    await db.term.update_one({"term": FALL.term}, {"$set": past_dates})
    await import_changed_sections(db, replace(PHP, room="Hall 3"))
    assert await db.notice.count_documents({"action": "moved"}) == 0


@pytest.mark.usefixtures("section_full")
async def test_an_open_schedule_gets_an_event_when_its_section_moves(db: Database) -> None:
    before = {user.user_id: await student_facts.find(db, user.user_id) for user in (ADA, BOB)}
    await import_changed_sections(db, replace(PHP, room="Hall 3"))
    for user_id, facts in before.items():
        assert (await student_facts.find(db, user_id)).fingerprint != facts.fingerprint


@pytest.fixture
def no_change_streams() -> None:
    """Follow changes, as the site does."""


@pytest.mark.usefixtures("section_full")
async def test_an_open_catalog_gets_the_new_times_of_a_moved_section(anyone: Browser, db: Database) -> None:
    def page_fingerprint(page: str) -> str:
        return page.split('data-facts="')[1].split('"')[0]

    async def stream_fingerprint() -> str:
        stream = await anyone.read("/live?term=Fall+2026&course=3333")
        return stream.split("event: facts\ndata: ")[1].split("\n")[0].split()[1]

    before = page_fingerprint(await anyone.read("/course/3333?term=Fall"))
    assert await stream_fingerprint() == before
    await import_changed_sections(db, replace(PHP, meetings=MORNINGS))
    after = page_fingerprint(await anyone.read("/course/3333?term=Fall"))
    assert after != before
    deadline = time.monotonic() + 20  # a stream sends it once its process has reloaded the catalog
    while (received := await stream_fingerprint()) != after and time.monotonic() < deadline:
        pass
    assert received == after


@pytest.mark.parametrize(("max_notices", "batches"), [(1000, [300]), (120, [120, 120, 60])])
async def test_many_students_are_notified_in_few_writes_and_very_many_in_several_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch, max_notices: int, batches: list[int]
) -> None:
    monkeypatch.setattr(changed_sections, "MAX_NOTICES_IN_TRANSACTION", max_notices)
    user_ids = range(100, 400)
    rows = [
        {"user_id": user_id, "courseID": "1111", "term": FALL.term, "section": "01", "status": "enrolled"}
        for user_id in user_ids
    ]
    await db.enrollment.insert_many([row | {"enrolled_at": FALL_MORNING} for row in rows])
    sizes: list[int] = []

    def count_rows(add_all: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def counted(db: Database, items: Sequence[object], session: Session) -> None:
            sizes.append(len(items))
            await add_all(db, items, session)

        return counted

    for module in (events, notices):
        monkeypatch.setattr(module, "add_all", count_rows(module.add_all))
    await import_changed_sections(db, replace(SECTIONS[0], meetings=NOONS))
    assert sizes == [size for size in batches for _ in (events, notices)]
    assert await db.enrollment.count_documents({"moved_at": FALL_MORNING}) == len(user_ids)
