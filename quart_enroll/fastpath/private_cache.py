"""Pages that somebody who is signed in asks for again: on registration day people reload.

A view says with `same_again` what its page was made of. Whoever asks for the same address with the very same cookies
then gets the same bytes without the framework, as long as this process remembers the sign-in, and what the student
has, as they were, holds the same catalog, and no term has opened or closed. What makes it forget one of them, a change
of the student's own or the news of another process, ends the page too.
"""

import time
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import ref

from quart import Response, current_app, g, request
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from quart.wrappers.response import DataBody

from quart_enroll.bounded_cache import ByteCache, size_of
from quart_enroll.db.collections.logins import LiveLogin
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.fastpath.hypercorn_writer import Send, Whole
from quart_enroll.fastpath.public_cache import MAKES_A_DIFFERENCE, next_door, send_numbered
from quart_enroll.services.accounts import sessions
from quart_enroll.state import AppState
from quart_enroll.web import locale
from quart_enroll.web.csrf import TOKEN_MADE_ANEW
from quart_enroll.web.request import LONGEST

BESIDES = 3000
"""Most bytes of a page besides its body and key: headers, and the objects around them."""


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What a page was made of, besides who asked, and from when until when the clock changes nothing."""

    catalog: "ref[Catalog] | None"
    mine: StudentSnapshot | None
    begun: datetime
    until: datetime


@dataclass(frozen=True, eq=False, slots=True)
class Reload:
    """A page as it went out."""

    endpoint: str
    found: LiveLogin
    made_of: MadeOf
    minute: int
    whole: Whole

    def is_the_same(self, parts: AppState) -> bool:
        """Tell whether the framework would answer the same now, and would write nothing."""
        moment, people, login, made_of = parts.clock(), parts.user_cache, self.found.login, self.made_of
        return (
            people.logins.get(login.key) is self.found
            and (made_of.mine is None or people.students.get(login.user_id) is made_of.mine)
            and (made_of.catalog is None or made_of.catalog() is parts.catalog_cache.current)
            and made_of.begun <= moment < made_of.until
            and self.minute == minute()
            and moment < login.expires_at
            and not sessions.must_record_use(login, parts.lifetimes, moment)
        )


class Reloads:
    """The pages that a process keeps."""

    def __init__(self) -> None:
        self._pages: ByteCache[Hashable, Reload] = ByteCache("reloads", _size)

    def find(self, scope: Any, parts: AppState) -> Reload | None:
        """Return the page for such a request, if it would be the same."""
        key = _key_of(scope)
        if (page := self._pages.get(key)) is None:
            return None
        if not page.is_the_same(parts):
            del self._pages[key]
            return None
        return page

    def keep(self, response: ResponseTypes) -> None:
        """Keep the page for who asks again, if its view has said what it is made of, and it left nothing behind."""
        made_of: MadeOf | None = g.get("cache_private")
        found: LiveLogin | None = g.get("found")
        if made_of is None or found is None or not isinstance(response, Response) or _templates_may_change():
            return
        body, key = response.response, _key_of(request.scope)
        if response.status_code != 200 or "Set-Cookie" in response.headers or not isinstance(body, DataBody):
            return
        if key is None:
            return
        told = [(name, value) for name, value in encode_headers(response.headers) if name != b"x-request-id"]
        self._pages[key] = Reload(request.endpoint or "", found, made_of, minute(), Whole(200, told, body.data))


def cache_private(
    moment: datetime,
    catalog: Catalog | None = None,
    mine: StudentSnapshot | None = None,
    *,
    until: datetime | None = None,
) -> None:
    """Say that the view's page depends on nothing but its address, its reader and these; `moment` is when it began, and
    `until` when the clock changes it, if that is before the next door."""
    door = next_door(catalog.terms if catalog else (), moment)
    g.cache_private = MadeOf(ref(catalog) if catalog else None, mine, moment, min(door, until or door))


async def send(page: Reload, scope: Any, send_event: Send) -> int:
    """Send the page, and return the status."""
    return await send_numbered(page.whole, dict(scope["headers"]), send_event)


def _key_of(scope: Any) -> Hashable:
    """Return what requests have in common that one visitor's browser sends for the same page; None for all others."""
    cookies, languages = b"", None
    if scope["method"] != "GET":
        return None
    for name, value in scope["headers"]:
        if name == b"cookie":  # in HTTP/2 there may be several
            cookies += b";" + value
        elif name == b"accept-language" and languages is None:
            languages = value[: locale.LONGEST]
        elif name in MAKES_A_DIFFERENCE or (name == b"x-forwarded-proto" and value != b"https"):
            return None
    if not cookies or len(cookies) > LONGEST:
        return None
    return scope["root_path"], scope["path"], scope["query_string"], cookies, languages


def _size(key: Hashable, page: Reload) -> int:
    return size_of(key) + BESIDES + len(page.whole.body)


def _templates_may_change() -> bool:
    """Tell whether pages may look new without a start: while somebody works on them, or where they are a school's own,
    which may show whatever a request says."""
    return bool(current_app.config["TEMPLATES_AUTO_RELOAD"] or current_app.config["TEMPLATE_OVERRIDES"])


def minute() -> int:
    """Return in which minute the token of a page was made; day and night change with one too."""
    return int(time.time() // TOKEN_MADE_ANEW)
