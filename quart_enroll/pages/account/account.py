"""The account of who asks: where it is signed in, and how to end that."""

from collections.abc import Sequence
from typing import NamedTuple

from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll.domain.models import Login
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.account.email_confirmation import must_confirm
from quart_enroll.services.accounts import accounts, sessions
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.jinja_environment import format_moment
from quart_enroll.web.templating import render


class Place(NamedTuple):
    """Where the user is signed in, in words; `here` is the sign-in that asks."""

    key: str
    agent: str
    address: str
    since: str
    last_used: str
    remembered: bool
    here: bool


async def account() -> bytes:
    user = auth.signed_in()
    found = await sessions.active(database(), user.user_id, now())
    return render("account.html", account=True, user=user, places=_places(found), must_confirm=must_confirm())


async def end() -> Response:
    key = (await request.form).get("login", "")
    if key == auth.this_login().key:
        await auth.end()
        await flash(gettext("You’re signed out."), "info")
        return redirect(url_for("index"), 303)
    await sessions.end(database(), auth.signed_in().user_id, key)
    await flash(gettext("That browser has been signed out."), "success")
    return redirect(url_for("account"), 303)


async def sign_out_everywhere() -> Response:
    await accounts.end_sign_ins(database(), auth.signed_in().user_id)
    auth.forget()
    await flash(gettext("You’re signed out everywhere."), "info")
    return redirect(url_for("index"), 303)


def _agent(stored: str) -> str:
    """Return the browser in words: it is stored like "Firefox on Windows"."""
    browser, _, system = stored.partition(" on ")
    if system:
        return gettext("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or gettext("Unknown browser")


def _places(found: Sequence[Login]) -> list[Place]:
    """Put the sign-ins in words, the one that asks first."""
    here = auth.this_login().key
    return [
        Place(
            key=login.key,
            agent=_agent(login.agent),
            address=login.address,
            since=format_moment(login.created_at),
            last_used=format_moment(login.last_used_at),
            remembered=login.remembered,
            here=login.key == here,
        )
        for login in sorted(found, key=lambda login: login.key != here)
    ]
