"""Handle the buttons that change seats in light contexts.

The framework runs the same steps as always, from `check_request` to the cookies of the response; only its request, its
contexts and its URL matching are replaced. That matters in the minute when a crowd presses such a button.
"""

from typing import Any, cast
from urllib.parse import parse_qsl

from quart.typing import ResponseTypes
from werkzeug.datastructures import MultiDict

from quart_enroll.fastpath.light_requests import LightRequest, MatchedPath, Visitors, only_cookies
from quart_enroll.web.application import SiteApp
from quart_enroll.web.route import SiteRule

FORM_TYPE = b"application/x-www-form-urlencoded"

BUTTON_HEADERS = frozenset({b"origin", b"content-length"})
"""Headers that every button sends, and that pages are not requested with."""


class ButtonRequest(LightRequest):
    """A request whose form has arrived."""

    def __init__(self, scope: Any, matched: MatchedPath, form: MultiDict[str, str]) -> None:
        super().__init__(scope, matched)
        self._fields = form

    @property
    async def form(self) -> MultiDict[str, str]:
        return self._fields


class ButtonPosts:
    """The buttons of an application that change seats."""

    def __init__(self, app: SiteApp, visitors: Visitors) -> None:
        self._app, self._visitors = app, visitors
        self._adapter = app.url_map.bind("localhost")
        self._paths: dict[str, MatchedPath] = {}

    async def handle(self, scope: Any, body: bytes) -> ResponseTypes | None:
        """Handle a POST to one of `surviving_paths`; return None, with nothing done, if the framework must do it."""
        cookie_header = only_cookies(scope, BUTTON_HEADERS)
        if cookie_header is None or (form := self._read_form(scope, body)) is None:
            return None
        request = ButtonRequest(scope, self._match(scope["path"]), form)
        visitor = self._visitors.recognize(request, cookie_header)
        return None if visitor is None or visitor.has_messages else await self._visitors.dispatch(request, visitor)

    def _match(self, path: str) -> MatchedPath:
        if (matched := self._paths.get(path)) is None:
            rule, view_args = self._adapter.match(path, method="POST", return_rule=True)
            matched = self._paths[path] = MatchedPath(cast(SiteRule, rule), view_args)
        return matched

    def _read_form(self, scope: Any, body: bytes) -> MultiDict[str, str] | None:
        """Return the form as the framework would read it; None for any other body, or one that is too large."""
        types = [value for name, value in scope["headers"] if name == b"content-type"]
        if types != [FORM_TYPE] or len(body) > self._app.config["MAX_CONTENT_LENGTH"]:
            return None
        try:
            return MultiDict(parse_qsl(body.decode(), keep_blank_values=True))
        except ValueError:
            return None
