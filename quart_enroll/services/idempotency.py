"""Runs each request with an Idempotency-Key once, and answers repeats with the stored answer.

The order makes it safe to crash at any time: store the key, make the change, store the answer, send it. If a key has
had no answer for too long, a repeat runs the request again, which is safe because every change may be repeated. So no
change is lost or made twice, and every stored answer was true.
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
"""How long an answer is stored."""

ABANDONED_AFTER = timedelta(seconds=30)
"""When a request without an answer counts as dead: a change takes at most 20 seconds, and a response 25."""

IN_PROGRESS_RETRY_SECONDS = 2
"""When to repeat a request that is still being processed."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with its key; `digest` distinguishes it from other requests with the same key."""

    user_id: int
    key: str
    digest: str


async def run_once(
    db: Database, request: IdempotentRequest, now: datetime, run: Callable[[], Awaitable[StoredResponse]]
) -> tuple[StoredResponse, bool]:
    """Return the answer to the request, and whether it repeats an earlier one; `run` makes the change.

    Exceptions from `run` are not stored: a refusal has changed nothing, and a repeat may succeed. Raises KeyReused if
    the key belongs to a different request, and InProgress if the request is still being processed.
    """
    holder = secrets.token_hex(8)
    if (stored := await _claim(db, request, holder, now)) is not None:
        return stored, True
    async with _free_key_on_failure(db, request, holder):
        answer = await run()
    await idempotency.finish(db, request.user_id, request.key, holder, answer)
    return answer, False


async def _claim(db: Database, request: IdempotentRequest, holder: str, now: datetime) -> StoredResponse | None:
    """Claim the key, or return the stored answer."""
    while not await idempotency.begin(
        db, request.user_id, request.key, digest=request.digest, holder=holder, at=now, expires_at=now + ANSWER_LIFETIME
    ):
        begun = await idempotency.find(db, request.user_id, request.key)
        if begun is None:
            continue
        if begun.expires_at <= now or (begun.answer is None and begun.at + ABANDONED_AFTER <= now):
            await idempotency.remove(db, request.user_id, request.key, begun.holder)
            continue
        if begun.digest != request.digest:
            raise KeyReused
        if begun.answer is None:
            raise InProgress(IN_PROGRESS_RETRY_SECONDS)
        return begun.answer
    return None


@asynccontextmanager
async def _free_key_on_failure(db: Database, request: IdempotentRequest, holder: str) -> AsyncIterator[None]:
    """Release the key if the block fails: with a refusal, without a database, or because the client hung up."""
    try:
        yield
    except BaseException:
        with suppress(*DATABASE_UNAVAILABLE):  # it is released later, when the request counts as dead
            await idempotency.remove(db, request.user_id, request.key, holder)
        raise
