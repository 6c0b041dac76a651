"""The request, with fast access to what every page needs.

Werkzeug raises an exception for each missing header or cookie, and Quart's `request` is looked up at each access. That
does not matter in a view, but in the steps that every request passes through it was a third of the cost of a page.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, cast
from urllib.parse import quote

from quart import Request, g, request
from werkzeug.datastructures import ImmutableMultiDict, MIMEAccept, MultiDict
from werkzeug.http import parse_accept_header, parse_cookie

from quart_enroll.bounded_cache import cached, size_of
from quart_enroll.web import uploads
from quart_enroll.web.route import UNMATCHED, Route, SiteRule
from quart_enroll.web.uploads import CountedBody

MAX_COOKIE_HEADER_LENGTH = 1000
"""Longest Cookie header that a process caches, in characters; the site's own have some 400."""

MAX_ACCEPT_LENGTH = 200
"""Characters of the Accept header that are read; browsers send about 140."""

PATH_CHARACTERS = "/:@!$&'()*+,;="
"""Characters that need no encoding in a path, besides letters and digits."""

QUERY_CHARACTERS = PATH_CHARACTERS + "?%"
"""The same for a query, which arrives encoded."""

NO_PARAMETERS: ImmutableMultiDict[str, str] = ImmutableMultiDict()

COOKIE_BYTES = 400
"""Bytes of a single cookie besides its characters: a name, a value, a list."""


class SiteRequest(Request):
    """A request to the site."""

    body_class = CountedBody

    def __init__(self, *args: Any, **options: Any) -> None:
        own = uploads.limits(options["scope"])
        super().__init__(*args, **options | own)
        self._max_content_length = own.get("max_content_length")

    @property
    def route(self) -> Route:
        """The route that the request matches."""
        rule = self.url_rule
        return UNMATCHED if rule is None else cast(SiteRule, rule).route

    @cached_property
    def header_map(self) -> Mapping[str, str]:
        """The headers by their lowercase names; of several with the same name, the first."""
        pairs = reversed([*self.scope["headers"]])
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        text = ";".join(self.headers.getlist("Cookie")) if "cookie" in self.header_map else ""
        return _parse_cached(text) if len(text) <= MAX_COOKIE_HEADER_LENGTH else _parse(text)

    @cached_property
    def args(self) -> MultiDict[str, str]:
        return super().args if self.query_string else NO_PARAMETERS

    @property
    def full_path(self) -> str:
        """The path and the query as in a link, encoded so that they are safe in a response header."""
        path = quote(self.path, safe=PATH_CHARACTERS)
        return f"{path}?{quote(self.query_string, safe=QUERY_CHARACTERS)}"

    async def button_fields(self) -> MultiDict[str, str]:
        """Return the fields of the button that was pressed, from its URL and its form; the form's take precedence.

        The buttons of a page share one form, so their fields are in their URLs. The forms of a Flask site's templates,
        like programs, send all fields in the body.
        """
        form = await self.form
        if not self.query_string:
            return form
        in_url = [(name, value) for name, value in self.args.items(multi=True) if name not in form]
        return MultiDict([*in_url, *form.items(multi=True)])

    def cookie(self, name: str) -> str:
        """Return the cookie's value; empty if it was not sent."""
        return self.cookies[name] if name in self.cookies else ""  # noqa: SIM401  # `get` is slow


def current_request() -> SiteRequest:
    """Return the request object itself, which `quart.request` is a proxy for."""
    return cast(SiteRequest, request._get_current_object())  # type: ignore[attr-defined]  # it is public


def current_globals() -> Any:
    """Return the object that `quart.g` is a proxy for."""
    return g._get_current_object()


def normalize_path(path: str) -> str:
    """Return a valid path of this site: clients may put the host before the path, or send "*", or bytes that are not
    text."""
    if not path.startswith("/"):
        path = "/" + (path.partition("://")[2].partition("/")[2] if "://" in path else path)
    return path if path.isascii() else path.encode("utf-8", "replace").decode()


def is_from_phone() -> bool:
    """Tell whether the browser says that it runs on a phone; not all browsers do."""
    return current_request().header_map.get("sec-ch-ua-mobile") == "?1"


def wants_json() -> bool:
    """Tell whether the client prefers JSON to a page."""
    request = current_request()
    if request.path.startswith("/api/"):
        return True
    return _prefers_json(request.header_map.get("accept", "")[:MAX_ACCEPT_LENGTH])


@lru_cache(500)  # of truncated texts: some 200 kB
def _prefers_json(accept: str) -> bool:
    accepted: MIMEAccept = parse_accept_header(accept, MIMEAccept)
    return accepted["application/json"] > accepted["text/html"]


def _parse(text: str) -> ImmutableMultiDict[str, str]:
    """Return the cookies; none if one of them, perhaps set by another site of the school, is not valid text."""
    try:
        return cast("ImmutableMultiDict[str, str]", parse_cookie(text, cls=ImmutableMultiDict))
    except UnicodeDecodeError:
        return ImmutableMultiDict()


def _size(key: tuple[str], cookies: ImmutableMultiDict[str, str]) -> int:
    return 2 * size_of(key) + COOKIE_BYTES * (1 + len(cookies) + key[0].count(";"))


_parse_cached: Any = cached("cookie headers", _size)(_parse)
