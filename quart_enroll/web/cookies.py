"""Signed cookies: that one comes from this site is worked out once in a process, how old it is each time."""

import time
from copy import deepcopy
from typing import Any, cast

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from quart import Quart, g, has_request_context
from quart.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from quart.wrappers import BaseRequestWebsocket
from quart_auth import AuthUser, QuartAuth

from quart_enroll.bounded_cache import cached, size_of
from quart_enroll.web.request import SiteRequest, asked


class Signed:
    """Verifies signed texts, and keeps their contents in the cache of that name."""

    def __init__(self, serializer: URLSafeTimedSerializer, cache: str) -> None:
        self._serializer = serializer
        self._known = cached(cache, _size)(self._unsign)

    def read(self, text: str, max_age: float) -> Any:
        """Return what was signed, a new copy each time; None when nobody here did so, or longer ago than `max_age`."""
        try:
            signed, signed_at = self._known(text)
        except BadSignature:  # of which an unreadable payload is one
            return None
        age = time.time() - signed_at
        # Whole seconds, as itsdangerous counts them.
        return deepcopy(signed) if 0 <= age < max_age + 1 else None

    def _unsign(self, text: str) -> tuple[Any, float]:
        signer = cast(TimestampSigner, self._serializer.make_signer(self._serializer.salt))
        payload, signed_at = signer.unsign(text, return_timestamp=True)
        return self._serializer.load_payload(payload), signed_at.timestamp()


def _size(key: tuple[str], _: Any) -> int:
    """Estimate the bytes of a cookie and its contents, which are at most a few times as long."""
    return size_of(key) + 8 * len(key[0])


class Sessions(SecureCookieSessionInterface):
    """Quart's own session in a cookie."""

    def __init__(self, app: Quart) -> None:
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            raise RuntimeError("Without a SECRET_KEY there are no sessions.")
        self._signed = Signed(serializer, "session cookies")

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SecureCookieSession:
        cookie = cast(SiteRequest, request).cookie(self.get_cookie_name(app))
        data = self._signed.read(cookie, app.permanent_session_lifetime.total_seconds()) if cookie else None
        return self.session_class(data if isinstance(data, dict) else None)

    async def save_session(self, app: Quart, session: SessionMixin, response: Any) -> None:
        """Write what has changed; that it was read `headers` tell."""
        if session.modified or session.permanent:
            await super().save_session(app, session, response)


class SignIns(QuartAuth):
    """Quart-Auth's own cookie."""

    def init_app(self, app: Quart) -> None:
        super().init_app(app)
        self._signed = Signed(self.serializer_class(app.secret_key or "", self.salt or ""), "sign-in cookies")

    def load_user(self) -> AuthUser:
        """Return who the cookie names; Quart-Auth asks for that three times on a page."""
        user: AuthUser | None = g.get(self.attribute_name or "") if has_request_context() else None
        return user or super().load_user()

    def load_cookie(self) -> str | None:
        return self.load_token(asked().cookie(self.cookie_name or ""))

    def load_token(self, token: str, app: Quart | None = None) -> str | None:
        identity = self._signed.read(token, self.duration or 0) if token else None
        return identity if isinstance(identity, str) else None
