"""Changes by staff require a token, the password, or a sign-in that was confirmed recently."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from quart import request

from quart_enroll.domain.errors import PasswordNeeded
from quart_enroll.services.accounts import sessions
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.csrf import SAFE_METHODS

View = Callable[..., Any]


def confirmed(view: View) -> View:
    """Return the view, which raises PasswordNeeded for a change with a cookie if the sign-in was not confirmed."""

    @wraps(view)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        login = auth.browser_login()
        if login and request.method not in SAFE_METHODS and not await sessions.is_confirmed(database(), login, now()):
            raise PasswordNeeded
        return await view(*args, **kwargs)

    return wrapped
