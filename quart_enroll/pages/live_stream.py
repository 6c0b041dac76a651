"""Live updates of an open page, as server-sent events: open seats, and the student's own seats and positions.

A section has an event of its own name with its open seats, `…-open` or `…-full` if its button must change, `facts` with
a digest of its times, room and instructor, and for students `…-place` and `…-gone` about their position. A page that
names the fingerprint of the student's own data gets `mine` once that is out of date. A stream ends when the process
stops, when the sign-in ends, and after a while by itself. Then the browser connects again and first gets the current
state.
"""

import random
from asyncio import Task, TimerHandle, get_running_loop
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from jinja2 import Environment
from quart import Response, current_app, request

from quart_enroll import state
from quart_enroll.bounded_cache import cached, size_of
from quart_enroll.domain.models import Section
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.fastpath.push_stream import Channel, push_response
from quart_enroll.i18n import language
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog.section_actions import waitlist_status
from quart_enroll.services.accounts.attempt_limits import network_of
from quart_enroll.services.live.updates import SectionUpdate, Subscriber, UpdateBroker, WaitlistPosition
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
    named = filter(None, map(offered.find, request.args.getlist("course")[:MAX_LIVE_COURSES]))
    page = LivePage(
        terms=tuple(one.term for one in offered.terms if one.term in request.args.getlist("term"))[:MAX_LIVE_TERMS],
        courses=tuple(sorted({course.courseID for course in named})),
        user_id=user.user_id if user else None,
        fingerprint=request.args.get("mine", "")[:20] if user else "",
        network="" if user else network_of(request.remote_addr or ""),
        broker=state.update_broker(),
        locale=language.current_language(),
        render=partial(_seats, current_app.jinja_env),
        attributes=user.attributes if user else None,
        is_signed_in=auth.sign_in_checker(),
        read_snapshot=student_state.snapshot_reader(user),
    )
    response = push_response(page, "text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


@dataclass(eq=False, slots=True, kw_only=True)
class LivePage(Subscriber):
    """An open page and the channel to it. It has no task of its own while it waits: thousands may be open."""

    broker: UpdateBroker
    locale: str
    render: Callable[[str, Section], str]
    is_signed_in: Callable[[], Awaitable[bool]]
    read_snapshot: Callable[[], Awaitable[StudentSnapshot | None]]
    attributes: StudentAttributes | None = None
    end_at: float = field(default_factory=lambda: monotonic() + random.uniform(*STREAM_SECONDS))  # noqa: S311  # no secret
    is_open: bool = False
    must_load: bool = True
    must_compare: bool = False
    must_check_sign_in: bool = False
    _channel: Channel | None = None
    _timer: TimerHandle | None = None
    _task: "Task[None] | None" = None

    def start(self, channel: Channel) -> None:
        """Send the whole state, and then what changes."""
        self._channel = channel
        self.is_open = self.broker.subscribe(self)
        channel.write(_retry(RETRY_MILLISECONDS if self.is_open else RETRY_MILLISECONDS_IF_FULL))
        if self.is_open:
            self._check_later()
            self._work()
        else:
            channel.end()

    def resume(self) -> None:
        """Send what has changed meanwhile."""
        self.notify()

    def disconnect(self) -> None:
        """Forget the page, because its client has gone or its stream has ended."""
        if self.is_open:
            self.is_open = False
            self.broker.unsubscribe(self)
            if self._timer is not None:
                self._timer.cancel()

    def notify(self) -> None:
        """Send the updates as soon as the client has read earlier ones, or end the stream."""
        channel = self._channel
        if channel is None or not self.is_open:
            return
        if self.broker.is_stopped:
            self._end(_retry(RETRY_MILLISECONDS_IF_STOPPED))
        elif self.must_close:
            self._end(_retry(RETRY_MILLISECONDS_IF_FULL))
        elif channel.is_ready and self.has_updates():
            sections, places = self.take_updates()
            texts = [*map(self._text, sections), *(_place(self.locale, one) for one in places)]
            channel.write("".join(texts))

    def compare(self) -> None:
        """Check whether the page still shows the user's own seats and positions.

        A page that couldn't load the new data hears so again at the next check; one that could has a new stream.
        """
        if self.fingerprint:
            self.must_compare = True
            self._work()

    def _check_later(self) -> None:
        self._timer = get_running_loop().call_later(random.uniform(*SIGN_IN_CHECK_SECONDS), self._check)  # noqa: S311

    def _check(self) -> None:
        """Check that the user is still signed in, and let the client know that the stream goes on."""
        self.must_compare, self.must_check_sign_in = bool(self.fingerprint), True
        self._work()

    def _work(self) -> None:
        """Do in a task what needs the database."""
        if self._task is None and self.is_open:
            self._task = get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            while self.is_open and (self.must_load or self.must_compare or self.must_check_sign_in):
                await self._read_once()
        except Exception as error:  # noqa: BLE001  # the channel logs it, and the client connects again
            self._abort(error)
        finally:
            self._task = None

    async def _read_once(self) -> None:
        if self.must_load:
            self.must_load, self.must_compare = False, bool(self.fingerprint)
            await self.broker.queue_everything(self, has_positions=await self._may_have_positions())
            self.notify()
        elif self.must_compare:
            self.must_compare = False
            snapshot = await self.read_snapshot()
            if snapshot is not None and snapshot.fingerprint != self.fingerprint:
                self._write(_event("mine"))
        elif monotonic() >= self.end_at or not await self.is_signed_in():
            self._end()
        else:
            self.must_check_sign_in = False
            self._write(KEEP_ALIVE)
            self._check_later()

    async def _may_have_positions(self) -> bool:
        """Tell whether the page may show a waitlist position; if it shows the current snapshot, that says so."""
        if self.user_id is None:
            return False
        snapshot = await self.read_snapshot()
        return snapshot is None or bool(snapshot.waiting) or snapshot.fingerprint != self.fingerprint

    def _write(self, text: str) -> None:
        if self._channel is not None and self.is_open:
            self._channel.write(text)

    def _end(self, text: str = "") -> None:
        if self._channel is not None and self.is_open:
            if text:
                self._channel.write(text)
            self._channel.end()
            self.disconnect()

    def _abort(self, error: Exception) -> None:
        if self._channel is not None and self.is_open:
            self._channel.abort(error)
            self.disconnect()

    def _text(self, update: SectionUpdate) -> str:
        section = update.section
        if section.pools and self.attributes:
            return self.render(self.locale, section.seen_by(self.attributes))
        if (text := update.texts.get(self.locale)) is None:
            text = update.texts[self.locale] = self.render(self.locale, section)
        return text


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
