"""Confirming an email address with a link that was sent to it."""

from quart import flash, redirect, session, url_for
from werkzeug import Response

from quart_enroll.domain.errors import ConfirmationDead, PleaseWait
from quart_enroll.domain.models import User
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.form_views import flash_refusal
from quart_enroll.services.accounts import accounts, attempt_limits, email_links
from quart_enroll.services.notifications import outbox
from quart_enroll.state import database, links, now, sends_mail, user_cache
from quart_enroll.web import access_log, auth, known_devices
from quart_enroll.web.templating import render

CONFIRMATION_TOKEN_KEY = "email_confirmation"  # noqa: S105  # the key in the session
"""The session key that holds the link's token."""


async def open_link(token: str) -> Response:
    """Move the token from the URL, where others might read it, into the session, and redirect.

    Programs that scan emails open the links in them, so only a button confirms.
    """
    session[CONFIRMATION_TOKEN_KEY] = token[: email_links.MAX_LINK_TOKEN_LENGTH]
    return redirect(url_for("email_confirm"), 303)


async def ask() -> bytes | tuple[bytes, int]:
    """Show the button that confirms the address."""
    try:
        user = await links().find_unconfirmed(database(), session.get(CONFIRMATION_TOKEN_KEY, ""), now())
    except ConfirmationDead as refusal:
        return _dead(refusal)
    return render("email_confirm.html", user=user)


async def confirm() -> Response | tuple[bytes, int]:
    """Confirm the address of the link; repeating it changes nothing."""
    try:
        user = await links().find_unconfirmed(database(), session.get(CONFIRMATION_TOKEN_KEY, ""), now())
    except ConfirmationDead as refusal:
        return _dead(refusal)
    await accounts.confirm_email(database(), user)
    user_cache().invalidate(user.user_id)
    session.pop(CONFIRMATION_TOKEN_KEY, None)
    await flash(gettext("Thank you. Your email is confirmed."), "success")
    return redirect(url_for("account" if auth.user() else "login"), 303)


async def send_again() -> Response:
    """Send another link to the user's address if it is not confirmed yet."""
    user = auth.signed_in()
    if user.email_unconfirmed and sends_mail():
        try:
            await send_link(user)
        except PleaseWait as refusal:
            return await flash_refusal(refusal, url_for("account"))
        await flash(gettext("We’ve emailed you another link."), "info")
    return redirect(url_for("account"), 303)


async def send_link(user: User) -> None:
    """Email a link to the button; raise PleaseWait if there were too many."""
    await attempt_limits.count_confirmation_request(database(), known_devices.attempt_source(user.email), now())
    await outbox.queue_email_confirmation(database(), user.user_id, now())


def must_confirm() -> bool:
    """Return whether the user gets no emails before the address is confirmed."""
    user = auth.user()
    return user is not None and user.email_unconfirmed and sends_mail()


def _dead(refusal: ConfirmationDead) -> tuple[bytes, int]:
    access_log.note(code=refusal.code)
    return render("link_dead.html", sentence=refusal.text, again=url_for("account")), 410
