"""Trust what the proxies in front of the site say about the visitor, but nothing that a visitor can forge.

Each proxy appends the IP address of its client to X-Forwarded-For; everything before that came from outside.
X-Forwarded-Host is ignored, although Hypercorn's own middleware trusts it.
"""

from ipaddress import ip_address
from typing import Any

from quart import abort, current_app, redirect
from werkzeug import Response

from quart_enroll.i18n.language import Sentence
from quart_enroll.web.request import SiteRequest

PLAIN_HTTP = Sentence("This site only works over HTTPS. Start the URL with https://. No changes were made.")


def trust(scope: Any, hops: int) -> Any:
    """Return the ASGI scope with the visitor's IP address and scheme, as reported by the last `hops` proxies."""
    headers, forwarded = [], {b"x-forwarded-for": "", b"x-forwarded-proto": ""}
    for header in scope["headers"]:
        name = header[0].lower()
        if name in forwarded:
            forwarded[name] += "," + header[1].decode("latin-1")
        if name != b"remote-addr":  # Quart's own name
            headers.append(header)
    seen = {**scope, "headers": headers}
    addresses, schemes = (_values(text) for text in forwarded.values())
    if 0 < hops <= len(addresses) and (address := _address(addresses[-hops])):
        seen["client"] = (address, 0)
    if hops and schemes and schemes[-1] in ("http", "https"):
        seen["scheme"] = schemes[-1]
    return seen


def require_https(request: SiteRequest) -> Response | None:
    """In production, redirect reads over plain HTTP to HTTPS, and refuse everything else.

    The host comes from PUBLIC_URL only: a client can send any Host header.
    """
    is_known = "x-forwarded-proto" in request.header_map  # without the header, assume HTTPS
    if request.scheme == "https" or not is_known or request.route.allows_http:
        return None
    if current_app.config["APP_ENV"] != "production":
        return None
    site = str(current_app.config.get("PUBLIC_URL", ""))
    if request.method not in ("GET", "HEAD") or not site.startswith("https://"):
        abort(400, str(PLAIN_HTTP))
    return redirect(site.rstrip("/") + request.full_path.rstrip("?"), 308)


def _values(text: str) -> list[str]:
    return [value.strip() for value in text.split(",")[1:]]


def _address(text: str) -> str | None:
    """Parse an IP address, which some proxies write with a port: 192.0.2.1:5000, [2001:db8::1]:5000."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
