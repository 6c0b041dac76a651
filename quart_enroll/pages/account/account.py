"""The account page: the user's sign-ins, and buttons that end them."""

from collections.abc import Sequence
from typing import NamedTuple

from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.domain.models import Login
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.account.deletion import is_by_registrar
from quart_enroll.pages.account.email_confirmation import must_confirm
from quart_enroll.services.accounts import accounts, email_change, sessions
from quart_enroll.state import database, now
from quart_enroll.web import auth, viewing
from quart_enroll.web.jinja_environment import format_moment
from quart_enroll.web.templating import render


class SignIn(NamedTuple):
    """A sign-in of the user, in words; `is_current` if it is that of this browser."""

    key: str
    browser: str
    ip_address: str
    since: str
    last_used: str
    remembered: bool
    is_current: bool


async def account() -> bytes:
    user, is_viewed = auth.signed_in(), viewing.current() is not None
    found = [] if is_viewed else await sessions.active(database(), user.user_id, now())
    return render(
        "account.html",
        account=True,
        user=user,
        sign_ins=sign_ins_in_words(found),
        must_confirm=must_confirm(),
        email_change=None if is_viewed else await email_change.find(database(), user.user_id, now()),
        removal_by_registrar=is_by_registrar(),
        is_viewed=is_viewed,
    )


async def end_sign_in() -> Response:
    key = (await request.form).get("login", "")
    if key == auth.this_login().key:
        await auth.sign_out()
        await flash(gettext("You’re signed out."), "info")
        return redirect(url_for("index"), 303)
    await sessions.end(database(), auth.signed_in().user_id, key)
    await flash(gettext("That browser has been signed out."), "success")
    return redirect(url_for("account"), 303)


async def sign_out_everywhere() -> Response:
    await accounts.end_sign_ins(database(), auth.signed_in().user_id)
    auth.clear_sign_in()
    await flash(gettext("You’re signed out everywhere."), "info")
    return redirect(url_for("index"), 303)


def _browser(stored: str) -> str:
    """Return the name of the browser; it is stored like "Firefox on Windows"."""
    browser, _, system = stored.partition(" on ")
    if system:
        return gettext("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or gettext("Unknown browser")


def sign_ins_in_words(found: Sequence[Login]) -> list[SignIn]:
    """Return the sign-ins in words, that of this browser first."""
    current = auth.this_login().key
    return [
        SignIn(
            key=login.key,
            browser=_browser(login.agent),
            ip_address=login.address,
            since=format_moment(login.created_at),
            last_used=format_moment(login.last_used_at),
            remembered=login.remembered,
            is_current=login.key == current,
        )
        for login in sorted(found, key=lambda login: login.key != current)
    ]
