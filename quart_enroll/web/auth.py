"""Who asks: a signed cookie names a sign-in, the database knows whose it is and whether it lives.

Programs that use the API send a token or a password instead; then the cookie counts for nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast
from urllib.parse import urlsplit

from quart import Quart, abort, current_app, g, request, session
from quart.typing import ResponseTypes
from quart_auth import AuthUser, Unauthorized, current_user, login_user, logout_user

from quart_enroll.db.client import DATABASE_UNAVAILABLE
from quart_enroll.domain.errors import Busy, PasswordOverHttp, ReadOnlyToken, WrongToken
from quart_enroll.domain.models import Credentials, Login, User
from quart_enroll.services.accounts import accounts, attempt_limits, sessions, tokens, user_agent
from quart_enroll.services.accounts.hashing import BUSY_RETRY_SECONDS
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.state import clock, database, hasher, lifetimes, now, password_locks, user_cache
from quart_enroll.web import known_devices, locale, problem_details
from quart_enroll.web.cookies import SignIns
from quart_enroll.web.request import SiteRequest, asked
from quart_enroll.web.route import UNMATCHED, Audience

View = Callable[..., Any]

PASSWORDS_AT_ONCE = 4
"""Passwords of the API that a process checks at a time. Each costs as much as a sign-in: a program that sends its
password with every request shall not keep the people waiting who sign in by hand."""

SESSION = ("username", "user_id", "email")
"""The keys that templates find in the session of a signed-in user."""

_passwords = asyncio.Semaphore(PASSWORDS_AT_ONCE)


class Visitor(AuthUser):
    """Quart-Auth's user: signed in when the cookie's sign-in is alive, which `identify` has looked up."""

    @property
    async def is_authenticated(self) -> bool:
        return user() is not None


@dataclass(frozen=True, slots=True)
class TemplateVisitor:
    """`current_user` as templates see it: nothing to await, and with the attributes of Flask-Login's."""

    auth_id: str | None
    user: User | None

    @property
    def is_authenticated(self) -> bool:
        return self.user is not None

    @property
    def is_active(self) -> bool:
        return self.user is not None

    @property
    def is_anonymous(self) -> bool:
        return self.user is None

    @property
    def role(self) -> str | None:
        return self.user.role if self.user else None

    @property
    def user_id(self) -> int | None:
        return self.user.user_id if self.user else None

    @property
    def id(self) -> int | None:
        return self.user_id

    @property
    def first_name(self) -> str:
        return self.user.first_name if self.user else ""

    @property
    def last_name(self) -> str:
        return self.user.last_name if self.user else ""

    @property
    def username(self) -> str:
        return self.first_name

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def email(self) -> str:
        return self.user.email if self.user else ""

    def get_id(self) -> str | None:
        """Return the user's number as text, as Flask-Login does."""
        return str(self.user.user_id) if self.user else None


def init_app(app: Quart, *, remembered: timedelta) -> None:
    """Let `app` know who asks."""
    app.config["QUART_AUTH_DURATION"] = int(remembered.total_seconds())
    SignIns(app, user_class=Visitor)
    app.after_request(forget_changed)


async def identify(request: SiteRequest) -> None:
    """Find out who asks; a cookie whose sign-in has ended is taken back."""
    g.user = None
    if "authorization" in request.header_map and problem_details.wanted():
        if request.route is not UNMATCHED and request.route.audience is not Audience.EVERYBODY:
            g.user = await _identify_program()
        return
    identity = current_user.auth_id
    if identity is None or request.route.audience is Audience.EVERYBODY:
        return
    found = await sessions.resume(database(), user_cache().logins, identity, lifetimes(), now())
    if found is None:
        logout_user()
    else:
        g.found, g.login, g.user, g.has_notices = found, found.login, found.user, found.has_notices
        g.asks = found.user
        locale.speak_to(g.user)


def still() -> Callable[[], Awaitable[bool]]:
    """Return what tells, long after the request, whether who asks is still signed in; a visitor stays one.

    To be looked at counts as use, as a request does. While the database is away nobody can tell, and all stay.
    """
    identity = current_user.auth_id if user() else None
    db, logins, lasting, moment = database(), user_cache().logins, lifetimes(), clock()

    async def is_signed_in() -> bool:
        try:
            return identity is None or await sessions.resume(db, logins, identity, lasting, moment()) is not None
        except DATABASE_UNAVAILABLE:
            return True

    return is_signed_in


