"""Make pages without the framework's request handling.

For each request, Quart starts tasks, sends signals, matches the URL, runs hooks and builds a response, which costs
several times what a page does whose fragments are cached. A view that only reads needs little of this: here it runs in
contexts that hold nothing but what views use. Whatever is unusual about the request or its result (an error, a
redirect, a message to show, a cookie to set) is left to the framework, which then handles the request from the start.
"""

import asyncio
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple, cast

from quart import Quart, Response, g
from quart.globals import _cv_app, _cv_request
from quart.sessions import SecureCookieSession
from quart.utils import encode_headers
from quart_auth import AuthUser, current_user
from werkzeug.datastructures import Headers, ImmutableMultiDict
from werkzeug.exceptions import HTTPException

from quart_enroll.bounded_cache import ByteCache, size_of_entry
from quart_enroll.fastpath.cache_keys import FRAMEWORK_HEADERS
from quart_enroll.fastpath.hypercorn_writer import Answer, SerializedResponse
from quart_enroll.i18n import language
from quart_enroll.web import access_log, auth, security_headers
from quart_enroll.web.application import ERROR_KEY, SiteApp
from quart_enroll.web.before_request import check_read
from quart_enroll.web.compression import RenderedPage, accepts_gzip, add_headers
from quart_enroll.web.cookies import CookieSessions, SignInCookies
from quart_enroll.web.request import MAX_COOKIE_HEADER_LENGTH, SiteRequest
from quart_enroll.web.route import SiteRule


class MatchedPath(NamedTuple):
    """The page that a path leads to."""

    rule: SiteRule
    view_args: Mapping[str, Any]


class KnownVisitor(NamedTuple):
    """What the cookies of a visitor say until the time `end`."""

    cookies: ImmutableMultiDict[str, str]
    session: Mapping[str, Any]
    identity: str | None
    end: float


class PageRequest(SiteRequest):
    """A request for a page, without the parts of Quart's that wait for a body."""

    def __init__(self, scope: Any, matched: MatchedPath) -> None:
        self.scope = scope
        self.method, self.http_version = "GET", scope["http_version"]
        self.scheme, self.server, self.root_path = scope["scheme"], scope.get("server"), scope["root_path"].rstrip("/")
        self.path, self.query_string = scope["path"], scope["query_string"]
        self.remote_addr = (scope.get("client") or ("",))[0]
        self.url_rule, self.view_args = matched.rule, dict(matched.view_args)

    @cached_property
    def headers(self) -> Headers:  # type: ignore[override]  # an attribute that most pages never need
        return Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.scope["headers"]])


class _AppContext:
    """What `current_app` and `g` refer to."""

    __slots__ = ("app", "g")

    def __init__(self, app: Quart) -> None:
        self.app, self.g = app, app.app_ctx_globals_class()


class _RequestContext:
    """What `request` and `session` refer to."""

    def __init__(self, app: Quart, request: PageRequest, session: SecureCookieSession) -> None:
        self.app, self.request, self.session = app, request, session
        self.flashes: list[tuple[str, str]] = []

    @cached_property
    def url_adapter(self) -> Any:
        return self.app.create_url_adapter(self.request)


class PageViews:
    """The pages of an application that need no framework."""

    def __init__(self, app: SiteApp, sign_in: SignInCookies) -> None:
        self._app, self._sign_in = app, sign_in
        self._sessions = cast(CookieSessions, app.session_interface)
        self._adapter = app.url_map.bind("localhost")
        self._paths: ByteCache[str, MatchedPath | None] = ByteCache("matched paths", size_of_entry)
        self._visitors: ByteCache[bytes, KnownVisitor] = ByteCache("visitors", _visitor_size)
        self._heads: dict[tuple[str, bool, bool], SerializedResponse] = {}

    async def answer(self, scope: Any) -> Answer | None:
        """Return the page that the request asks for; None if the framework must answer."""
        if scope["method"] != "GET" or (matched := self._match(scope["path"])) is None:
            return None
        if (cookie_header := _only_cookies(scope)) is None:
            return None
        request = PageRequest(scope, matched)
        visitor = self._recognize(request, cookie_header)
        if visitor is None or "_flashes" in visitor.session:
            return None
        request.cookies = visitor.cookies
        session = SecureCookieSession(visitor.session)
        context = _AppContext(self._app)
        setattr(context.g, self._sign_in.attribute_name or "", AuthUser(visitor.identity))
        tokens = _cv_app.set(context), _cv_request.set(_RequestContext(self._app, request, session))  # type: ignore[arg-type]
        try:
            page = await self._render(request)
            if page is None or session.modified:
                return None
            access_log.log_response(200)
            return Answer(self._response(page, request), [(b"x-request-id", g.request_id.encode())])
        finally:
            _cv_app.reset(tokens[0])
            _cv_request.reset(tokens[1])

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

    def _recognize(self, request: PageRequest, cookie_header: bytes) -> KnownVisitor | None:
        """Return what the cookies say; None if one of them is too old."""
        visitor = self._visitors.get(cookie_header)
        if visitor is None:
            session, session_end = self._sessions.read(self._app, request)
            identity, sign_in_end = self._sign_in.read_identity(request.cookie(self._sign_in.cookie_name or ""))
            visitor = KnownVisitor(request.cookies, session or {}, identity, min(session_end, sign_in_end))
            self._visitors[cookie_header] = visitor
        return visitor if time.time() < visitor.end else None

    async def _render(self, request: PageRequest) -> RenderedPage | None:
        """Return the page; None if there is none, or if the framework has more to do than to show it."""
        try:
            async with asyncio.timeout(self._app.read_seconds):
                if await check_read(request) is not None or auth.has_notices() or _signs_out():
                    return None
                view: Any = self._app.view_functions[request.route.endpoint]
                page = await view(**(request.view_args or {}))
        except Exception as error:  # noqa: BLE001  # the framework raises it again, and handles it
            cast(dict[str, Any], request.scope)[ERROR_KEY] = error
            return None
        return page if isinstance(page, RenderedPage) else None

    def _response(self, page: RenderedPage, request: PageRequest) -> SerializedResponse:
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


def _only_cookies(scope: Any) -> bytes | None:
    """Return the Cookie header; None without one, or if there are headers that only the framework handles."""
    cookies = b""
    for name, value in scope["headers"]:
        if name == b"cookie":
            cookies = cookies + b"; " + value if cookies else value  # in HTTP/2 there may be several
        elif name in FRAMEWORK_HEADERS or (name == b"x-forwarded-proto" and value != b"https"):
            return None
    return cookies if 0 < len(cookies) <= MAX_COOKIE_HEADER_LENGTH else None


def _visitor_size(header: bytes, visitor: KnownVisitor) -> int:
    """Estimate the bytes of cookies: the header, their values as text, and what these contain."""
    return 3 * len(header) + 250 * (2 + len(visitor.cookies) + len(visitor.session))


def _signs_out() -> bool:
    """Tell whether the visitor's sign-in has ended, so that its cookie must be removed."""
    return auth.user() is None and current_user.auth_id is not None
