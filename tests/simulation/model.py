"""The site on its opening day: students, processes that batch their requests, and shards.

What it leaves out: elections, the network between students and dynos, memory, and emails.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quart_enroll.db.transactions import FIRST_RETRY_PAUSE_SECONDS, MAX_RETRY_PAUSE_SECONDS
from quart_enroll.services.enrollment.batch_transaction import MAX_BATCH_ATTEMPTS
from quart_enroll.services.enrollment.batching import MAX_BATCH_SIZE, MAX_QUEUE_SECONDS, MIN_BATCH_SIZE
from quart_enroll.services.enrollment.section_lock import CHANGE_TIMEOUT_SECONDS, MAX_CHANGES, RETRY_AFTER_SECONDS
from tests.simulation.costs import Costs
from tests.simulation.kernel import Lock, Machine, Simulation, Steps, Thread, Wait

STEPS = 8
"""Steps of a request, and of a transaction; between two of them, the process serves others."""

HANDOVER_SECONDS = 2 * sys.getswitchinterval()
"""How long a command takes longer while the process is busy: Python changes threads only at this interval, and Motor
hands each command to a thread and back."""

PAUSE_GROWTH = 1.5
"""By how much the longest pause grows with each attempt of a transaction, as in quart_enroll/db/transactions.py."""

WATCHED_ROWS_PER_SEAT = 3
"""Rows that change streams report for each seat of a plan: the section, the enrollment and the planned section."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The machines. Without `dynos`, everything shares one machine of `cores`, like the tests.

    `shard_cores` are the cores of each shard's primary. `round_trip_seconds` is the time of a command on the network,
    and `majority_seconds` that until a second member has a commit on its disk.
    A commit on several shards takes `commit_phases` times as long as on one, and so much more work on each.
    """

    processes: int
    cores: int
    dynos: int = 0
    shards: int = 1
    shard_cores: int = 2
    round_trip_seconds: float = 0.0
    majority_seconds: float = 0.0
    commit_phases: int = 2


@dataclass(frozen=True, slots=True)
class Crowd:
    """Students who press within `press_seconds`, each for `courses` of `sections`, with `seats` in each.

    They press `presses` times, each time for other courses and as soon as they have the response. After the last one
    each opens `pages`, `think_seconds` apart.
    """

    students: int
    courses: int
    sections: int
    seats: int
    press_seconds: float
    presses: int = 1
    pages: int = 0
    think_seconds: float = 3.0


CASES = {
    "1,000 students press “Enroll in all” within a second": Crowd(1000, 5, 200, 1000, 1),
    "400 students press it within a second": Crowd(400, 5, 40, 1000, 1),
    "1,000 students enroll in a section with 30 seats": Crowd(1000, 1, 1, 30, 0),
    "single enrollments, 128 at once": Crowd(128, 1, 200, 1000, 0, presses=15),
}
"""The small cases that can be measured on one machine, by name."""


@dataclass(slots=True)
class Section:
    """The document of a section: `is_locked` while a transaction that has written it commits."""

    open_seats: int
    committed_at: float = -1.0
    is_locked: bool = False


@dataclass(slots=True)
class Press:
    """A student's request, with the sections that the student wants."""

    sections: Sequence[Section]
    queued_at: float
    is_settled: bool = False
    is_refused: bool = False
    resume: Callable[[], None] = lambda: None

    @property
    def deadline(self) -> float:
        return self.queued_at + CHANGE_TIMEOUT_SECONDS


@dataclass(slots=True)
class Outcome:
    """What the students experienced; times in seconds from the first press, durations in seconds."""

    press_seconds: list[float] = field(default_factory=list)
    page_seconds: list[float] = field(default_factory=list)
    settled_at: list[float] = field(default_factory=list)
    transactions: int = 0
    retries: int = 0
    busy: int = 0
    cpu_seconds: float = 0.0
    utilization: dict[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, float]:
        """Return what is compared, in seconds: how long a press took, when the last was settled, and the CPU time."""
        press = {"median": percentile(self.press_seconds, 50), "p99": percentile(self.press_seconds, 99)}
        return press | {"settled": max(self.settled_at), "CPU": self.cpu_seconds}


