"""Staff see the site as a student sees it, for a while and without changing anything.

It is a fact about the sign-in of the staff member, stored on the server, and ends with it.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import logins, users
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import permissions
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import SignInEnded
from quart_enroll.domain.models import Login, User, Viewing
from quart_enroll.domain.roles import Role
from quart_enroll.services.live.user_cache import UserCache
from quart_enroll.services.staff import audit

VIEW_LIFETIME = timedelta(minutes=30)
"""How long staff may see the site as a student; then they start anew."""

ABOUT = About("student")


async def begin(db: Database, cache: UserCache, login: Login, staff: User, user_id: int, now: datetime) -> User | None:
    """Let the sign-in see the site as the student, and return the student.

    Returns None if there is no such student among those whom the person may act for. Raises SignInEnded.
    """
    viewing = Viewing(user_id, now + VIEW_LIFETIME)
    student = await find_student(db, staff, viewing, now)
    if student is None:
        return None

    async def body(session: Session) -> None:
        if not await logins.begin_viewing(db, login.key, viewing, session):
            raise SignInEnded
        await audit.record(db, session, AuditEntry(now, staff.user_id, "view.begin", ABOUT, user_id))

    await transaction(db, body)
    cache.logins.invalidate(login.key)
    return student


async def find_student(db: Database, staff: User, viewing: Viewing, now: datetime) -> User | None:
    """Return the student as whom the person sees the site, with no other role.

    Returns None once the time is over, the student is gone, or the person may not act for them.
    """
    student = await users.find(db, viewing.user_id) if now < viewing.until else None
    if student is None or not permissions.can_view_as(staff, student):
        return None
    return replace(student, roles=frozenset({Role.STUDENT}), subjects=())


async def end(db: Database, cache: UserCache, login: Login, now: datetime) -> None:
    """Let the sign-in see the site as its own user again; repeating it changes nothing."""
    viewing = login.viewing
    if viewing is None:
        return

    async def body(session: Session) -> None:
        if await logins.end_viewing(db, login.key, viewing, session):
            ended_at = min(now, viewing.until)
            await audit.record(db, session, AuditEntry(ended_at, login.user_id, "view.end", ABOUT, viewing.user_id))

    await transaction(db, body)
    cache.logins.invalidate(login.key)
