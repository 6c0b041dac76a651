"""The choice of the name by which a user is addressed, and of pronouns."""

from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.forms.accounts import PreferredNameForm
from quart_enroll.i18n.language import gettext
from quart_enroll.services.accounts import accounts
from quart_enroll.state import database, user_cache
from quart_enroll.web import auth
from quart_enroll.web.templating import render


async def choose() -> bytes | Response | tuple[bytes, int]:
    user = auth.signed_in()
    form = await PreferredNameForm.from_request(preferred_name=user.preferred_name, pronouns=user.pronouns)
    if request.method != "POST":
        return _page(form)
    if not form.validate():
        return _page(form), 422
    preferred_name, pronouns = form.preferred_name.data or "", form.pronouns.data or ""
    await accounts.set_preferred_name(database(), user.user_id, preferred_name, pronouns)
    user_cache().invalidate(user.user_id)
    await flash(gettext("Your name and pronouns have been saved."), "success")
    return redirect(url_for("account"), 303)


def _page(form: PreferredNameForm) -> bytes:
    return render("account_name.html", account=True, form=form, user=auth.signed_in())
