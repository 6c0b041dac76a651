"""Buttons that change something only once, even if they are pressed twice or the connection is lost."""

from datetime import datetime, timedelta
from hashlib import sha256

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import idempotency
from quart_enroll.domain.models import StoredResponse

KEY_LIFETIME = timedelta(days=1)
"""How long the same button changes nothing again."""


def make_key(button: str, change: object) -> str:
    """Return the key of a change by the button; after an edit of the form, the same button has another key."""
    return sha256(f"{button} {change}".encode()).hexdigest()


async def record(db: Database, user_id: int, key: str, now: datetime, session: Session, result: str = "") -> None:
    """Record the change and its result in the change's own transaction; raise AlreadyMade if it was made before."""
    expires_at = now + KEY_LIFETIME
    answer = StoredResponse(303, "", result)
    await idempotency.add_answered(db, user_id, key, answer, at=now, expires_at=expires_at, session=session)
