"""Accounts: register, check and change passwords, end all access."""

from asyncio import sleep
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from quart_enroll.db.client import Database, Session, assert_transactions
from quart_enroll.db.collections import calendar_tokens, email_changes, logins, notices, shared_links, tokens, users
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.errors import Busy, EmailTaken, WrongCredentials, WrongPassword
from quart_enroll.domain.models import Credentials, Notice, User
from quart_enroll.domain.roles import STUDENT_ONLY, Role
from quart_enroll.services.accounts import password_policy
from quart_enroll.services.accounts.hashing import Hasher, unusable_hash

MIN_REFUSAL_SECONDS = 0.75
"""A refused sign-in takes at least this long. Hashes of different methods take different times to check, and the
difference would reveal which emails have an account."""


class EndedAccess(NamedTuple):
    """The numbers of sign-ins, tokens, calendar links and shared links that were ended."""

    sign_ins: int
    tokens: int
    calendar_links: int
    shared_links: int


async def register(
    db: Database,
    hasher: Hasher,
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    roles: frozenset[Role] = STUDENT_ONLY,
    email_unconfirmed: bool = False,
) -> Credentials:
    """Create an account and return its credentials; repeating the request returns the same.

    `email_unconfirmed` means that the user has not yet shown that the email is theirs.
    Raises PasswordRefused, and EmailTaken if the email has an account with another password.
    """
    password_policy.check_new_password(password, email=email, first_name=first_name, last_name=last_name)
    if await users.find_credentials(db, email):
        return await _registered(db, hasher, email, password)
    assert_transactions(db)  # without them, the user could not sign in
    hashed = await hasher.hash(password)
    while True:
        number = await users.next_user_id(db)
        user = User(number, email, first_name, last_name, roles, email_unconfirmed=email_unconfirmed)
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
    if found is None or not await hasher.verify(password, found.password):
        raise EmailTaken
    return found


async def find_user_id(db: Database, email: str) -> int | None:
    """Return the user_id of the account with this email, or None."""
    found = await users.find_credentials(db, email)
    return None if found is None else found.user.user_id


async def authenticate(db: Database, hasher: Hasher, *, email: str, password: str) -> Credentials:
    """Return the credentials that match the email and password, or raise WrongCredentials.

    An unknown email takes as long to refuse as a wrong password. An outdated hash is replaced.
    """
    refusal_time = monotonic() + MIN_REFUSAL_SECONDS
    found = await users.find_credentials(db, email)
    matches = await hasher.verify(password, found.password if found else unusable_hash(hasher.method))
    if found is None or not matches:
        await sleep(refusal_time - monotonic())
        raise WrongCredentials
    if hasher.is_outdated(found.password):
        with suppress(Busy):  # a later sign-in will renew it
            found = await users.replace_hash(db, found, await hasher.hash(password))
    return found


async def confirm_password(db: Database, hasher: Hasher, user: User, password: str) -> Credentials:
    """Return the signed-in user's credentials if the password is theirs, or raise WrongPassword."""
    try:
        checked = await authenticate(db, hasher, email=user.email, password=password)
    except WrongCredentials:
        raise WrongPassword from None
    if checked.user.user_id != user.user_id:  # the account was deleted, or shares its email with an older one
        raise WrongPassword
    return checked


async def change_password(
    db: Database, hasher: Hasher, user: User, *, old: str, new: str, now: datetime
) -> Credentials:
    """Change the password from `old` to `new`, end all access, and return the new credentials.

    Repeating the request changes nothing. Raises PasswordRefused and WrongPassword.
    """
    password_policy.check_new_password(new, email=user.email, first_name=user.first_name, last_name=user.last_name)
    try:
        found = await confirm_password(db, hasher, user, old)
    except WrongPassword:
        stored = await users.find_credentials_by_id(db, user.user_id)
        if stored is None or not await hasher.verify(new, stored.password):
            raise
        return stored
    changed = await replace_password(db, found, await hasher.hash(new), now)
    if changed is None:
        raise WrongPassword  # another request has changed it in the meantime
    return changed


async def replace_password(
    db: Database, found: Credentials, hashed: str, now: datetime, *, by_link: bool = False
) -> Credentials | None:
    """Replace the hash, end all access, and notify the user by email; return the new credentials.

    `by_link` also confirms the email, because the link was sent to it. Returns None and changes nothing if the password
    is no longer the one in `found`.
    """

    async def body(session: Session) -> Credentials | None:
        user_id = found.user.user_id
        changed = await users.replace_password(db, found, hashed, session, by_link=by_link)
        if changed is not None:
            await end_all_access(db, user_id, session)
            await notices.add_email_only(db, Notice(now, user_id, "password_changed"), session)
        return changed

    return await transaction(db, body)


async def set_language(db: Database, user_id: int, language: str) -> None:
    """Set the language of the user's pages and emails, wherever they sign in."""
    await users.set_language(db, user_id, language)


async def set_timezone(db: Database, user_id: int, timezone: str) -> None:
    """Set the time zone in which pages and emails show moments to the user; an empty one means the school's."""
    await users.set_timezone(db, user_id, timezone)


async def set_preferred_name(db: Database, user_id: int, preferred_name: str, pronouns: str) -> None:
    """Set the name by which the user is addressed, and the pronouns; empty ones are removed."""

    async def body(session: Session) -> None:
        if (found := await users.find(db, user_id, session)) is not None:
            named = replace(found, preferred_name=preferred_name, pronouns=pronouns)
            await users.set_preferred_name(db, named, session)

    await transaction(db, body)


async def confirm_email(db: Database, user: User) -> None:
    """Note that the user's email address was confirmed by the link sent to it."""
    await users.confirm_email(db, user.user_id, user.email)


async def end_access(db: Database, user_id: int) -> EndedAccess:
    """End every sign-in, token, calendar link and shared link of the user in one transaction; return their numbers."""
    return await transaction(db, lambda session: end_all_access(db, user_id, session))


async def end_all_access(db: Database, user_id: int, session: Session | None) -> EndedAccess:
    """Do the same as end_access, inside the transaction of `session`; a pending email change is canceled too."""
    await email_changes.remove(db, user_id, session)
    return EndedAccess(
        await end_sign_ins(db, user_id, session),
        await tokens.revoke_all(db, user_id, session),
        await calendar_tokens.remove(db, user_id, session),
        await shared_links.revoke_all(db, user_id, session),
    )


async def end_sign_ins(db: Database, user_id: int, session: Session | None = None) -> int:
    """End every sign-in of the user and return their number; tokens keep working."""
    return await logins.end_all(db, user_id, session)
