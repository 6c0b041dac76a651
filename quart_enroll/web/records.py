"""Opens students' records, and logs it in the access log."""

from quart import abort

from quart_enroll.domain.models import User
from quart_enroll.services.staff import access
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.request import current_request


async def open_record(user_id: int) -> User:
    """Return the student whose record the page shows, and log that it was opened.

    A record outside the person's scope is not found. The page's route has `opens_record`.
    """
    endpoint = current_request().route.endpoint
    student = await access.open_record(database(), auth.signed_in(), user_id, endpoint, now())
    if student is None:
        abort(404)
    return student
