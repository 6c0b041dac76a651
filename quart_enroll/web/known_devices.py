"""Browsers that an account knows: those in which it has signed in before, by a signed cookie of their own.

Who types wrong passwords elsewhere can make others wait, but not somebody in such a browser. The cookie opens nothing:
it is a name for the account, which nobody can read, and a random number.
"""

import secrets
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from quart import after_this_request, current_app, request
from quart.typing import ResponseTypes

from quart_enroll.services.accounts.attempt_limits import AttemptSource, account_digest, network_digest

A_YEAR = 365 * 24 * 3600
ACCOUNTS = 5
"""Accounts that share a browser at most; one more, and it forgets the one that has not signed in for longest."""


def asker(email: str) -> AttemptSource:
    """Tell who asks for the account of that address, as the limits want to know it."""
    key = str(current_app.secret_key)
    account = account_digest(key, email)
    return AttemptSource(account, network_digest(key, request.remote_addr or ""), _known().get(account))


def remember(email: str) -> None:
    """Let the account know this browser from the next request on."""
    account = account_digest(str(current_app.secret_key), email)
    known = _known()
    number = known.pop(account, None) or secrets.token_hex(8)
    latest = dict(list((known | {account: number}).items())[-ACCOUNTS:])

    @after_this_request
    async def give(response: ResponseTypes) -> ResponseTypes:
        response.set_cookie(
            _name(),
            _serializer().dumps(latest),
            max_age=A_YEAR,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
        return response


def _known() -> dict[str, str]:
    try:
        return dict(_serializer().loads(request.cookies.get(_name(), ""), max_age=A_YEAR))
    except (BadData, ValueError, TypeError):
        return {}


def _name() -> str:
    return "__Host-known" if current_app.config["SESSION_COOKIE_SECURE"] else "known"


def _serializer() -> Any:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="known browser")
