"""The news for an open page, as server-sent events: seats, lines, and the reader's own seats and places.

For each section there are an event of its name with how full it is, `…-open` or `…-full` for the button that must
change, `facts` with a digest of its times, room and instructor, and for who is signed in `…-place` and `…-gone`. A page
that says what it shows of the reader's own hears `mine` when that is not right any more. A stream ends when the process
is told to stop, when its reader is signed in no more, and by itself after a while; the browser comes back and hears
first how everything is.
"""

import random
from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from time import monotonic

from jinja2 import Environment
from quart import Response, current_app, request

from quart_enroll import state
from quart_enroll.bounded_cache import cached, size_of
from quart_enroll.domain.models import Section
from quart_enroll.fastpath import streaming
from quart_enroll.i18n import language
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog.section_actions import waiting_in_words
from quart_enroll.services.accounts.attempt_limits import network_of
from quart_enroll.services.live.updates import Subscriber, UpdateBroker, WaitlistPosition
from quart_enroll.web import auth
from quart_enroll.web.jinja_environment import facts_mark, section_mark

LIFE = (1200.0, 1800.0)
"""Seconds that a stream lasts, by chance, so that not all come back at once; a process that has just started gets its
share of the open pages that way."""

LOOK = (35.0, 45.0)
"""Seconds after which a stream looks whether its reader is still signed in, and says something, if only that there is
no news: Heroku's router gives up on an answer that is silent for 55."""

RETRY = (1000, 3000)
"""Milliseconds after which the browser comes back, by chance."""

RETRY_NO_ROOM = (60_000, 180_000)
"""The same if there is no room: the page isn't updated, and a later request may find room."""

RETRY_STOPPED = (1000, 15_000)
"""The same when the process stops: all its pages come back, and another process may need a while to start."""

NO_NEWS = ":\n\n"

MOST_COURSES = 60
"""Courses that one page may ask for."""

MOST_TERMS = 4
"""Terms of these courses that one page may ask for."""


async def live() -> Response:
    user, offered = auth.user(), await state.catalog()
    reader = Subscriber(
        terms=tuple(one.term for one in offered.terms if one.term in request.args.getlist("term"))[:MOST_TERMS],
        courses=frozenset(filter(offered.find, request.args.getlist("course")[:MOST_COURSES])),
        user_id=user.user_id if user else None,
        fingerprint=request.args.get("mine", "")[:20] if user else "",
        network="" if user else network_of(request.remote_addr or ""),
    )
    seats = partial(_seats, current_app.jinja_env)
    stream = _stream(
        state.update_broker(),
        reader,
        seats,
        language.current_language(),
        auth.sign_in_checker(),
        student_state.sign_of(user),
    )
    response = streaming.stream_response(stream, "text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _stream(
    broker: UpdateBroker,
    reader: Subscriber,
    seats: Callable[[str, Section], str],
    spoken: str,
    is_signed_in: Callable[[], Awaitable[bool]],
    sign_now: Callable[[str], Awaitable[str]],
) -> AsyncGenerator[str, None]:
    end = monotonic() + random.uniform(*LIFE)  # noqa: S311  # no secret
    async with broker.subscribe(reader) as has_room:
        yield _retry(RETRY if has_room else RETRY_NO_ROOM)
        if not has_room:
            return
        _look_later(reader)
        while not broker.is_stopped:
            if reader.must_close:
                yield _retry(RETRY_NO_ROOM)
                return
            if reader.has_updates():
                yield _news(reader, seats, spoken)
            if reader.must_compare and await _differs(reader, sign_now):
                yield _event("mine")
            if reader.must_check_sign_in:
                if monotonic() >= end or not await is_signed_in():
                    return
                yield NO_NEWS
                _look_later(reader)
            await reader.wait()
        yield _retry(RETRY_STOPPED)


async def _differs(reader: Subscriber, sign_now: Callable[[str], Awaitable[str]]) -> bool:
    """Tell whether something of the reader's own is not as the page shows. One that could not fetch it hears so again,
    at the next look; one that could has another stream."""
    reader.must_compare = False
    return await sign_now(reader.fingerprint) != reader.fingerprint


def _look_later(reader: Subscriber) -> None:
    reader.must_check_sign_in = False
    get_running_loop().call_later(random.uniform(*LOOK), reader.check_sign_in)  # noqa: S311


def _news(reader: Subscriber, seats: Callable[[str, Section], str], spoken: str) -> str:
    sections, places = reader.take_updates()
    return "".join([*(seats(spoken, one) for one in sections), *(_place(spoken, one) for one in places)])


def _retry(within: tuple[int, int]) -> str:
    return f"retry: {random.randint(*within)}\n\n"  # noqa: S311  # no secret


def _place(spoken: str, place: WaitlistPosition) -> str:
    if place.position:
        with language.use_language(spoken):
            return _event(f"{section_mark(place.key)}-place", waiting_in_words(place.position, place.waiting))
    return _event(f"{section_mark(place.key)}-gone")


@cached("live seats", lambda _, events: 2000 + size_of(events))
def _seats(pages: Environment, spoken: str, section: Section) -> str:
    """Return the events of a section; all pages in one language get the same ones."""
    name = section_mark(section.key)
    with language.use_language(spoken):
        shown = str(pages.get_template("macros/seats.html").module.seats(section))  # type: ignore[attr-defined]
    turn = "open" if section.open_seats else "full"
    facts = _event("facts", f"{name} {facts_mark(section)}")
    return _event(name, " ".join(shown.split())) + _event(f"{name}-{turn}") + facts


def _event(name: str, data: str = ".") -> str:
    """Return an event; without data it would be none."""
    return f"event: {name}\ndata: {data}\n\n"
