"""The pages of a crowd's own: each student opens one after a change of their own, which no cached page survives.

Changes and page views take turns: first each of the students gets another course and another plan, written as the site
writes them, then each of them opens the page once. The views are measured; the note has the CPU time that the site
spent before them, when it heard of the changes and read the students again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from pymongo import DeleteOne, UpdateOne

from quart_enroll.db.client import Database, Document, Session, open_database
from quart_enroll.db.transactions import transaction
from tests.bench import browser, crowd_pages
from tests.bench.bench_run import BARE, BenchRun
from tests.bench.crowd_school import (
    COURSES,
    Situation,
    is_full,
    is_nearly_full,
    meeting_slot,
)
from tests.bench.figures import WRONG_RESPONSES, Goal, Row, Spread
from tests.bench.prepared_requests import Exchange, Sent, prepare, send_all
from tests.bench.school_data import FALL, course
from tests.bench.servers import Site
from tests.bench.wrk import CONNECTIONS

MIN_RATIO = 0.8

STUDENTS_PER_TRANSACTION = 100
"""As many as the site lets share one when they want the same section."""


@dataclass(frozen=True, slots=True)
class ChangingStudent:
    """A student with the numbers of the courses that the student is enrolled in and plans, or not, in turn."""

    situation: Situation
    enrolled_in_turn: int
    planned_in_turn: int

    @property
    def user_id(self) -> int:
        return self.situation.student.user_id


@dataclass(frozen=True, slots=True)
class OwnPage:
    """A page: its path for a student, and whether a page shows what it must after the student `has` both courses."""

    name: str
    path: Callable[[ChangingStudent], str]
    is_right: Callable[[str, ChangingStudent, bool], bool]


def _shows_enrolled(page: str, one: ChangingStudent, has: bool) -> bool:
    return (course(one.enrolled_in_turn).title in page) == has


def _shows_planned(page: str, one: ChangingStudent, has: bool) -> bool:
    return (course(one.planned_in_turn).title in page) == has


def _shows_state(page: str, _: ChangingStudent, has: bool) -> bool:
    return ("badge-state enrolled" in page) == has


def _shows_sign_in(page: str, _: ChangingStudent, has: bool) -> bool:
    return 'action="/logout"' in page


OWN_PAGES = (
    OwnPage("schedule", lambda _: "/enrollment", _shows_enrolled),
    OwnPage("home", lambda _: "/", _shows_sign_in),
    OwnPage("plan", lambda _: "/plan", _shows_planned),
    OwnPage("course page", lambda one: f"/course/{course(one.enrolled_in_turn).courseID}", _shows_state),
)


@dataclass(slots=True)
class _Measured:
    """The figures of a page, pass by pass."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    change_cpu_ms: list[float] = field(default_factory=list)
    client_shares: list[float] = field(default_factory=list)
    wrong: int = 0

    def send(self, site: Site, requests: Sequence[bytes]) -> Sent:
        """Send the requests, and record the pass."""
        cpu_before = site.cpu_seconds()
        sent = send_all(site.port, requests, CONNECTIONS)
        self.rates.append(sent.per_second)
        self.cpu_ms.append(1000 * (site.cpu_seconds() - cpu_before) / len(requests))
        self.client_shares.append(sent.cpu_seconds / sent.seconds)
        return sent


def measure(run: BenchRun) -> list[Row]:
    """Measure each page and bare Quart in turn, in passes over all students."""
    uri = run.database("own_pages")
    students = changing_students(crowd_pages.create_school(uri, run.plan.students))
    bare_requests = [prepare("GET", "/", browser.browser_of(one.user_id)) for one in students]
    with run.serve(uri, "own-pages") as site:
        headers = crowd_pages.browser_requests(site, "/", [one.situation for one in students])
        has, measured = False, {name: _Measured() for name in (*(page.name for page in OWN_PAGES), BARE)}
        for _ in range(run.plan.own_page_rounds + 1):  # the first round warms up
            for page in OWN_PAGES:
                has = not has
                cpu_before = site.cpu_seconds()
                asyncio.run(_change_in(uri, students, has=has))
                site.wait_until_idle()
                change_cpu_ms = 1000 * (site.cpu_seconds() - cpu_before) / len(students)
                measured[page.name].change_cpu_ms.append(change_cpu_ms)
                requests = [prepare("GET", page.path(one), headers[one.user_id]) for one in students]
                sent = measured[page.name].send(site, requests)
                measured[page.name].wrong += sum(
                    not _is_right(exchange, page, one, has=has)
                    for exchange, one in zip(sent.exchanges, students, strict=True)
                )
            measured[BARE].send(run.bare, bare_requests)
    return [_row(page, measured[page.name], measured[BARE], len(students)) for page in OWN_PAGES]


