"""Personal access tokens for the API: creates them and finds their users."""

import secrets
from datetime import datetime, timedelta

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import tokens
from quart_enroll.domain import scopes
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import ReadOnlyToken, TooManyTokens, WrongScope
from quart_enroll.domain.models import Token, User
from quart_enroll.domain.scopes import CHANGING_SCOPES, STAFF_SCOPES, Scope
from quart_enroll.services.accounts import sessions
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.services.staff import audit

TOKEN_PREFIX = "qe_"  # noqa: S105  # no secret
"""The prefix of every token, by which people and secret scanners recognize it."""

MAX_TOKEN_LIFETIME = timedelta(days=366)
"""The longest lifetime that a user may choose."""

MAX_STAFF_TOKEN_LIFETIME = timedelta(days=90)
"""The same for a token with which staff work: it opens other people's data."""

MAX_TOKENS_PER_USER = 20

USE_RECORDED_EVERY = timedelta(hours=1)
"""How long after one recorded use the next one is recorded, so that frequent reads cause few writes."""


async def create(
    db: Database, user_id: int, *, name: str, scope: Scope, expires_at: datetime, now: datetime, login: str
) -> tuple[str, Token]:
    """Create a token in the sign-in `login` and return its text, which can't be read again later.

    Raises TokenNameTaken, so that a form sent twice creates one token; TooManyTokens; and SignInEnded.
    """
    await tokens.remove_expired(db, user_id, now)
    if len(await tokens.find_by_user(db, user_id, now)) >= MAX_TOKENS_PER_USER:
        raise TooManyTokens(MAX_TOKENS_PER_USER)
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(secrets.token_hex(8), user_id, name, scope, created_at=now, expires_at=expires_at)

    async def add(session: Session) -> None:
        await tokens.add(db, token, token_digest(text), session)
        if scope in STAFF_SCOPES:
            await audit.record(db, session, AuditEntry(now, user_id, "token.add", About("token", name=name)))

    await sessions.grant(db, login, add)
    return text, token


async def find(db: Database, text: str, now: datetime) -> tuple[Token, User] | None:
    """Return the token with this text and its user, and record its use; None if it is unknown, expired or revoked."""
    if not text.startswith(TOKEN_PREFIX):
        return None
    found = await tokens.find(db, token_digest(text), now)
    if found is not None:
        token = found[0]
        if token.last_used_at is None or now - token.last_used_at >= USE_RECORDED_EVERY:
            await tokens.record_use(db, token, now)
    return found


def check_scope(scope: Scope, *, for_staff: bool, is_change: bool) -> None:
    """Raise ReadOnlyToken or WrongScope if a token with the scope may not be used for this."""
    if not scopes.allows(scope, for_staff=for_staff, is_change=is_change):
        raise ReadOnlyToken if is_change and scope not in CHANGING_SCOPES else WrongScope


async def active(db: Database, user_id: int, now: datetime) -> list[Token]:
    """Return the user's tokens that have not expired, in the order of their names."""
    return await tokens.find_by_user(db, user_id, now)


async def revoke(db: Database, user_id: int, token_id: str) -> bool:
    """Revoke the user's token; return False if there is no such token."""
    return await tokens.revoke(db, user_id, token_id)
