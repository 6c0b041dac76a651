"""What every answer tells browsers and caches, whatever page, file, JSON or refusal it is."""

from collections.abc import Iterable
from http import HTTPStatus

from quart import Quart, g, session
from quart.typing import ResponseTypes

from quart_enroll.i18n import language
from quart_enroll.web import auth, locale
from quart_enroll.web.request import SiteRequest, asked
from quart_enroll.web.route import Audience

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
)
FRAME_POLICY = "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

NOT_USED = ("camera", "display-capture", "geolocation", "gyroscope", "microphone", "midi", "payment", "usb")
"""What a page of the site never asks a browser for; not even a script that got in may."""

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in NOT_USED),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

NOT_MODIFIED_HEADERS = {"cache-control", "etag", "expires", "set-cookie", "vary", "x-request-id"}
"""What a 304 says; all else the client has from the answer that it knows (RFC 9110, section 15.4.5)."""

STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"
"""For a year, this host and those below it are asked over https alone; the site has a host of its own."""


def add(app: Quart, response: ResponseTypes) -> ResponseTypes:
    """Add the headers to an answer that is ready to go, cookies included; a view may have its own policy."""
    request, headers = asked(), response.headers
    present = {name.lower() for name, _ in headers}  # to ask the headers for each name would take ten times as long
    added = [(name, value) for name, value in _always(app) if name.lower() not in present]
    added.append(("X-Request-ID", g.get("request_id", "")))
    kept = headers["Cache-Control"] if "cache-control" in present else ""
    varies = []
    if session.accessed or (request.route.audience is not Audience.EVERYBODY and "public" not in kept):
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
    elif not kept:
        added.append(("Cache-Control", "no-store" if _is_personal(request) else "no-cache"))
    headers.extend(added)
    return response


def shorten(response: ResponseTypes) -> None:
    """Leave out of a 304 what the client knows: a third of the work of sending it would be headers."""
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        for name in {name.lower() for name, _ in response.headers} - NOT_MODIFIED_HEADERS:
            if not name.startswith("access-control-"):  # a script of another site asks by itself, and keeps nothing
                del response.headers[name]


def _always(app: Quart) -> Iterable[tuple[str, str]]:
    """Give what every answer of this site says."""
    yield from ALWAYS.items()
    # A school's own templates may load styles and scripts from where they always did.
    own = app.config["TEMPLATE_OVERRIDES"]
    yield "Content-Security-Policy", FRAME_POLICY if own else f"{CONTENT_POLICY}; {FRAME_POLICY}"
    if app.config["APP_ENV"] == "production":  # browsers ignore it over http
        yield "Strict-Transport-Security", STRICT_TRANSPORT


def _is_personal(request: SiteRequest) -> bool:
    """Tell whether the answer is for one visitor: who signed in, or whose session gave a token or a message."""
    return bool(auth.user() or session.accessed or "authorization" in request.header_map)
