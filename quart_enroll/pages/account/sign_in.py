"""Register, sign in, sign out."""

from contextlib import suppress
from datetime import datetime

from markupsafe import Markup
from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.domain.errors import EmailTaken, PasswordRefused, PleaseWait, WrongCredentials
from quart_enroll.domain.models import Credentials
from quart_enroll.forms.accounts import LoginForm, RegisterForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.account.email_confirmation import send_link
from quart_enroll.pages.form_errors import PageResponse, please_wait, show_above, show_beside
from quart_enroll.services.accounts import accounts, attempt_limits
from quart_enroll.services.accounts.password_policy import MIN_PASSWORD_LENGTH
from quart_enroll.state import database, hasher, now, password_locks, sends_mail
from quart_enroll.web import access_log, auth, known_devices
from quart_enroll.web.csrf import is_link_from_this_site
from quart_enroll.web.jinja_environment import format_moment
from quart_enroll.web.templating import render


async def register() -> bytes | Response | PageResponse:
    if auth.user():
        return await _signed_in_already()
    form = await RegisterForm.from_request(next=request.args.get("next"))
    if request.method != "POST":
        return _register_page(form)
    if not form.validate():
        return _register_page(form), 422
    try:
        found = await _register(form)
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "register.html", _register_page)
    except EmailTaken as refusal:
        show_beside(form.email, refusal)
        form.email.errors = [*form.email.errors, _way_to_a_password()]
        return _register_page(form), 422
    except PasswordRefused as refusal:
        show_beside(form.password, refusal)
        return _register_page(form), 422
    last = await _begin(found, remember=False)
    welcome = gettext("Welcome, %(name)s. Your account is ready, and you’re signed in.", name=found.user.short_name)
    await flash(welcome, "success")
    if found.user.email_unconfirmed and last is None and sends_mail():
        with suppress(PleaseWait):  # the account works without it
            await send_link(found.user)
            sent = gettext("We’ve emailed a link to %(email)s. Open it to confirm your email.", email=found.user.email)
            await flash(sent, "info")
    return _onward(form.next.data)


async def login() -> bytes | Response | PageResponse:
    if auth.user() and request.method != "POST":
        return await _signed_in_already()
    form = await LoginForm.from_request(next=request.args.get("next"))
    if request.method != "POST":
        return _login_page(form)
    if not form.validate():
        return _login_page(form), 422
    email, password = form.email.data or "", form.password.data or ""
    try:
        async with attempt_limits.password_attempt(
            database(), password_locks(), known_devices.attempt_source(email), now()
        ):
            found = await accounts.authenticate(database(), hasher(), email=email, password=password)
            last = await _begin(found, remember=form.remember_me.data)
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "login.html", _login_page)
    except WrongCredentials as refusal:
        access_log.note(code=refusal.code)
        await show_above(form, refusal.text, "login.html")
        return _login_page(form), 422
    hello = gettext("Hello, %(name)s. You’re signed in.", name=found.user.short_name)
    before = gettext("Your last sign-in was on %(moment)s.", moment=format_moment(last)) if last else ""
    await flash(f"{hello} {before}".rstrip(), "success")
    if len(password) < MIN_PASSWORD_LENGTH:  # the account may be older than the rule
        await flash(_suggest_longer_password(), "info")
    return _onward(form.next.data)


async def logout() -> bytes | Response:
    if auth.user():
        if request.method != "POST" and not is_link_from_this_site():
            return render("logout.html")
        await auth.sign_out()
        await flash(gettext("You’re signed out."), "info")
    return redirect(url_for("index"), 303)


async def _register(form: RegisterForm) -> Credentials:
    """Create the account. Registering again with the right password succeeds, so it counts as a password attempt."""
    email = form.email.data or ""
    attempt_source = known_devices.attempt_source(email)
    await attempt_limits.count_registration(database(), attempt_source, now())
    async with attempt_limits.password_attempt(database(), password_locks(), attempt_source, now()):
        return await accounts.register(
            database(),
            hasher(),
            email=email,
            password=form.password.data or "",
            first_name=form.first_name.data or "",
            last_name=form.last_name.data or "",
            email_unconfirmed=True,
        )


def _way_to_a_password() -> str:
    """Return how to get a password; students whom the school imported without one need that too."""
    if sends_mail():
        return gettext("If you don’t have a password for it, choose “Forgot your password?” on the sign-in page.")
    return gettext("If you don’t have a password for it, ask your school’s registrar for one.")


async def _begin(found: Credentials, *, remember: bool) -> datetime | None:
    """Sign the user in and remember the browser; return the time of the previous sign-in."""
    last = await auth.sign_in(found, remember=remember)
    known_devices.remember(found.user.email)
    return last


def _suggest_longer_password() -> Markup:
    sentence = gettext(
        "Your password has fewer than the %(number)s characters we now require.", number=MIN_PASSWORD_LENGTH
    )
    return Markup('{} <a href="{}">{}</a>').format(sentence, url_for("account_password"), gettext("Change password"))


async def _signed_in_already() -> Response:
    await flash(gettext("You’re already signed in."), "info")
    return _onward((await request.form).get("next") or request.args.get("next"))


def _onward(wanted: str | None) -> Response:
    return redirect(auth.safe_next(wanted) or url_for("index"), 303)


def _login_page(form: LoginForm) -> bytes:
    return render("login.html", title=gettext("Sign in"), login=True, form=form)


def _register_page(form: RegisterForm) -> bytes:
    return render("register.html", title=gettext("Create account"), register=True, form=form)
