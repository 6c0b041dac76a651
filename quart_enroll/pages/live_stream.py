"""Live updates of an open page, as server-sent events: open seats, and the student's own seats and positions.

A section has an event of its own name with its open seats, `…-open` or `…-full` if its button must change, `facts` with
a digest of its times, room and instructor, and for students `…-place` and `…-gone` about their position. A page that
names the fingerprint of the student's own data gets `mine` once that is out of date. A stream ends when the process
stops, when the sign-in ends, and after a while by itself. Then the browser connects again and first gets the current
state.
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
from quart_enroll.pages.catalog.section_actions import waitlist_status
from quart_enroll.services.accounts.attempt_limits import network_of
from quart_enroll.services.live.updates import Subscriber, UpdateBroker, WaitlistPosition
from quart_enroll.web import auth
from quart_enroll.web.jinja_environment import facts_mark, section_mark

STREAM_SECONDS = (1200.0, 1800.0)
"""Shortest and longest duration of a stream. It is random, so that not all pages reconnect at once. It is limited, so
that a process that has just started gets its share of them."""

SIGN_IN_CHECK_SECONDS = (35.0, 45.0)
"""Seconds until a stream checks again that the sign-in has not ended, and sends a keep-alive: Heroku's router closes a
response that is silent for 55 seconds."""

RETRY_MILLISECONDS = (1000, 3000)
"""Range of the time after which the browser reconnects."""

RETRY_MILLISECONDS_IF_FULL = (60_000, 180_000)
"""The same if there are too many streams: the page isn't updated, and a later attempt may succeed."""

RETRY_MILLISECONDS_IF_STOPPED = (1000, 15_000)
"""The same when the process stops: all its pages reconnect, and another process may need a while to start."""

KEEP_ALIVE = ":\n\n"

MAX_LIVE_COURSES = 60
MAX_LIVE_TERMS = 4
"""Courses and terms about which one page can get updates."""


async def live() -> Response:
    user, offered = auth.user(), await state.catalog()
    subscriber = Subscriber(
        terms=tuple(one.term for one in offered.terms if one.term in request.args.getlist("term"))[:MAX_LIVE_TERMS],
        courses=frozenset(filter(offered.find, request.args.getlist("course")[:MAX_LIVE_COURSES])),
        user_id=user.user_id if user else None,
        fingerprint=request.args.get("mine", "")[:20] if user else "",
        network="" if user else network_of(request.remote_addr or ""),
    )
    seats = partial(_seats, current_app.jinja_env)
    stream = _stream(
        state.update_broker(),
        subscriber,
        seats,
        language.current_language(),
        auth.sign_in_checker(),
        student_state.fingerprint_reader(user),
    )
    response = streaming.stream_response(stream, "text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _stream(
    broker: UpdateBroker,
    subscriber: Subscriber,
    seats: Callable[[str, Section], str],
    locale: str,
    is_signed_in: Callable[[], Awaitable[bool]],
    read_fingerprint: Callable[[str], Awaitable[str]],
) -> AsyncGenerator[str, None]:
    end = monotonic() + random.uniform(*STREAM_SECONDS)  # noqa: S311  # no secret
    async with broker.subscribe(subscriber) as has_room:
        yield _retry(RETRY_MILLISECONDS if has_room else RETRY_MILLISECONDS_IF_FULL)
        if not has_room:
            return
        _check_later(subscriber)
        while not broker.is_stopped:
            if subscriber.must_close:
                yield _retry(RETRY_MILLISECONDS_IF_FULL)
                return
            if subscriber.has_updates():
                yield _updates(subscriber, seats, locale)
            if subscriber.must_compare and await _has_changed(subscriber, read_fingerprint):
                yield _event("mine")
            if subscriber.must_check_sign_in:
                if monotonic() >= end or not await is_signed_in():
                    return
                yield KEEP_ALIVE
                _check_later(subscriber)
            await subscriber.wait()
        yield _retry(RETRY_MILLISECONDS_IF_STOPPED)


async def _has_changed(subscriber: Subscriber, read_fingerprint: Callable[[str], Awaitable[str]]) -> bool:
    """Return whether the page shows old data of the student's own.

    A page that couldn't load the new data hears so again at the next check; one that could has a new stream.
    """
    subscriber.must_compare = False
    return await read_fingerprint(subscriber.fingerprint) != subscriber.fingerprint


def _check_later(subscriber: Subscriber) -> None:
    subscriber.must_check_sign_in = False
    get_running_loop().call_later(random.uniform(*SIGN_IN_CHECK_SECONDS), subscriber.check_sign_in)  # noqa: S311


def _updates(subscriber: Subscriber, seats: Callable[[str, Section], str], locale: str) -> str:
    sections, places = subscriber.take_updates()
    return "".join([*(seats(locale, one) for one in sections), *(_place(locale, one) for one in places)])


def _retry(within: tuple[int, int]) -> str:
    return f"retry: {random.randint(*within)}\n\n"  # noqa: S311  # no secret


def _place(locale: str, place: WaitlistPosition) -> str:
    if place.position:
        with language.use_language(locale):
            return _event(f"{section_mark(place.key)}-place", waitlist_status(place.position, place.waiting))
    return _event(f"{section_mark(place.key)}-gone")


@cached("live seats", lambda _, events: 2000 + size_of(events))
def _seats(pages: Environment, locale: str, section: Section) -> str:
    """Return the events of a section, which are the same for all pages in one language."""
    name = section_mark(section.key)
    with language.use_language(locale):
        shown = str(pages.get_template("macros/seats.html").module.seats(section))  # type: ignore[attr-defined]
    turn = "open" if section.open_seats else "full"
    facts = _event("facts", f"{name} {facts_mark(section)}")
    return _event(name, " ".join(shown.split())) + _event(f"{name}-{turn}") + facts


def _event(name: str, data: str = ".") -> str:
    """Return an event; browsers ignore an event without data."""
    return f"event: {name}\ndata: {data}\n\n"
