"""Requests and contexts that hold only what this site's views use; Quart's own cost several times what a view does."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple, cast

from quart import Quart
from quart.globals import _cv_app, _cv_request
from quart.sessions import SecureCookieSession
from quart.typing import ResponseTypes
from quart_auth import AuthUser
from werkzeug.datastructures import Headers, ImmutableMultiDict

from quart_enroll.bounded_cache import ByteCache
from quart_enroll.fastpath.cache_keys import FRAMEWORK_HEADERS
from quart_enroll.web.application import SiteApp
from quart_enroll.web.cookies import CookieSessions, SignInCookies
from quart_enroll.web.request import MAX_COOKIE_HEADER_LENGTH, SiteRequest
from quart_enroll.web.route import SiteRule


class MatchedPath(NamedTuple):
    """The view that a path leads to."""

    rule: SiteRule
    view_args: Mapping[str, Any]


class KnownVisitor(NamedTuple):
    """What the cookies of a visitor say until the time `end`."""

    cookies: ImmutableMultiDict[str, str]
    session: Mapping[str, Any]
    identity: str | None
    end: float

    @property
    def has_messages(self) -> bool:
        """Whether the next page shows messages."""
        return "_flashes" in self.session


class LightRequest(SiteRequest):
    """A request without the parts of Quart's that wait for a body."""

    def __init__(self, scope: Any, matched: MatchedPath) -> None:
        self.scope = scope
        self.method, self.http_version = scope["method"], scope["http_version"]
        self.scheme, self.server, self.root_path = scope["scheme"], scope.get("server"), scope["root_path"].rstrip("/")
        self.path, self.query_string = scope["path"], scope["query_string"]
        self.remote_addr = (scope.get("client") or ("",))[0]
        self.url_rule, self.view_args = matched.rule, dict(matched.view_args)

    @cached_property
    def headers(self) -> Headers:  # type: ignore[override]  # an attribute that most views never need
        return Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.scope["headers"]])


class _AppContext:
    """What `current_app` and `g` refer to."""

    __slots__ = ("app", "g")

    def __init__(self, app: Quart) -> None:
        self.app, self.g = app, app.app_ctx_globals_class()


class RequestContext:
    """What `request` and `session` refer to."""

    _after_request_functions = ()

    def __init__(self, app: Quart, request: LightRequest, session: SecureCookieSession) -> None:
        self.app, self.request, self.session = app, request, session
        # For None, Quart takes the messages out of the session.
        self.flashes: list[tuple[str, str]] | None = None if "_flashes" in session else []

    @cached_property
    def url_adapter(self) -> Any:
        return self.app.create_url_adapter(self.request)


class Visitors:
    """Recognizes visitors by their cookies, and makes the contexts of their requests."""

    def __init__(self, app: SiteApp, sign_in: SignInCookies) -> None:
        self._app, self._sign_in = app, sign_in
        self._sessions = cast(CookieSessions, app.session_interface)
        self._known: ByteCache[bytes, KnownVisitor] = ByteCache("visitors", _visitor_size)

    def recognize(self, request: LightRequest, cookie_header: bytes) -> KnownVisitor | None:
        """Return what the cookies say; None if one of them is too old."""
        visitor = self._known.get(cookie_header)
        if visitor is None:
            session, session_end = self._sessions.read(self._app, request)
            identity, sign_in_end = self._sign_in.read_identity(request.cookie(self._sign_in.cookie_name or ""))
            visitor = KnownVisitor(request.cookies, session or {}, identity, min(session_end, sign_in_end))
            self._known[cookie_header] = visitor
        return visitor if time.time() < visitor.end else None

    async def dispatch(self, request: LightRequest, visitor: KnownVisitor) -> ResponseTypes:
        """Handle the visitor's request by all steps of the framework."""
        with self.contexts(request, visitor) as context:
            try:
                return await self._app.full_dispatch_request(context)  # type: ignore[arg-type]  # it has what is used
            except Exception as error:  # noqa: BLE001  # as in Quart.handle_request
                return await self._app.handle_exception(error)

    @contextmanager
    def contexts(self, request: LightRequest, visitor: KnownVisitor) -> Iterator[RequestContext]:
        """Handle the visitor's request during the block."""
        request.cookies = visitor.cookies
        app_context = _AppContext(self._app)
        setattr(app_context.g, self._sign_in.attribute_name or "", AuthUser(visitor.identity))
        session = dict(visitor.session)
        if visitor.has_messages:  # Quart adds messages to this list
            session["_flashes"] = list(session["_flashes"])
        context = RequestContext(self._app, request, SecureCookieSession(session))
        tokens = _cv_app.set(app_context), _cv_request.set(context)  # type: ignore[arg-type]  # they have what is used
        try:
            yield context
        finally:
            _cv_app.reset(tokens[0])
            _cv_request.reset(tokens[1])


def only_cookies(scope: Any, allowed: frozenset[bytes] = frozenset()) -> bytes | None:
    """Return the Cookie header; None without one, or if there are headers that only the framework handles.

    Those that are `allowed` make no difference.
    """
    cookies = b""
    for name, value in scope["headers"]:
        if name == b"cookie":
            cookies = cookies + b"; " + value if cookies else value  # in HTTP/2 there may be several
        elif (name in FRAMEWORK_HEADERS and name not in allowed) or (
            name == b"x-forwarded-proto" and value != b"https"
        ):
            return None
    return cookies if 0 < len(cookies) <= MAX_COOKIE_HEADER_LENGTH else None


def _visitor_size(header: bytes, visitor: KnownVisitor) -> int:
    """Estimate the bytes of cookies: the header, their values as text, and what these contain."""
    return 3 * len(header) + 250 * (2 + len(visitor.cookies) + len(visitor.session))
