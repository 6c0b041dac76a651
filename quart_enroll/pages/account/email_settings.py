"""The choice of emails: on the account page, and by the link in each email that a user can turn off."""

from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.domain.email_settings import KIND_NAMES, EmailKind
from quart_enroll.domain.errors import TooManyChanges, UnsubscribeLinkDead
from quart_enroll.forms.email_settings import EmailSettingsForm
from quart_enroll.i18n.language import gettext
from quart_enroll.services.accounts import email_settings
from quart_enroll.state import change_limiter, database, links, user_cache
from quart_enroll.web import access_log, auth
from quart_enroll.web.templating import render


async def choose() -> bytes | Response | tuple[bytes, int]:
    user = auth.signed_in()
    form = await EmailSettingsForm.from_request(**{kind: user.email_settings.of_kind(kind) for kind in EmailKind})
    if request.method != "POST":
        return _page(form)
    if not form.validate():
        return _page(form), 422
    await email_settings.put(database(), user.user_id, form.settings)
    user_cache().invalidate(user.user_id)
    await flash(gettext("Your email settings have been saved."), "success")
    return redirect(url_for("account"), 303)


async def unsubscribe(token: str) -> bytes | tuple[bytes, int]:
    """Show the button that turns off the emails of the link, or turn them off; repeating it changes nothing.

    Programs that scan emails open the links in them, so only a POST turns emails off. Mail programs send it without
    showing the page (RFC 8058).
    """
    try:
        _limit(links().unsubscriber(token))
        user, emails = await links().find_unsubscription(database(), token)
    except UnsubscribeLinkDead as refusal:
        access_log.note(code=refusal.code)
        return render("unsubscribe.html", dead=refusal.text), 410
    kinds = [KIND_NAMES[kind] for kind in user.email_settings.turned_off_by(emails)]
    if request.method == "POST":
        await email_settings.turn_off(database(), user.user_id, emails)
        user_cache().invalidate(user.user_id)
    return render("unsubscribe.html", kinds=kinds, is_done=request.method == "POST" or not kinds)


def _limit(user_id: int) -> None:
    """Raise TooManyChanges if the user's links are opened too often; it doesn't limit the user's other changes."""
    if wait := change_limiter().take(("unsubscribe", user_id)):
        raise TooManyChanges(wait)


def _page(form: EmailSettingsForm) -> bytes:
    return render("account_emails.html", account=True, form=form)
