"""Daily digests, and emails that students have turned off."""

import asyncio
from asyncio import Event as Signal
from datetime import UTC, datetime, timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices, users
from quart_enroll.domain.email_settings import EmailKind, EmailSettings, EmailTiming
from quart_enroll.domain.models import Notice, SectionRequest
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.notifications import digests, summaries
from quart_enroll.services.notifications.delivery import FIRST_RETRY_DELAY, Mailer
from quart_enroll.services.notifications.mail import Email, Postponed
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.services.notifications.runner import send_summaries
from tests.integration.enrollment.test_notices import LINKS, HangingSender, never_busy
from tests.support.people import ADA, Clock
from tests.support.smtp import Postbox

AT_ONCE, DAILY, OFF = EmailTiming
SEVEN_IN_TOKYO = datetime(2026, 9, 1, 22, tzinfo=UTC)
"""The first one after the clock's FALL_MORNING."""

PYTHON = SectionRequest("1111", "Fall 2026", "01")
SKIPPED, MOVED = Sentence("You have a hold."), Sentence("New room: A 1.")


async def wish(db: Database, timing: EmailTiming, timezone: str = "Asia/Tokyo") -> None:
    """Let ada choose the same for all emails that offer it."""
    await users.set_email_settings(db, ADA.user_id, EmailSettings.read(dict.fromkeys(EmailKind, timing)))
    await users.set_timezone(db, ADA.user_id, timezone)


def about(action: str, at: datetime, because: Sentence | None = None) -> Notice:
    return Notice(at, ADA.user_id, action, "1111", "PYT 101", "Fall 2026", "01", because)


async def add_news(db: Database, clock: Clock) -> None:
    for action, because in (("skip", SKIPPED), ("moved", MOVED), ("promote", None)):
        clock.now += timedelta(seconds=1)
        await notices.add(db, about(action, clock.now, because), None)


async def poll(db: Database, clock: Clock) -> list[Email]:
    """Do what the outbox does every few seconds; return what it sends."""
    mailer = Mailer(postbox := Postbox(), clock, LINKS)
    await send_due(db, mailer, "one")
    await send_summaries(db, mailer, "one", never_busy, Signal())
    return postbox.emails


async def test_a_digest_has_everything_of_a_day_and_comes_once(db: Database, clock: Clock) -> None:
    await poll(db, clock)  # begins to read the history
    await wish(db, DAILY)
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, PYTHON, clock.now)
    await add_news(db, clock)
    assert [email.subject for email in await poll(db, clock)] == ["You’re enrolled in PYT 101"]
    for _ in range(3):
        clock.now += timedelta(minutes=3)
        assert await poll(db, clock) == []
    clock.now = SEVEN_IN_TOKYO - timedelta(seconds=1)
    assert await poll(db, clock) == []
    clock.now += timedelta(seconds=1)
    [digest] = await poll(db, clock)
    assert [line for line in digest.text.splitlines() if line.startswith("•")] == [
        "• You enrolled in PYT 101, section 01, for Fall 2026.",
        "• A seat opened in PYT 101, section 01, for Fall 2026, but we couldn’t enroll you. You have a hold. "
        "You keep your place.",
        "• PYT 101, section 01, for Fall 2026 has changed. New room: A 1.",
    ]
    assert "change your password right away" in digest.text
    assert digest.text.endswith(f"{digest.unsubscribe}\n")
    assert [one.method for one in digest.attachments] == ["PUBLISH"]
    clock.now += timedelta(days=1)
    assert await poll(db, clock) == []
    assert await db.notice.count_documents({"sent_at": {"$exists": True}}) == 4


async def test_turned_off_emails_are_not_sent_and_their_notices_stay(db: Database, clock: Clock) -> None:
    await poll(db, clock)
    await wish(db, OFF)
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, PYTHON, clock.now)
    await add_news(db, clock)
    [mandatory] = await poll(db, clock)
    assert (mandatory.subject, mandatory.unsubscribe) == ("You’re enrolled in PYT 101", "")
    clock.now += timedelta(days=2)
    assert await poll(db, clock) == []
    assert len(await notices.find_unseen(db, ADA.user_id)) == 3


async def test_what_waits_for_a_digest_is_not_sent_if_it_is_turned_off_meanwhile(db: Database, clock: Clock) -> None:
    await wish(db, DAILY)
    await add_news(db, clock)
    await poll(db, clock)
    await wish(db, OFF)
    clock.now = SEVEN_IN_TOKYO
    assert await poll(db, clock) == []


async def test_a_digest_waits_for_the_mail_server(db: Database, clock: Clock) -> None:
    await wish(db, DAILY)
    await add_news(db, clock)
    await poll(db, clock)
    clock.now = SEVEN_IN_TOKYO
    with pytest.raises(Postponed):
        await digests.send_next(db, Mailer(Postbox(Postponed("451")), clock, LINKS), "one")
    assert await poll(db, clock) == []
    clock.now += FIRST_RETRY_DELAY
    assert len(await poll(db, clock)) == 1


async def test_a_digest_claimed_by_a_dead_process_is_not_sent_again(db: Database, clock: Clock) -> None:
    await wish(db, DAILY)
    await add_news(db, clock)
    await poll(db, clock)
    clock.now = SEVEN_IN_TOKYO
    sender = HangingSender()
    task = asyncio.create_task(digests.send_next(db, Mailer(sender, clock, LINKS), "one"))
    await sender.started.wait()
    task.cancel()
    await asyncio.wait({task})
    clock.now += timedelta(hours=1)
    assert await poll(db, clock) == []


async def test_a_process_that_dies_while_it_fills_a_digest_loses_and_repeats_nothing(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await poll(db, clock)
    await wish(db, DAILY)
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, PYTHON, clock.now)
    clock.now += timedelta(minutes=5)
    with monkeypatch.context() as patch:
        patch.setattr(summaries.summaries, "finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await poll(db, clock)
    clock.now += summaries.CLAIM_DURATION
    assert await poll(db, clock) == []
    clock.now = SEVEN_IN_TOKYO
    [digest] = await poll(db, clock)
    assert digest.text.count("•") == 1
