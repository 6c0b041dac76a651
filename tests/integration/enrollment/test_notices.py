"""Notices by email: each is sent once, by one process at a time, whatever the mail server answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quart_enroll.db import client, schema
from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import leases, notices, sections, terms, users
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.models import Notice, SectionRequest
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.notifications import runner
from quart_enroll.services.notifications.delivery import (
    FIRST_RETRY_DELAY,
    LEASE_DURATION,
    LEASE_NAME,
    MAX_EMAIL_TRIES,
    MAX_NOTICE_AGE,
    MAX_RETRY_DELAY,
    Mailer,
)
from quart_enroll.services.notifications.mail import Email, Postponed, SmtpSender, Undeliverable
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.services.notifications.runner import run_outbox
from tests.support.people import ADA, BOB, COURSES, FALL_MORNING, SECTIONS, TERMS, Clock
from tests.support.processes import free_port, with_database
from tests.support.smtp import HANG_UP, Postbox, mail_server

SENDER_ADDRESS = "no-reply@school.example"
LINKS = EmailLinks("a key that only the tests know", "https://enroll.school.example")
PROMOTION = "A seat opened: you’re now enrolled in PYT 101, section 01, for Fall 2026."


class HangingSender:
    """A sender that never gets an answer."""

    address = SENDER_ADDRESS

    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def send(self, _to: str, _email: Email) -> None:
        self.started.set()
        await asyncio.Event().wait()


@pytest.fixture
def uri(mongod: str) -> str:
    return with_database(mongod, "quart_enroll_notices")


@pytest.fixture
async def db(uri: str) -> AsyncIterator[Database]:
    """An empty outbox, with ada and bob."""
    async with client.open_database(uri, 20) as db:
        for name in await db.list_collection_names():
            await db[name].delete_many({})
        await schema.ensure_validator(db, "notice", notices.SCHEMA)
        await schema.ensure_indexes(db, "notice", notices.INDEXES)
        await db.user.insert_many([users.to_row(ADA), users.to_row(BOB)])
        yield db


@pytest.fixture
def clock() -> Clock:
    return Clock()


def never_busy() -> bool:
    return False


def notice(user_id: int = ADA.user_id, title: str = "PYT 101", reason: str = "") -> Notice:
    return Notice(
        FALL_MORNING,
        user_id,
        "skip" if reason else "promote",
        "1111",
        title,
        "Fall 2026",
        "01",
        because=Sentence(reason),
    )


async def add_notices(db: Database, *added: Notice) -> None:
    for one in added or (notice(),):
        await notices.add(db, one, None)


async def stored(db: Database) -> dict[str, Any]:
    document = await db.notice.find_one()
    assert document is not None
    return document


async def test_a_promoted_student_gets_an_email(db: Database, clock: Clock) -> None:
    await add_notices(db)
    async with mail_server() as mail:
        assert await send_due(db, Mailer(SmtpSender(mail.url, SENDER_ADDRESS), clock, LINKS), "one") == 1
    [message] = mail.received
    assert (message["To"], message["Subject"]) == ("ada@school.example", "You’re enrolled in PYT 101")
    assert message.get_content().splitlines()[:3] == ["Hello Ada,", "", PROMOTION]
    assert (await stored(db))["sent_at"] == FALL_MORNING


async def test_a_drop_notifies_only_the_promoted_student(db: Database, clock: Clock) -> None:
    await db.course.insert_many([asdict(course) for course in COURSES])
    await terms.put_all(db, TERMS)
    await sections.put_all(db, SECTIONS)
    request = SectionRequest("3333", "Fall 2026", "01")  # one seat
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, request, clock.now)
    await waitlist.join(EnrollmentContext(db), BOB.user_id, request, clock.now)
    await enroll.drop(EnrollmentContext(db), ADA.user_id, request, clock.now)
    postbox = Postbox()
    assert [await send_due(db, Mailer(postbox, clock, LINKS), "one") for _ in range(2)] == [1, 0]
    assert [(to, subject) for to, subject, _ in postbox.letters] == [(BOB.email, "You’re enrolled in PHP 202")]


async def test_a_skipped_student_is_told_why(db: Database, clock: Clock) -> None:
    await add_notices(db, notice(reason="PYT 101 conflicts with PHP 202: MWF 09:00–09:50."))
    postbox = Postbox()
    await send_due(db, Mailer(postbox, clock, LINKS), "one")
    [(_, subject, text)] = postbox.letters
    assert subject == "Your place on the waitlist for PYT 101"
    assert "PYT 101 conflicts with PHP 202: MWF 09:00–09:50. You keep your place." in text


async def test_a_seat_alert_is_also_emailed(db: Database, clock: Clock) -> None:
    await add_notices(db, Notice(FALL_MORNING, ADA.user_id, "alert", "1111", "PYT 101", "Fall 2026", "01"))
    postbox = Postbox()
    await send_due(db, Mailer(postbox, clock, LINKS), "one")
    [(_, subject, text)] = postbox.letters
    assert subject == "A seat opened in PYT 101"
    assert "A seat opened in PYT 101, section 01, for Fall 2026. It’s first come, first served" in text


async def test_notices_are_deleted_after_a_year_and_a_page_shows_a_limited_number(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "MAX_NOTICES_PER_PAGE", 2)
    await add_notices(db, *(notice(title=f"Course {number}") for number in range(3)))
    assert (await stored(db))["forget_at"] == FALL_MORNING + notices.NOTICE_LIFETIME
    assert [len(await notices.take_unseen(db, ADA.user_id)) for _ in range(3)] == [2, 1, 0]


async def test_a_line_break_in_a_title_does_not_break_the_email(db: Database, clock: Clock) -> None:
    await add_notices(db, notice(title="PYT 101\r\nBcc: bob@school.example"))
    async with mail_server() as mail:
        await send_due(db, Mailer(SmtpSender(mail.url, SENDER_ADDRESS), clock, LINKS), "one")
    [message] = mail.received
    assert message["Bcc"] is None
    assert message["Subject"] == "You’re enrolled in PYT 101 Bcc: bob@school.example"


async def test_two_simultaneous_senders_send_each_notice_once(db: Database, uri: str, clock: Clock) -> None:
    await add_notices(db, *(notice(title=f"Course {number}") for number in range(40)))
    async with mail_server() as mail, client.open_database(uri, 20) as other:
        sender = SmtpSender(mail.url, SENDER_ADDRESS)
        # All under one name, so that each of them holds the lease.
        senders = [send_due(connection, Mailer(sender, clock, LINKS), "one") for connection in (db, other, db, other)]
        assert sum(await asyncio.gather(*senders)) == 40
    subjects = sorted(str(message["Subject"]) for message in mail.received)
    assert subjects == sorted(f"You’re enrolled in Course {number}" for number in range(40))
    assert await db.notice.count_documents({"sent_at": FALL_MORNING}) == 40


async def test_a_sent_notice_is_not_sent_again(db: Database, clock: Clock) -> None:
    await add_notices(db)
    postbox = Postbox()
    assert [await send_due(db, Mailer(postbox, clock, LINKS), "one") for _ in range(3)] == [1, 0, 0]


async def test_a_refused_connection_is_retried(db: Database, clock: Clock) -> None:
    await add_notices(db)
    unreachable = SmtpSender(f"smtp://127.0.0.1:{free_port()}", SENDER_ADDRESS)
    assert await send_due(db, Mailer(unreachable, clock, LINKS), "one") == 0
    async with mail_server() as mail:
        sender = SmtpSender(mail.url, SENDER_ADDRESS)
        clock.now += FIRST_RETRY_DELAY - timedelta(seconds=1)
        assert await send_due(db, Mailer(sender, clock, LINKS), "one") == 0
        clock.now += timedelta(seconds=1)
        assert await send_due(db, Mailer(sender, clock, LINKS), "one") == 1
    assert len(mail.received) == 1


async def test_the_delay_between_attempts_grows_up_to_a_limit(db: Database, clock: Clock) -> None:
    await add_notices(db)
    delays = []
    for _ in range(MAX_EMAIL_TRIES - 1):
        await send_due(db, Mailer(Postbox(Postponed("the mail server answered 451")), clock, LINKS), "one")
        delays.append((await stored(db))["next_try_at"] - clock.now)
        clock.now += delays[-1]
    await send_due(db, Mailer(Postbox(Postponed("the mail server answered 451")), clock, LINKS), "one")
    document = await stored(db)
    assert delays == sorted(delays)
    assert (delays[:3], delays[-1]) == (
        [FIRST_RETRY_DELAY, 2 * FIRST_RETRY_DELAY, 4 * FIRST_RETRY_DELAY],
        MAX_RETRY_DELAY,
    )
    assert (document["failed_because"], document["failed_at"]) == ("the mail server answered 451", clock.now)
    clock.now += MAX_RETRY_DELAY
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "one") == 0


async def test_while_the_mail_server_is_down_further_notices_wait(db: Database, clock: Clock) -> None:
    await add_notices(db, notice(), notice(BOB.user_id))
    await send_due(db, Mailer(Postbox(Postponed("ConnectionRefusedError")), clock, LINKS), "one")
    assert sorted([document["tries"] async for document in db.notice.find()]) == [0, 1]


async def test_a_permanent_failure_is_not_retried_and_does_not_block_others(db: Database, clock: Clock) -> None:
    await add_notices(db, notice(), notice(BOB.user_id))
    async with mail_server(RCPT="550 no such mailbox") as mail:
        assert await send_due(db, Mailer(SmtpSender(mail.url, SENDER_ADDRESS), clock, LINKS), "one") == 0
        assert mail.verbs.count("RCPT") == 2
    clock.now += MAX_RETRY_DELAY
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "one") == 0
    assert (await stored(db))["failed_because"] == "the mail server answered 550"


async def test_a_notice_for_a_deleted_user_is_marked_as_failed(db: Database, clock: Clock) -> None:
    await add_notices(db, notice(user_id=99))
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "one") == 0
    assert (await stored(db))["failed_because"] == "there is no such account"


async def test_a_notice_claimed_by_a_dead_process_is_not_sent_again(db: Database, clock: Clock) -> None:
    await add_notices(db)
    sender = HangingSender()
    task = asyncio.create_task(send_due(db, Mailer(sender, clock, LINKS), "one"))
    await sender.started.wait()
    task.cancel()
    await asyncio.wait({task})
    clock.now += MAX_RETRY_DELAY
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "one") == 0
    document = await stored(db)
    assert document["sending_at"] == FALL_MORNING
    assert "sent_at" not in document


async def test_an_email_without_a_final_response_is_not_sent_again(db: Database, clock: Clock) -> None:
    await add_notices(db)
    async with mail_server(TEXT=HANG_UP) as mail:
        await send_due(db, Mailer(SmtpSender(mail.url, SENDER_ADDRESS), clock, LINKS), "one")
        mail.replies.clear()
        clock.now += MAX_RETRY_DELAY
        await send_due(db, Mailer(SmtpSender(mail.url, SENDER_ADDRESS), clock, LINKS), "one")
    assert len(mail.received) == 1


async def test_an_aborted_change_sends_nothing(db: Database, clock: Clock) -> None:
    postbox = Postbox()

    async def promote(session: Session) -> None:
        await notices.add(db, notice(), session)
        assert await send_due(db, Mailer(postbox, clock, LINKS), "one") == 0  # nor before the transaction is committed
        raise RuntimeError("the seat is gone")

    with pytest.raises(RuntimeError):
        await transaction(db, promote)
    assert await send_due(db, Mailer(postbox, clock, LINKS), "one") == 0
    assert postbox.letters == []


async def test_an_outdated_notice_is_not_sent(db: Database, clock: Clock) -> None:
    await add_notices(db)
    clock.now += MAX_NOTICE_AGE + timedelta(seconds=1)
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "one") == 0


async def test_only_one_process_at_a_time_sends_notices(db: Database, clock: Clock) -> None:
    await add_notices(db)
    assert await leases.acquire(db, LEASE_NAME, "one", LEASE_DURATION)
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "two") == 0
    assert await leases.acquire(db, LEASE_NAME, "one", LEASE_DURATION)
    await db.lease.update_one({"_id": LEASE_NAME}, {"$set": {"until": datetime.now(UTC) - timedelta(hours=1)}})
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "two") == 1
    assert not await leases.acquire(db, LEASE_NAME, "one", LEASE_DURATION)
    await leases.release(db, LEASE_NAME, "one")
    assert not await leases.acquire(db, LEASE_NAME, "one", LEASE_DURATION)
    await leases.release(db, LEASE_NAME, "two")
    assert await leases.acquire(db, LEASE_NAME, "one", LEASE_DURATION)


async def test_only_one_of_many_processes_gets_the_lease(db: Database) -> None:
    attempts = [leases.acquire(db, LEASE_NAME, f"process {number}", LEASE_DURATION) for number in range(20)]
    assert sum(await asyncio.gather(*attempts)) == 1


async def test_finding_due_notices_uses_an_index(db: Database) -> None:
    await add_notices(db)
    due = {"next_try_at": {"$gte": FALL_MORNING - MAX_NOTICE_AGE, "$lte": FALL_MORNING}}
    explained = await db.notice.find(due).sort("next_try_at").limit(1).explain()
    assert "IXSCAN" in str(explained["queryPlanner"]["winningPlan"])
    assert "'SORT'" not in str(explained["queryPlanner"]["winningPlan"])


@pytest.mark.parametrize("refusal", [None, Postponed("451"), Undeliverable("550")])
async def test_the_log_contains_no_email_and_no_course(
    db: Database, clock: Clock, refusal: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    await add_notices(db)
    with caplog.at_level("INFO", "quart_enroll"):
        await send_due(db, Mailer(Postbox(refusal), clock, LINKS), "one")
    assert "@" not in caplog.text
    assert "PYT" not in caplog.text


async def test_notices_are_sent_while_the_site_is_running(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "OUTBOX_POLL_SECONDS", 0.01)
    sent = asyncio.Event()

    class SignalingPostbox(Postbox):
        async def send(self, to: str, email: Email) -> None:
            await super().send(to, email)
            sent.set()

    async with run_outbox(db, Mailer(postbox := SignalingPostbox(), clock, LINKS), never_busy):
        await add_notices(db)
        await asyncio.wait_for(sent.wait(), 20)
    assert len(postbox.letters) == 1
    assert "sent_at" in await stored(db)
    assert await db.lease.count_documents({}) == 0


async def test_an_error_does_not_stop_the_sender(db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "OUTBOX_POLL_SECONDS", 0.01)
    await add_notices(db, notice(), notice(BOB.user_id))
    sent = asyncio.Event()

    class FailingOnce:
        letters = 0
        address = SENDER_ADDRESS

        async def send(self, _to: str, _email: Email) -> None:
            self.letters += 1
            if self.letters == 1:
                raise ZeroDivisionError
            sent.set()

    async with run_outbox(db, Mailer(FailingOnce(), clock, LINKS), never_busy):
        await asyncio.wait_for(sent.wait(), 20)
    assert await db.notice.count_documents({"sent_at": {"$exists": True}}) == 1


async def test_without_a_mail_server_nothing_is_sent(db: Database) -> None:
    await add_notices(db)
    async with run_outbox(db, None, never_busy):
        pass
    assert (await stored(db))["tries"] == 0
