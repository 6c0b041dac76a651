"""Change which emails a user gets, and when."""

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.email_settings import EmailSettings


async def put(db: Database, user_id: int, settings: EmailSettings) -> None:
    """Set which emails the user gets, and when."""
    await users.set_email_settings(db, user_id, settings)


async def turn_off(db: Database, user_id: int, emails: str) -> None:
    """Turn off one kind of email, or with DIGEST those that come in the daily digest. Repeating it changes nothing."""

    async def body(session: Session) -> None:
        if (found := await users.find(db, user_id, session)) is not None:
            await users.set_email_settings(db, user_id, found.email_settings.without(emails), session)

    await transaction(db, body)
