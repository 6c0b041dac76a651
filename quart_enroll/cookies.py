"""Signed cookies: that one comes from this site is worked out once in a process, how old it is each time."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from quart import Quart
from quart.sessions import SecureCookieSession, SecureCookieSessionInterface
from quart.wrappers import BaseRequestWebsocket
from quart_auth import QuartAuth

MOST = 5000
"""Cookies of each kind that a process knows again."""


class Signed:
    """Reads what a serializer has signed."""

    def __init__(self, serializer: URLSafeTimedSerializer) -> None:
        self._serializer = serializer
        self._known = lru_cache(MOST)(self._unsign)

    def read(self, text: str, max_age: float) -> Any:
        """Return what was signed, a new copy each time; None when nobody here did so, or longer ago than `max_age`."""
        try:
            payload, signed_at = self._known(text)
            age = datetime.now(signed_at.tzinfo) - signed_at
            # Whole seconds, as itsdangerous counts them.
            if not timedelta(0) <= age < timedelta(seconds=max_age + 1):
                return None
            return self._serializer.load_payload(payload)
        except BadSignature:  # of which an unreadable payload is one
            return None

    def _unsign(self, text: str) -> tuple[bytes, datetime]:
        signer = cast(TimestampSigner, self._serializer.make_signer(self._serializer.salt))
        return signer.unsign(text, return_timestamp=True)


class Sessions(SecureCookieSessionInterface):
    """Quart's own session in a cookie."""

    def __init__(self, app: Quart) -> None:
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            raise RuntimeError("Without a SECRET_KEY there are no sessions.")
        self._signed = Signed(serializer)

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SecureCookieSession:
        cookie = request.cookies.get(self.get_cookie_name(app))
        if cookie is None:
            return self.session_class()
        data = self._signed.read(cookie, app.permanent_session_lifetime.total_seconds())
        return self.session_class(data if isinstance(data, dict) else None)


class SignIns(QuartAuth):
    """Quart-Auth's own cookie."""

    def init_app(self, app: Quart) -> None:
        super().init_app(app)
        self._signed = Signed(self.serializer_class(app.secret_key or "", self.salt or ""))

    def load_token(self, token: str, app: Quart | None = None) -> str | None:
        identity = self._signed.read(token, self.duration or 0)
        return identity if isinstance(identity, str) else None
