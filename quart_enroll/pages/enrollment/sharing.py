"""Shared links: students create, see and revoke them."""

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import SharedLinkExists, TooManySharedLinks
from quart_enroll.domain.models import SharedContent, Term
from quart_enroll.forms.sharing import RevokeSharedLinkForm, SharedLinkForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.enrollment.calendar import absolute_url
from quart_enroll.pages.form_errors import PageResponse, check_password, show_beside
from quart_enroll.pages.form_views import valid_form
from quart_enroll.services.accounts import shared_links as service
from quart_enroll.state import catalog, database, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render


async def shared_links() -> bytes | PageResponse:
    """Show the student's links, or create one if the student enters the password."""
    terms = await _terms()
    form = await SharedLinkForm.of(terms, term=request.args.get("term"), content=request.args.get("content"))
    if request.method != "POST":
        return await _page(form)
    if not form.validate():
        return await _page(form), 422
    if refused := await check_password(form, form.password, "shared_links.html"):
        return await _page(form), *refused
    content, [term] = SharedContent(form.content.data), [one for one in terms if one.term == form.term.data]
    user_id, login = auth.signed_in().user_id, auth.this_login().key
    label = form.label.data or ""
    try:
        token = await service.create(database(), user_id, term, content, label=label, now=now(), login=login)
    except SharedLinkExists as refusal:
        show_beside(form.label, refusal)
        return await _page(form), 422
    except TooManySharedLinks as refusal:
        show_beside(form.term, refusal)
        return await _page(form), 422
    # No redirect: the link is shown on this page only.
    url = absolute_url(url_for("shared", token=token))
    return render("shared_link.html", enrollment=True, url=url, term=term, content=content), 201


@valid_form(RevokeSharedLinkForm)
async def revoke(form: RevokeSharedLinkForm) -> ResponseReturnValue:
    if await service.revoke(database(), auth.signed_in().user_id, form.link_id.data or ""):
        await flash(gettext("Link revoked. It no longer works."), "success")
    else:
        await flash(gettext("This link was already revoked or has expired."), "info")
    return redirect(url_for("shared_links"), 303)


async def _terms() -> list[Term]:
    """Return the terms that are not over, the one that visitors see first at the top."""
    offered, moment = await catalog(), now()
    ongoing = [term for term in offered.terms if term.is_ongoing(moment)]
    return sorted(ongoing, key=lambda term: term != offered.current_term(moment))


async def _page(form: SharedLinkForm) -> bytes:
    links = await service.active(database(), auth.signed_in().user_id, now())
    return render("shared_links.html", enrollment=True, form=form, links=links, limit=service.MAX_LINKS_PER_TERM)
