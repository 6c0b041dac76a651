"""The outbox: queues emails about notices in the database, and sends them from one process at a time.

**An email is sent at most once.** A notice is claimed before the mail server is contacted. If the process dies before
it records the server's response, or no response comes, the claim stays and the email is not sent again. It may have
arrived, and the student sees the notice on the next page anyway. Only emails that were certainly not accepted are
retried. Students decide which notices are emailed right away, in a daily digest, or not at all.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import leases, notices
from quart_enroll.db.collections.notices import NO_USER, PendingEmail
from quart_enroll.domain.email_settings import EmailTiming
from quart_enroll.domain.models import Notice, User
from quart_enroll.services.accounts.email_links import RESET_LIFETIME
from quart_enroll.services.notifications import calendar_files, digests, mail, messages
from quart_enroll.services.notifications.delivery import (
    LEASE_DURATION,
    LEASE_NAME,
    MAX_EMAIL_TRIES,
    MAX_NOTICE_AGE,
    Mailer,
    retry_delay,
)
from quart_enroll.services.notifications.mail import Attachment, Postponed, Undeliverable
from quart_enroll.system.clock import Clock

MAX_EMAILS_PER_POLL = 100

ALLOWED_IF_UNCONFIRMED = ("confirm_email", "password_forgotten", "new_email")
"""The only emails sent to an unconfirmed address, without a name; other notices appear only on the site."""

logger = logging.getLogger(__name__)


async def queue_password_reset(db: Database, email: str, now: datetime) -> None:
    """Queue an email with a link to choose a new password.

    Whether there is an account is checked only when the email is sent, so that the response, and the time that it
    takes, does not reveal it.
    """
    await notices.add_email_only(
        db, Notice(now, NO_USER, "password_forgotten"), email=email, forget_at=now + RESET_LIFETIME
    )


async def queue_email_confirmation(db: Database, user_id: int, now: datetime) -> None:
    """Queue an email that asks the user to confirm the email."""
    await notices.add_email_only(db, Notice(now, user_id, "confirm_email"))


async def queue_removal(db: Database, session: Session, user: User, now: datetime) -> None:
    """Queue an email that tells the user that the account has been removed, if the email is known to be theirs."""
    if not user.email_unconfirmed:
        notice = Notice(now, NO_USER, "account_removed")
        forget_at = now + MAX_NOTICE_AGE
        await notices.add_email_only(db, notice, session, email=user.email, language=user.language, forget_at=forget_at)


async def send_due(db: Database, mailer: Mailer, holder: str, stop: asyncio.Event | None = None) -> int:
    """Send the emails that are due; return how many the mail server accepted.

    Do nothing while another `holder` has the lease. Stop early when `stop` is set, or at the first email that must be
    postponed, because the next one would be too.
    """
    accepted = 0
    for _ in range(MAX_EMAILS_PER_POLL):
        now = mailer.clock()
        outgoing = await notices.find_due(db, now - MAX_NOTICE_AGE, now)
        if outgoing is None or not await leases.acquire(db, LEASE_NAME, holder, LEASE_DURATION):
            break
        try:
            accepted += await _handle(db, mailer, outgoing)
        except Postponed:
            break
        if stop is not None and stop.is_set():
            break
    return accepted


async def _handle(db: Database, mailer: Mailer, outgoing: PendingEmail) -> bool:
    """Email a notice, put it in a digest or skip it, as its recipient chose; return whether an email was accepted."""
    to = None if outgoing.to is None else outgoing.to.user
    if to is not None and not to.email_unconfirmed:
        match to.email_settings.timing(outgoing.notice.action):
            case EmailTiming.OFF:
                await notices.mark_turned_off(db, outgoing, mailer.clock())
                return False
            case EmailTiming.DAILY:
                await digests.put(db, mailer, outgoing, to)
                return False
    files = () if to is None else await calendar_files.of_notices(db, to, [outgoing.notice], mailer.sender.address)
    return await notices.claim(db, outgoing, mailer.clock()) and await _send(db, mailer, outgoing, files)


async def _send(db: Database, mailer: Mailer, outgoing: PendingEmail, files: Sequence[Attachment]) -> bool:
    """Send a claimed notice and record the result; raise Postponed if the mail server can't accept it now.

    The log contains only the number of the notice, never an email or a sentence.
    """
    clock = mailer.clock
    if outgoing.to is None:  # it was deleted, or never existed
        await notices.mark_failed(db, outgoing, clock(), "there is no such account")
        return False
    action, unconfirmed = outgoing.notice.action, outgoing.to.user.email_unconfirmed
    if unconfirmed and action not in ALLOWED_IF_UNCONFIRMED:
        await notices.mark_failed(db, outgoing, clock(), "the address is not confirmed")
        return False
    if action == "confirm_email" and not unconfirmed:
        await notices.mark_failed(db, outgoing, clock(), "the address is confirmed")
        return False
    email = messages.compose(outgoing.notice, outgoing.to, mailer.links, clock(), files)
    try:
        await mailer.sender.send(outgoing.to.user.email, email)
    except Undeliverable as refusal:
        await _give_up(db, clock, outgoing, str(refusal))
        return False
    except Postponed as reason:
        await _postpone(db, clock, outgoing, str(reason))
        raise
    except mail.DeliveryUnknown as reason:
        logger.warning("notice %s: %s; it is not sent again", outgoing.notice_id, reason)
        return False
    await notices.mark_sent(db, outgoing, clock())
    return True


async def _postpone(db: Database, clock: Clock, outgoing: PendingEmail, reason: str) -> None:
    tries = outgoing.tries + 1
    if tries >= MAX_EMAIL_TRIES:
        await _give_up(db, clock, outgoing, reason)
        return
    logger.warning("notice %s: %s; it is tried again later", outgoing.notice_id, reason)
    await notices.postpone(db, outgoing, clock() + retry_delay(tries))


async def _give_up(db: Database, clock: Clock, outgoing: PendingEmail, reason: str) -> None:
    logger.error("notice %s: %s; it is not sent", outgoing.notice_id, reason)
    await notices.mark_failed(db, outgoing, clock(), reason)
