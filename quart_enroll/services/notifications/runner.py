"""Sends emails in the background, while the site is running."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases, notices
from quart_enroll.services.notifications import digests, mail, summaries
from quart_enroll.services.notifications.delivery import LEASE_NAME, MAX_NOTICE_AGE, Mailer
from quart_enroll.services.notifications.mail import Postponed
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.system.clock import Clock

OUTBOX_POLL_SECONDS = 5.0
"""How often the outbox is checked."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def run_outbox(db: Database, mailer: Mailer | None, is_busy: Callable[[], bool]) -> AsyncIterator[None]:
    """Send emails in the background during the block; without a mailer, do nothing.

    At the end, an email that is being sent may still arrive.
    """
    if mailer is None:
        yield
        return
    stop = asyncio.Event()
    task = asyncio.create_task(_run(db, mailer, is_busy, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=mail.MESSAGE_TIMEOUT_SECONDS)
        task.cancel()
        await asyncio.wait({task})


async def send_summaries(
    db: Database, mailer: Mailer, holder: str, is_busy: Callable[[], bool], stop: asyncio.Event
) -> None:
    """Send the summaries and digests that are due, as long as no notice is and the site isn't busy.

    Thousands may be due after an opening. They can wait, but a link to choose a new password can't.
    """
    if is_busy():
        return
    await summaries.collect(db, mailer.clock, holder)
    for send_next in (summaries.send_next, digests.send_next):
        while not stop.is_set() and not is_busy() and not await _is_notice_due(db, mailer.clock):
            try:
                if await send_next(db, mailer, holder) is None:
                    break
            except Postponed:
                return


async def _is_notice_due(db: Database, clock: Clock) -> bool:
    return await notices.find_due(db, clock() - MAX_NOTICE_AGE, clock()) is not None


async def _run(db: Database, mailer: Mailer, is_busy: Callable[[], bool], stop: asyncio.Event) -> None:
    """Check the outbox regularly until `stop` is set."""
    holder = secrets.token_hex(8)
    while not stop.is_set():
        try:
            await send_due(db, mailer, holder, stop)
            await send_summaries(db, mailer, holder, is_busy, stop)
        except Exception as error:  # noqa: BLE001  # the database may be unavailable for a while
            logger.warning("notices: %s; the next check is in %g s", type(error).__name__, OUTBOX_POLL_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), OUTBOX_POLL_SECONDS)
    with suppress(Exception):  # otherwise it expires
        await leases.release(db, LEASE_NAME, holder)
