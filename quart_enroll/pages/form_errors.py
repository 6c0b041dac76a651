"""Errors of forms that people fill in: beside a field, or above the form."""

from collections.abc import Callable
from typing import TypeVar

from quart import flash
from wtforms import Field

from quart_enroll.domain.errors import PleaseWait, Refused, WrongPassword
from quart_enroll.forms.base import SiteForm
from quart_enroll.services.accounts import accounts, attempt_limits
from quart_enroll.state import database, hasher, now, password_locks
from quart_enroll.web import access_log, auth, known_devices
from quart_enroll.web.request import wants_json
from quart_enroll.web.templating import is_overridden

F = TypeVar("F", bound=SiteForm)

PageResponse = tuple[bytes, int] | tuple[bytes, int, dict[str, str]]
"""A page with its status, and perhaps with headers."""

RefusedStatus = tuple[int, dict[str, str]]
"""The status and the headers of a page that shows a refusal."""


def show_beside(field: Field, refusal: Refused) -> None:
    """Show the refusal beside the field; the log gets only its code."""
    access_log.note(code=refusal.code)
    field.errors = [refusal.text]


async def show_above(form: SiteForm, sentence: str, template: str) -> None:
    """Show the sentence above the form, or as a message if the school has its own template."""
    if is_overridden(template):
        await flash(sentence, "danger")
    else:
        form.form_errors = [sentence]


async def please_wait(refusal: PleaseWait, form: F, template: str, page: Callable[[F], bytes]) -> PageResponse:
    """Return the page of the form, as it was filled in, with how long to wait before another attempt."""
    status, headers = await _show_wait(refusal, form, template)
    return page(form), status, headers


async def check_password(form: SiteForm, password: Field, template: str) -> RefusedStatus | None:
    """Check the password that a signed-in user has entered again; a wrong one counts as at sign-in.

    Returns None if it is right. Otherwise the form shows the error, and its page's status and headers are returned.
    """
    user = auth.signed_in()
    try:
        async with attempt_limits.password_attempt(
            database(), password_locks(), known_devices.attempt_source(user.email), now()
        ):
            await accounts.confirm_password(database(), hasher(), user, password.data or "")
    except PleaseWait as refusal:
        return await _show_wait(refusal, form, template)
    except WrongPassword as refusal:
        show_beside(password, refusal)
        return 422, {}
    return None


async def _show_wait(refusal: PleaseWait, form: SiteForm, template: str) -> RefusedStatus:
    if wants_json():
        raise refusal
    access_log.note(code=refusal.code)
    await show_above(form, refusal.text, template)
    return refusal.status, {"Retry-After": str(refusal.retry_after)}