class Process:
    """A process of the site: an event loop, and the requests that wait for their batch.

    The processes of a dyno take turns with their batches; a batch consists of the requests that are waiting when the
    turn comes. One that conflicts with those of other dynos is halved, and the next ones begin smaller. Students who
    have waited too long are told to try again, as in quart_enroll/services/enrollment/batching.py.
    """

    def __init__(self, site: "Site", thread: Thread, turn: Lock) -> None:
        self.site = site
        self.thread = thread
        self.turn = turn
        self.pending = 0
        self._batch_size = site.max_batch_size
        self._waiting: list[Press] = []
        self._is_running = False

    def settle(self, press: Press) -> Wait:
        """Wait until the request is settled, or has waited for too long."""

        def request(resume: Callable[[], None]) -> None:
            press.resume = resume
            self._waiting.append(press)
            if not self._is_running:
                self._is_running = True
                self.site.simulation.start(self._run_batches())

        return request

    def _run_batches(self) -> Steps:
        while self._waiting:
            yield self.turn.acquire()
            batch = self._next_batch()
            yield from self._run(batch)
        self._is_running = False

    def _next_batch(self) -> list[Press]:
        too_early = self.site.simulation.now - MAX_QUEUE_SECONDS
        for press in self._waiting:
            if press.queued_at < too_early:
                press.resume()
        waiting = [press for press in self._waiting if press.queued_at >= too_early]
        self._waiting = waiting[self._batch_size :]
        return waiting[: self._batch_size]

    def _run(self, batch: Sequence[Press]) -> Steps:
        """Settle the batch in the turn that it has, or else each half of it in one of its own."""
        if batch:
            yield from self._attempt(batch)
        self.turn.release()
        if not batch:
            return
        if batch[0].is_settled:
            self._batch_size = min(self.site.max_batch_size, self._batch_size + MIN_BATCH_SIZE)
        if batch[0].is_settled or self.site.simulation.now >= batch[0].deadline:
            for press in batch:
                press.resume()
            return
        middle = len(batch) // 2
        self._batch_size = max(MIN_BATCH_SIZE, middle)
        for half in (batch[:middle], batch[middle:]):
            yield self.turn.acquire()
            yield from self._run(half)

    def _attempt(self, batch: Sequence[Press]) -> Steps:
        """Try a transaction until it is committed, or until there were too many attempts."""
        site, pause, attempts = self.site, FIRST_RETRY_PAUSE_SECONDS, 0
        while site.simulation.now < batch[0].deadline and (attempts < MAX_BATCH_ATTEMPTS or len(batch) == 1):
            site.outcome.transactions += 1
            attempts += 1
            began = site.simulation.now
            seats = Counter[int]()
            sections = {id(section): section for press in batch for section in press.sections}
            for press in batch:
                wanted = [section for section in press.sections if seats[id(section)] < section.open_seats]
                seats.update(map(id, wanted))
                press.is_refused = not wanted
            yield from self._commands(sum(seats.values()))
            written = [section for key, section in sections.items() if seats[key]]
            if not any(section.is_locked or section.committed_at > began for section in written):
                yield from self._commit(batch, written, seats)
                return
            site.outcome.retries += 1
            yield site.simulation.sleep(site.random.uniform(0, pause))
            pause = min(pause * PAUSE_GROWTH, MAX_RETRY_PAUSE_SECONDS)

    def _commit(self, batch: Sequence[Press], written: Sequence[Section], seats: Mapping[int, int]) -> Steps:
        site = self.site
        for section in written:
            section.is_locked = True
        yield from site.commit()
        for section in written:
            section.is_locked, section.committed_at = False, site.simulation.now
            section.open_seats -= seats[id(section)]
        site.report_changes(sum(seats.values()))
        for press in batch:
            press.is_settled = True

    def _commands(self, seats: int) -> Steps:
        costs, site = self.site.costs, self.site
        here = costs.transaction + seats * costs.seat
        work = costs.database_transaction + seats * costs.database_seat
        for _ in range(STEPS):
            yield self.thread.work(here / STEPS)
            if site.cluster.round_trip_seconds:
                yield site.simulation.sleep(site.cluster.round_trip_seconds)
            yield site.shard().work(work / STEPS)
            if self.thread.is_busy:
                yield site.simulation.sleep(HANDOVER_SECONDS)


