"""The secret address of a student's calendar: whoever knows it reads the schedule, without signing in."""

import secrets
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import calendar_tokens
from quart_enroll.services.accounts import sessions
from quart_enroll.services.accounts.token_digest import token_digest

LENGTH = 32
"""Bytes of a token, from the system's own chance."""


async def make(db: Database, user_id: int, now: datetime, *, login: str) -> str:
    """Create a token for the student's calendar in the sign-in `login` and return it; it can't be read again.

    The previous token stops working. Raises SignInEnded.
    """
    token = secrets.token_urlsafe(LENGTH)

    async def put(session: Session) -> None:
        await calendar_tokens.put(db, user_id, token_digest(token), now, session)

    await sessions.grant(db, login, put)
    return token


async def end(db: Database, user_id: int) -> None:
    """Let the student's token be worth nothing."""
    await calendar_tokens.remove(db, user_id)


async def whose(db: Database, token: str) -> int | None:
    """Return whose token it is, or None for one that is ended or never was."""
    return await calendar_tokens.find_owner(db, token_digest(token))
