"""Personal access tokens: made, used, ended."""

import secrets
from datetime import datetime, timedelta

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import tokens
from quart_enroll.domain.errors import TooManyTokens
from quart_enroll.domain.models import Token, User
from quart_enroll.services.accounts import sessions
from quart_enroll.services.accounts.token_digest import token_digest

PREFIX = "qe_"
"""How every token begins, so that people and scanners of source code know one when they see it."""

LONGEST = timedelta(days=366)
"""How long a token may live."""

MOST = 20
"""Tokens that a user may have at a time."""

NOTED_EVERY = timedelta(hours=1)
"""A use is noted when the last noted one was so long ago: a program that reads often writes seldom."""


async def make(
    db: Database, user_id: int, *, name: str, scope: str, expires_at: datetime, now: datetime, login: str
) -> tuple[str, Token]:
    """Make a token in the sign-in of the key `login` and return its text, which nobody can find out later.

    Raises TokenNameTaken, so that a form that is sent twice makes one token; TooManyTokens; and SignInEnded.
    """
    await tokens.remove_expired(db, user_id, now)
    if len(await tokens.find_by_user(db, user_id, now)) >= MOST:
        raise TooManyTokens(MOST)
    text = PREFIX + secrets.token_urlsafe(32)
    token = Token(secrets.token_hex(8), user_id, name, scope, created_at=now, expires_at=expires_at)

    async def add(session: Session) -> None:
        await tokens.add(db, token, token_digest(text), session)

    await sessions.grant(db, login, add)
    return text, token


async def find(db: Database, text: str, now: datetime) -> tuple[Token, User] | None:
    """Return the token with this text and whose it is, and note that it was used; None when it has ended."""
    if not text.startswith(PREFIX):
        return None
    found = await tokens.find(db, token_digest(text), now)
    if found is not None:
        token = found[0]
        if token.last_used_at is None or now - token.last_used_at >= NOTED_EVERY:
            await tokens.record_use(db, token, now)
    return found
