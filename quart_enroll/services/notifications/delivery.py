"""When the outbox may send an email, and when it tries again; notices and summaries have the same rules."""

from datetime import timedelta

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


def retry_delay(tries: int) -> timedelta:
    """Return the delay after this number of tries."""
    return min(FIRST_RETRY_DELAY * (1 << (tries - 1)), MAX_RETRY_DELAY)
