"""What the site knows of who asks: to take away, or to delete."""

import json
from datetime import datetime
from typing import Any

from quart import Response as PageResponse
from quart import flash, redirect, request, url_for
from quart_auth import login_required
from werkzeug import Response

from quart_enroll import auth, known_browsers
from quart_enroll.context import database, hasher, now
from quart_enroll.errors import LastRegistrar, PleaseWait, WrongPassword
from quart_enroll.forms.accounts import DeleteAccountForm
from quart_enroll.language import gettext
from quart_enroll.pages.refusals import Page, beside, please_wait
from quart_enroll.rendering import render
from quart_enroll.repositories import personal
from quart_enroll.services import limits, privacy


@login_required
async def data() -> PageResponse:
    found: dict[str, Any] = dict(await personal.read(database(), auth.signed_in().user_id))
    found["user"] = next(iter(found["user"]), None)
    text = json.dumps({"at": now(), **found}, default=_written, indent=2, ensure_ascii=False)
    response = PageResponse(text, mimetype="application/json")
    response.headers["Content-Disposition"] = "attachment; filename=my-data.json"
    return response


@login_required
async def delete() -> bytes | Response | Page:
    form = await DeleteAccountForm.from_request()
    if request.method != "POST":
        return _delete_page(form)
    if not form.validate():
        return _delete_page(form), 422
    user = auth.signed_in()
    try:
        async with limits.guess(database(), known_browsers.asker(user.email), now()):
            await privacy.remove_account(database(), hasher(), user, form.password.data or "", now())
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "account_delete.html", _delete_page)
    except WrongPassword as refusal:
        beside(form.password, refusal)
        return _delete_page(form), 422
    except LastRegistrar as refusal:
        form.form_errors = [refusal.sentence]
        return _delete_page(form), 422
    auth.forget()
    await flash(gettext("Your account is deleted, and your seats are free for others. Good-bye."), "info")
    return redirect(url_for("index"), 303)


def _delete_page(form: DeleteAccountForm) -> bytes:
    return render("account_delete.html", account=True, form=form)


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
