"""Accounts: register, prove who one is, choose another password."""

from asyncio import sleep
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from quart_enroll.db.client import Database, Session, assert_transactions
from quart_enroll.db.collections import calendar_tokens, logins, notices, tokens, users
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.errors import Busy, EmailTaken, WrongCredentials, WrongPassword
from quart_enroll.domain.models import Credentials, Notice, User
from quart_enroll.services.accounts import password_policy
from quart_enroll.services.accounts.hashing import Hasher, decoy

REFUSAL_SECONDS = 0.75
"""A refused sign-in is answered no sooner than this: checking a hash of an older method takes longer or
shorter than today's, and the difference would tell which addresses have an account."""


class Ended(NamedTuple):
    """How many sign-ins, tokens and calendar links of a user have ended."""

    sign_ins: int
    tokens: int
    calendar_links: int


async def register(
    db: Database,
    hasher: Hasher,
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    role: str = "student",
    email_unconfirmed: bool = False,
) -> Credentials:
    """Make an account and return its credentials; the same request again returns the same.

    With `email_unconfirmed`, nothing is known about the address except that somebody typed it.
    Raises PasswordRefused, and EmailTaken when the address has an account with another password.
    """
    password_policy.check_choice(password, email=email, first_name=first_name, last_name=last_name)
    if await users.find_credentials(db, email):
        return await _registered(db, hasher, email, password)
    assert_transactions(db)  # else nobody could sign in to the new account
    hashed = await hasher.hash(password)
    while True:
        number = await users.next_user_id(db)
        user = User(number, email, first_name, last_name, role, email_unconfirmed=email_unconfirmed)
        try:
            await users.add(db, user, hashed)
        except users.UserIdTaken:
            await users.raise_user_id_counter(db)
        except EmailTaken:
            return await _registered(db, hasher, email, password)
        else:
            return Credentials(user, hashed)


async def _registered(db: Database, hasher: Hasher, email: str, password: str) -> Credentials:
    found = await users.find_credentials(db, email)
    if found is None or not await hasher.fits(password, found.password):
        raise EmailTaken
    return found


async def check(db: Database, hasher: Hasher, *, email: str, password: str) -> Credentials:
    """Return the credentials that this address and password are, else raise WrongCredentials.

    Both refusals take the same time. A hash of an older method is replaced by one of today's.
    """
    refused_at = monotonic() + REFUSAL_SECONDS
    found = await users.find_credentials(db, email)
    fits = await hasher.fits(password, found.password if found else decoy(hasher.method))
    if found is None or not fits:
        await sleep(refused_at - monotonic())
        raise WrongCredentials
    if hasher.is_old(found.password):
        with suppress(Busy):  # then another sign-in renews it
            found = await users.replace_hash(db, found, await hasher.hash(password))
    return found


async def confirm(db: Database, hasher: Hasher, user: User, password: str) -> Credentials:
    """Return the credentials of who is signed in, if that is their password; else raise WrongPassword."""
    try:
        checked = await check(db, hasher, email=user.email, password=password)
    except WrongCredentials:
        raise WrongPassword from None
    if checked.user.user_id != user.user_id:  # the account is gone, or shares its address with an older one
        raise WrongPassword
    return checked


async def change_password(
    db: Database, hasher: Hasher, user: User, *, old: str, new: str, now: datetime
) -> Credentials:
    """Give the user the password `new`, end everything that the old one has begun, and return what signs in now.

    Raises PasswordRefused and WrongPassword. The same request again finds it done.
    """
    password_policy.check_choice(new, email=user.email, first_name=user.first_name, last_name=user.last_name)
    try:
        found = await confirm(db, hasher, user, old)
    except WrongPassword:
        stored = await users.find_credentials_by_id(db, user.user_id)
        if stored is None or not await hasher.fits(new, stored.password):
            raise
        return stored
    changed = await replace_password(db, found, await hasher.hash(new), now)
    if changed is None:
        raise WrongPassword  # another browser was quicker
    return changed


async def replace_password(
    db: Database, found: Credentials, hashed: str, now: datetime, *, by_link: bool = False
) -> Credentials | None:
    """Replace the hash, end everything that the password has begun, let an e-mail tell the user; return what is stored.

    With `by_link` it also confirms the address, because the link was sent to it. Returns None and does nothing if the
    password is no longer the one in `found`.
    """

    async def body(session: Session) -> Credentials | None:
        user_id = found.user.user_id
        changed = await users.replace_password(db, found, hashed, session, by_link=by_link)
        if changed is not None:
            await end_everything(db, user_id, session)
            await notices.add_email_only(db, Notice(now, user_id, "password_changed"), session)
        return changed

    return await transaction(db, body)


async def choose_language(db: Database, user_id: int, language: str) -> None:
    """Let pages and e-mails be in this language for the user, wherever they sign in."""
    await users.set_language(db, user_id, language)


async def end_access(db: Database, user_id: int) -> Ended:
    """End every sign-in, token and calendar link of the user in one transaction; return how many there were."""
    return await transaction(db, lambda session: end_everything(db, user_id, session))


async def end_everything(db: Database, user_id: int, session: Session | None = None) -> Ended:
    """End all that lets somebody in as this user: every sign-in, every token, the address of the calendar."""
    return Ended(
        await end_sign_ins(db, user_id, session),
        await tokens.revoke_all(db, user_id, session),
        await calendar_tokens.remove(db, user_id, session),
    )


async def end_sign_ins(db: Database, user_id: int, session: Session | None = None) -> int:
    """End every sign-in of this user and return how many there were; tokens keep working."""
    return await logins.end_all(db, user_id, session)
