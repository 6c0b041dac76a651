"""Lets a user who has a reset link choose a new password."""

from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.domain.errors import LinkDead
from quart_enroll.domain.models import User
from quart_enroll.services.accounts import accounts, password_policy
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.accounts.hashing import Hasher


async def reset(db: Database, hasher: Hasher, links: EmailLinks, *, token: str, password: str, now: datetime) -> User:
    """Set the password of the link's user, and end all access that began with the old one.

    Raises LinkDead and PasswordRefused. If a link is used twice at the same time, one use finds it dead.
    """
    found = await links.find_credentials(db, token, now)
    user = found.user
    password_policy.check_new_password(password, email=user.email, first_name=user.first_name, last_name=user.last_name)
    if not await accounts.replace_password(db, found, await hasher.hash(password), now, by_link=True):
        raise LinkDead
    return user
