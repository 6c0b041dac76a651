"""Changing the password, and choosing another one after forgetting it."""

from quart import flash, redirect, request, session, url_for
from werkzeug import Response

from quart_enroll.domain.errors import LinkDead, PasswordRefused, PleaseWait, WrongPassword
from quart_enroll.forms.accounts import ChangePasswordForm, ForgotForm, ResetForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.form_errors import PageResponse, please_wait, show_beside
from quart_enroll.services.accounts import accounts, attempt_limits, email_links, password_reset
from quart_enroll.services.notifications import outbox
from quart_enroll.state import database, hasher, links, now, password_locks, sends_mail, user_cache
from quart_enroll.web import auth, known_devices
from quart_enroll.web.templating import render

RESET_TOKEN_KEY = "password_reset"  # noqa: S105  # the key in the session
LINK_SENT = Sentence("If there’s an account with this email, we’ve sent it a link. The link works for one hour.")


async def change() -> bytes | Response | PageResponse:
    form = await ChangePasswordForm.from_request()
    if request.method != "POST":
        return _change_page(form)
    if not form.validate():
        return _change_page(form), 422
    user = auth.signed_in()
    attempt_source = known_devices.attempt_source(user.email)
    try:
        async with (
            attempt_limits.password_change(database(), attempt_source, now()),
            attempt_limits.password_attempt(database(), password_locks(), attempt_source, now()),
        ):
            changed = await accounts.change_password(
                database(),
                hasher(),
                user,
                old=form.current_password.data or "",
                new=form.password.data or "",
                now=now(),
            )
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "password_change.html", _change_page)
    except WrongPassword as refusal:
        show_beside(form.current_password, refusal)
        return _change_page(form), 422
    except PasswordRefused as refusal:
        show_beside(form.password, refusal)
        return _change_page(form), 422
    # This browser gets a new sign-in too, so that a copy of its cookie is worthless.
    await auth.sign_in(changed, remember=auth.this_login().remembered)
    known_devices.remember(user.email)
    await flash(
        gettext(
            "Your password has been changed. You’re signed out elsewhere, and your tokens, private calendar "
            "link and shared links no longer work."
        ),
        "success",
    )
    return redirect(url_for("account"), 303)


async def forgot() -> bytes | Response | PageResponse:
    form = await ForgotForm.from_request()
    if request.method != "POST" or not sends_mail():
        return _forgot_page(form)
    if not form.validate():
        return _forgot_page(form), 422
    email = form.email.data or ""
    try:
        await attempt_limits.count_reset_request(database(), known_devices.attempt_source(email), now())
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "password_forgot.html", _forgot_page)
    await outbox.queue_password_reset(database(), email, now())
    await flash(str(LINK_SENT), "info")
    return redirect(url_for("login"), 303)


async def open_link(token: str) -> Response:
    """Move the token from the URL, where others might read it, into the session, and redirect."""
    session[RESET_TOKEN_KEY] = token[: email_links.MAX_LINK_TOKEN_LENGTH]
    return redirect(url_for("password_reset"), 303)


async def reset() -> bytes | Response | tuple[bytes, int]:
    token = session.get(RESET_TOKEN_KEY, "")
    form = await ResetForm.from_request()
    try:
        if request.method != "POST":
            await links().find_credentials(database(), token, now())
            return _reset_page(form)
        if not form.validate():
            return _reset_page(form), 422
        user = await password_reset.reset(
            database(), hasher(), links(), token=token, password=form.password.data or "", now=now()
        )
    except PasswordRefused as refusal:
        show_beside(form.password, refusal)
        return _reset_page(form), 422
    except LinkDead as refusal:
        return render("link_dead.html", sentence=refusal.text), 410
    session.pop(RESET_TOKEN_KEY, None)
    user_cache().invalidate(user.user_id)
    known_devices.remember(user.email)  # attempts from elsewhere can't lock this browser out
    if (asks := auth.user()) and asks.user_id == user.user_id:  # this sign-in has ended with all the others
        auth.clear_sign_in()
    await flash(gettext("Your new password has been saved. Sign in with it."), "success")
    return redirect(url_for("login"), 303)


def _change_page(form: ChangePasswordForm) -> bytes:
    return render("password_change.html", account=True, form=form)


def _forgot_page(form: ForgotForm) -> bytes:
    return render("password_forgot.html", login=True, form=form, sends_mail=sends_mail())


def _reset_page(form: ResetForm) -> bytes:
    return render("password_reset.html", login=True, form=form)
