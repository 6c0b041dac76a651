"""What browsers ask before a page of another site may use the API (CORS): the settings name those sites.

Cookies are never let along: such a page sends a token.
"""

from collections.abc import Awaitable, Callable, Collection

from quart import Response, request
from werkzeug.datastructures import HeaderSet

from quart_enroll.web import problem_details

METHODS = HeaderSet(["GET", "HEAD", "POST", "DELETE"])
SENT = HeaderSet(["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"])
SEEN = HeaderSet(["ETag", "Location", "Retry-After", "Idempotency-Replayed", "X-Request-ID"])
A_DAY = 24 * 60 * 60


def headers_for(origins: Collection[str]) -> Callable[[Response], Awaitable[Response]]:
    """Return what tells browsers that pages of exactly these origins may use the API."""

    async def add_headers(response: Response) -> Response:
        if not problem_details.wanted():
            return response
        response.vary.add("Origin")
        if request.origin in origins:
            response.access_control_allow_origin = request.origin
            response.access_control_expose_headers = SEEN
            if request.method == "OPTIONS" and request.access_control_request_method:
                response.access_control_allow_methods = METHODS
                response.access_control_allow_headers = SENT
                response.access_control_max_age = A_DAY
        return response

    return add_headers
