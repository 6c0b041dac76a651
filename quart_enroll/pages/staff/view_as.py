"""See the site as a student sees it, and stop."""

from quart import abort, redirect, url_for
from werkzeug import Response

from quart_enroll.services.staff import named_entries, view_as
from quart_enroll.state import database, now, user_cache
from quart_enroll.web import auth, viewing
from quart_enroll.web.request import current_request


async def begin() -> Response:
    user_id = await named_entries.find_person(database(), (await current_request().button_fields()).get("user_id", ""))
    login, staff = auth.this_login(), auth.signed_in()
    if user_id is None or await view_as.begin(database(), user_cache(), login, staff, user_id, now()) is None:
        abort(404)
    return redirect(url_for("index"), 303)


async def end() -> Response:
    """End the view, and return to the student's record; staff who had no view are sent to their own pages."""
    viewed = viewing.current()
    await viewing.end()
    url = url_for("staff") if viewed is None else url_for("staff_student", user_id=viewed.student.user_id)
    return redirect(url, 303)