async def forget_changed(response: ResponseTypes) -> ResponseTypes:
    """Let the next request read what this one may have changed about who asks; other processes hear it as news."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        forget = user_cache().students.invalidate if asked().route.changes_only_seats else user_cache().invalidate
        for changed in (g.get("asks"), user()):
            if changed is not None:
                forget(changed.user_id)
    return response


async def _identify_program() -> User:
    """Return whose token or password came with the request; raise what is wrong with it."""
    try:
        sent = request.authorization
    except ValueError:  # Werkzeug reads it as base64 of text, whatever it is
        raise WrongToken from None
    if sent is not None and sent.type == "basic":
        g.needs_no_proof = "Sec-Fetch-Site" not in request.headers and "Origin" not in request.headers
        return await _check_password(sent.username or "", sent.password or "")
    text = sent.token if sent is not None and sent.type == "bearer" else None
    found = await tokens.find(database(), text or "", now())
    if found is None:
        raise WrongToken
    token, owner = found
    g.read_only, g.needs_no_proof = token.scope != "enroll", True
    return owner


async def _check_password(email: str, password: str) -> User:
    if current_app.config["APP_ENV"] == "production" and not request.is_secure:
        raise PasswordOverHttp
    if _passwords.locked():
        raise Busy(BUSY_RETRY_SECONDS)
    async with (
        _passwords,
        attempt_limits.password_attempt(database(), password_locks(), known_devices.asker(email), now()),
    ):
        return (await accounts.authenticate(database(), hasher(), email=email, password=password)).user


def check_may_change() -> None:
    """Raise ReadOnlyToken when the request's token is for reading alone."""
    if g.get("read_only"):
        raise ReadOnlyToken


def needs_no_proof() -> bool:
    """Tell whether a foreign page can't have caused the request.

    That is so when a token came with it, or a password that no browser added, since browsers do so on their own;
    and when the API does not know who asks, and will not change anything.
    """
    return bool(g.get("needs_no_proof")) or (problem_details.wanted() and user() is None)


def user() -> User | None:
    """Return who asks, or None for a visitor who is not signed in."""
    return cast("User | None", g.get("user"))


def has_notices() -> bool:
    """Tell whether who asks has notices that were not seen yet."""
    return bool(g.get("has_notices"))


def signed_in() -> User:
    """Return the user of a view that is not open to visitors."""
    found = user()
    if found is None:
        raise RuntimeError("The audience of this route includes visitors.")
    return found


def this_login() -> Login:
    """Return the sign-in of the user of a view that is not open to visitors."""
    return cast(Login, g.login)


async def begin(found: Credentials, *, remember: bool) -> datetime | None:
    """Sign the user in under a new identity, and return when they signed in before.

    Whatever the visitor's cookies said is over: another sign-in ends, and the session begins anew. Raises
    WrongCredentials when the password is another one by now.
    """
    begun = await sessions.sign_in(
        database(),
        found,
        lifetimes(),
        now(),
        remember=remember,
        address=request.remote_addr or "",
        agent=user_agent.describe(request.headers.get("User-Agent", "")),
        replaces=current_user.auth_id,
    )
    session.clear()
    g.user = replace(found.user, language=begun.language)
    locale.speak_to(g.user)
    login_user(Visitor(begun.identity), remember)
    return begun.last


async def end() -> None:
    """End the visitor's sign-in everywhere, so that a copy of the cookie is worth nothing."""
    if identity := current_user.auth_id:
        await sessions.sign_out(database(), identity)
        user_cache().logins.invalidate(token_digest(identity))
    forget()


def forget() -> None:
    """Take the cookies of a sign-in back that has ended."""
    session.clear()
    g.user = None
    locale.speak_to(None)
    logout_user()


def restrict(view: View, audience: Audience) -> View:
    """Return the view, open to its audience only: visitors have to sign in first, and other users get a 403."""
    if audience not in (Audience.SIGNED_IN, Audience.REGISTRAR):
        return view

    @wraps(view)
    async def restricted(*args: Any, **kwargs: Any) -> Any:
        visitor = user()
        if visitor is None:
            raise Unauthorized
        if audience is Audience.REGISTRAR and visitor.role != "registrar":
            abort(403)
        return await view(*args, **kwargs)

    return restricted


def template_names() -> dict[str, Any]:
    """Return what every template may ask about the visitor."""
    who = user()
    return {
        "current_user": TemplateVisitor(current_user.auth_id, who),
        "session": dict(zip(SESSION, (who.short_name, who.user_id, who.email), strict=True)) if who else {},
    }


def safe_next(wanted: str | None) -> str | None:
    """Return the address to go to after signing in if it is a path of this site, else None.

    Browsers read a backslash as a slash and skip control characters, so neither may be in it.
    """
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 500:
        return None
    if "\\" in wanted or any(character <= " " or character == "\x7f" for character in wanted):
        return None
    parts = urlsplit(wanted)
    return None if parts.scheme or parts.netloc else wanted
