"""Emails in which students get their own changes confirmed: one email for several changes within some minutes.

Changes don't write anything for these emails, because thousands enroll in the minute of an opening. The outbox reads
the history instead, which every change writes in its own transaction, so none is lost if a process dies.

**A confirmation is sent at least once.** If it isn't certain that it was accepted, it is sent again with the same
Message-ID and the same calendar files, so that mailboxes and calendars have it once. Students decide whether they get
it, or whether their changes come in the daily digest.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases, summaries, terms, users
from quart_enroll.db.collections.summaries import PendingSummary
from quart_enroll.db.queries import own_changes
from quart_enroll.db.queries.section_facts import SectionFacts
from quart_enroll.domain.email_settings import EmailKind, EmailTiming
from quart_enroll.domain.models import Event, Notice, SectionKey, User
from quart_enroll.services.notifications import calendar_files, digests, messages
from quart_enroll.services.notifications.delivery import (
    LEASE_DURATION,
    LEASE_NAME,
    MAX_EMAIL_TRIES,
    MAX_NOTICE_AGE,
    Mailer,
    retry_delay,
)
from quart_enroll.services.notifications.mail import DeliveryUnknown, Email, Postponed, Undeliverable
from quart_enroll.system.clock import Clock

SETTLING_TIME = timedelta(minutes=1)
"""How old events must be before they are read: longer than a change takes and clocks differ."""

QUIET_TIME = timedelta(minutes=2) + SETTLING_TIME
"""How long after the last change it is confirmed."""

LONGEST_DELAY = timedelta(minutes=10)
"""How long after the first change it is confirmed, even if the student goes on."""

COLLECT_INTERVAL = timedelta(seconds=30)
"""How often the history is read."""

CLAIM_DURATION = timedelta(minutes=10)
"""How long a process has for an email before another one may send it."""

STUDENTS_PER_WRITE = 500

MESSAGE_NAMESPACE = uuid.UUID("7b1d5c5e-0a53-4a0c-8f0e-5d0a3f6f7a42")
"""The namespace of Message-IDs."""

logger = logging.getLogger(__name__)


async def collect(db: Database, clock: Clock, holder: str) -> None:
    """Find out who changed something since the history was last read; do nothing while another `holder` has the lease.

    The first time, only record the moment: what happened before the site could confirm it is old news.
    """
    until = clock() - SETTLING_TIME
    after = await summaries.find_collected_until(db)
    if after is not None and after > until - COLLECT_INTERVAL:
        return
    if not await leases.acquire(db, LEASE_NAME, holder, LEASE_DURATION):
        return
    if after is not None:
        after = max(after, until - MAX_NOTICE_AGE)
        for term in await terms.find_all(db):
            if term.is_ongoing(after):
                await _collect_term(db, term.term, after, until)
    await summaries.set_collected_until(db, until)


async def send_next(db: Database, mailer: Mailer, holder: str) -> bool | None:
    """Send the summary that is due first; return whether the mail server accepted it.

    Returns None if nothing is due, or another `holder` has the lease. Raises Postponed if the mail server can't accept
    it now.
    """
    due = await summaries.find_due(db, mailer.clock())
    if due is None or not await leases.acquire(db, LEASE_NAME, holder, LEASE_DURATION):
        return None
    claimed = await summaries.claim(db, due, mailer.clock() + CLAIM_DURATION)
    return claimed is not None and await _confirm(db, mailer, claimed)


async def _collect_term(db: Database, term: str, after: datetime, until: datetime) -> None:
    batch = []
    async for student in own_changes.find_students(db, term, after, until):
        batch.append(student)
        if len(batch) == STUDENTS_PER_WRITE:
            await summaries.add_confirmations(db, batch, QUIET_TIME, LONGEST_DELAY)
            batch.clear()
    await summaries.add_confirmations(db, batch, QUIET_TIME, LONGEST_DELAY)


async def _confirm(db: Database, mailer: Mailer, claimed: PendingSummary) -> bool:
    """Email a summary, put it in a digest or skip it, as the student chose; return whether an email was accepted."""
    to = await users.find(db, claimed.user_id)
    events = await own_changes.find(db, claimed.user_id, claimed.after, claimed.until)
    if to is not None and not to.email_unconfirmed and events:
        match to.email_settings.confirmation:
            case EmailTiming.AT_ONCE:
                return await _send(db, mailer, to, claimed, await _compose(db, mailer, to, claimed, events))
            case EmailTiming.DAILY:
                await digests.add_confirmed(db, mailer, to, await _notices(db, events))
    await summaries.finish(db, claimed, mailer.clock())
    return False


async def _send(db: Database, mailer: Mailer, to: User, claimed: PendingSummary, email: Email) -> bool:
    """Send the email and record the result; the log contains neither an email nor a sentence."""
    is_accepted = False
    try:
        await mailer.sender.send(to.email, email)
        is_accepted = True
    except Undeliverable as refusal:
        logger.error("%s of user %s: %s; it is not sent", claimed.kind, claimed.user_id, refusal)
    except (Postponed, DeliveryUnknown) as reason:
        await _postpone(db, mailer.clock, claimed, str(reason))
        if isinstance(reason, Postponed):
            raise
        return False
    await summaries.finish(db, claimed, mailer.clock())
    return is_accepted


async def _compose(
    db: Database,
    mailer: Mailer,
    to: User,
    summary: PendingSummary,
    events: Sequence[Event],
) -> Email:
    facts = await calendar_files.find_facts(db, events)
    unsubscribe = mailer.links.unsubscribe(to, EmailKind.CONFIRMATION)
    with messages.as_read_by(to):
        files = await calendar_files.of_events(db, to.user_id, events, facts, mailer.sender.address)
        subject, text = messages.confirmation(events, _titles(facts))
        return messages.complete(subject, text, to, files, unsubscribe, key=_message_key(summary))


async def _notices(db: Database, events: Sequence[Event]) -> list[Notice]:
    titles = _titles(await calendar_files.find_facts(db, events))
    return [Notice.of(event, messages.title_of(event, titles)) for event in events]


def _titles(facts: Mapping[SectionKey, SectionFacts]) -> dict[SectionKey, str]:
    return {key: one.course.title for key, one in facts.items() if one.course}


def _message_key(summary: PendingSummary) -> str:
    """Return a text that identifies the email, and reveals nothing."""
    name = f"{summary.kind} {summary.user_id} {summary.until.isoformat()}"
    return str(uuid.uuid5(MESSAGE_NAMESPACE, name))


async def _postpone(db: Database, clock: Clock, claimed: PendingSummary, reason: str) -> None:
    if claimed.tries >= MAX_EMAIL_TRIES:
        logger.error("%s of user %s: %s; it is not sent", claimed.kind, claimed.user_id, reason)
        await summaries.finish(db, claimed, clock())
        return
    logger.warning("%s of user %s: %s; it is tried again later", claimed.kind, claimed.user_id, reason)
    await summaries.postpone(db, claimed, clock() + retry_delay(claimed.tries))
