"""Change a user's email, the name with which they sign in, once both the old and the new address have confirmed it."""

from datetime import datetime, timedelta

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import email_changes, notices, users
from quart_enroll.db.collections.notices import NO_USER
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.errors import EmailChangeOver
from quart_enroll.domain.models import EmailChange, EmailChangeSide, Notice, User
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.accounts import accounts, sessions

CHANGE_LIFETIME = timedelta(days=1)
"""How long both addresses have to confirm the change."""


async def ask(db: Database, login: str, user: User, new_email: str, now: datetime) -> EmailChange:
    """Email a link to the old and to the new address of the user with the sign-in `login`; return the pending change.

    No link is sent to an old address that was never confirmed; if it is confirmed before the change, the change is
    over. Whether the new one already has an account is checked only when the email is sent, so that the response
    doesn't reveal it. Repeating the request changes nothing. Raises SignInEnded.
    """
    asked_at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as MongoDB stores it
    asks_old = not user.email_unconfirmed
    wanted = EmailChange(user.user_id, user.email, new_email, asked_at, asked_at + CHANGE_LIFETIME, asks_old)

    async def body(session: Session) -> EmailChange:
        pending = await email_changes.find(db, user.user_id, now, session)
        if pending and _asked_for(pending) == _asked_for(wanted):
            return pending
        await email_changes.put(db, wanted, session)
        await _queue_links(db, wanted, session)
        return wanted

    return await sessions.grant(db, login, body)


async def find(db: Database, user_id: int, now: datetime) -> EmailChange | None:
    """Return the user's pending change, or None."""
    return await email_changes.find(db, user_id, now)


async def stop(db: Database, user_id: int) -> None:
    """Cancel the user's pending email change, if there is one."""
    await email_changes.remove(db, user_id)


async def agree(db: Database, change: EmailChange, side: EmailChangeSide, now: datetime) -> bool:
    """Record that one of the addresses confirmed the change; return whether the email has changed.

    If so, all access ends. Repeating it while the other address hasn't confirmed changes nothing. Raises
    EmailChangeOver and EmailTaken.
    """

    async def body(session: Session) -> bool:
        agreed = await email_changes.agree(db, change, side, session)
        if agreed is None:
            raise EmailChangeOver
        if agreed.is_agreed:
            await _complete(db, agreed, now, session)
        return agreed.is_agreed

    return await transaction(db, body)


def _asked_for(change: EmailChange) -> tuple[str, str, bool]:
    return change.old_email, change.new_email, change.asks_old


async def _complete(db: Database, change: EmailChange, now: datetime, session: Session) -> None:
    user = await users.find(db, change.user_id, session)
    if user is None or user.email != change.old_email:  # an import has changed it in the meantime
        raise EmailChangeOver
    if not change.asks_old and not user.email_unconfirmed:  # its owner has confirmed it, and was never asked
        raise EmailChangeOver
    await users.set_email(db, user, change.new_email, session)
    await accounts.end_all_access(db, user.user_id, session)
    if not user.email_unconfirmed:
        notice, forget_at = Notice(now, NO_USER, "email_changed"), now + CHANGE_LIFETIME
        await notices.add_email_only(
            db, notice, session, email=change.old_email, language=user.language, forget_at=forget_at
        )


async def _queue_links(db: Database, change: EmailChange, session: Session) -> None:
    at, user_id = change.asked_at, change.user_id
    await notices.add_email_only(
        db, Notice(at, user_id, "new_email"), session, email=change.new_email, forget_at=change.expires_at
    )
    if change.asks_old:
        because = Sentence(
            "Someone, hopefully you, asked to change the email on your account to %(email)s.", email=change.new_email
        )
        await notices.add_email_only(db, Notice(at, user_id, "email_change", because=because), session)
