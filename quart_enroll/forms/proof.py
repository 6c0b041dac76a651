"""Proof that a request comes from this site and from no other page that the visitor has open."""

from urllib.parse import urlsplit

from quart import request


def comes_from_this_site() -> bool:
    """Tell whether the browser says so itself: by Sec-Fetch-Site, or in older ones by an Origin of this host."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc == request.host


def link_is_ours() -> bool:
    """Tell whether a page of this site had the link that was followed."""
    if "prefetch" in request.headers.get("Sec-Purpose", ""):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    referrer = request.headers.get("Referer")
    return referrer is not None and urlsplit(referrer).netloc == request.host
