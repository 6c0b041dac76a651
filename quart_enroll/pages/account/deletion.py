"""Delete the user's account."""

from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.domain.errors import LastRegistrar, PleaseWait, WrongPassword
from quart_enroll.forms.accounts import DeleteAccountForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.form_errors import PageResponse, please_wait, show_beside
from quart_enroll.services.accounts import attempt_limits, deletion
from quart_enroll.state import database, enrollment_context, hasher, now, password_locks
from quart_enroll.web import auth, known_devices
from quart_enroll.web.templating import render


async def delete() -> bytes | Response | PageResponse:
    form = await DeleteAccountForm.from_request()
    if request.method != "POST":
        return _delete_page(form)
    if not form.validate():
        return _delete_page(form), 422
    user = auth.signed_in()
    try:
        async with attempt_limits.password_attempt(
            database(), password_locks(), known_devices.attempt_source(user.email), now()
        ):
            await deletion.delete_account(enrollment_context(), hasher(), user, form.password.data or "", now())
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "account_delete.html", _delete_page)
    except WrongPassword as refusal:
        show_beside(form.password, refusal)
        return _delete_page(form), 422
    except LastRegistrar as refusal:
        form.form_errors = [refusal.text]
        return _delete_page(form), 422
    auth.clear_sign_in()
    await flash(gettext("Your account has been deleted, and your seats have been released."), "info")
    return redirect(url_for("index"), 303)


def _delete_page(form: DeleteAccountForm) -> bytes:
    return render("account_delete.html", account=True, form=form)
