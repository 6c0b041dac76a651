"""Confirmations by email: one for several changes within some minutes, with calendar files."""

from asyncio import Event as Signal
from collections.abc import Sequence
from datetime import timedelta

import pytest
from icalendar import Calendar

from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases, summaries
from quart_enroll.domain.actors import Actor
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.enrollment import act_for, enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.notifications import summaries as confirmations
from quart_enroll.services.notifications.delivery import (
    FIRST_RETRY_DELAY,
    LEASE_DURATION,
    LEASE_NAME,
    MAX_NOTICE_AGE,
    Mailer,
)
from quart_enroll.services.notifications.mail import DeliveryUnknown, Email, Postponed, SmtpSender
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.services.notifications.runner import send_summaries
from quart_enroll.services.notifications.summaries import CLAIM_DURATION, LONGEST_DELAY, QUIET_TIME
from tests.integration.enrollment.test_notices import LINKS, never_busy
from tests.support.people import ADA, BOB, RITA, Clock
from tests.support.smtp import Postbox, mail_server

PYTHON = SectionRequest("1111", "Fall 2026", "01")
PYTHON_EVENING = SectionRequest("1111", "Fall 2026", "02")
PHP = SectionRequest("3333", "Fall 2026", "01")
STAFF = Actor(RITA.user_id, "They asked.")
SECOND = timedelta(seconds=1)


@pytest.fixture
async def context(db: Database, clock: Clock) -> EnrollmentContext:
    """A site that has just begun to confirm changes."""
    await confirmations.collect(db, clock, "one")
    return EnrollmentContext(db)


async def poll(db: Database, clock: Clock, postbox: Postbox) -> None:
    """Do what the outbox does every few seconds."""
    await send_summaries(db, Mailer(postbox, clock, LINKS), "one", never_busy, Signal())


async def wait_until_due(db: Database, clock: Clock) -> None:
    """Let the changes just made be read, and wait until they may be confirmed."""
    clock.now += timedelta(minutes=2)
    await confirmations.collect(db, clock, "one")
    clock.now += timedelta(minutes=2)


async def emails_after(db: Database, clock: Clock, wait: timedelta) -> list[Email]:
    """Return the emails that are sent up to that time, if the outbox is checked twice a minute."""
    postbox = Postbox()
    end = clock.now + wait
    while clock.now < end:
        clock.now = min(clock.now + timedelta(seconds=30), end)
        await poll(db, clock, postbox)
    return postbox.emails


def events_of(email: Email) -> list[tuple[str, str, str]]:
    """Return the method, the UID and the status of each event that is attached."""
    files = [Calendar.from_ical(one.content) for one in email.attachments]
    return [
        (file["METHOD"], str(event["UID"]), str(event["STATUS"])) for file in files for event in file.walk("VEVENT")
    ]


def sequences_of(emails: Sequence[Email]) -> list[int]:
    files = [Calendar.from_ical(one.content) for email in emails for one in email.attachments]
    return [event["SEQUENCE"] for file in files for event in file.walk("VEVENT")]


