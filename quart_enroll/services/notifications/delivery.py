"""What sends emails, and when it may send one or try again; notices, summaries and digests have the same rules."""

from dataclasses import dataclass
from datetime import timedelta

from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.notifications.mail import Sender
from quart_enroll.system.clock import Clock

LEASE_NAME = "notices"
LEASE_DURATION = timedelta(seconds=60)
"""How long the lease stays with a process that no longer renews it; longer than sending an email takes."""

FIRST_RETRY_DELAY = timedelta(minutes=1)
MAX_RETRY_DELAY = timedelta(hours=4)
"""The first and the longest delay before a retry; each is twice as long as the one before."""

MAX_EMAIL_TRIES = 12
"""With those delays, the last try is 16 hours after the first."""

MAX_NOTICE_AGE = timedelta(hours=24)
"""Older news is not sent, so that a site that adds a mail server later does not start with old news."""


@dataclass(frozen=True, slots=True)
class Mailer:
    """What sends the site's emails, and makes the links in them; `timezone` is the school's."""

    sender: Sender
    clock: Clock
    links: EmailLinks
    timezone: str = "UTC"


def retry_delay(tries: int) -> timedelta:
    """Return the delay after this number of tries."""
    return min(FIRST_RETRY_DELAY * (1 << (tries - 1)), MAX_RETRY_DELAY)
