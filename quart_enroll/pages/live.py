"""The news for an open page, as server-sent events: seats, lines, and the reader's own places.

For each section there are an event of its name with how full it is, `…-open` or `…-full` for the button that must
change, and for who is signed in `…-place` and `…-gone`. A stream ends when the process is told to stop, when its reader
is signed in no more, and by itself after a while; the browser comes back and hears first how everything is.
"""

import random
from asyncio import timeout
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache, partial
from time import monotonic

from jinja2 import Environment
from quart import Response, current_app, request

from quart_enroll import auth, context, language
from quart_enroll.models import Section, User
from quart_enroll.pages.choices import waiting_in_words
from quart_enroll.rendering import mark
from quart_enroll.services import sessions
from quart_enroll.services.live import Live, Place, Reader

LIFE = (1200.0, 1800.0)
"""Seconds that a stream lasts, by chance, so that not all come back at once: a process that has just started gets its
share of the open pages, and that a page is open counts as use of its sign-in, as each request does."""

LOOK = (35.0, 45.0)
"""Seconds after which a stream looks whether its reader is still signed in, and says something, if only that there is
no news: Heroku's router gives up on an answer that is silent for 55."""

RETRY = (1000, 3000)
"""Milliseconds after which the browser comes back, by chance."""

RETRY_STOPPED = (1000, 15_000)
"""The same when the process stops: all its pages come back, and another process may need a while to start."""

NO_NEWS = ":\n\n"

MOST_COURSES = 60
"""Courses that one page may ask for."""


async def live() -> Response:
    user = auth.user()
    reader = Reader(
        term=request.args.get("term", "")[:20],
        courses=frozenset(request.args.getlist("course")[:MOST_COURSES]),
        user_id=user.user_id if user else None,
    )
    response = Response(
        _stream(context.live(), reader, partial(_seats, current_app.jinja_env), language.spoken(), _may_listen(user)),
        content_type="text/event-stream",
    )
    response.timeout = None
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _may_listen(user: User | None) -> Callable[[], Awaitable[bool]]:
    """Return what tells, long after the request, whether who asks may still hear of their own places."""

    async def always() -> bool:
        return True

    if user is None:
        return always
    database, memory, clock, key = context.database(), context.people().logins, context.clock(), auth.this_login().key
    return lambda: sessions.lives(database, memory, key, clock())


async def _stream(
    live: Live,
    reader: Reader,
    seats: Callable[[str, Section], str],
    spoken: str,
    may_listen: Callable[[], Awaitable[bool]],
) -> AsyncIterator[str]:
    end = monotonic() + random.uniform(*LIFE)  # noqa: S311  # no secret
    look = monotonic() + random.uniform(*LOOK)  # noqa: S311
    async with live.reading(reader) as has_room:
        yield _retry(RETRY, 1 if has_room else 60)
        while has_room and not live.ended:
            if await _hears_news(reader, look - monotonic()):
                sections, places = reader.take()
                yield "".join([*(seats(spoken, one) for one in sections), *(_place(spoken, one) for one in places)])
            elif monotonic() < end and await may_listen():
                look = monotonic() + random.uniform(*LOOK)  # noqa: S311
                yield NO_NEWS
            else:
                return
        if live.ended:
            yield _retry(RETRY_STOPPED)


def _retry(within: tuple[int, int], times: int = 1) -> str:
    return f"retry: {times * random.randint(*within)}\n\n"  # noqa: S311  # no secret


async def _hears_news(reader: Reader, seconds: float) -> bool:
    try:
        async with timeout(seconds):
            await reader.news.wait()
    except TimeoutError:
        return False
    return True


def _place(spoken: str, place: Place) -> str:
    if place.position:
        with language.speaking(spoken):
            return f"event: {mark(place.key)}-place\ndata: {waiting_in_words(place.position, place.of)}\n\n"
    return f"event: {mark(place.key)}-gone\ndata: .\n\n"


@lru_cache(20_000)
def _seats(pages: Environment, spoken: str, section: Section) -> str:
    """Return the events of a section; all pages in one language get the same ones."""
    name = mark(section.key)
    with language.speaking(spoken):
        shown = str(pages.get_template("macros/seats.html").module.seats(section))  # type: ignore[attr-defined]
    turn = "open" if section.open_seats else "full"
    # Without data an event would be none.
    return f"event: {name}\ndata: {' '.join(shown.split())}\n\nevent: {name}-{turn}\ndata: .\n\n"
