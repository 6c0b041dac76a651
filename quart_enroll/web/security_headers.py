"""The headers for browsers and caches that every response has, from pages and files to JSON and errors."""

from collections.abc import Iterable
from http import HTTPStatus

from quart import Quart, g, session
from quart.typing import ResponseTypes

from quart_enroll.i18n import language
from quart_enroll.web import auth, locale
from quart_enroll.web.request import SiteRequest, current_request
from quart_enroll.web.route import Audience

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
)
FRAME_POLICY = "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

DISABLED_FEATURES = ("camera", "display-capture", "geolocation", "gyroscope", "microphone", "midi", "payment", "usb")
"""Browser features that no page uses, and that an injected script must not use either."""

COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in DISABLED_FEATURES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

SECRET_URL_HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "Cache-Control": "no-store"}
"""The headers of all responses at a secret URL, errors included, unless the view sets others."""

NOT_MODIFIED_HEADERS = {"cache-control", "etag", "expires", "set-cookie", "vary", "x-request-id"}
"""The headers of a 304; the client knows the others from the response that it has (RFC 9110, section 15.4.5)."""

STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"
"""For a year, browsers use HTTPS for this host and its subdomains; the site has a host of its own."""


def add(app: Quart, response: ResponseTypes) -> ResponseTypes:
    """Add the headers to a finished response; those that its view has set stay."""
    request, headers = current_request(), response.headers
    if request.route.has_secret_url:
        for name, value in SECRET_URL_HEADERS.items():
            headers.setdefault(name, value)
    present = {name.lower() for name, _ in headers}  # asking the headers for each name takes ten times as long
    added = [(name, value) for name, value in _common_headers(app) if name.lower() not in present]
    added.append(("X-Request-ID", g.get("request_id", "")))
    cache_control = headers["Cache-Control"] if "cache-control" in present else ""
    varies = []
    if session.accessed or (request.route.audience is not Audience.EVERYBODY and "public" not in cache_control):
        varies.append("Cookie")
    if locale.is_localized(request):
        varies.append("Accept-Language")
        if "content-language" not in present:
            added.append(("Content-Language", language.current_language()))
    if varies and "vary" in present:
        response.vary.update(varies)
    elif varies:
        added.append(("Vary", ", ".join(varies)))
    if "set-cookie" in present:
        headers["Cache-Control"] = "no-store"
    elif not cache_control:
        added.append(("Cache-Control", "no-store" if _is_personal(request) else "no-cache"))
    headers.extend(added)
    return response


def shorten(response: ResponseTypes) -> None:
    """Remove the headers of a 304 that the client knows: they would be a third of the cost of sending it."""
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        for name in {name.lower() for name, _ in response.headers} - NOT_MODIFIED_HEADERS:
            if not name.startswith("access-control-"):  # browsers need these each time
                del response.headers[name]


def _common_headers(app: Quart) -> Iterable[tuple[str, str]]:
    """Yield the headers that are the same in all responses."""
    yield from COMMON_HEADERS.items()
    # A school's own templates may load styles and scripts from other sites.
    own = app.config["TEMPLATE_OVERRIDES"]
    yield "Content-Security-Policy", FRAME_POLICY if own else f"{CONTENT_POLICY}; {FRAME_POLICY}"
    if app.config["APP_ENV"] == "production":  # browsers ignore it over http
        yield "Strict-Transport-Security", STRICT_TRANSPORT


def _is_personal(request: SiteRequest) -> bool:
    """Tell whether the response is for one visitor: a user, or one whose session it contains data from."""
    return bool(auth.user() or session.accessed or "authorization" in request.header_map)