def changing_students(situations: Sequence[Situation]) -> list[ChangingStudent]:
    """Choose two courses with open seats for each student that don't conflict with anything the student has."""
    return [_changing_student(number, one) for number, one in enumerate(situations)]


def _changing_student(number: int, situation: Situation) -> ChangingStudent:
    taken = {*situation.enrolled, *situation.planned, *situation.waitlisted}
    slots = set(map(meeting_slot, taken - set(situation.planned)))
    candidates = (
        one
        for one in (*range(number % COURSES, COURSES), *range(number % COURSES))
        if not is_full(one) and not is_nearly_full(one) and one not in taken and meeting_slot(one) not in slots
    )
    return ChangingStudent(situation, next(candidates), next(candidates))


def _is_right(exchange: Exchange, page: OwnPage, student: ChangingStudent, *, has: bool) -> bool:
    if exchange.status != 200:
        return False
    text = browser.decode(exchange.body, exchange.headers.get("content-encoding", ""))
    return page.is_right(text, student, has)


async def _change_in(uri: str, students: Sequence[ChangingStudent], *, has: bool) -> None:
    async with open_database(uri, 20) as db:
        await change_all(db, students, has=has)


async def change_all(db: Database, students: Sequence[ChangingStudent], *, has: bool) -> None:
    """Enroll each student in a course and add another to the plan, or undo both, in transactions as the site does."""
    for first in range(0, len(students), STUDENTS_PER_TRANSACTION):
        together = students[first : first + STUDENTS_PER_TRANSACTION]
        await transaction(db, partial(_change, db, together, has))


async def _change(db: Database, students: Sequence[ChangingStudent], has: bool, session: Session) -> None:
    now, direction = datetime.now(UTC), 1 if has else -1
    enrolled = [_row_key(one.user_id, one.enrolled_in_turn) for one in students]
    planned = [_row_key(one.user_id, one.planned_in_turn) for one in students]
    await db.schedule.update_many(
        {"user_id": {"$in": [one.user_id for one in students]}, "term": FALL},
        {"$inc": {"version": 1, "credits": 3 * direction}},
        session=session,
    )
    if has:
        ends = now + timedelta(days=200)
        enrolled_rows = [row | {"enrolled_at": now, "status": "enrolled"} for row in enrolled]
        planned_rows = [row | {"place": 9, "added_at": now, "expires_at": ends} for row in planned]
        await db.enrollment.insert_many(enrolled_rows, session=session)
        await db.plan.insert_many(planned_rows, session=session)
    else:
        await db.enrollment.bulk_write([DeleteOne(row) for row in enrolled], ordered=False, session=session)
        await db.plan.bulk_write([DeleteOne(row) for row in planned], ordered=False, session=session)
    seats = Counter(row["courseID"] for row in enrolled)
    await db.section.bulk_write(
        [UpdateOne({"courseID": name}, {"$inc": {"seats_taken": direction * n}}) for name, n in seats.items()],
        ordered=False,
        session=session,
    )


def _row_key(user_id: int, number: int) -> Document:
    return {"user_id": user_id, "courseID": course(number).courseID, "term": FALL, "section": "01"}


def _row(page: OwnPage, measured: _Measured, bare: _Measured, students: int) -> Row:
    rate, bare_rate = Spread(tuple(measured.rates[1:])), Spread(tuple(bare.rates[1:]))
    bare_cpu = Spread(tuple(bare.cpu_ms[1:]))
    cpu_ratio, change_ratio = (Spread(tuple(one[1:])).to(bare_cpu) for one in (measured.cpu_ms, measured.change_cpu_ms))
    return Row(
        f"{page.name}, {students:,} different students, each after a change of their own",
        "pages/s",
        rate,
        {BARE: bare_rate},
        goals=[
            Goal(f"ratio to {BARE}", rate.to(bare_rate).median, at_least=MIN_RATIO),
            Goal(WRONG_RESPONSES, measured.wrong, at_most=0),
        ],
        note=f"{cpu_ratio.median:.2f} × the CPU of a bare response, and {change_ratio.median:.2f} × before, after each "
        f"student's change; the client takes "
        f"{100 * Spread(tuple(measured.client_shares[1:])).median:.0f}% of a core, and "
        f"{100 * Spread(tuple(bare.client_shares[1:])).median:.0f}% for bare Quart",
        compared_by=BARE,
    )
