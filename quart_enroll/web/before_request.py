"""The checks of every request before its view, in a single step: each separate hook of Quart would cost time."""

from urllib.parse import quote, urlsplit, urlunsplit

from quart import abort, current_app, redirect
from quart.typing import ResponseReturnValue
from werkzeug import Response
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from quart_enroll.domain.errors import TooManyChanges
from quart_enroll.i18n.language import gettext
from quart_enroll.state import change_limiter
from quart_enroll.web import access_log, auth, error_pages, locale, notices, proxies, uploads, viewing
from quart_enroll.web.csrf import (
    SAFE_METHODS,
    comes_from_this_site,
    has_valid_token,
    is_for_another_user,
    is_fragment_for_another_user,
)
from quart_enroll.web.request import SiteRequest, current_request
from quart_enroll.web.request_id import choose_request_id

MAX_TARGET_LENGTH = 8000
"""Longest path and query, in characters: RFC 9110 recommends supporting at least this much."""


async def check_request() -> ResponseReturnValue | None:
    """Give the request an ID and a language, authenticate it, and refuse it if it may be forged or exceeds a limit."""
    request = current_request()
    if response := await check_read(request):
        return response
    await viewing.check(request)
    if request.route.has_file:
        auth.admit(request.route)  # before a long body is read
        uploads.admit(request.scope)
    if request.method not in SAFE_METHODS and request.routing_exception is None:
        await _refuse_forged(request)
        if not auth.is_exempt_from_csrf() and await is_for_another_user():
            return await error_pages.made_for_another_user()
        _limit_changes(request)
    await notices.show(request)
    return None


async def check_read(request: SiteRequest) -> ResponseReturnValue | None:
    """Do what `check_request` does for a request that only reads, except for views and notices."""
    access_log.start(choose_request_id(request.header_map.get("x-request-id", "")))
    locale.set_language(None)
    if len(request.path) + len(request.query_string) > MAX_TARGET_LENGTH:
        abort(414)
    if redirection := _correct_slash(request) or proxies.require_https(request):
        return redirection
    await auth.identify(request)
    return error_pages.reload_page() if is_fragment_for_another_user(request.header_map) else None


def _correct_slash(request: SiteRequest) -> Response | None:
    """Redirect from /courses to /courses/, and from /login/ to /login.

    Only the path is sent: behind a proxy, the scheme is not the visitor's.
    """
    error = request.routing_exception
    if isinstance(error, RequestRedirect):
        return redirect(urlunsplit(("", "", *urlsplit(error.new_url)[2:])), error.code)
    if request.path.endswith("/") and request.method in SAFE_METHODS:
        rule = request.url_rule  # a variable part that may contain slashes has matched the last one
        if isinstance(error, NotFound) or (rule is not None and not rule.rule.endswith("/")):
            return _without_slash(request)
    return None


def _without_slash(request: SiteRequest) -> Response | None:
    """Redirect from /login/ to /login; return None if that page doesn't exist either."""
    path = request.path.rstrip("/")
    adapter = current_app.create_url_adapter(request)
    # Browsers read two slashes, or a slash and a backslash, as the start of another host name.
    if adapter is None or not path.startswith("/") or path[1:2] in ("/", "\\"):
        return None
    try:
        adapter.match(path, method="GET")
    except HTTPException:
        return None
    return redirect(urlunsplit(("", "", quote(path), request.query_string.decode("latin-1"), "")), 308)


def _limit_changes(request: SiteRequest) -> None:
    """Raise TooManyChanges beyond the account's limit; other sites can't use it up, since CSRF is checked before."""
    user = auth.user()
    if user is None or request.route.ends_access:
        return
    if wait := change_limiter().take(user.user_id):
        raise TooManyChanges(wait)


async def _refuse_forged(request: SiteRequest) -> None:
    """Abort a change that was not proven to come from this site."""
    if auth.is_exempt_from_csrf():
        return
    try:
        await request.form  # refuses a body that is too large or too slow
    except RequestEntityTooLarge:
        if request.route.has_file:
            abort(413, gettext("The file is too large. Split it into several files of at most 32 MB each."))
        raise
    if not comes_from_this_site() and not await has_valid_token():
        abort(400, str(error_pages.FORGED))
