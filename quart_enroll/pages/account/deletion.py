"""Delete the user's account, or ask the registrar to do so."""

from functools import partial

from quart import current_app, flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.domain.errors import LastRegistrar, PleaseWait, SignInEnded, WrongPassword
from quart_enroll.domain.models import RemovalRequest, User
from quart_enroll.forms.accounts import DeleteAccountForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.form_errors import PageResponse, please_wait, show_beside
from quart_enroll.services.accounts import attempt_limits, deletion, removal_requests
from quart_enroll.state import database, enrollment_context, hasher, now, password_locks
from quart_enroll.web import auth, known_devices
from quart_enroll.web.templating import render


def is_by_registrar() -> bool:
    """Return whether users ask the registrar, instead of deleting their account themselves."""
    return bool(current_app.config["ACCOUNT_REMOVAL"] == "registrar")


async def delete() -> bytes | Response | PageResponse:
    form, user = await DeleteAccountForm.from_request(), auth.signed_in()
    page = partial(_page, asked=await removal_requests.find(database(), user.user_id))
    if request.method != "POST":
        return page(form)
    if not form.validate():
        return page(form), 422
    try:
        async with attempt_limits.password_attempt(
            database(), password_locks(), known_devices.attempt_source(user.email), now()
        ):
            return await _end_account(user, form.password.data or "")
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "account_delete.html", page)
    except WrongPassword as refusal:
        show_beside(form.password, refusal)
        return page(form), 422
    except (LastRegistrar, SignInEnded) as refusal:
        form.form_errors = [refusal.text]
        return page(form), 422


async def withdraw_request() -> Response:
    await removal_requests.withdraw(database(), auth.signed_in().user_id)
    await flash(gettext("You’ve withdrawn your request. Your account won’t be removed."), "success")
    return redirect(url_for("account"), 303)


async def _end_account(user: User, password: str) -> Response:
    if is_by_registrar():
        await removal_requests.ask(database(), hasher(), auth.this_login().key, user, password, now())
        await flash(gettext("Your request has been sent to the registrar."), "success")
        return redirect(url_for("account_delete"), 303)
    await deletion.delete_account(enrollment_context(), hasher(), user, password, now())
    auth.clear_sign_in()
    await flash(gettext("Your account has been deleted, and your seats have been released."), "info")
    return redirect(url_for("index"), 303)


def _page(form: DeleteAccountForm, asked: RemovalRequest | None) -> bytes:
    return render("account_delete.html", account=True, form=form, by_registrar=is_by_registrar(), asked=asked)
