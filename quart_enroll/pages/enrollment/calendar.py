"""The schedule for the student's own calendar: a file, and a secret URL to which a calendar subscribes."""

import re

from quart import Response, abort, current_app, flash, redirect, request, session, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import calendar_file
from quart_enroll.domain.models import ScheduledCourse
from quart_enroll.forms.accounts import CalendarLinkForm
from quart_enroll.i18n.language import gettext, use_language
from quart_enroll.pages.form_errors import check_password
from quart_enroll.services.accounts import calendar_tokens
from quart_enroll.services.enrollment import student
from quart_enroll.state import catalog, database, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render

NEW_URL_KEY = "calendar_address"
"""The session key of a new URL until the next page shows it. Browsers may have it from an earlier version."""


async def download() -> ResponseReturnValue:
    """Send the schedule as a file."""
    response = _response(await _schedule_file(auth.signed_in().user_id))
    response.headers["Content-Disposition"] = 'attachment; filename="schedule.ics"'
    return response


async def create_link() -> ResponseReturnValue:
    """Create a secret URL that replaces the previous one, for a student who enters the password."""
    form = await CalendarLinkForm.from_request()
    if request.method != "POST":
        return _link_page(form)
    if not form.validate():
        return _link_page(form), 422
    if refused := await check_password(form, form.password, "calendar_link.html"):
        return _link_page(form), *refused
    token = await calendar_tokens.create(database(), auth.signed_in().user_id, now(), login=auth.this_login().key)
    session[NEW_URL_KEY] = absolute_url(url_for("calendar_feed", token=token))
    return redirect(url_for("enrollment", _anchor="calendar"), 303)


async def revoke_link() -> ResponseReturnValue:
    """Revoke the secret URL."""
    await calendar_tokens.revoke(database(), auth.signed_in().user_id)
    session.pop(NEW_URL_KEY, None)
    await flash(gettext("Your private calendar link no longer works."), "success")
    return redirect(url_for("enrollment"), 303)


async def feed(token: str) -> ResponseReturnValue:
    """Send the schedule to a calendar that subscribes; a revoked URL looks like one that never existed."""
    owner = await calendar_tokens.find_owner(database(), token)
    if owner is None:
        abort(404)
    with use_language(owner.language):
        file = await _schedule_file(owner.user_id)
    response = _response(file)
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(calendar_file.fingerprint(file), weak=True)
    await response.make_conditional(request)
    return response


def _link_page(form: CalendarLinkForm) -> bytes:
    return render("calendar_link.html", enrollment=True, form=form)


def take_new_url() -> str:
    """Return the secret URL that was just created, once; empty if there is none."""
    return str(session.pop(NEW_URL_KEY, ""))


def absolute_url(path: str) -> str:
    """Return the URL at which other machines find the path: below PUBLIC_URL, or else below the visitor's own URL.

    In production that is https, even behind a proxy that does not say so.
    """
    own_url = request.host_url.rstrip("/")
    if current_app.config["APP_ENV"] == "production":
        own_url = f"https://{request.host}"
    return f"{current_app.config['PUBLIC_URL'] or own_url}{path}"


def subscribe_link(url: str) -> str:
    """Return the link that subscribes the visitor's calendar program to the URL; empty where no safe link exists.

    Programs read webcal:// as plain http, which would send the secret unencrypted. webcals:// is https, but nothing on
    Apple's systems opens it, so people paste the URL there.
    """
    if not url.startswith("https://"):
        return re.sub("^http://", "webcal://", url)
    if re.search("iPhone|iPad|Macintosh", request.headers.get("User-Agent", "")):
        return ""
    return re.sub("^https://", "webcals://", url)


async def _schedule_file(user_id: int) -> bytes:
    known = (await catalog()).terms
    found = await student.registrations(database(), user_id, [term.term for term in known])
    courses = [ScheduledCourse.of(one) for one in found if one.status == "enrolled"]
    return calendar_file.schedule(
        calendar_file.student_uids(user_id), courses, known, now(), name=current_app.config["SCHOOL_NAME"]
    )


def _response(content: bytes) -> Response:
    return Response(content, content_type="text/calendar; charset=utf-8")
