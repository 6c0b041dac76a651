"""Links in emails: to a new password, once and for an hour; and to confirm the user's email address.

Nothing is stored for it. The link names the user and carries a digest of the address and of the hash that the password
has when the link is made; any new password changes the hash, and so every link that was made before is dead. So is one
that went to an address that is no longer the user's.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from itsdangerous import BadData, URLSafeSerializer

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.errors import ConfirmationDead, LinkDead
from quart_enroll.domain.models import Credentials, User
from quart_enroll.services.accounts import accounts, password_policy
from quart_enroll.services.accounts.hashing import Hasher

LIFETIME = timedelta(hours=1)

MAX_TOKEN_LENGTH = 500
"""Longest signed part of a link, in characters; the site's own have some 120."""

CONFIRMATION_LIFETIME = timedelta(days=3)

FORGOT_PATH, RESET_PATH, CONFIRM_PATH = "/password/forgot", "/password/reset", "/email/confirm"
"""Where the site has the pages that e-mails lead to."""


class Links:
    """Makes and reads the links, all of them below `public_url`: never below what a request calls the site."""

    def __init__(self, secret_key: str, public_url: str) -> None:
        signer = {"digest_method": sha256}
        self._serializer = URLSafeSerializer(secret_key, "password reset", signer_kwargs=signer)
        self._confirmations = URLSafeSerializer(secret_key, "email confirmation", signer_kwargs=signer)
        self._public_url = public_url

    @property
    def forgot(self) -> str:
        """The address of the page where anybody asks for a link."""
        return f"{self._public_url}{FORGOT_PATH}"

    def reset(self, found: Credentials, now: datetime) -> str:
        """Return the link for this user."""
        until = int((now + LIFETIME).timestamp())
        token = self._serializer.dumps([found.user.user_id, until, _seal(found)])
        return f"{self._public_url}{RESET_PATH}/{token}"

    async def find(self, db: Database, token: str, now: datetime) -> Credentials:
        """Return whose link this is, and the password that it replaces; raise LinkDead."""
        try:
            user_id, until, seal = self._serializer.loads(token)
        except (BadData, UnicodeError):
            raise LinkDead from None
        found = await users.find_credentials_by_id(db, user_id) if now.timestamp() < until else None
        if found is None or not compare_digest(seal, _seal(found)):
            raise LinkDead
        return found

    def confirmation(self, user: User, now: datetime) -> str:
        """Return the link that confirms the user's address; it contains a digest of the address."""
        until = int((now + CONFIRMATION_LIFETIME).timestamp())
        token = self._confirmations.dumps([user.user_id, until, _email_seal(user)])
        return f"{self._public_url}{CONFIRM_PATH}/{token}"

    async def find_unconfirmed(self, db: Database, token: str, now: datetime) -> User:
        """Return the user whose address the link confirms, even if it is confirmed already; raise ConfirmationDead."""
        try:
            user_id, until, seal = self._confirmations.loads(token)
        except (BadData, UnicodeError):
            raise ConfirmationDead from None
        user = await users.find(db, user_id) if now.timestamp() < until else None
        if user is None or not compare_digest(seal, _email_seal(user)):
            raise ConfirmationDead
        return user


async def reset(db: Database, hasher: Hasher, links: Links, *, token: str, password: str, now: datetime) -> User:
    """Give the link's user the password, and end everything that the old one has begun.

    Raises LinkDead and PasswordRefused. Of two at once with one link, one finds it dead.
    """
    found = await links.find(db, token, now)
    user = found.user
    password_policy.check_choice(password, email=user.email, first_name=user.first_name, last_name=user.last_name)
    if not await accounts.replace_password(db, found, await hasher.hash(password), now, by_link=True):
        raise LinkDead
    return user


def _email_seal(user: User) -> str:
    return sha256(f"{user.user_id} {user.email}".encode()).hexdigest()[:32]


def _seal(found: Credentials) -> str:
    return sha256(f"{found.user.user_id} {found.password} {found.user.email}".encode()).hexdigest()[:32]
