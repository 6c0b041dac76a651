"""The secret address of a student's calendar: whoever knows it reads the schedule, without signing in."""

import hashlib
import secrets
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import calendar_tokens, users
from quart_enroll.domain.models import User
from quart_enroll.services.accounts import sessions

LENGTH = 32
"""Bytes of a token, from the system's own chance."""


async def make(db: Database, user_id: int, now: datetime, *, login: str) -> str:
    """Create a token for the student's calendar in the sign-in `login` and return it; it can't be read again.

    The previous token stops working. Raises SignInEnded.
    """
    token = secrets.token_urlsafe(LENGTH)

    async def put(session: Session) -> None:
        await calendar_tokens.put(db, user_id, _hash(token), now, session)

    await sessions.grant(db, login, put)
    return token


async def end(db: Database, user_id: int) -> None:
    """Let the student's token be worth nothing."""
    await calendar_tokens.remove(db, user_id)


async def find_owner(db: Database, token: str) -> User | None:
    """Return the student whose token it is, or None if it has ended or never existed."""
    user_id = await calendar_tokens.whose(db, _hash(token))
    return None if user_id is None else await users.find(db, user_id)


def _hash(token: str) -> str:
    """Return what is stored: with so many bytes of chance, a quick hash is as good as a slow one."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
