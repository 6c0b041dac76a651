"""Download everything the site stores about the user."""

from datetime import timedelta

from quart import Response

from quart_enroll.domain.errors import PleaseWait
from quart_enroll.fastpath import streaming
from quart_enroll.services.accounts import data_export
from quart_enroll.state import database, download_limiter, now
from quart_enroll.web import auth


async def download() -> Response:
    user_id = auth.signed_in().user_id
    if wait := download_limiter().take(user_id):
        raise PleaseWait(timedelta(seconds=wait))
    pieces = data_export.json_pieces(database(), user_id, now())
    # Before anything is sent, a page can still say that the database is unavailable. After that, the file just ends.
    first = await anext(pieces)
    response = streaming.stream_response(pieces, "application/json", first)
    response.headers["Content-Disposition"] = "attachment; filename=my-data.json"
    return response
