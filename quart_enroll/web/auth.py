"""Authentication: a signed cookie names a sign-in, and the database knows whose it is and whether it is still valid.

Requests to the API have a token or a password instead; then the cookie is ignored.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast
from urllib.parse import urlsplit

from quart import Quart, abort, current_app, g, request, session
from quart.typing import ResponseTypes
from quart_auth import AuthUser, Unauthorized, login_user, logout_user

from quart_enroll.db.client import DATABASE_UNAVAILABLE
from quart_enroll.domain.errors import Busy, PasswordOverHttp, WrongToken
from quart_enroll.domain.models import Credentials, Login, User
from quart_enroll.services.accounts import accounts, attempt_limits, sessions, tokens, user_agent
from quart_enroll.services.accounts.hashing import BUSY_RETRY_SECONDS
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.state import api_password_slots, clock, database, hasher, lifetimes, now, password_locks, user_cache
from quart_enroll.web import known_devices, locale, problem_details, viewing
from quart_enroll.web.cookies import SignInCookies, current_identity
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.request import SiteRequest, current_globals, current_request
from quart_enroll.web.route import UNMATCHED, Audience, Route

View = Callable[..., Any]


def init_app(app: Quart, *, remembered: timedelta) -> SignInCookies:
    """Let `app` authenticate requests; return what reads its cookies."""
    app.config["QUART_AUTH_DURATION"] = int(remembered.total_seconds())
    app.after_request(invalidate_caches)
    app.after_request(viewing.add_banner)
    return SignInCookies(app)


async def identify(request: SiteRequest) -> None:
    """Authenticate the request, and remove the cookie of a sign-in that has ended."""
    context = current_globals()
    context.user = None
    if "authorization" in request.header_map and problem_details.is_api_request():
        if request.route is not UNMATCHED and request.route.audience is not Audience.EVERYBODY:
            context.user = await _authenticate_api_request()
            _check_scope(request)
        return
    identity = current_identity()
    if identity is None or request.route.audience is Audience.EVERYBODY:
        return
    found = await sessions.resume(database(), user_cache(), identity, lifetimes(), now())
    if found is None:
        logout_user()
    else:
        context.live_login, context.login, context.has_notices = found, found.login, found.has_notices
        context.user = context.requested_by = found.user
        locale.set_language(g.user)
        await viewing.apply(found.login, found.user)


def sign_in_checker() -> Callable[[], Awaitable[bool]]:
    """Return a function that tells, long after the request, whether its user is still signed in; true for visitors.

    For staff who see the site as a student, it tells whether they still do. Each call counts as use of the sign-in, as
    a request does. It returns true while the database is unavailable.
    """
    identity, view = (current_identity() if user() else None), viewing.current()
    db, users, limits, current_time = database(), user_cache(), lifetimes(), clock()

    async def is_signed_in() -> bool:
        if identity is None:
            return True
        try:
            found = await sessions.resume(db, users, identity, limits, current_time())
            if found is None or view is None:
                return found is not None
            return await view.is_open(db, found.login, found.user, current_time())
        except DATABASE_UNAVAILABLE:
            return True

    return is_signed_in


async def invalidate_caches(response: ResponseTypes) -> ResponseTypes:
    """After a change, forget what is cached about the user; other processes learn of it from the change stream."""
    if request.method not in SAFE_METHODS:
        only_seats = current_request().route.changes_only_seats
        invalidate = user_cache().students.invalidate if only_seats else user_cache().invalidate
        for changed in (g.get("requested_by"), user()):
            if changed is not None:
                invalidate(changed.user_id)
    return response


async def _authenticate_api_request() -> User:
    """Return the user whose token or password the request has; raise the reason if it is not accepted."""
    try:
        credentials = request.authorization
    except ValueError:  # the header is not base64-encoded text
        raise WrongToken from None
    if credentials is not None and credentials.type == "basic":
        g.is_exempt_from_csrf = "Sec-Fetch-Site" not in request.headers and "Origin" not in request.headers
        return await _authenticate_password(credentials.username or "", credentials.password or "")
    token_text = credentials.token if credentials is not None and credentials.type == "bearer" else None
    found = await tokens.find(database(), token_text or "", now())
    if found is None:
        raise WrongToken
    token, owner = found
    g.token_scope, g.is_exempt_from_csrf = token.scope, True
    return owner


async def _authenticate_password(email: str, password: str) -> User:
    if current_app.config["APP_ENV"] == "production" and not request.is_secure:
        raise PasswordOverHttp
    slots = api_password_slots()
    if slots.locked():
        raise Busy(BUSY_RETRY_SECONDS)
    async with (
        slots,
        attempt_limits.password_attempt(database(), password_locks(), known_devices.attempt_source(email), now()),
    ):
        return (await accounts.authenticate(database(), hasher(), email=email, password=password)).user


def _check_scope(request: SiteRequest) -> None:
    """Raise ReadOnlyToken or WrongScope if the request's token, if it has one, is not meant for it."""
    if scope := g.get("token_scope"):
        for_staff = request.route.audience is Audience.STAFF
        tokens.check_scope(scope, for_staff=for_staff, is_change=request.method not in SAFE_METHODS)


