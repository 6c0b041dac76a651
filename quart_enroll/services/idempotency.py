"""Requests with an Idempotency-Key: each is answered once, and a repeat is told the same.

The order makes it safe to die at any moment: the key first, then the change, then the answer, then the reply. Whoever
finds a key without an answer for too long does it all again, and that tells what is, because every change may be
repeated. So an answer that is stored is one that was true, and no change is lost or made twice.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database
from quart_enroll.db.collections import idempotency
from quart_enroll.domain.errors import InProgress, KeyReused
from quart_enroll.domain.models import StoredResponse

ANSWER_LIFETIME = timedelta(hours=24)
"""How long an answer is kept."""

ABANDONED_AFTER = timedelta(seconds=30)
"""A request without an answer for so long has died: a change takes 15 seconds at most, and a reply 25."""

IN_PROGRESS_RETRY_SECONDS = 2
"""Seconds after which to ask again for the answer to a request that goes on."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request under a key; `digest` tells it from others."""

    user_id: int
    key: str
    digest: str


async def run_once(
    db: Database, ask: IdempotentRequest, now: datetime, tell: Callable[[], Awaitable[StoredResponse]]
) -> tuple[StoredResponse, bool]:
    """Return the answer to the request and whether it is a repeat of an earlier one; `tell` makes the change.

    What `tell` raises is not kept: a refusal has changed nothing, and the next one who asks is told what is then.
    Raises KeyReused for another request under the key, InProgress for one that is being answered.
    """
    holder = secrets.token_hex(8)
    if (told := await _begin(db, ask, holder, now)) is not None:
        return told, True
    async with _free_key_on_failure(db, ask, holder):
        answer = await tell()
    await idempotency.finish(db, ask.user_id, ask.key, holder, answer)
    return answer, False


async def _begin(db: Database, ask: IdempotentRequest, holder: str, now: datetime) -> StoredResponse | None:
    """Begin the request, or return what it was answered."""
    while not await idempotency.begin(
        db, ask.user_id, ask.key, digest=ask.digest, holder=holder, at=now, expires_at=now + ANSWER_LIFETIME
    ):
        begun = await idempotency.find(db, ask.user_id, ask.key)
        if begun is None:
            continue
        if begun.expires_at <= now or (begun.answer is None and begun.at + ABANDONED_AFTER <= now):
            await idempotency.remove(db, ask.user_id, ask.key, begun.holder)
            continue
        if begun.digest != ask.digest:
            raise KeyReused
        if begun.answer is None:
            raise InProgress(IN_PROGRESS_RETRY_SECONDS)
        return begun.answer
    return None


@asynccontextmanager
async def _free_key_on_failure(db: Database, ask: IdempotentRequest, holder: str) -> AsyncIterator[None]:
    """Free the key when there will be no answer: a refusal, a database that is away, a client that hung up."""
    try:
        yield
    except BaseException:
        with suppress(*DATABASE_UNAVAILABLE):  # then it is free when it counts as given up
            await idempotency.remove(db, ask.user_id, ask.key, holder)
        raise