class Site:
    """All processes and shards."""

    def __init__(self, costs: Costs, cluster: Cluster, seed: int, max_batch_size: int = MAX_BATCH_SIZE) -> None:
        self.max_batch_size = max_batch_size
        self.simulation = Simulation()
        self.costs = costs
        self.cluster = cluster
        self.random = random.Random(seed)  # noqa: S311  # no secret
        self.outcome = Outcome()
        if cluster.dynos:
            dynos = [Machine(self.simulation, "dynos", cluster.cores) for _ in range(cluster.dynos)]
            self._shards = [Machine(self.simulation, "shards", cluster.shard_cores) for _ in range(cluster.shards)]
        else:
            dynos = self._shards = [Machine(self.simulation, "machine", cluster.cores)]
        self.client = None if cluster.dynos else Thread(dynos[0])
        self.processes = [
            Process(self, Thread(machine), turn)
            for machine, turn in ((machine, Lock(self.simulation)) for machine in dynos)
            for _ in range(cluster.processes)
        ]
        self._machines = [*dynos, *self._shards] if cluster.dynos else dynos

    def shard(self) -> Machine:
        """Return the machine of some shard."""
        return self._shards[self.random.randrange(len(self._shards))]

    def commit(self) -> Steps:
        """Commit: with several shards, each of them prepares first."""
        phases = self.cluster.commit_phases if len(self._shards) > 1 else 1
        if phases > 1:
            for machine in self._shards:
                machine.work(self.costs.database_transaction)(lambda: None)
        yield self.simulation.sleep(phases * (self.costs.commit_wait_seconds + self.cluster.majority_seconds))

    def report_changes(self, seats: int) -> None:
        """Let every process hear of the changed rows."""
        for process in self.processes:
            process.thread.owed_seconds += self.costs.change * seats * WATCHED_ROWS_PER_SEAT

    def run(self, crowd: Crowd) -> Outcome:
        """Let the crowd press, and return what it experienced."""
        sections = [Section(crowd.seats) for _ in range(crowd.sections)]
        for number in range(crowd.students):
            at = self.random.uniform(0, crowd.press_seconds)
            self.simulation.start(self._student(crowd, number, sections), at)
        self.simulation.run()
        self.outcome.cpu_seconds = sum(machine.busy_seconds for machine in self._machines)
        self.outcome.utilization = dict(self._utilization())
        return self.outcome

    def _student(self, crowd: Crowd, number: int, sections: Sequence[Section]) -> Steps:
        process = self.random.choice(self.processes)
        for turn in range(0, crowd.presses * crowd.courses, crowd.courses):
            chosen = [sections[(7 * number + turn + course) % len(sections)] for course in range(crowd.courses)]
            began = self.simulation.now
            yield from self._press(process, chosen)
            self.outcome.press_seconds.append(self.simulation.now - began)
        self.outcome.settled_at.append(self.simulation.now)
        for page in range(crowd.pages):
            if page:
                yield self.simulation.sleep(self.random.uniform(0, 2 * crowd.think_seconds))
            began = self.simulation.now
            yield process.thread.work(self.costs.page)
            self.outcome.page_seconds.append(self.simulation.now - began)

    def _press(self, process: Process, chosen: Sequence[Section]) -> Steps:
        """Press until there is a definite response; after a 503, the page repeats the request."""
        while True:
            if self.client:
                yield self.client.work(self.costs.client)
            yield from _work(process, self.costs.press if len(chosen) > 1 else self.costs.refusal)
            yield self.shard().work(self.costs.database_press)
            if process.pending < MAX_CHANGES:
                press = Press(chosen, self.simulation.now)
                process.pending += 1
                yield process.settle(press)
                process.pending -= 1
                if press.is_settled:
                    if len(chosen) == 1 and not press.is_refused:
                        yield from _work(process, max(0.0, self.costs.enroll - self.costs.refusal))
                    return
            self.outcome.busy += 1
            yield self.simulation.sleep(RETRY_AFTER_SECONDS)

    def _utilization(self) -> Iterable[tuple[str, float]]:
        """Yield how busy each kind of machine was until everything was settled."""
        until = max(self.outcome.settled_at)
        for name in sorted({machine.name for machine in self._machines}):
            machines = [machine for machine in self._machines if machine.name == name]
            cores = sum(machine.cores for machine in machines)
            yield name, sum(machine.busy_seconds for machine in machines) / cores / until


def _work(process: Process, seconds: float) -> Steps:
    """Work for a request, in as many steps as others can come between."""
    for _ in range(STEPS):
        yield process.thread.work(seconds / STEPS)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of the values don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
