"""Proof that a request comes from this site and from no other page that the visitor has open."""

from urllib.parse import urlsplit

from quart import request


def comes_from_this_site() -> bool:
    """Tell whether the browser says so itself: by Sec-Fetch-Site, or in older ones by an Origin of this host."""
    return _vouched("Origin")


def link_is_ours() -> bool:
    """Tell whether a page of this site had the link that was followed, and a visitor followed it."""
    looked_at = request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", "")
    return not looked_at and _vouched("Referer")


def _vouched(older_header: str) -> bool:
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site == "same-origin"
    try:
        page = urlsplit(request.headers.get(older_header, ""))
    except ValueError:  # not an address at all
        return False
    return (page.scheme, page.netloc) == (request.scheme, request.host)
