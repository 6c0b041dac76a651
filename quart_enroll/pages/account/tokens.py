"""Personal access tokens: created, shown once, listed, revoked."""

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import TokenNameTaken, TooManyTokens
from quart_enroll.domain.scopes import SCOPE_NAMES, Scope
from quart_enroll.forms.tokens import EndTokenForm, TokenForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.form_errors import PageResponse, check_password, show_beside
from quart_enroll.pages.form_views import valid_form
from quart_enroll.services.accounts import tokens as service
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render


async def tokens() -> bytes | PageResponse:
    form = await TokenForm.for_owner(auth.signed_in())
    if request.method != "POST":
        return await _page(form)
    if not form.validate():
        return await _page(form), 422
    if refused := await check_password(form, form.password, "tokens.html"):
        return await _page(form), *refused
    try:
        text, token = await service.create(
            database(),
            auth.signed_in().user_id,
            name=form.name.data or "",
            scope=Scope(form.scope.data),
            expires_at=form.expiry(),
            now=now(),
            login=auth.this_login().key,
        )
    except (TokenNameTaken, TooManyTokens) as refusal:
        show_beside(form.name, refusal)
        return await _page(form), 422
    # No redirect: the token is shown on this page only.
    return render("token.html", token=token, text=text), 201


@valid_form(EndTokenForm)
async def revoke(form: EndTokenForm) -> ResponseReturnValue:
    if await service.revoke(database(), auth.signed_in().user_id, form.token_id.data or ""):
        await flash(gettext("Token revoked. It no longer works."), "success")
    else:
        await flash(gettext("This token was already revoked or has expired."), "info")
    return redirect(url_for("tokens"), 303)


async def _page(form: TokenForm) -> bytes:
    found = await service.active(database(), auth.signed_in().user_id, now())
    return render("tokens.html", title=gettext("Access tokens"), form=form, tokens=found, scope_names=SCOPE_NAMES)
