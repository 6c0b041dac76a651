"""Notices by e-mail: the rows that promotions and skips leave behind are sent by one process at a time.

**Never twice beats at least once.** A notice is claimed before the mail server hears of it. When the process dies
before the answer is written, or the answer never comes, the claim stays and the notice is not sent again: it may
have arrived, and the student finds it on the next page all the same. Only what was surely not accepted is tried again.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases, notices, sections
from quart_enroll.db.collections.notices import PendingEmail
from quart_enroll.domain.models import Credentials, Notice, SectionKey
from quart_enroll.i18n import language
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.services import mail
from quart_enroll.services.accounts.email_links import RESET_LIFETIME, EmailLinks
from quart_enroll.services.mail import Postponed, Sender, Undeliverable

PAUSE = 5.0
"""Seconds between two looks at the outbox."""

BATCH = 100
"""E-mails at most between two looks."""

LEASE = "notices"
LEASE_TIME = timedelta(seconds=60)
"""How long nobody else sends after the holder of the lease was last heard of; more than an e-mail takes."""

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=4)
"""Each wait is twice the one before, up to this."""

TRIES = 12
"""With those waits, the last try is 16 hours after the first."""

FRESH = timedelta(hours=24)
"""What has been due for longer is no news: a site that gets a mail server later does not begin with old stories."""

FORGOTTEN = Sentence("""\
Someone, hopefully you, asked for a new password for your account. You can choose it here:

%(link)s

The link works once, for one hour. If it wasn’t you, just ignore this message: your password stays the same.""")

CHANGED = Sentence("""\
Your password was changed, and you’ve been signed out everywhere else.

If it wasn’t you, request a new password right away:

%(link)s""")

CONFIRM = Sentence("""\
Someone, hopefully you, created an account with this email. If it was you, confirm your email here:

%(link)s

The link works for three days. If it wasn’t you, just ignore this message.""")

TO_UNCONFIRMED = ("confirm_email", "password_forgotten")
"""The only emails that go to an unconfirmed address, without a name; other notices appear only on the site."""

NOBODY = 0
"""The number of no user."""

SUBJECTS = {
    "promote": Sentence("You’re enrolled in %(title)s"),
    "skip": Sentence("Your place on the waitlist for %(title)s"),
    "alert": Sentence("A seat opened in %(title)s"),
    "moved": Sentence("The time or room of %(title)s has changed"),
}
"""What an e-mail is about, for each action of a notice, with the title of the course."""

Clock = Callable[[], datetime]

logger = logging.getLogger(__name__)


@asynccontextmanager
async def sending(db: Database, sender: Sender | None, clock: Clock, links: EmailLinks) -> AsyncIterator[None]:
    """Send notices in the background while the block runs; without a sender do nothing.

    At the end an e-mail that is on its way may arrive.
    """
    if sender is None:
        yield
        return
    stop = asyncio.Event()
    task = asyncio.create_task(_run(db, sender, clock, links, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=mail.MESSAGE_TIMEOUT_SECONDS)
        task.cancel()
        await asyncio.wait({task})


async def password_forgotten(db: Database, email: str, now: datetime) -> None:
    """Let an e-mail lead who has this address to a new password.

    Whether anybody has it is found out when it is sent: who asks can't tell, not even by the time that it takes.
    """
    await notices.add_email_only(
        db, Notice(now, NOBODY, "password_forgotten"), email=email, forget_at=now + RESET_LIFETIME
    )


async def confirm_email(db: Database, user_id: int, now: datetime) -> None:
    """Queue an email that asks the user to confirm the address."""
    await notices.add_email_only(db, Notice(now, user_id, "confirm_email"))


async def drain_once(
    db: Database, sender: Sender, clock: Clock, links: EmailLinks, holder: str, stop: asyncio.Event | None = None
) -> int:
    """Send what is due, and return how many e-mails the mail server accepted.

    Does nothing while another `holder` has the lease. Ends early at the first e-mail that must wait, since the
    next one would as well, and when `stop` is set.
    """
    accepted = 0
    for _ in range(BATCH):
        outgoing = await notices.find_due(db, clock() - FRESH, clock())
        if outgoing is None or not await leases.acquire(db, LEASE, holder, LEASE_TIME):
            break
        if await notices.claim(db, outgoing, clock()):
            try:
                accepted += await _send(db, sender, clock, links, outgoing)
            except Postponed:
                break
        if stop is not None and stop.is_set():
            break
    return accepted


def wait(tries: int) -> timedelta:
    """Return how long to wait after so many tries."""
    return min(FIRST_WAIT * (1 << (tries - 1)), LONGEST_WAIT)


async def _send(db: Database, sender: Sender, clock: Clock, links: EmailLinks, outgoing: PendingEmail) -> bool:
    """Send a claimed notice and write what became of it; raise Postponed when the mail server can't take it now.

    No address and no sentence gets into the log, only the number of the notice.
    """
    if outgoing.to is None:  # it was removed; or anybody typed any address
        await notices.mark_failed(db, outgoing, clock(), "there is no such account")
        return False
    action, unconfirmed = outgoing.notice.action, outgoing.to.user.email_unconfirmed
    if unconfirmed and action not in TO_UNCONFIRMED:
        await notices.mark_failed(db, outgoing, clock(), "the address is not confirmed")
        return False
    if action == "confirm_email" and not unconfirmed:
        await notices.mark_failed(db, outgoing, clock(), "the address is confirmed")
        return False
    try:
        await sender.send(outgoing.to.user.email, *_words(outgoing.notice, outgoing.to, links, clock()))
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
    if tries >= TRIES:
        await _give_up(db, clock, outgoing, reason)
        return
    logger.warning("notice %s: %s; it is tried again later", outgoing.notice_id, reason)
    await notices.postpone(db, outgoing, clock() + wait(tries))


async def _give_up(db: Database, clock: Clock, outgoing: PendingEmail, reason: str) -> None:
    logger.error("notice %s: %s; it is not sent", outgoing.notice_id, reason)
    await notices.mark_failed(db, outgoing, clock(), reason)


def _words(notice: Notice, to: Credentials, links: EmailLinks, now: datetime) -> tuple[str, str]:
    """Return the subject and the text, in the language of who gets it; the site's first for who has none."""
    with language.use_language(to.user.language or language.current_language()):
        subject, text = _about(notice, to, links, now)
        if to.user.email_unconfirmed:  # somebody may have typed any text as the name beside a stranger's address
            return subject, gettext(
                "Hello,\n\n%(text)s\n\nThis inbox isn’t monitored, so please don’t reply.\n", text=text
            )
        text = gettext(
            "Hello %(name)s,\n\n%(text)s\n\nThis inbox isn’t monitored, so please don’t reply.\n",
            name=to.user.short_name,
            text=text,
        )
        return subject, text


