"""Changing the email: the form, and the links with which both addresses confirm the change."""

from quart import flash, redirect, request, session, url_for
from werkzeug import Response

from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import EmailChangeOver, EmailTaken, PleaseWait, SignInEnded
from quart_enroll.domain.models import EmailChange, EmailChangeSide, User
from quart_enroll.forms.accounts import ChangeEmailForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.form_errors import PageResponse, check_password, please_wait, show_beside
from quart_enroll.services.accounts import attempt_limits, email_change, email_links
from quart_enroll.state import database, links, now, sends_mail, user_cache
from quart_enroll.web import access_log, auth, known_devices
from quart_enroll.web.templating import render

CHANGE_TOKEN_KEY = "email_change"  # noqa: S105  # the key in the session
"""The session key that holds the link's token."""

TEMPLATE = "email_change.html"


async def change() -> bytes | Response | PageResponse:
    form, user = await ChangeEmailForm.from_request(), auth.signed_in()
    if request.method != "POST" or not sends_mail():
        return _page(form)
    is_valid = form.validate()
    if is_valid and email_addresses.canonical(form.email.data or "") == email_addresses.canonical(user.email):
        form.email.errors = [gettext("This is already your email.")]
        is_valid = False
    if not is_valid:
        return _page(form), 422
    if refused := await check_password(form, form.password, TEMPLATE):
        return _page(form), *refused
    try:
        await _ask(user, form.email.data or "")
    except PleaseWait as refusal:
        return await please_wait(refusal, form, TEMPLATE, _page)
    except SignInEnded as refusal:
        show_beside(form.password, refusal)
        return _page(form), 422
    return redirect(url_for("account"), 303)


async def stop() -> Response:
    """Cancel the change that the signed-in user asked for."""
    await email_change.stop(database(), auth.signed_in().user_id)
    await flash(gettext("Email change canceled. Your email stays the same."), "success")
    return redirect(url_for("account"), 303)


async def open_link(token: str) -> Response:
    """Move the token from the URL, where others might read it, into the session, and redirect.

    Programs that scan emails open the links in them, so the change is confirmed only by a button.
    """
    session[CHANGE_TOKEN_KEY] = token[: email_links.MAX_LINK_TOKEN_LENGTH]
    return redirect(url_for("email_change_link"), 303)


async def decide() -> bytes | Response | tuple[bytes, int]:
    """Show the buttons that confirm or cancel the change, and act on the one that was pressed."""
    try:
        pending, side = await links().find_email_change(database(), session.get(CHANGE_TOKEN_KEY, ""), now())
        if request.method != "POST":
            return _link_page(pending, side)
        if (await request.form).get("decision") == "stop":
            return await _stop_by_link(pending)
        if not await email_change.agree(database(), pending, side, now()):
            return redirect(url_for("email_change_link"), 303)
    except (EmailChangeOver, EmailTaken) as refusal:  # the owner of a taken address has confirmed it, and may know
        access_log.note(code=refusal.code)
        return render("link_dead.html", sentence=refusal.text, again=url_for("account_email")), 410
    return await _changed(pending)


async def _ask(user: User, email: str) -> None:
    """Email both addresses, and tell the user on the next page."""
    sources = known_devices.attempt_source(user.email), known_devices.attempt_source(email)
    await attempt_limits.count_email_change(database(), *sources, now())
    pending = await email_change.ask(database(), auth.this_login().key, user, email, now())
    if pending.asks_old:
        sentence = gettext(
            "We’ve emailed a link to %(new)s and another to %(old)s. Use both to change your email.",
            new=email,
            old=user.email,
        )
    else:
        sentence = gettext("We’ve emailed a link to %(new)s. Use it to change your email.", new=email)
    await flash(sentence, "info")


async def _stop_by_link(pending: EmailChange) -> Response:
    await email_change.stop(database(), pending.user_id)
    session.pop(CHANGE_TOKEN_KEY, None)
    await flash(
        gettext("Email change canceled. If you didn’t ask for it, choose a new password right away."), "success"
    )
    return redirect(url_for("account" if auth.user() else "password_forgot"), 303)


async def _changed(completed: EmailChange) -> Response:
    session.pop(CHANGE_TOKEN_KEY, None)
    user_cache().invalidate(completed.user_id)
    if (asks := auth.user()) and asks.user_id == completed.user_id:  # this sign-in has ended with all the others
        auth.clear_sign_in()
    await flash(gettext("The email has been changed. Sign in with %(email)s.", email=completed.new_email), "success")
    return redirect(url_for("login"), 303)


def _page(form: ChangeEmailForm) -> bytes:
    return render(TEMPLATE, account=True, form=form, user=auth.signed_in(), sends_mail=sends_mail())


def _link_page(pending: EmailChange, side: EmailChangeSide) -> bytes:
    return render("email_change_link.html", change=pending, has_agreed=side in pending.agreed)
