"""Tell browsers which pages of other sites may use the API (CORS); the settings list the origins.

Cookies are never allowed: such a page sends a token.
"""

from collections.abc import Awaitable, Callable, Collection

from quart import Response, request
from werkzeug.datastructures import HeaderSet

from quart_enroll.web import problem_details

ALLOWED_METHODS = HeaderSet(["GET", "HEAD", "POST", "PATCH", "DELETE"])
ALLOWED_HEADERS = HeaderSet(["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"])
EXPOSED_HEADERS = HeaderSet(["ETag", "Location", "Retry-After", "Idempotency-Replayed", "X-Request-ID"])
PREFLIGHT_CACHE_SECONDS = 24 * 60 * 60


def headers_for(origins: Collection[str]) -> Callable[[Response], Awaitable[Response]]:
    """Return a function that allows exactly these origins to read a response of the API."""

    async def add_headers(response: Response) -> Response:
        if not problem_details.is_api_request():
            return response
        response.vary.add("Origin")
        if request.origin in origins:
            response.access_control_allow_origin = request.origin
            response.access_control_expose_headers = EXPOSED_HEADERS
            if request.method == "OPTIONS" and request.access_control_request_method:
                response.access_control_allow_methods = ALLOWED_METHODS
                response.access_control_allow_headers = ALLOWED_HEADERS
                response.access_control_max_age = PREFLIGHT_CACHE_SECONDS
        return response

    return add_headers
