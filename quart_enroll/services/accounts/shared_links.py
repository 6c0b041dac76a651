"""Shared links: anyone with a link can see a student's schedule or plan for a term without signing in."""

import secrets
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import shared_links, users
from quart_enroll.domain.errors import SharedLinkExists, TooManySharedLinks
from quart_enroll.domain.models import SharedContent, SharedLink, Term, User
from quart_enroll.services.accounts import sessions
from quart_enroll.services.accounts.token_digest import TOKEN_BYTES, token_digest
from quart_enroll.services.enrollment import seat_changes
from quart_enroll.services.enrollment.seat_changes import SeatTransaction

MAX_LINKS_PER_TERM = 5
"""The maximum number of links to a student's schedule and plan for one term, together."""


async def create(
    db: Database, user_id: int, term: Term, content: SharedContent, *, label: str, now: datetime, login: str
) -> str:
    """Create a link in the sign-in `login` and return its token, which can't be read again.

    Raises SharedLinkExists, so that a form sent twice creates one link; TooManySharedLinks; and SignInEnded.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = SharedLink(secrets.token_hex(8), user_id, term.term, content, label, now, term.ends_at)

    async def add(session: Session) -> None:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, term.term)
        others = [one for one in await shared_links.find_by_user(db, user_id, now, session) if one.term == term.term]
        if (content, label) in [(one.content, one.label) for one in others]:
            raise SharedLinkExists(label)
        if len(others) >= MAX_LINKS_PER_TERM:
            raise TooManySharedLinks(term.term, MAX_LINKS_PER_TERM)
        await shared_links.add(db, link, token_digest(token), session)

    await sessions.grant(db, login, add)
    return token


async def active(db: Database, user_id: int, now: datetime) -> list[SharedLink]:
    """Return the student's links that have not expired, oldest first."""
    return await shared_links.find_by_user(db, user_id, now)


async def revoke(db: Database, user_id: int, link_id: str) -> bool:
    """Revoke the student's link; return False if there is no such link."""
    return await shared_links.revoke(db, user_id, link_id)


async def find(db: Database, token: str, now: datetime) -> tuple[SharedLink, User] | None:
    """Return the link with this token and its student, or None if it has expired, was revoked or never existed."""
    link = await shared_links.find(db, token_digest(token), now)
    owner = None if link is None else await users.find(db, link.user_id)
    return (link, owner) if link and owner else None
