"""What every answer tells browsers and caches, whatever page, file, JSON or refusal it is."""

from quart import Quart, g, request, session
from quart.typing import ResponseTypes

from quart_enroll import auth, language, reader

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

STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"
"""For a year, this host and those below it are asked over https alone; the site has a host of its own."""


def add(app: Quart, response: ResponseTypes) -> ResponseTypes:
    """Add the headers to an answer that is ready to go, cookies included; a view may have its own policy."""
    headers = response.headers
    headers.extend({name: value for name, value in ALWAYS.items() if name not in headers})
    # A school's own templates may load styles and scripts from where they always did.
    policy = FRAME_POLICY if app.config["TEMPLATE_OVERRIDES"] else f"{CONTENT_POLICY}; {FRAME_POLICY}"
    headers.setdefault("Content-Security-Policy", policy)
    headers["X-Request-ID"] = g.get("request_id", "")
    if app.config["APP_ENV"] == "production":  # browsers ignore it over http
        headers["Strict-Transport-Security"] = STRICT_TRANSPORT
    if request.endpoint not in auth.NEEDS_NOBODY and not response.cache_control.public:
        response.vary.add("Cookie")
    if reader.is_read_by_people():
        headers.setdefault("Content-Language", language.spoken())
        response.vary.add("Accept-Language")
    if "Set-Cookie" in headers:
        headers["Cache-Control"] = "no-store"
    headers.setdefault("Cache-Control", "no-store" if _is_personal() else "no-cache")
    return response


def _is_personal() -> bool:
    """Tell whether the answer is for one visitor: who signed in, or whose session gave a token or a message."""
    return bool(auth.user() or session.accessed or "Authorization" in request.headers)
