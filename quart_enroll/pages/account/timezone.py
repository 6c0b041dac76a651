"""The choice of the time zone in which a user sees opening times and deadlines."""

from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.forms.timezone import TimezoneForm
from quart_enroll.i18n.language import gettext
from quart_enroll.services.accounts import accounts
from quart_enroll.state import database, user_cache
from quart_enroll.web import auth
from quart_enroll.web.templating import render


async def choose() -> bytes | Response | tuple[bytes, int]:
    user = auth.signed_in()
    form = await TimezoneForm.from_request(timezone=user.timezone)
    if request.method != "POST":
        return _page(form)
    if not form.validate():
        return _page(form), 422
    await accounts.set_timezone(database(), user.user_id, form.timezone.data or "")
    user_cache().invalidate(user.user_id)
    await flash(gettext("Your time zone has been saved."), "success")
    return redirect(url_for("account"), 303)


def _page(form: TimezoneForm) -> bytes:
    return render("account_timezone.html", account=True, form=form)