def is_exempt_from_csrf() -> bool:
    """Tell whether another site can't have caused the request, or can't gain anything by it.

    That is so if it has a token, or a password that was not added by a browser; if it is an API request without either,
    which will not change anything; and if its URL was signed.
    """
    if g.get("is_exempt_from_csrf") or current_request().route.proves_itself:
        return True
    return problem_details.is_api_request() and user() is None


def user() -> User | None:
    """Return the user who is signed in, or None."""
    return cast("User | None", current_globals().get("user"))


def has_notices() -> bool:
    """Tell whether the user has unseen notices."""
    return bool(current_globals().get("has_notices"))


def signed_in() -> User:
    """Return the user of a view that is not open to visitors."""
    found = user()
    if found is None:
        raise RuntimeError("The audience of this route includes visitors.")
    return found


def browser_login() -> Login | None:
    """Return the sign-in that the request's cookie names; None if it has a token or a password instead."""
    found: Login | None = current_globals().get("login")
    return found


def this_login() -> Login:
    """Return the sign-in of the user of a view that is not open to visitors."""
    return cast(Login, g.login)


async def sign_in(found: Credentials, *, remember: bool) -> datetime | None:
    """Sign the user in under a new identity, and return when they signed in before.

    Any sign-in that the cookies named ends, and the session starts anew. Raises WrongCredentials if the password has
    changed since it was checked.
    """
    begun = await sessions.sign_in(
        database(),
        found,
        lifetimes(),
        now(),
        remember=remember,
        address=request.remote_addr or "",
        agent=user_agent.describe(request.headers.get("User-Agent", "")),
        replaces=current_identity(),
    )
    session.clear()
    g.user = replace(found.user, language=begun.language)
    locale.set_language(g.user)
    login_user(AuthUser(begun.identity), remember)
    return begun.last


async def sign_out() -> None:
    """End the sign-in on the server, so that a copied cookie stops working."""
    await viewing.end()
    if identity := current_identity():
        await sessions.sign_out(database(), identity)
        user_cache().logins.invalidate(token_digest(identity))
    clear_sign_in()


def clear_sign_in() -> None:
    """Remove the cookies of a sign-in that has ended."""
    session.clear()
    g.user = None
    locale.set_language(None)
    logout_user()


def restrict(view: View, audience: Audience) -> View:
    """Return the view, open to its audience only: visitors have to sign in first, and other users get a 403.

    Which staff are admitted depends on the request's own route: more may see a page than may post its form.
    """
    if audience not in (Audience.SIGNED_IN, Audience.STAFF):
        return view

    @wraps(view)
    async def restricted(*args: Any, **kwargs: Any) -> Any:
        admit(current_request().route)
        return await view(*args, **kwargs)

    return restricted


def admit(route: Route) -> None:
    """Raise Unauthorized for a visitor of a route for users, and abort with 403 for a user whom it does not admit."""
    visitor = user()
    if visitor is None:
        raise Unauthorized
    if route.audience is Audience.STAFF and visitor.roles.isdisjoint(route.roles):
        abort(403)


def safe_next(wanted: str | None) -> str | None:
    """Return the URL to continue to after signing in if it is a path of this site, else None.

    Browsers read a backslash as a slash and skip control characters, so it may contain neither.
    """
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 500:
        return None
    if "\\" in wanted or any(character <= " " or character == "\x7f" for character in wanted):
        return None
    parts = urlsplit(wanted)
    return None if parts.scheme or parts.netloc else wanted
