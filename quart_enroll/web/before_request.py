"""What every request meets before its view, in one step: each step that Quart takes by itself has its price."""

from urllib.parse import quote, urlsplit, urlunsplit

from quart import abort, current_app, redirect
from quart.typing import ResponseReturnValue
from werkzeug import Response
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import RequestRedirect

from quart_enroll.domain.errors import TooManyChanges
from quart_enroll.state import change_limiter
from quart_enroll.web import access_log, auth, error_pages, locale, notices, proxies
from quart_enroll.web.csrf import SAFE_METHODS, comes_from_this_site, has_token, is_of_another, is_part_for_another
from quart_enroll.web.request import SiteRequest, asked
from quart_enroll.web.request_id import choose_request_id

MAX_TARGET_LENGTH = 8000
"""Longest path and query, in characters; pages, cookies and the log may repeat them. RFC 9110 asks for this much."""


async def check_request() -> ResponseReturnValue | None:
    """Let the request in: numbered, in the reader's language, from somebody who is known and has a proof."""
    request = asked()
    # A number leads from a visitor's error page to the log; the router's if it has given one.
    access_log.begin(choose_request_id(request.header_map.get("x-request-id", "")))
    locale.speak_to(None)
    if len(request.path) + len(request.query_string) > MAX_TARGET_LENGTH:
        abort(414)
    if elsewhere := _by_path(request) or proxies.insist_on_https(request):
        return elsewhere
    await auth.identify(request)
    if is_part_for_another(request.header_map):
        return error_pages.loaded_anew()
    if request.method not in SAFE_METHODS and request.routing_exception is None:
        await _refuse_forged(request)
        if not auth.needs_no_proof() and await is_of_another():
            return await error_pages.of_another()
        _limit_changes(request)
    await notices.show(request)
    return None


def _by_path(request: SiteRequest) -> Response | None:
    """Lead from /courses to /courses/, and from /login/ to /login, by the path alone: the scheme before the router is
    not the visitor's."""
    wrong = request.routing_exception
    if isinstance(wrong, RequestRedirect):
        return redirect(urlunsplit(("", "", *urlsplit(wrong.new_url)[2:])), wrong.code)
    if request.path.endswith("/") and request.method in SAFE_METHODS:
        rule = request.url_rule  # if a part of the path may hold slashes, it has taken the last one
        if isinstance(wrong, NotFound) or (rule is not None and not rule.rule.endswith("/")):
            return _without_slash(request)
    return None


def _without_slash(request: SiteRequest) -> Response | None:
    """Redirect from /login/ to /login; return None if that page doesn't exist either."""
    path = request.path.rstrip("/")
    adapter = current_app.create_url_adapter(request)
    # Browsers read two slashes, or a slash and a backslash, as the beginning of another host.
    if adapter is None or not path.startswith("/") or path[1:2] in ("/", "\\"):
        return None
    try:
        adapter.match(path, method="GET")
    except HTTPException:
        return None
    return redirect(urlunsplit(("", "", quote(path), request.query_string.decode("latin-1"), "")), 308)


def _limit_changes(request: SiteRequest) -> None:
    """Raise TooManyChanges if the account has used up its rate of changes; called after the proof, so that foreign
    pages can't use it up."""
    user = auth.user()
    if user is None or request.route.ends_access:
        return
    if wait := change_limiter().take(user.user_id):
        raise TooManyChanges(wait)


async def _refuse_forged(request: SiteRequest) -> None:
    """Let an unsafe request pass only with a proof that it comes from this site."""
    auth.check_may_change()
    if auth.needs_no_proof():
        return
    await request.form  # a body that is too large or too slow is refused here, before anything looks into it
    if not comes_from_this_site() and not await has_token():
        abort(400, str(error_pages.FORGED))
