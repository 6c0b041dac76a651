"""Emails to all students of a section: to each their own, once, and with its author."""

import asyncio
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices
from quart_enroll.domain.models import SectionKey
from quart_enroll.services.accounts.attempt_limits import ROSTER_EMAILS_PER_PERSON
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.notifications.delivery import Mailer
from quart_enroll.services.notifications.mail import SmtpSender
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.services.staff import roster_email
from quart_enroll.services.staff.roster_email import RosterEmail
from tests.support.people import ADA, BOB, COURSES, IVAN, RITA, Browser, Clock, message_after, text
from tests.support.smtp import mail_server

SENDER_ADDRESS = "no-reply@school.example"
LINKS = EmailLinks("a key that only the tests know", "https://enroll.school.example")
URL = "/staff/roster/email?term=Fall+2026&courseID=3333&section=01"
FORM = {"to_enrolled": "y", "to_waiting": "y", "subject": "First class", "text": "We meet in Lab 2.\nBring a book."}
SEND = FORM | {"confirmed": "y", "button": "one"}


@pytest.fixture(autouse=True)
async def section_full(ada: Browser, bob: Browser, db: Database, other_staff: None) -> None:
    """Ada has the only seat of PHP 202, which ivan teaches, and bob waits for it."""
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructors": [IVAN.user_id]}})
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})


async def queued(db: Database) -> list[dict[str, Any]]:
    return await db.notice.find({"action": "roster_email"}).sort("user_id").to_list(None)


async def recipients(db: Database) -> list[int]:
    return [row["user_id"] for row in await queued(db)]


async def test_the_preview_shows_the_email_and_sends_nothing(ivan: Browser, db: Database) -> None:
    page = await text(await ivan.post(URL, form=FORM))
    for shown in ("1 enrolled student", "1 student on the waitlist", "First class", "We meet in Lab 2.\nBring a book."):
        assert shown in page
    assert await queued(db) == []


async def test_the_preview_leads_back_to_the_text(ivan: Browser, db: Database) -> None:
    page = await text(await ivan.post(URL, form=FORM | {"confirmed": "no", "button": "one"}))
    assert "We meet in Lab 2.\nBring a book.</textarea>" in page
    assert await queued(db) == []


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (("to_enrolled",), [ADA.user_id]),
        (("to_waiting",), [BOB.user_id]),
        (("to_enrolled", "to_waiting"), [ADA.user_id, BOB.user_id]),
    ],
)
async def test_the_chosen_students_get_it(
    ivan: Browser, db: Database, chosen: tuple[str, ...], expected: list[int]
) -> None:
    form = {name: value for name, value in SEND.items() if not name.startswith("to_") or name in chosen}
    assert f"{len(expected)} student" in await message_after(ivan, URL, **form)
    assert await recipients(db) == expected


async def test_each_student_reads_who_wrote_and_why(ivan: Browser, db: Database, clock: Clock) -> None:
    await db.notice.delete_many({})
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"language": "es"}})
    await ivan.post(URL, form=SEND)
    async with mail_server() as mail:
        assert await send_due(db, Mailer(SmtpSender(mail.url, SENDER_ADDRESS), clock, LINKS), "one") == 2
    first, second = sorted(mail.received, key=lambda message: str(message["To"]))
    assert (first["To"], first["Subject"]) == (ADA.email, "First class")
    content = first.get_content().replace("\r\n", "\n")
    assert content.startswith(
        "Hello Ada,\n\nWe meet in Lab 2.\nBring a book.\n\n-- \nIvan Petrov (ivan@school.example)"
    )
    assert "because you’re enrolled in PHP 202, section 01, for Fall 2026" in content
    assert second["To"] == BOB.email
    assert "We meet in Lab 2." in second.get_content()
    assert "Hola" in second.get_content()


async def test_pressing_the_button_twice_sends_it_once(ivan: Browser, db: Database) -> None:
    first, second = await asyncio.gather(ivan.post(URL, form=SEND), ivan.post(URL, form=SEND))
    assert (first.status_code, second.status_code) == (303, 303)
    assert "2 students will get your email." in await message_after(ivan, URL, **SEND)
    assert await recipients(db) == [ADA.user_id, BOB.user_id]
    assert await db.audit.count_documents({"action": "roster.email"}) == 1


