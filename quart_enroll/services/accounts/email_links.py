"""Links in emails: one to choose a new password, within an hour; one to confirm an email, within three days; two to
confirm an email change, within a day; and one to turn off emails, for as long as the user has the same email.

The links are signed, so nothing is stored for them. A reset link contains a digest of the email and the password hash;
a new password changes the hash, which invalidates all earlier links. So does a new email. Links to an email change name
the user's request, which is stored until the change is completed or canceled.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from itsdangerous import BadData, URLSafeSerializer

from quart_enroll.db.client import Database
from quart_enroll.db.collections import email_changes, users
from quart_enroll.domain.errors import ConfirmationDead, EmailChangeOver, LinkDead, UnsubscribeLinkDead
from quart_enroll.domain.models import Credentials, EmailChange, EmailChangeSide, User

RESET_LIFETIME = timedelta(hours=1)

CONFIRMATION_LIFETIME = timedelta(days=3)

MAX_LINK_TOKEN_LENGTH = 500
"""The longest signed part of a link that is read, in characters; the site's own have about 120."""

FORGOT_PATH, RESET_PATH, CONFIRM_PATH = "/password/forgot", "/password/reset", "/email/confirm"
CHANGE_PATH, UNSUBSCRIBE_PATH = "/email/change", "/email/unsubscribe"
"""The paths of the pages that emails link to."""


class EmailLinks:
    """Creates and reads the links.

    They begin with the setting `public_url`, never with the host that a request names.
    """

    def __init__(self, secret_key: str, public_url: str) -> None:
        signer = {"digest_method": sha256}
        self._resets = URLSafeSerializer(secret_key, "password reset", signer_kwargs=signer)
        self._confirmations = URLSafeSerializer(secret_key, "email confirmation", signer_kwargs=signer)
        self._changes = URLSafeSerializer(secret_key, "email change", signer_kwargs=signer)
        self._unsubscriptions = URLSafeSerializer(secret_key, "unsubscribe", signer_kwargs=signer)
        self._public_url = public_url

    @property
    def forgot(self) -> str:
        """The URL of the page where anyone can request a reset link."""
        return f"{self._public_url}{FORGOT_PATH}"

    def reset(self, found: Credentials, now: datetime) -> str:
        """Return a link with which the user can choose a new password."""
        until = int((now + RESET_LIFETIME).timestamp())
        token = self._resets.dumps([found.user.user_id, until, _password_digest(found)])
        return f"{self._public_url}{RESET_PATH}/{token}"

    async def find_reset(self, db: Database, email: str, now: datetime) -> str | None:
        """Return a reset link for the user with this email, or None if there is none."""
        found = await users.find_credentials(db, email)
        return None if found is None else self.reset(found, now)

    async def find_credentials(self, db: Database, token: str, now: datetime) -> Credentials:
        """Return the credentials that a reset link replaces; raise LinkDead."""
        try:
            user_id, until, digest = self._resets.loads(token)
        except (BadData, UnicodeError):
            raise LinkDead from None
        found = await users.find_credentials_by_id(db, user_id) if now.timestamp() < until else None
        if found is None or not compare_digest(digest, _password_digest(found)):
            raise LinkDead
        return found

    def confirmation(self, user: User, now: datetime) -> str:
        """Return a link that confirms the user's email."""
        until = int((now + CONFIRMATION_LIFETIME).timestamp())
        token = self._confirmations.dumps([user.user_id, until, _email_digest(user)])
        return f"{self._public_url}{CONFIRM_PATH}/{token}"

    async def find_unconfirmed(self, db: Database, token: str, now: datetime) -> User:
        """Return the user whose email the link confirms, even if it is already confirmed; raise ConfirmationDead."""
        try:
            user_id, until, digest = self._confirmations.loads(token)
        except (BadData, UnicodeError):
            raise ConfirmationDead from None
        user = await users.find(db, user_id) if now.timestamp() < until else None
        if user is None or not compare_digest(digest, _email_digest(user)):
            raise ConfirmationDead
        return user

    def email_change(self, user_id: int, asked_at: datetime, side: EmailChangeSide) -> str:
        """Return the link for one of the two addresses; `asked_at` is when the user asked for the change."""
        token = self._changes.dumps([user_id, asked_at.isoformat(), side])
        return f"{self._public_url}{CHANGE_PATH}/{token}"

    async def find_email_change(self, db: Database, token: str, now: datetime) -> tuple[EmailChange, EmailChangeSide]:
        """Return the change that the link confirms, and the address it was sent to; raise EmailChangeOver."""
        try:
            user_id, asked_at, side = self._changes.loads(token)
        except (BadData, UnicodeError):
            raise EmailChangeOver from None
        change = await email_changes.find(db, user_id, now)
        if change is None or change.asked_at.isoformat() != asked_at:
            raise EmailChangeOver
        return change, EmailChangeSide(side)

    def unsubscribe(self, user: User, emails: str) -> str:
        """Return the link with which the user turns off one kind of email, or the daily digest."""
        token = self._unsubscriptions.dumps([user.user_id, emails, _email_digest(user)])
        return f"{self._public_url}{UNSUBSCRIBE_PATH}/{token}"

    def unsubscriber(self, token: str) -> int:
        """Return the user_id in a link that turns off emails; raise UnsubscribeLinkDead if the link is forged."""
        return self._read_unsubscription(token)[0]

    async def find_unsubscription(self, db: Database, token: str) -> tuple[User, str]:
        """Return the user and the emails that the link turns off; raise UnsubscribeLinkDead."""
        user_id, emails, digest = self._read_unsubscription(token)
        user = await users.find(db, user_id)
        if user is None or not compare_digest(digest, _email_digest(user)):
            raise UnsubscribeLinkDead
        return user, emails

    def _read_unsubscription(self, token: str) -> tuple[int, str, str]:
        try:
            user_id, emails, digest = self._unsubscriptions.loads(token[:MAX_LINK_TOKEN_LENGTH])
        except (BadData, UnicodeError):
            raise UnsubscribeLinkDead from None
        return user_id, emails, digest


def _email_digest(user: User) -> str:
    return sha256(f"{user.user_id} {user.email}".encode()).hexdigest()[:32]


def _password_digest(found: Credentials) -> str:
    return sha256(f"{found.user.user_id} {found.password} {found.user.email}".encode()).hexdigest()[:32]
