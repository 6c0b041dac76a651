"""A small discrete-event kernel: processes are generators that yield what they wait for, and time is simulated."""

import heapq
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import count

Wait = Callable[["Callable[[], None]"], None]
"""Something to wait for: it is called with a function to be called when the wait is over."""

Steps = Generator[Wait, None, None]


class Simulation:
    """The simulated clock, in seconds, and what will happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Call `action` at that moment; of several at one moment, the first registered comes first."""
        heapq.heappush(self._events, (moment, next(self._order), action))

    def start(self, steps: Steps, at: float | None = None) -> None:
        """Run a process, from now on or from a later moment."""

        def advance() -> None:
            wait = next(steps, None)
            if wait is not None:
                wait(advance)

        self.at(self.now if at is None else at, advance)

    def sleep(self, seconds: float) -> Wait:
        """Wait for that long."""
        return lambda resume: self.at(self.now + seconds, resume)

    def run(self) -> None:
        """Run until nothing more happens."""
        while self._events:
            self.now, _, action = heapq.heappop(self._events)
            action()


@dataclass
class Machine:
    """Cores that serve slices of work in the order in which they arrive; `busy_seconds` is the work done so far."""

    simulation: Simulation
    name: str
    cores: int
    busy_seconds: float = 0.0
    _free: int = field(init=False)
    _queue: deque[tuple[float, Callable[[], None]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._free = self.cores

    def work(self, seconds: float) -> Wait:
        """Wait for a core, and use it for that long."""

        def request(resume: Callable[[], None]) -> None:
            self._queue.append((seconds, resume))
            self._serve()

        return request

    def _serve(self) -> None:
        while self._free and self._queue:
            seconds, resume = self._queue.popleft()
            self._free -= 1
            self.busy_seconds += seconds
            self.simulation.at(self.simulation.now + seconds, lambda resume=resume: self._finish(resume))  # type: ignore[misc]  # mypy can't infer it

    def _finish(self, resume: Callable[[], None]) -> None:
        self._free += 1
        resume()
        self._serve()


@dataclass
class Lock:
    """A lock that is granted in the order in which it is requested."""

    simulation: Simulation
    _is_held: bool = False
    _queue: deque[Callable[[], None]] = field(default_factory=deque)

    def acquire(self) -> Wait:
        """Wait until the lock is free, and hold it."""

        def request(resume: Callable[[], None]) -> None:
            if self._is_held:
                self._queue.append(resume)
            else:
                self._is_held = True
                self.simulation.at(self.simulation.now, resume)

        return request

    def release(self) -> None:
        """Give the lock to the next one that waits for it."""
        if self._queue:
            self.simulation.at(self.simulation.now, self._queue.popleft())
        else:
            self._is_held = False


@dataclass
class Thread:
    """One thread on a machine, such as the event loop of a process: it does one slice of work at a time.

    `owed_seconds` is work whose result no request needs. It is done in idle time, or else before the next slice.
    """

    machine: Machine
    owed_seconds: float = 0.0
    _idle_since: float | None = 0.0
    _queue: deque[tuple[float, Callable[[], None]]] = field(default_factory=deque)

    @property
    def is_busy(self) -> bool:
        return self._idle_since is None

    def work(self, seconds: float) -> Wait:
        """Wait for the thread and for a core, and use both for that long."""

        def request(resume: Callable[[], None]) -> None:
            self._queue.append((seconds, resume))
            if not self.is_busy:
                self._next()

        return request

    def _next(self) -> None:
        now = self.machine.simulation.now
        if not self._queue:
            self._idle_since = now
            return
        if self._idle_since is not None:
            done = min(self.owed_seconds, now - self._idle_since)
            self.machine.busy_seconds += done
            self.owed_seconds -= done
            self._idle_since = None
        seconds, resume = self._queue.popleft()
        seconds, self.owed_seconds = seconds + self.owed_seconds, 0.0

        def finish() -> None:
            resume()
            self._next()

        self.machine.work(seconds)(finish)
