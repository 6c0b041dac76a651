"""Staff confirm their password before the first change after a while."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from quart import redirect, request
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

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
NO_ERRORS: RefusedStatus = (200, {})

View = Callable[..., Awaitable[ResponseReturnValue]]


def confirmed(view: View) -> View:
    """Return the view, whose changes are made only soon after the person has entered their password.

    Otherwise a page asks for it, and sends the same form again together with the password. Where the form has a file,
    which can't be sent again, the page comes before the form instead, unless another page sends a part of the form.
    """

    @wraps(view)
    async def wrapped(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        has_file = current_request().route.has_file
        if request.method in SAFE_METHODS and not has_file:
            return await view(*args, **kwargs)
        if await sessions.is_confirmed(database(), auth.this_login(), now()):
            return await view(*args, **kwargs)
        is_upload = has_file and request.mimetype == "multipart/form-data"
        sent = MultiDict[str, str]() if is_upload else await request.form
        form = ConfirmationForm(sent if "confirmed_password" in sent else None)
        own = {field.name for field in form}
        repeated = [(name, value) for name, value in sent.items(multi=True) if name not in own]
        status, headers = HAS_ERRORS if request.method == "POST" else NO_ERRORS
        if "confirmed_password" in sent and form.validate():
            refused = await check_password(form, form.confirmed_password, TEMPLATE)
            if refused is None:
                await sessions.confirm(database(), user_cache(), auth.this_login(), now())
                if has_file and not repeated:
                    return redirect(current_request().full_path.rstrip("?"), 303)
                return await view(*args, **kwargs)
            status, headers = refused
        needs_file = has_file and not repeated
        return render_staff(TEMPLATE, "", form=form, repeated=repeated, needs_file=needs_file), status, headers

    return wrapped
