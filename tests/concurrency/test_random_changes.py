"""Random lives of a small school: the site on a real mongod and the model must agree after every step."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from quart_enroll.db import client
from quart_enroll.db.client import Database
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll_together import enroll_together
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import CHANGING, FALL, SPRING, course, day, found, offer, outcome, prepare, section, term
from tests.support.seat_model import OK, Asked, No, School

TERMS = [  # in spring a course can still be added when giving one back leaves a trace already
    term(FALL, 7, opens_at=2, add_deadline=8, drop_deadline=10, withdraw_deadline=14),
    term(SPRING, 6, opens_at=4, add_deadline=12, drop_deadline=9, withdraw_deadline=16),
]
BEGINNING, BOUNDARIES = day(5), [day(number) for number in (2, 4, 8, 9, 10, 12, 14, 16)]
COURSES = [
    course("A", 3),
    course("B", 2, beside=("A",)),
    course("C", 2, beside=("B",)),
    course("D", 3, needs=("A",)),
    course("E", 1),
    course("F", 1, beside=("G",)),
    course("G", 1, beside=("F",)),
]
SECTIONS = [
    replace(one, waitlist_capacity=3)
    for one in (
        section("A", 1, "MWF 09:00 09:50"),
        section("A", 1, "TR 09:00 10:15", number="02"),
        section("B", 2, "MWF 09:30 10:20"),  # begins before A-01 ends
        section("C", 2, "F 10:20 11:10"),
        section("E", 1, "T 10:15 11:00"),
        section("F", 1),
        section("G", 2, "F 10:50 11:40"),  # begins before C ends
        section("A", 1, "MWF 13:00 13:50", name=SPRING),
        section("C", 1, name=SPRING),
        section("D", 1, "W 13:30 15:00", name=SPRING),  # begins before A ends
    )
]
STEPS_BEFORE_TIME_PASSES = 16
MORE = int(os.environ.get("LIVES", "0"))
"""How many lives to try, other ones each time, for who looks for faults that hide; else the same few."""

BOUNDS = settings(
    max_examples=MORE or 10,
    stateful_step_count=50,
    derandomize=not MORE,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # to look for a shorter life that fails would take minutes
    suppress_health_check=list(HealthCheck),
)

students = st.integers(1, 5)
names = st.sampled_from([course.courseID for course in COURSES])
sections = st.sampled_from([one.key for one in SECTIONS])
asked = st.sampled_from(
    [Asked(one.courseID, *where) for one in SECTIONS for where in ((one.term, one.section), (one.term, ""), ("", ""))]
    + [Asked("A", "", "02"), Asked("A", SPRING, "02"), Asked("B", SPRING), Asked("X")]
)


ACTIONS = ("enroll", "drop", "swap", "join", "leave")


class Life(RuleBasedStateMachine):
    """Five students, one step after the other; most steps are what somebody can do now, the others anything."""

    def __init__(self, db: Database, runner: asyncio.Runner) -> None:
        super().__init__()
        self.db, self.run = db, runner.run
        self.context = EnrollmentContext(db)
        self.model = School(TERMS, COURSES, SECTIONS)
        self.now, self.steps = BEGINNING, 0
        self.run(self._begin())

    async def _begin(self) -> None:
        for collection in CHANGING:
            await self.db[collection].delete_many({})
        await found(self.db, *SECTIONS, *TERMS, *COURSES)

    @initialize(crowd=st.lists(st.tuples(students, sections), min_size=12, max_size=20, unique=True))
    def registration_day(self, crowd: list[tuple[int, SectionKey]]) -> None:
        for student, key in crowd:
            self.take_or_wait(student, key)
        self.steps = 0

    @rule(student=students, key=sections)
    def take_or_wait(self, student: int, key: SectionKey) -> None:
        """Enroll, or get in line when the section is full."""
        if self.model.open_seats(key):
            self.enroll(student, _asked(key))
        else:
            self.join(student, _asked(key), None)

    @rule(student=students, keys=st.lists(sections, min_size=2, max_size=3, unique_by=lambda key: key.courseID))
    def take_together(self, student: int, keys: list[SectionKey]) -> None:
        """Enroll in several courses of a term at once, some of which may need each other."""
        same_term = [key for key in keys if key.term == keys[0].term]
        self._agree(
            lambda: self.model.enroll_together(student, same_term, self.now),
            enroll_together(self.context, student, same_term, self.now),
        )

    @rule(student=students, pair=st.sampled_from([("A", "B"), ("F", "G"), ("B", "C"), ("G", "F")]))
    def take_what_belongs_together(self, student: int, pair: tuple[str, str]) -> None:
        keys = [SectionKey(FALL, courseID, "01") for courseID in pair]
        self._agree(
            lambda: self.model.enroll_together(student, keys, self.now),
            enroll_together(self.context, student, keys, self.now),
        )

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def take_what_stands_in_the_way(self, data: st.DataObject) -> None:
        """Let somebody who waits take another course of the term, so that the next seat may be of no use."""
        student, key = data.draw(st.sampled_from(self.waiting()))
        self.take_or_wait(student, data.draw(sections.filter(lambda other: other.term == key.term)))

    @precondition(lambda self: self.held())
    @rule(data=st.data(), along=st.booleans())
    def give_back(self, data: st.DataObject, along: bool) -> None:
        student, key = data.draw(st.sampled_from(self.held()))
        self.drop(student, _asked(key), along)

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def swap_or_wait(self, data: st.DataObject) -> None:
        """Swap a seat for another one of the term, or wait for that with a linked swap when the section is full."""
        student, key = data.draw(st.sampled_from(self.held()))
        wanted = data.draw(sections.filter(lambda wanted: wanted.term == key.term))
        if self.model.open_seats(wanted):
            self.swap(student, key.courseID, _asked(wanted))
        else:
            self.join(student, _asked(wanted), key.courseID)

    @precondition(lambda self: self.steps % 4 == 3)
    @rule(key=sections, capacity=st.integers(0, 2), waitlist_capacity=st.integers(0, 4))
    def change_capacity(self, key: SectionKey, capacity: int, waitlist_capacity: int) -> None:
        changed = replace(self.model.sections[key], capacity=capacity, waitlist_capacity=waitlist_capacity)
        self._agree(lambda: self.model.offer(changed, self.now), offer(self.db, changed, self.now))

    @precondition(lambda self: self.steps >= STEPS_BEFORE_TIME_PASSES and self.now < BOUNDARIES[-1])
    @rule(early=st.booleans())
    def let_time_pass(self, early: bool) -> None:
        """Go to the next boundary of a window, or to the second before it."""
        self.steps = 0
        boundary = next(moment for moment in BOUNDARIES if moment > self.now)
        self.now = boundary - timedelta(seconds=1) if early and boundary - self.now > timedelta(1) else boundary

    @rule(student=students, asked=asked, other=st.none() | names, which=st.sampled_from(ACTIONS))
    def anything(self, student: int, asked: Asked, other: str | None, which: str) -> None:
        match which:
            case "enroll":
                self.enroll(student, asked)
            case "drop":
                self.drop(student, asked, other is None)
            case "swap":
                self.swap(student, other or "A", asked)
            case "join":
                self.join(student, asked, other)
            case "leave":
                self.leave(student, asked)

    def enroll(self, student: int, asked: Asked) -> None:
        self._agree(
            lambda: self.model.enroll(student, asked, self.now),
            enroll.enroll(self.context, student, _wish(asked), self.now),
        )

    def drop(self, student: int, asked: Asked, along: bool) -> None:
        self._agree(
            lambda: self.model.drop(student, asked, self.now, along=along),
            enroll.drop(self.context, student, _wish(asked), self.now, with_corequisites=along),
        )

    def swap(self, student: int, given_up: str, asked: Asked) -> None:
        self._agree(
            lambda: self.model.swap(student, given_up, asked, self.now),
            enroll.swap(self.context, student, given_up, _wish(asked), self.now),
        )

    def join(self, student: int, asked: Asked, instead_of: str | None) -> None:
        self._agree(
            lambda: self.model.join(student, asked, self.now, instead_of),
            waitlist.join(self.context, student, _wish(asked), self.now, instead_of),
        )

    def leave(self, student: int, asked: Asked) -> None:
        self._agree(
            lambda: self.model.leave(student, asked, self.now),
            waitlist.leave(self.context, student, _wish(asked), self.now),
        )

    def held(self) -> list[tuple[int, SectionKey]]:
        """Return who has a seat where."""
        return [
            (student, key)
            for student, name in product(range(1, 6), self.model.terms)
            for key in self.model.enrolled(student, name).values()
        ]

    def waiting(self) -> list[tuple[int, SectionKey]]:
        """Return who waits where."""
        return [(place.student, key) for key, line in self.model.lines.items() for place in line]

    def _agree(self, expected: Callable[[], object], done: Coroutine[None, None, object]) -> None:
        self.steps += 1
        try:
            expected()
            code = OK
        except No as no:
            code = no.code
        assert self.run(outcome(done)) == code
        school = self.run(assert_sound(self.db, self.now, lowered=True))
        assert school.seats == self.model.seats
        assert school.lines == self.model.lines
        assert school.sections.keys() == self.model.sections.keys()


@pytest.mark.timeout(300 + 5 * MORE)
def test_the_site_and_the_model_agree_after_every_step(database_uri: str) -> None:
    with asyncio.Runner() as runner, the_database(runner, database_uri) as db:

        class LifeHere(Life):
            def __init__(self) -> None:
                super().__init__(db, runner)

        run_state_machine_as_test(LifeHere, settings=BOUNDS)


@contextmanager
def the_database(runner: asyncio.Runner, uri: str) -> Iterator[Database]:
    """Give a database to a test that is not asynchronous itself."""
    opened = client.open_database(uri, 20)
    db = runner.run(opened.__aenter__())
    try:
        runner.run(prepare(db))
        yield db
    finally:
        runner.run(opened.__aexit__(None, None, None))


def _asked(key: SectionKey) -> Asked:
    return Asked(key.courseID, key.term, key.section)


def _wish(asked: Asked) -> SectionRequest:
    return SectionRequest(asked.courseID, asked.term, asked.section)
