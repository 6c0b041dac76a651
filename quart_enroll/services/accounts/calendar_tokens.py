"""The private link to a student's calendar: anyone who has it can read the schedule without signing in."""

import secrets
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import calendar_tokens, users
from quart_enroll.domain.models import User
from quart_enroll.services.accounts import sessions
from quart_enroll.services.accounts.token_digest import TOKEN_BYTES, token_digest


async def create(db: Database, user_id: int, now: datetime, *, login: str) -> str:
    """Create a token for the student's calendar in the sign-in `login` and return it; it can't be read again.

    The previous token stops working. Raises SignInEnded.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)

    async def put(session: Session) -> None:
        await calendar_tokens.put(db, user_id, token_digest(token), now, session)

    await sessions.grant(db, login, put)
    return token


async def revoke(db: Database, user_id: int) -> None:
    """Revoke the student's token."""
    await calendar_tokens.remove(db, user_id)


async def find_owner(db: Database, token: str) -> User | None:
    """Return the student whose token it is, or None if it was revoked or never existed."""
    user_id = await calendar_tokens.find_owner(db, token_digest(token))
    return None if user_id is None else await users.find(db, user_id)
