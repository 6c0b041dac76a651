"""Users ask the registrar to remove their account, where the school wants to decide about it."""

from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import removals
from quart_enroll.domain.models import RemovalRequest, User
from quart_enroll.services.accounts import accounts, sessions
from quart_enroll.services.accounts.hashing import Hasher


async def ask(db: Database, hasher: Hasher, login: str, user: User, password: str, now: datetime) -> None:
    """Ask the registrar to remove the account of the user with the sign-in `login`.

    Repeating the request changes nothing. Raises WrongPassword, and SignInEnded.
    """
    await accounts.confirm_password(db, hasher, user, password)
    await sessions.grant(db, login, lambda session: removals.add(db, user.user_id, now, session))


async def find(db: Database, user_id: int) -> RemovalRequest | None:
    """Return the user's request, or None."""
    return await removals.find(db, user_id)


async def withdraw(db: Database, user_id: int) -> None:
    """Withdraw the user's request, if there is one."""
    await removals.remove(db, user_id)
