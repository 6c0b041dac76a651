"""The news for an open page, as server-sent events: seats, lines, and the reader's own places.

For each section there are an event of its name with how full it is, `…-open` or `…-full` for the button that must
change, and for who is signed in `…-place` and `…-gone`. A stream ends by itself after a while, so that a process that
must stop does not wait for it; the browser comes back and hears first how everything is.
"""

import random
from asyncio import timeout
from collections.abc import AsyncIterator, Callable
from functools import lru_cache, partial
from time import monotonic

from jinja2 import Environment
from quart import Response, current_app, request

from quart_enroll import auth, context, language
from quart_enroll.models import Section
from quart_enroll.pages.choices import waiting_in_words
from quart_enroll.rendering import mark
from quart_enroll.services.live import Live, Place, Reader

LIFE = (15.0, 20.0)
"""Seconds that a stream lasts, by chance, so that not all come back at once; less than a process has to stop."""

RETRY = 1000
"""Milliseconds after which the browser comes back."""

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
        _stream(context.live(), reader, partial(_seats, current_app.jinja_env), language.spoken()),
        content_type="text/event-stream",
    )
    response.timeout = None
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _stream(live: Live, reader: Reader, seats: Callable[[str, Section], str], spoken: str) -> AsyncIterator[str]:
    end = monotonic() + random.uniform(*LIFE)  # noqa: S311  # no secret
    async with live.reading(reader) as has_room:
        yield f"retry: {RETRY if has_room else 60 * RETRY}\n\n"
        while has_room and await _hears_news(reader, end - monotonic()):
            sections, places = reader.take()
            yield "".join([*(seats(spoken, one) for one in sections), *(_place(spoken, one) for one in places)])


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
