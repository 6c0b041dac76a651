"""The outbox: queues emails about notices in the database, and sends them from one process at a time.

**An email is sent at most once.** A notice is claimed before the mail server is contacted. If the process dies before
it records the server's response, or no response comes, the claim stays and the email is not sent again. It may have
arrived, and the student sees the notice on the next page anyway. Only emails that were certainly not accepted are
retried.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import leases, notices
from quart_enroll.db.collections.notices import NO_USER, PendingEmail
from quart_enroll.domain.models import Notice, User
from quart_enroll.services.accounts.email_links import RESET_LIFETIME, EmailLinks
from quart_enroll.services.notifications import calendar_files, mail, messages
from quart_enroll.services.notifications.delivery import (
    LEASE_DURATION,
    LEASE_NAME,
    MAX_EMAIL_TRIES,
    MAX_NOTICE_AGE,
    retry_delay,
)
from quart_enroll.services.notifications.mail import Attachment, Email, Postponed, Sender, Undeliverable
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


async def send_due(
    db: Database, sender: Sender, clock: Clock, links: EmailLinks, holder: str, stop: asyncio.Event | None = None
) -> int:
    """Send the emails that are due; return how many the mail server accepted.

    Do nothing while another `holder` has the lease. Stop early when `stop` is set, or at the first email that must be
    postponed, because the next one would be too.
    """
    accepted = 0
    for _ in range(MAX_EMAILS_PER_POLL):
        outgoing = await notices.find_due(db, clock() - MAX_NOTICE_AGE, clock())
        if outgoing is None or not await leases.acquire(db, LEASE_NAME, holder, LEASE_DURATION):
            break
        files = await calendar_files.of_notice(db, outgoing, sender.address)
        if await notices.claim(db, outgoing, clock()):
            try:
                accepted += await _send(db, sender, clock, links, outgoing, files)
            except Postponed:
                break
        if stop is not None and stop.is_set():
            break
    return accepted


async def _send(
    db: Database,
    sender: Sender,
    clock: Clock,
    links: EmailLinks,
    outgoing: PendingEmail,
    files: Sequence[Attachment],
) -> bool:
    """Send a claimed notice and record the result; raise Postponed if the mail server can't accept it now.

    The log contains only the number of the notice, never an email or a sentence.
    """
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
    subject, text = messages.compose(outgoing.notice, outgoing.to, links, clock(), has_files=bool(files))
    try:
        await sender.send(outgoing.to.user.email, Email(subject, text, files))
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
