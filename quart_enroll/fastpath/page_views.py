"""Make pages without the framework's request handling.

For each request, Quart starts tasks, sends signals, matches the URL, runs hooks and builds a response, which costs
several times what a page does whose fragments are cached. A view that only reads needs little of this: here it runs in
contexts that hold nothing but what views use. Whatever is unusual about the request or its result (an error, a
redirect, a message to show, a cookie to set) is left to the framework, which then handles the request from the start.
The page after a press shows a message: it passes all steps of the framework, in these contexts.
"""

from typing import Any, cast

from quart import Response, g
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from werkzeug.exceptions import HTTPException

from quart_enroll.bounded_cache import ByteCache, size_of_entry
from quart_enroll.fastpath.hypercorn_writer import Answer, SerializedResponse
from quart_enroll.fastpath.light_requests import KnownVisitor, LightRequest, MatchedPath, Visitors, only_cookies
from quart_enroll.i18n import language
from quart_enroll.system.time_limit import run_within
from quart_enroll.web import access_log, auth, security_headers, viewing
from quart_enroll.web.application import ERROR_KEY, SiteApp
from quart_enroll.web.before_request import check_read
from quart_enroll.web.compression import RenderedPage, accepts_gzip, add_headers
from quart_enroll.web.cookies import current_identity
from quart_enroll.web.route import SiteRule


class PageViews:
    """The pages of an application that need no framework."""

    def __init__(self, app: SiteApp, visitors: Visitors) -> None:
        self._app, self._visitors = app, visitors
        self._adapter = app.url_map.bind("localhost")
        self._paths: ByteCache[str, MatchedPath | None] = ByteCache("matched paths", size_of_entry)
        self._heads: dict[tuple[str, bool, bool], SerializedResponse] = {}

    async def answer(self, scope: Any) -> Answer | None:
        """Return the page that the request asks for; None if the framework must answer."""
        if (recognized := self._recognize(scope)) is None:
            return None
        request, visitor = recognized
        if visitor.has_messages:
            return None
        with self._visitors.contexts(request, visitor) as context:
            page = await self._render(request)
            if page is None or context.session.modified:
                return None
            access_log.log_response(200)
            return Answer(self._response(page, request), [(b"x-request-id", g.request_id.encode())])

    async def show_messages(self, scope: Any) -> ResponseTypes | None:
        """Return the page that the request asks for, with the messages for its visitor; None if there are none."""
        if (recognized := self._recognize(scope)) is None or not recognized[1].has_messages:
            return None
        return await self._visitors.dispatch(*recognized)

    def _recognize(self, scope: Any) -> tuple[LightRequest, KnownVisitor] | None:
        """Return the request for a page and its visitor; None for a request that only the framework handles."""
        if scope["method"] != "GET" or (matched := self._match(scope["path"])) is None:
            return None
        if (cookie_header := only_cookies(scope)) is None:
            return None
        request = LightRequest(scope, matched)
        visitor = self._visitors.recognize(request, cookie_header)
        return None if visitor is None else (request, visitor)

    def _match(self, path: str) -> MatchedPath | None:
        """Return the page at the path; None for anything else."""
        try:
            return self._paths[path]
        except KeyError:
            pass
        found = None
        try:
            rule, view_args = self._adapter.match(path, method="GET", return_rule=True)
        except HTTPException:
            pass
        else:
            if isinstance(rule, SiteRule) and rule.route.shows_notices:
                found = MatchedPath(rule, view_args)
        self._paths[path] = found
        return found

    async def _render(self, request: LightRequest) -> RenderedPage | None:
        """Return the page; None if there is none, or if the framework has more to do than to show it."""
        try:
            page = await run_within(self._app.read_seconds, self._view(request))
        except Exception as error:  # noqa: BLE001  # the framework raises it again, and handles it
            cast(dict[str, Any], request.scope)[ERROR_KEY] = error
            return None
        return page if isinstance(page, RenderedPage) else None

    async def _view(self, request: LightRequest) -> Any:
        if await check_read(request) is not None or auth.has_notices() or viewing.was_begun() or _signs_out():
            return None
        view: Any = self._app.view_functions[request.route.endpoint]
        return await view(**(request.view_args or {}))

    def _response(self, page: RenderedPage, request: LightRequest) -> SerializedResponse:
        is_compressed = accepts_gzip(request.header_map.get("accept-encoding", ""))
        key = language.current_language(), is_compressed, auth.user() is None
        if (head := self._heads.get(key)) is None:
            head = self._heads[key] = self._head(is_compressed=is_compressed)
        return head.with_body(page.gzip(has_input=bool(request.query_string)) if is_compressed else page)

    def _head(self, *, is_compressed: bool) -> SerializedResponse:
        """Return the head of all pages for the same kind of visitor, in the same language."""
        response = Response(b"", content_type="text/html; charset=utf-8")
        add_headers(response, is_compressed=is_compressed)
        security_headers.add(self._app, response)
        headers = encode_headers(response.headers)
        own = (b"x-request-id", b"content-length")
        return SerializedResponse(200, [header for header in headers if header[0] not in own], b"")


def _signs_out() -> bool:
    """Tell whether the visitor's sign-in has ended, so that its cookie must be removed."""
    return auth.user() is None and current_identity() is not None
