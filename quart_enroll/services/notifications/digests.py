"""Daily digests: one email a day with everything that a student doesn't want to be told right away.

What comes in a digest waits in the collection `notice`, and so it is in exactly one digest. Like a notice, a digest is
sent at most once: if a process dies while it sends one, nobody knows whether it arrived.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases
from quart_enroll.db.collections.notices import PendingEmail
from quart_enroll.db.queries import digests
from quart_enroll.db.queries.digests import PendingDigest
from quart_enroll.domain.email_settings import DIGEST, EmailTiming, next_digest_at
from quart_enroll.domain.models import Notice, User
from quart_enroll.services.notifications import calendar_files, messages
from quart_enroll.services.notifications.delivery import (
    LEASE_DURATION,
    LEASE_NAME,
    MAX_EMAIL_TRIES,
    MAX_NOTICE_AGE,
    Mailer,
    retry_delay,
)
from quart_enroll.services.notifications.mail import DeliveryUnknown, Email, Postponed, Undeliverable

logger = logging.getLogger(__name__)


async def put(db: Database, mailer: Mailer, email: PendingEmail, to: User) -> None:
    """Let the email of a notice wait for the user's next digest."""
    await digests.put(db, email, next_digest_at(mailer.clock(), to.timezone or mailer.timezone))


async def add_confirmed(db: Database, mailer: Mailer, to: User, confirmed: Sequence[Notice]) -> None:
    """Add what the user did to the next digest; repeating it changes nothing."""
    await digests.add(db, confirmed, next_digest_at(mailer.clock(), to.timezone or mailer.timezone))


async def send_next(db: Database, mailer: Mailer, holder: str) -> bool | None:
    """Send the digest that is due first; return whether the mail server accepted it.

    Returns None if nothing is due, or another `holder` has the lease. Raises Postponed if the mail server can't accept
    it now.
    """
    now = mailer.clock()
    due = await digests.find_due(db, now - MAX_NOTICE_AGE, now)
    if due is None or not await leases.acquire(db, LEASE_NAME, holder, LEASE_DURATION):
        return None
    claimed = await digests.claim(db, due, now)
    return bool(claimed.notices) and await _send(db, mailer, claimed)


async def _send(db: Database, mailer: Mailer, digest: PendingDigest) -> bool:
    """Send a claimed digest and record the result; the log contains neither an email nor a sentence."""
    to, now = digest.to, mailer.clock()
    if to is None or to.email_unconfirmed:
        await digests.mark_failed(db, digest, now, "there is no confirmed address")
        return False
    wanted = {
        key: one for key, one in digest.notices.items() if to.email_settings.timing(one.action) is not EmailTiming.OFF
    }
    await digests.mark_turned_off(db, digest, digest.notices.keys() - wanted.keys(), now)
    if not wanted:
        return False
    try:
        await mailer.sender.send(to.email, await _compose(db, mailer, to, [*wanted.values()]))
    except Undeliverable as refusal:
        logger.error("the digest of user %s: %s; it is not sent", to.user_id, refusal)
        await digests.mark_failed(db, digest, now, str(refusal))
        return False
    except DeliveryUnknown as reason:
        logger.warning("the digest of user %s: %s; it is not sent again", to.user_id, reason)
        return False
    except Postponed as reason:
        await _postpone(db, mailer, digest, wanted, str(reason))
        raise
    await digests.mark_sent(db, digest, wanted, mailer.clock())
    return True


async def _compose(db: Database, mailer: Mailer, to: User, notices: Sequence[Notice]) -> Email:
    files = await calendar_files.of_notices(db, to, notices, mailer.sender.address)
    with messages.as_read_by(to):
        return messages.complete(*messages.digest(notices), to, files, mailer.links.unsubscribe(to, DIGEST))


async def _postpone(
    db: Database, mailer: Mailer, digest: PendingDigest, wanted: Mapping[Any, Notice], reason: str
) -> None:
    if digest.tries >= MAX_EMAIL_TRIES:
        logger.error("the digest of user %s: %s; it is not sent", digest.user_id, reason)
        await digests.mark_failed(db, digest, mailer.clock(), reason)
        return
    logger.warning("the digest of user %s: %s; it is tried again later", digest.user_id, reason)
    await digests.postpone(db, digest, wanted, mailer.clock() + retry_delay(digest.tries))
