"""Move seats on the first page of the catalog, and check meanwhile that it shows students what the database holds.

This is a process of its own. `MovingSeats` starts it, and reads its report at the end. Seats move as they do in the
site, through the services' own transactions: students of the crowd enroll and drop.
"""

import asyncio
import json
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any, Generic, TypeVar

from quart_enroll.db.client import open_database
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import drop, enroll
from quart_enroll.system.process import child_process
from tests.bench import browser
from tests.bench.catalog_check import OwnCourses, Seats, expected_row, shown_rows
from tests.bench.crowd_school import COURSES_PER_PAGE, Situation
from tests.bench.school_data import FALL, course
from tests.support.processes import PROJECT, environment, wait_until
from tests.support.student_crowd import Student

MOVES_PER_SECOND = 25
CHECKS_PER_SECOND = 20
MAX_STALENESS_SECONDS = 0.2
"""How long before a request something may have been so that the page may still show it."""

MAX_KEPT_PROBLEMS = 5

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Report:
    """What the process did: seats moved, pages checked, and the first problems; `cpu_seconds` excludes the database."""

    moves: int = 0
    seconds: float = 0.0
    checked: int = 0
    wrong: int = 0
    problems: Sequence[str] = ()
    cpu_seconds: float = 0.0


@dataclass(slots=True)
class History(Generic[Value]):
    """The values of something in the database, each with the times between which it was written."""

    entries: list[tuple[float, float, Value]]

    @classmethod
    def starting_with(cls, value: Value) -> "History[Value]":
        return cls([(0.0, 0.0, value)])

    @property
    def last(self) -> Value:
        return self.entries[-1][2]

    @contextmanager
    def change(self, value: Value) -> Iterator[None]:
        """Record that the value is written during the block."""
        began = time.monotonic()
        self.entries.append((began, float("inf"), value))
        yield
        self.entries[-1] = (began, time.monotonic(), value)

    def between(self, start: float, end: float) -> set[Value]:
        """Return the values that the database may have held at some moment between these times."""
        ended = [committed for _, committed, _ in self.entries[1:]] + [float("inf")]
        return {
            value
            for (began, _, value), until in zip(self.entries, ended, strict=True)
            if began <= end and until >= start
        }


@dataclass(slots=True)
class Watcher:
    """The state of the process: the times of writes, and what pages have shown."""

    port: int
    requests: Mapping[int, dict[str, str]]
    situations: Mapping[int, Situation]
    capacities: Sequence[int]
    waiting: Sequence[int]
    taken: list[History[int]]
    moving_seats: dict[int, History[bool]] = field(default_factory=dict)
    moves: int = 0
    checked: int = 0
    problems: list[str] = field(default_factory=list)

    async def move_seats(self, context: EnrollmentContext, number: int, movers: Sequence[int], interval: float) -> None:
        """Let these students take and drop a seat of the course in turn."""
        rng = random.Random(number)  # noqa: S311  # no secret
        await asyncio.sleep(rng.uniform(0, interval))
        for user_id in cycle(movers):
            for has_seat in (True, False):
                started = time.monotonic()
                change = 1 if has_seat else -1
                with self.taken[number].change(self.taken[number].last + change):
                    with self.moving_seats[user_id].change(has_seat):
                        await _move(context, user_id, number, has_seat=has_seat)
                self.moves += 1
                await asyncio.sleep(max(0.0, started + rng.uniform(0.5, 1.5) * interval - time.monotonic()))

    async def check_pages(self) -> None:
        """Request the page as one student after another, half of them students whose seats move."""
        rng = random.Random(1)  # noqa: S311  # no secret
        everyone, movers = list(self.situations), list(self.moving_seats)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        while True:
            user_id = rng.choice(rng.choice((everyone, movers)))
            asked = time.monotonic()
            writer.write(_request(self.requests[user_id]))
            page = await _read_page(reader)
            self._check(user_id, page, asked - MAX_STALENESS_SECONDS, time.monotonic())
            await asyncio.sleep(1 / CHECKS_PER_SECOND)

    def _check(self, user_id: int, page: str, start: float, end: float) -> None:
        """Compare the page with everything that the database may have held between these times."""
        self.checked += 1
        rows = shown_rows(page)
        problem = f"there are {len(rows)} rows on the page {page[:200]!r}…"
        if len(rows) == COURSES_PER_PAGE:
            problems = [self._find_problem(rows, own, start, end) for own in self._own_courses(user_id, start, end)]
            problem = min(problems, key=len)
        if problem:
            self.problems.append(f"Student {user_id}: {problem}.")

    def _find_problem(self, rows: Sequence[Any], own: OwnCourses, start: float, end: float) -> str:
        for number, row in enumerate(rows):
            expected = [
                expected_row(number, Seats(self.capacities[number], taken, self.waiting[number]), own)
                for taken in self.taken[number].between(start, end)
            ]
            if row not in expected:
                return f"the row of {course(number).title} is {row}, and not {' or '.join(map(str, expected))}"
        return ""

    def _own_courses(self, user_id: int, start: float, end: float) -> list[OwnCourses]:
        one = self.situations[user_id]
        history = self.moving_seats.get(user_id)
        return [
            OwnCourses(
                frozenset(one.enrolled) | ({one.moving} if has_seat and one.moving is not None else set()),
                frozenset(one.planned),
                frozenset(one.waitlisted),
            )
            for has_seat in (history.between(start, end) if history else {False})
        ]


