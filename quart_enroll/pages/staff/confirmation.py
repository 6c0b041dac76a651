"""Staff confirm their password before the first change after a while."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from quart import redirect, request
from quart.typing import ResponseReturnValue

from quart_enroll.forms.staff.confirmation import ConfirmationForm
from quart_enroll.pages.form_errors import RefusedStatus, check_password
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.services.accounts import sessions
from quart_enroll.state import database, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.request import current_request

TEMPLATE = "staff/confirmation.html"

HAS_ERRORS: RefusedStatus = (422, {})

View = Callable[..., Awaitable[ResponseReturnValue]]


def confirmed(view: View) -> View:
    """Return the view, whose changes are made only soon after the person has entered their password.

    Otherwise a page asks for it, and sends the same form again together with the password. Where the form has a file,
    which no page can send again, it asks before it shows the form.
    """

    @wraps(view)
    async def wrapped(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        takes_file = current_request().route.takes_file
        is_safe = request.method in SAFE_METHODS and not takes_file
        if is_safe or await sessions.is_confirmed(database(), auth.this_login(), now()):
            return await view(*args, **kwargs)
        sent = await request.form
        form = ConfirmationForm(sent if "confirmed_password" in sent else None)
        status, headers = HAS_ERRORS
        if "confirmed_password" in sent and form.validate():
            refused = await check_password(form, form.confirmed_password, TEMPLATE)
            if refused is None:
                await sessions.confirm(database(), user_cache(), auth.this_login(), now())
                if takes_file:
                    return redirect(current_request().full_path.rstrip("?"), 303)
                return await view(*args, **kwargs)
            status, headers = refused
        own = {field.name for field in form}
        repeated = [] if takes_file else [pair for pair in sent.items(multi=True) if pair[0] not in own]
        page = render_staff(TEMPLATE, "", form=form, repeated=repeated, takes_file=takes_file)
        return (page, 200) if request.method in SAFE_METHODS else (page, status, headers)

    return wrapped