async def test_another_preview_sends_another_email(ivan: Browser, db: Database) -> None:
    await ivan.post(URL, form=SEND)
    await ivan.post(URL, form=SEND | {"button": "two"})
    await ivan.post(URL, form=SEND | {"text": "Lab 3, sorry."})
    assert len(await queued(db)) == 6


async def test_an_email_that_is_interrupted_reaches_nobody_or_everybody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = RosterEmail(SectionKey("Fall 2026", "3333", "01"), "A", "B", to_enrolled=True, to_waiting=True)
    now = datetime(2026, 9, 1, tzinfo=UTC)
    add_all, calls = notices.add_all, []

    async def die_at_the_second(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        await add_all(*arguments, **options)

    monkeypatch.setattr(notices, "add_all", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        await roster_email.send(db, RITA, COURSES[2], email, "one", now)
    assert (await queued(db), await db.audit.count_documents({})) == ([], 0)
    assert await roster_email.send(db, RITA, COURSES[2], email, "one", now) == 2
    assert await roster_email.send(db, RITA, COURSES[2], email, "one", now) == 2
    assert await recipients(db) == [ADA.user_id, BOB.user_id]


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
async def test_a_subject_cannot_add_a_header(ivan: Browser, db: Database, clock: Clock, line_break: str) -> None:
    await db.notice.delete_many({})
    await ivan.post(URL, form=SEND | {"subject": f"Hello{line_break}Bcc: eve@evil.example"})
    async with mail_server() as mail:
        assert await send_due(db, Mailer(SmtpSender(mail.url, SENDER_ADDRESS), clock, LINKS), "one") == 2
    assert {message["Subject"] for message in mail.received} == {"Hello Bcc: eve@evil.example"}
    assert [message["Bcc"] for message in mail.received] == [None, None]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("subject", "", "Enter a subject."),
        ("subject", "x" * 151, "Use at most 150 characters."),
        ("subject", "a\x00b", "This contains unreadable characters."),
        ("text", " ", "Enter the text."),
        ("text", "x" * 5001, "Use at most 5,000 characters."),
    ],
)
async def test_a_form_with_errors_is_shown_again(
    ivan: Browser, db: Database, field: str, value: str, sentence: str
) -> None:
    response = await ivan.post(URL, form=SEND | {field: value})
    assert response.status_code == 422
    assert sentence in unescape(await text(response))
    assert await queued(db) == []


async def test_an_email_to_nobody_is_refused(ivan: Browser, bob: Browser) -> None:
    subject = {"subject": "A", "text": "B"}
    assert "Choose who gets the email." in await text(await ivan.post(URL, form=subject))
    await bob.post("/waitlist/leave", form={"courseID": "3333"})
    response = await ivan.post(URL, form=subject | {"to_waiting": "y"})
    assert response.status_code == 422
    assert "Nobody would get this email." in await text(response)


async def test_students_with_unconfirmed_addresses_are_named(ivan: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"email_unconfirmed": True}})
    page = await text(await ivan.post(URL, form=FORM))
    assert "so they won’t get it: Bob Okafor." in page
    await ivan.post(URL, form=SEND)
    assert await recipients(db) == [ADA.user_id]


async def test_the_audit_log_keeps_the_text(ivan: Browser, db: Database) -> None:
    await ivan.post(URL, form=SEND)
    entry = await db.audit.find_one({"action": "roster.email"})
    assert entry is not None
    assert entry["actor"] == IVAN.user_id
    assert {one["field"]: one["new"] for one in entry["changes"]} == {
        "subject": "First class",
        "text": "We meet in Lab 2.\nBring a book.",
        "enrolled": "1",
        "waiting": "1",
    }


async def test_too_many_emails_have_to_wait(ivan: Browser, db: Database) -> None:
    for number in range(ROSTER_EMAILS_PER_PERSON.limit):
        await ivan.post(URL, form=SEND | {"button": str(number)})
    response = await ivan.post(URL, form=SEND | {"button": "last"})
    assert response.status_code == 429
    assert "We meet in Lab 2." in await text(response)
    assert (await ivan.post(URL, form=SEND | {"button": "0"})).status_code == 303  # it was sent already
    assert len(await queued(db)) == 2 * ROSTER_EMAILS_PER_PERSON.limit


async def test_an_email_is_not_a_notice_on_the_site(ivan: Browser, ada: Browser) -> None:
    await ada.get("/")
    await ivan.post(URL, form=SEND)
    assert "We meet in Lab 2." not in await ada.read("/")
