"""The request as the site asks it: what every page wants to know of it is found quickly.

Werkzeug's headers and cookies make an exception for each that was not sent, and Quart's `request` looks itself up each
time. Both are nothing for a view, and a third of a page for what every request goes through.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import cast

from quart import Request, request
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.http import parse_cookie

MOST, LONGEST = 5000, 1000
"""Headers with cookies that a process knows again, and their characters at most: the site's own have some 400."""


class Asked(Request):
    """A request."""

    @cached_property
    def sent(self) -> Mapping[str, str]:
        """The headers by their names in small letters; of several with the same name the first."""
        pairs = reversed([*self.scope["headers"]])
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        text = ";".join(self.headers.getlist("Cookie")) if "cookie" in self.sent else ""
        return _known(text) if len(text) <= LONGEST else _read(text)

    def cookie(self, name: str) -> str:
        """Return the cookie, or nothing."""
        return self.cookies[name] if name in self.cookies else ""  # noqa: SIM401  # `get` is what takes long


def asked() -> Asked:
    """Return the request itself, which `quart.request` stands for."""
    return cast(Asked, request._get_current_object())  # type: ignore[attr-defined]  # it is public


def _read(text: str) -> ImmutableMultiDict[str, str]:
    """Return the cookies; none where one is no text, which some other site of the school may have set."""
    try:
        return cast("ImmutableMultiDict[str, str]", parse_cookie(text, cls=ImmutableMultiDict))
    except UnicodeDecodeError:
        return ImmutableMultiDict()


_known = lru_cache(MOST)(_read)
