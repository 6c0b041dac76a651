"""Recognize browsers in which an account has signed in before, by a signed cookie.

Wrong passwords typed elsewhere can lock out other browsers, but not these. The cookie gives no access: it contains a
digest of the account and a random number.
"""

import secrets
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from quart import after_this_request, current_app, request
from quart.typing import ResponseTypes

from quart_enroll.services.accounts.attempt_limits import AttemptSource, account_digest, network_digest

DEVICE_COOKIE_SECONDS = 365 * 24 * 3600

MAX_ACCOUNTS = 5
"""Accounts that a browser remembers; one more replaces the one that has not signed in for longest."""


def attempt_source(email: str) -> AttemptSource:
    """Return the source of an attempt on the account with that email, for the rate limits."""
    key = str(current_app.secret_key)
    account = account_digest(key, email)
    return AttemptSource(account, network_digest(key, request.remote_addr or ""), _known().get(account))


def remember(email: str) -> None:
    """Recognize this browser from the next request on."""
    account = account_digest(str(current_app.secret_key), email)
    known = _known()
    number = known.pop(account, None) or secrets.token_hex(8)
    latest = dict(list((known | {account: number}).items())[-MAX_ACCOUNTS:])

    @after_this_request
    async def set_cookie(response: ResponseTypes) -> ResponseTypes:
        response.set_cookie(
            _name(),
            _serializer().dumps(latest),
            max_age=DEVICE_COOKIE_SECONDS,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
        return response


def _known() -> dict[str, str]:
    try:
        return dict(_serializer().loads(request.cookies.get(_name(), ""), max_age=DEVICE_COOKIE_SECONDS))
    except (BadData, ValueError, TypeError):
        return {}


def _name() -> str:
    return "__Host-known" if current_app.config["SESSION_COOKIE_SECURE"] else "known"


def _serializer() -> Any:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="known browser")