async def test_two_enrollments_are_confirmed_by_one_email(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    clock.now += timedelta(minutes=1)
    await enroll.enroll(context, ADA.user_id, PHP, clock.now)
    assert await emails_after(db, clock, QUIET_TIME - SECOND) == []
    [email] = await emails_after(db, clock, timedelta(minutes=20))
    assert email.subject == "Your schedule has changed"
    assert "• You enrolled in PYT 101, section 01, for Fall 2026." in email.text
    assert "• You enrolled in PHP 202, section 01, for Fall 2026." in email.text
    assert [(method, status) for method, _, status in events_of(email)] == [("PUBLISH", "CONFIRMED")] * 2


async def test_a_student_who_never_pauses_gets_an_email_after_ten_minutes(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    emails = []
    for minute in range(12):
        change = enroll.drop if minute % 2 else enroll.enroll
        await change(context, ADA.user_id, PYTHON, clock.now)
        emails += await emails_after(db, clock, timedelta(minutes=1))
        assert len(emails) == (timedelta(minutes=minute + 1) >= LONGEST_DELAY)


async def test_a_dropped_course_is_removed_from_the_calendar(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    first = await emails_after(db, clock, LONGEST_DELAY)
    await enroll.drop(context, ADA.user_id, PYTHON, clock.now)
    second = await emails_after(db, clock, LONGEST_DELAY)
    [(_, uid, _)] = events_of(first[0])
    assert events_of(second[0]) == [("CANCEL", uid, "CANCELLED")]
    assert second[0].subject == "You dropped PYT 101"
    assert sequences_of(first) < sequences_of(second)


async def test_a_swap_removes_the_old_course_and_adds_the_new_one(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    await emails_after(db, clock, LONGEST_DELAY)
    await enroll.swap(context, ADA.user_id, "1111", PYTHON_EVENING, clock.now)
    [email] = await emails_after(db, clock, LONGEST_DELAY)
    assert sorted(method for method, _, _ in events_of(email)) == ["CANCEL", "PUBLISH"]
    assert email.subject == "You swapped into PYT 101"


async def test_a_seat_that_was_taken_and_dropped_at_once_needs_no_calendar_file(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    await enroll.drop(context, ADA.user_id, PYTHON, clock.now)
    [email] = await emails_after(db, clock, LONGEST_DELAY)
    assert email.attachments == []


async def test_what_staff_or_the_waitlist_did_is_not_confirmed(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await act_for.enroll(context, STAFF, ADA.user_id, SectionKey("Fall 2026", "3333", "01"), clock.now)
    await waitlist.join(context, BOB.user_id, PHP, clock.now)
    await enroll.drop(context, ADA.user_id, PHP, clock.now)  # promotes bob
    assert await send_due(db, Mailer(Postbox(), clock, LINKS), "one") == 2
    emails = await emails_after(db, clock, LONGEST_DELAY)
    assert [email.subject for email in emails] == ["You dropped PHP 202"]


async def test_the_email_about_a_promotion_has_the_course_and_cancels_the_one_it_replaces(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PHP, clock.now)
    await enroll.enroll(context, BOB.user_id, PYTHON, clock.now)
    await waitlist.join(context, BOB.user_id, PHP, clock.now, "1111")
    clock.now += SECOND
    await enroll.drop(context, ADA.user_id, PHP, clock.now)
    postbox = Postbox()
    await send_due(db, Mailer(postbox, clock, LINKS), "one")
    [email] = postbox.emails
    assert email.subject == "You’re enrolled in PHP 202"
    assert sorted(method for method, _, _ in events_of(email)) == ["CANCEL", "PUBLISH"]


async def test_the_email_about_a_drop_by_staff_removes_the_course_from_the_calendar(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    clock.now += SECOND
    await act_for.drop(context, STAFF, ADA.user_id, SectionKey("Fall 2026", "1111", "01"), clock.now)
    postbox = Postbox()
    await send_due(db, Mailer(postbox, clock, LINKS), "one")
    assert [method for method, _, _ in events_of(postbox.emails[0])] == ["CANCEL"]


async def test_a_process_that_dies_while_it_reads_the_history_loses_and_repeats_nothing(
    context: EnrollmentContext, db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    clock.now += timedelta(minutes=2)
    with monkeypatch.context() as patch:
        patch.setattr(summaries, "set_collected_until", lambda *_: 1 / 0)  # after the rows, before the moment
        with pytest.raises(ZeroDivisionError):
            await confirmations.collect(db, clock, "one")
    assert len(await emails_after(db, clock, LONGEST_DELAY)) == 1
    await db.counter.delete_one(summaries.WATERMARK)
    await summaries.set_collected_until(db, clock.now - timedelta(hours=1))  # everything is read again
    assert await emails_after(db, clock, LONGEST_DELAY) == []


async def test_a_process_that_dies_while_it_sends_leaves_the_email_to_another(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    await wait_until_due(db, clock)
    dead = Postbox(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await poll(db, clock, dead)
    await leases.release(db, LEASE_NAME, "one")
    postbox = Postbox()
    clock.now += CLAIM_DURATION - SECOND
    await send_summaries(db, Mailer(postbox, clock, LINKS), "two", never_busy, Signal())
    assert postbox.emails == []
    clock.now += SECOND
    await send_summaries(db, Mailer(postbox, clock, LINKS), "two", never_busy, Signal())
    assert len(postbox.emails) == 1


async def test_an_email_of_unknown_fate_is_sent_again_with_the_same_message_id(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    await wait_until_due(db, clock)
    async with mail_server() as mail:
        sender = SmtpSender(mail.url, "no-reply@school.example")
        await confirmations.send_next(db, Mailer(UnsureSender(sender), clock, LINKS), "one")
        clock.now += FIRST_RETRY_DELAY
        assert await confirmations.send_next(db, Mailer(sender, clock, LINKS), "one")
    first, second = mail.received
    assert first["Message-ID"] == second["Message-ID"]
    assert [part.get_content_type() for part in second.iter_attachments()] == ["text/calendar"]
    [attached] = second.iter_attachments()
    assert (attached.get_param("method"), attached.get_filename()) == ("PUBLISH", "PYT-101-01.ics")


class UnsureSender:
    """A sender that sends, and then doesn't know whether it did."""

    def __init__(self, sender: SmtpSender) -> None:
        self.sender, self.address = sender, sender.address

    async def send(self, to: str, email: Email) -> None:
        await self.sender.send(to, email)
        raise DeliveryUnknown("no response")


async def test_while_the_mail_server_is_down_confirmations_wait(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    for student in (ADA, BOB):
        await enroll.enroll(context, student.user_id, PYTHON, clock.now)
    await wait_until_due(db, clock)
    await poll(db, clock, Postbox(Postponed("451")))
    assert sorted([row.get("tries", 0) async for row in db.summary.find()]) == [0, 1]
    assert len(await emails_after(db, clock, LONGEST_DELAY)) == 2


async def test_confirmations_wait_while_the_site_is_busy_or_another_process_has_the_lease(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    await enroll.enroll(context, ADA.user_id, PYTHON, clock.now)
    await wait_until_due(db, clock)
    postbox = Postbox()
    await send_summaries(db, Mailer(postbox, clock, LINKS), "one", lambda: True, Signal())
    await leases.acquire(db, LEASE_NAME, "one", LEASE_DURATION)
    await send_summaries(db, Mailer(postbox, clock, LINKS), "two", never_busy, Signal())
    assert postbox.emails == []
    await send_summaries(db, Mailer(postbox, clock, LINKS), "one", never_busy, Signal())
    assert len(postbox.emails) == 1


async def test_confirmations_stop_when_the_site_becomes_busy(
    context: EnrollmentContext, db: Database, clock: Clock
) -> None:
    for student in (ADA, BOB):
        await enroll.enroll(context, student.user_id, PYTHON, clock.now)
    await wait_until_due(db, clock)
    postbox = Postbox()
    await send_summaries(db, Mailer(postbox, clock, LINKS), "one", lambda: bool(postbox.emails), Signal())
    assert len(postbox.emails) == 1


async def test_old_changes_are_not_confirmed_when_a_mail_server_is_added(db: Database, clock: Clock) -> None:
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, PYTHON, clock.now)
    clock.now += timedelta(hours=1)
    assert await emails_after(db, clock, timedelta(hours=1)) == []
    await enroll.drop(EnrollmentContext(db), ADA.user_id, PYTHON, clock.now)
    clock.now += MAX_NOTICE_AGE + timedelta(minutes=2)  # the mail server was removed, and added again
    assert await emails_after(db, clock, LONGEST_DELAY) == []
