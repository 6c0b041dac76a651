"""Signed cookies, whose signatures a process checks once and whose age it checks each time."""

import time
from copy import deepcopy
from typing import Any, cast

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from quart import Quart, has_request_context
from quart.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from quart.wrappers import BaseRequestWebsocket
from quart_auth import AuthUser, QuartAuth

from quart_enroll.bounded_cache import cached, size_of
from quart_enroll.state import site
from quart_enroll.web.request import SiteRequest, current_globals, current_request


class SignedValues:
    """Verifies signed texts, and keeps their contents in a cache with the budget of that name."""

    def __init__(self, serializer: URLSafeTimedSerializer, budget: str) -> None:
        self._serializer = serializer
        self._cached_unsign = cached(budget, _size)(self._unsign)

    def read(self, text: str, max_age: float) -> Any:
        """Return a new copy of the signed value; None if it is forged or older than `max_age` seconds."""
        return self.read_with_end(text, max_age)[0]

    def read_with_end(self, text: str, max_age: float) -> tuple[Any, float]:
        """Return what `read` returns, and the time at which it will be too old."""
        try:
            signed, signed_at = self._cached_unsign(text)
        except BadSignature:  # or its subclass for an unreadable payload
            return None, float("inf")
        end = signed_at + max_age + 1  # itsdangerous counts whole seconds
        return (deepcopy(signed) if signed_at <= time.time() < end else None), end

    def _unsign(self, text: str) -> tuple[Any, float]:
        signer = cast(TimestampSigner, self._serializer.make_signer(self._serializer.salt))
        payload, signed_at = signer.unsign(text, return_timestamp=True)
        return self._serializer.load_payload(payload), signed_at.timestamp()


def _size(key: tuple[str], value: tuple[Any, float]) -> int:
    """Estimate the bytes of a cookie and its contents: an identity, or a session at most a few times as long."""
    contents = value[0]
    return size_of(key) + (size_of(value) if isinstance(contents, str) else 8 * len(key[0]))


class CookieSessions(SecureCookieSessionInterface):
    """Quart's session cookie."""

    def __init__(self, app: Quart) -> None:
        serializer = super().get_signing_serializer(app)
        if serializer is None:
            raise RuntimeError("Sessions require a SECRET_KEY.")
        self._serializer = serializer
        self._signed = SignedValues(serializer, "session cookies")

    def get_signing_serializer(self, app: Quart) -> URLSafeTimedSerializer:
        """Return the same serializer each time; Quart makes one for each cookie."""
        return self._serializer

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SecureCookieSession:
        data, _ = self.read(app, cast(SiteRequest, request))
        return self.session_class(data)

    def read(self, app: Quart, request: SiteRequest) -> tuple[dict[str, Any] | None, float]:
        """Return the data of the request's session, if it has one, and the time at which it ends."""
        cookie = request.cookie(self.get_cookie_name(app))
        lifetime = app.permanent_session_lifetime.total_seconds()
        data, end = self._signed.read_with_end(cookie, lifetime) if cookie else (None, float("inf"))
        return (data if isinstance(data, dict) else None), end

    async def save_session(self, app: Quart, session: SessionMixin, response: Any) -> None:
        """Save a changed session. `security_headers` adds the Vary header of one that was only read."""
        if session.modified or session.permanent:
            await super().save_session(app, session, response)


class SignInCookies(QuartAuth):
    """Quart-Auth's sign-in cookie."""

    def init_app(self, app: Quart) -> None:
        super().init_app(app)
        self._signed = SignedValues(self.serializer_class(app.secret_key or "", self.salt or ""), "sign-in cookies")

    def load_user(self) -> AuthUser:
        """Return the user that the cookie names; Quart-Auth loads it three times per page."""
        user: AuthUser | None = current_globals().get(self.attribute_name) if has_request_context() else None
        return user or super().load_user()

    def load_cookie(self) -> str | None:
        return self.load_token(current_request().cookie(self.cookie_name or ""))

    def load_token(self, token: str, app: Quart | None = None) -> str | None:
        return self.read_identity(token)[0]

    def read_identity(self, token: str) -> tuple[str | None, float]:
        """Return the identity that the cookie's value names, if it is valid, and the time at which it ends."""
        identity, end = self._signed.read_with_end(token, self.duration or 0) if token else (None, float("inf"))
        return (identity if isinstance(identity, str) else None), end


def current_identity() -> str | None:
    """Return the identity that the request's sign-in cookie names, if it is valid."""
    [sign_in] = site().extensions["QUART_AUTH"]
    identity: str | None = sign_in.load_user().auth_id
    return identity