async def _move(context: EnrollmentContext, user_id: int, number: int, *, has_seat: bool) -> None:
    request = SectionRequest(course(number).courseID, FALL, "01")
    if has_seat:
        await enroll(context, user_id, request, datetime.now(UTC))
    else:
        await drop(context, user_id, request, datetime.now(UTC))


def _request(headers: Mapping[str, str]) -> bytes:
    lines = ["GET /courses/ HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_page(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    return browser.decode(body, headers.get("content-encoding", ""))


class MovingSeats:
    """The running process; `report` is there after it has ended."""

    report = Report()


@contextmanager
def moving_seats(
    folder: Path, uri: str, port: int, situations: Sequence[Situation], requests: Mapping[int, dict[str, str]]
) -> Iterator[MovingSeats]:
    """Move seats and check pages during the block, in a process of its own."""
    task, output = folder / "moving-seats.json", folder / "moving-seats.log"
    people = [asdict(one) for one in situations]
    task.write_text(json.dumps({"uri": uri, "port": port, "people": people, "requests": requests}))
    running = MovingSeats()
    command = [sys.executable, "-m", "tests.bench.moving_seats", str(task)]
    with (
        open(output, "wb") as log,
        child_process(command, output=log, environ=environment(), cwd=PROJECT) as process,
    ):
        wait_until(lambda: b"ready" in output.read_bytes() or process.poll() is not None)
        yield running
    found = output.read_text().partition("REPORT")[2]
    if not found:
        sys.exit(f"The process that moves seats failed: {output.read_text()}")
    running.report = Report(**json.loads(found.splitlines()[0]))


async def _main(task: dict[str, Any]) -> None:
    situations = {one["student"]["user_id"]: _situation(one) for one in task["people"]}
    requests = {int(user_id): headers for user_id, headers in task["requests"].items()}
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with open_database(task["uri"], 20) as db:
        wanted = {"courseID": {"$in": [course(number).courseID for number in range(COURSES_PER_PAGE)]}}
        sections = await db.section.find(wanted).sort("courseID").to_list(None)
        watcher = Watcher(
            task["port"],
            requests,
            situations,
            [one["capacity"] for one in sections],
            [one["waiting"] for one in sections],
            [History.starting_with(one["seats_taken"]) for one in sections],
        )
        movers = {number: [] for number in range(COURSES_PER_PAGE)}
        for user_id, one in situations.items():
            if one.moving is not None:
                movers[one.moving].append(user_id)
                watcher.moving_seats[user_id] = History.starting_with(False)
        interval = sum(map(bool, movers.values())) / MOVES_PER_SECOND
        context, started, cpu_before = EnrollmentContext(db), time.monotonic(), time.process_time()
        tasks = [
            asyncio.create_task(watcher.move_seats(context, number, user_ids, interval))
            for number, user_ids in movers.items()
            if user_ids
        ]
        tasks.append(asyncio.create_task(watcher.check_pages()))
        ended = asyncio.create_task(stopped.wait())
        print("ready", flush=True)
        await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for one in tasks:
            if one.done():
                one.result()  # raises what ended it
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        report = Report(
            watcher.moves,
            time.monotonic() - started,
            watcher.checked,
            len(watcher.problems),
            watcher.problems[:MAX_KEPT_PROBLEMS],
            time.process_time() - cpu_before,
        )
        print("\nREPORT", json.dumps(asdict(report)), sep="")


def _situation(stored: dict[str, Any]) -> Situation:
    student = Student(**stored["student"])
    numbers = (tuple(stored[name]) for name in ("enrolled", "planned", "waitlisted"))
    return Situation(student, *numbers, stored["moving"])


if __name__ == "__main__":
    asyncio.run(_main(json.loads(Path(sys.argv[1]).read_text())))
