"""The schedule for the student's own calendar: a file, and a secret address to which a calendar subscribes."""

import re

from quart import Response, abort, current_app, flash, redirect, request, session, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.models import ScheduledCourse
from quart_enroll.forms.accounts import CalendarLinkForm
from quart_enroll.i18n.language import gettext, use_language
from quart_enroll.pages.enrollment import ics
from quart_enroll.pages.refusals import ask_password
from quart_enroll.services.accounts import calendar_tokens
from quart_enroll.services.enrollment import student
from quart_enroll.state import catalog, database, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render

SHOWN_ONCE = "calendar_address"
"""Where the student's own cookie keeps a new address until the next page shows it."""


async def calendar_file() -> ResponseReturnValue:
    """Answer with the schedule as it is now."""
    response = _file(await _schedule(auth.signed_in().user_id))
    response.headers["Content-Disposition"] = 'attachment; filename="schedule.ics"'
    return response


async def make_address() -> ResponseReturnValue:
    """Make a secret address that replaces the old one, for a student who enters the password."""
    form = await CalendarLinkForm.from_request()
    if request.method != "POST":
        return _make_page(form)
    if not form.validate():
        return _make_page(form), 422
    if refused := await ask_password(form, form.password, "calendar_link.html"):
        return _make_page(form), *refused
    token = await calendar_tokens.create(database(), auth.signed_in().user_id, now(), login=auth.this_login().key)
    session[SHOWN_ONCE] = whole_address(url_for("calendar_feed", token=token))
    return redirect(url_for("enrollment", _anchor="calendar"), 303)


async def end_address() -> ResponseReturnValue:
    """Let the secret address lead nowhere."""
    await calendar_tokens.revoke(database(), auth.signed_in().user_id)
    session.pop(SHOWN_ONCE, None)
    await flash(gettext("Your private calendar link no longer works."), "success")
    return redirect(url_for("enrollment"), 303)


async def calendar_feed(token: str) -> ResponseReturnValue:
    """Answer a calendar that subscribes; an address that was ended is one that never was."""
    owner = await calendar_tokens.find_owner(database(), token)
    if owner is None:
        abort(404)
    with use_language(owner.language):
        file = await _schedule(owner.user_id)
    response = _file(file)
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(ics.fingerprint(file), weak=True)
    await response.make_conditional(request)
    return response


def _make_page(form: CalendarLinkForm) -> bytes:
    return render("calendar_link.html", enrollment=True, form=form)


def take_new_address() -> str:
    """Return the secret address that was made on the page before, once; else nothing."""
    return str(session.pop(SHOWN_ONCE, ""))


def whole_address(path: str) -> str:
    """Return the URL at which other machines find the path: below PUBLIC_URL, or else where the visitor is.

    In production that is https, even behind a proxy that does not say so.
    """
    here = request.host_url.rstrip("/")
    if current_app.config["APP_ENV"] == "production":
        here = f"https://{request.host}"
    return f"{current_app.config['PUBLIC_URL'] or here}{path}"


def subscribe_link(address: str) -> str:
    """Return the link that subscribes the visitor's calendar program to the URL; empty where no safe link exists.

    Programs read webcal:// as plain http, which would send the secret unencrypted. webcals:// is https, but nothing on
    Apple's systems opens it, so people paste the URL there.
    """
    if not address.startswith("https://"):
        return re.sub("^http://", "webcal://", address)
    if re.search("iPhone|iPad|Macintosh", request.headers.get("User-Agent", "")):
        return ""
    return re.sub("^https://", "webcals://", address)


async def _schedule(user_id: int) -> bytes:
    known = (await catalog()).terms
    found = await student.registrations(database(), user_id, [term.term for term in known])
    courses = [ScheduledCourse.of(one) for one in found if one.status == "enrolled"]
    return ics.schedule(user_id, courses, known, now())


def _file(content: bytes) -> Response:
    return Response(content, content_type="text/calendar; charset=utf-8")
