"""What the site knows of who asks: to take away, or to delete."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from quart import Response as PageResponse
from quart import flash, redirect, request, url_for
from quart_auth import login_required
from werkzeug import Response

from quart_enroll.db.queries import user_data
from quart_enroll.domain.errors import LastRegistrar, PleaseWait, WrongPassword
from quart_enroll.fastpath import streaming
from quart_enroll.forms.accounts import DeleteAccountForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.refusals import Page, beside, please_wait
from quart_enroll.services.accounts import attempt_limits, deletion
from quart_enroll.state import database, download_limiter, hasher, now, password_locks
from quart_enroll.web import auth, known_devices
from quart_enroll.web.templating import render


@login_required
async def data() -> PageResponse:
    user_id = auth.signed_in().user_id
    if wait := download_limiter().take(user_id):
        raise PleaseWait(timedelta(seconds=wait))
    pieces = _pieces(now(), user_data.export_rows(database(), user_id))
    # Before anything is sent, a page can say that the database is away. After that, the file just breaks off.
    first = await anext(pieces)
    response = streaming.begin(pieces, "application/json", first)
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
        async with attempt_limits.password_attempt(
            database(), password_locks(), known_devices.asker(user.email), now()
        ):
            await deletion.delete_account(database(), hasher(), user, form.password.data or "", now())
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


async def _pieces(
    at: datetime, found: AsyncGenerator[tuple[str, list[dict[str, Any]]], None]
) -> AsyncGenerator[str, None]:
    """Yield the rows as one JSON object, one line per row and one piece per batch.

    The brace that makes it valid JSON is the very last character.
    """
    text, open_list = f'{{\n"at": {_json(at)}', ""
    async with aclosing(found):
        async for name, rows in found:
            if name == "user":
                text += f',\n"user": {_json(next(iter(rows), None))}'
            else:
                if name != open_list:
                    text += f'{_end(open_list)},\n"{name}": ['
                    separator, open_list = "\n", name
                for row in rows:
                    text += separator + _json(row)
                    separator = ",\n"
            yield text
            text = ""
    yield f"{_end(open_list)}\n}}"


def _end(open_list: str) -> str:
    return "\n]" if open_list else ""


def _json(value: object) -> str:
    return json.dumps(value, default=_text, ensure_ascii=False)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