def _about(notice: Notice, to: Credentials, links: EmailLinks, now: datetime) -> tuple[str, str]:
    match notice.action:
        case "password_changed":
            return gettext("Your password was changed"), CHANGED % {"link": links.forgot}
        case "password_forgotten":
            return gettext("Choose a new password"), FORGOTTEN % {"link": links.reset(to, now)}
        case "confirm_email":
            return gettext("Confirm your email"), CONFIRM % {"link": links.confirmation(to.user, now)}
        case _:
            return _of_a_seat(notice)


def _of_a_seat(notice: Notice) -> tuple[str, str]:
    title = " ".join(notice.title.split())
    text = gettext("%(sentence)s\n\nSign in to see your schedule.", sentence=notice.sentence)
    return SUBJECTS[notice.action] % {"title": title}, text


async def _run(db: Database, sender: Sender, clock: Clock, links: EmailLinks, stop: asyncio.Event) -> None:
    """Look at the outbox again and again until `stop` is set."""
    holder = secrets.token_hex(8)
    while not stop.is_set():
        try:
            await drain_once(db, sender, clock, links, holder, stop)
        except Exception as error:  # noqa: BLE001  # the database may be away; the next look finds it back
            logger.warning("notices: %s; the next look is in %g s", type(error).__name__, PAUSE)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PAUSE)
    with suppress(Exception):  # it would run out by itself
        await leases.release(db, LEASE, holder)


async def take_unseen(db: Database, user_id: int) -> list[Notice]:
    """Return the user's notices that were not shown yet, and mark them as shown."""
    return await notices.take_unseen(db, user_id)


async def has_open_seats(db: Database, key: SectionKey) -> bool:
    """Tell whether the section has an open seat now; a section that no longer exists counts as open."""
    section = await sections.find(db, key)
    return section is None or bool(section.open_seats)
