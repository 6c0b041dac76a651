"""How a refusal is told after a POST: on the page that comes next, or in JSON."""

from collections.abc import Callable
from typing import TypeVar

from quart import Response, flash, redirect, request, url_for
from werkzeug import Response as Redirect
from wtforms import Field

from quart_enroll.domain.errors import AlreadyEnrolled, AlreadyWaiting, PleaseWait, Refused, WrongPassword
from quart_enroll.domain.models import SectionRequest
from quart_enroll.forms.base import SiteForm
from quart_enroll.services.accounts import accounts, attempt_limits
from quart_enroll.state import database, hasher, now, password_locks
from quart_enroll.web import access_log, auth, error_pages, known_devices
from quart_enroll.web.request import wants_json
from quart_enroll.web.templating import is_overridden

F = TypeVar("F", bound=SiteForm)

Page = tuple[bytes, int] | tuple[bytes, int, dict[str, str]]
"""A page with its status, and with headers."""

Refusal = tuple[int, dict[str, str]]
"""The status and the headers of a page that refuses something."""


async def flash_refusal(refusal: Refused, address: str) -> Redirect:
    """Tell the student on the page at `address`; who asks for JSON gets the refusal itself."""
    if wants_json():
        raise refusal
    access_log.note(code=refusal.code)
    await flash(refusal.text, refusal.severity)
    return redirect(address, 303)


def form_address(wish: SectionRequest) -> str:
    """Return the address of the form that offers what can be done instead, with as much as an address can hold."""
    return url_for("enrollment_form", courseID=wish.courseID[:100], term=wish.term[:100])


def after(refusal: Refused, wish: SectionRequest) -> str:
    """Return where to go on when a swap or a place in line was refused."""
    if refusal.severity == "info" or isinstance(refusal, AlreadyEnrolled | AlreadyWaiting):
        return url_for("enrollment")
    return form_address(wish)


def row_address(wish: SectionRequest, otherwise: str) -> str:
    """Return where a button that stays in its line finds it anew; who has no JavaScript goes on to `otherwise`."""
    if request.headers.get("HX-Request") != "true":
        return otherwise
    return url_for("course", courseID=wish.courseID[:20], term=wish.term[:100])


async def malformed(form: SiteForm) -> Response:
    """Refuse what none of our buttons sends, with the sentences of each field."""
    wrong = [field for field in form if field.errors]
    sentences = [f"{field.label.text}: {' '.join(map(str, field.errors))}" for field in wrong]
    fields = {field.name: [str(error) for error in field.errors] for field in wrong}
    return await error_pages.malformed(" ".join(sentences), fields)


def beside(field: Field, refusal: Refused) -> None:
    """Show the refusal beside the field; the log gets only its code."""
    access_log.note(code=refusal.code)
    field.errors = [refusal.text]


async def on_top(form: SiteForm, sentence: str, template: str) -> None:
    """Tell what is wrong with the whole form above it; a school's own template has messages alone."""
    if is_overridden(template):
        await flash(sentence, "danger")
    else:
        form.form_errors = [sentence]


async def please_wait(refusal: PleaseWait, form: F, template: str, page: Callable[[F], bytes]) -> Page:
    """Tell who tried too often how long to wait, on the page of the form with what was typed."""
    status, headers = await _told_to_wait(refusal, form, template)
    return page(form), status, headers


async def ask_password(form: SiteForm, password: Field, template: str) -> Refusal | None:
    """Check the password that a signed-in user has entered again; a wrong one counts as at sign-in.

    Return None if it is right. If not, the form says so, and the status and headers of its page are returned.
    """
    user = auth.signed_in()
    try:
        async with attempt_limits.password_attempt(
            database(), password_locks(), known_devices.attempt_source(user.email), now()
        ):
            await accounts.confirm_password(database(), hasher(), user, password.data or "")
    except PleaseWait as refusal:
        return await _told_to_wait(refusal, form, template)
    except WrongPassword as refusal:
        beside(password, refusal)
        return 422, {}
    return None


async def _told_to_wait(refusal: PleaseWait, form: SiteForm, template: str) -> Refusal:
    if wants_json():
        raise refusal
    access_log.note(code=refusal.code)
    await on_top(form, refusal.text, template)
    return refusal.status, {"Retry-After": str(refusal.retry_after)}
