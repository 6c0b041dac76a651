"""Random changes of a small school: the site on a real mongod and the model must agree after every step."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from quart_enroll.db import client, section_keys
from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.db.queries import audit
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import pools
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.errors import AlreadyEnrolled, Refused, SectionFull, UnknownSection
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import Consent, Profile, SectionKey, SectionRequest, SectionStatus
from quart_enroll.domain.permits import PERMIT_OVERRIDES, Permit
from quart_enroll.domain.plan_fit import ANY_SECTION
from quart_enroll.domain.pools import Pool
from quart_enroll.domain.student_attributes import StudentAttributes, StudentStatus
from quart_enroll.services.catalog.import_grades import ImportedGrade, import_grades
from quart_enroll.services.enrollment import act_for, enroll, waitlist
from quart_enroll.services.enrollment.batch_decisions import Decision
from quart_enroll.services.enrollment.candidates import load_candidate
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.eligibility import explain
from quart_enroll.services.enrollment.enroll_together import enroll_together
from quart_enroll.services.enrollment.refusals import section_full
from quart_enroll.services.enrollment.swap_cycles import release_pools
from quart_enroll.services.maintenance.discrepancies import find_discrepancies
from quart_enroll.services.staff import cancellation, no_show, people
from quart_enroll.services.staff import holds as staff_holds
from quart_enroll.services.staff import permits as staff_permits
from quart_enroll.services.staff import sections as staff_sections
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    CHANGING,
    FALL,
    REGISTRAR,
    SPRING,
    course,
    day,
    import_section,
    outcome,
    section,
    store,
    term,
)
from tests.support.people import RITA
from tests.support.school import empty
from tests.support.seat_model import OK, ModelRefusal, ModelSchool

TERMS = [  # in spring, courses can still be added after the drop deadline
    term(FALL, 7, opens_at=2, add_deadline=8, drop_deadline=10, withdraw_deadline=14),
    term(SPRING, 6, opens_at=4, add_deadline=12, drop_deadline=9, withdraw_deadline=16),
]
BEGINNING, BOUNDARIES = day(5), [day(number) for number in (2, 4, 8, 9, 10, 12, 14, 16)]
COURSES = [
    replace(course("A", 3), max_attempts=1, equivalents=("E",)),
    course("B", 2, corequisites=("A",)),
    replace(course("C", 2, corequisites=("B",)), max_attempts=1, withdrawals_count=True),
    course("D", 3, prerequisites=("A",)),
    course("E", 1),
    course("F", 1, corequisites=("G",)),
    course("G", 1, corequisites=("F",)),
    replace(course("H", 1), requisite="E with C or better or (A and B) or Senior standing"),
    replace(course("I", 1), requisite="(E concurrently and A concurrently) or C", restriction="not standing: Senior"),
]
POOLS = [
    pools.parse(text)
    for text in (
        "",
        "Nurses: 1 for program: Nursing",
        "Biologists: 1 for program: Biology\nNurses: 1 for program: Nursing until 2026-09-07",
        "Biologists: 1 for program: Biology; not standing: Senior until 2026-09-09 12:00",
        "Biologists: 0 for program: Biology\nOthers: 2 for not program: Nursing",
    )
]
SECTIONS = [
    replace(one, waitlist_capacity=3)
    for one in (
        section("A", 1, "MWF 09:00 09:50"),
        replace(section("A", 1, "TR 09:00 10:15", number="02"), restriction="not standing: Senior"),
        replace(section("B", 2, "MWF 09:30 10:20"), pools=POOLS[2]),  # begins before A-01 ends
        replace(section("C", 2, "F 10:20 11:10"), restriction="program: Biology, Nursing; not standing: Senior"),
        section("E", 1, "T 10:15 11:00"),
        section("E", 1, "M 09:30 10:30", number="02"),  # begins before A-01 ends
        section("F", 1),
        replace(section("G", 2, "F 10:50 11:40"), pools=POOLS[1]),  # begins before C ends
        section("I", 1, "U 09:00 10:00"),
        section("A", 1, "MWF 13:00 13:50", name=SPRING),
        replace(section("C", 1, name=SPRING), pools=POOLS[3]),
        section("D", 1, "W 13:30 15:00", name=SPRING),  # begins before A ends
        section("H", 1, name=SPRING),
        section("I", 1, name=SPRING),
    )
]
REGISTRAR_USER = replace(RITA, user_id=9)
STEPS_BEFORE_TIME_PASSES = 16
RANDOM_RUNS = int(os.environ.get("RANDOM_RUNS", "0"))
"""The number of random runs, different each time, for a longer search; by default the same few."""

MACHINE_SETTINGS = settings(
    max_examples=RANDOM_RUNS or 6,
    stateful_step_count=50,
    derandomize=not RANDOM_RUNS,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # shrinking a failing run would take minutes
    suppress_health_check=list(HealthCheck),
)

STUDENTS = range(1, 6)
BIOLOGIST = StudentAttributes(("Biology",))
STAFF = replace(RITA, user_id=REGISTRAR)
students = st.sampled_from(STUDENTS)
actors = st.frozensets(st.sampled_from(Override)).map(lambda overrides: Actor(REGISTRAR, "They asked.", overrides))
permit_overrides = st.frozensets(st.sampled_from(PERMIT_OVERRIDES), min_size=1)
attributes = st.builds(
    StudentAttributes,
    programs=st.sampled_from([("Biology",), ("Biology", "Nursing"), ()]),
    standing=st.sampled_from(["", "", "Senior"]),
    status=st.sampled_from([StudentStatus.ACTIVE, StudentStatus.ACTIVE, StudentStatus.LEAVE]),
)
names = st.sampled_from([course.courseID for course in COURSES])
sections = st.sampled_from([one.key for one in SECTIONS])
plans = st.lists(sections, min_size=1, max_size=4, unique_by=lambda key: key.courseID).map(
    lambda keys: [key for key in keys if key.term == keys[0].term]
)
flags = st.lists(st.booleans(), min_size=4, max_size=4)
requests = st.sampled_from(
    [
        SectionRequest(one.courseID, *where)
        for one in SECTIONS
        for where in ((one.term, one.section), (one.term, ""), ("", ""))
    ]
    + [
        SectionRequest("A", "", "02"),
        SectionRequest("A", SPRING, "02"),
        SectionRequest("B", SPRING),
        SectionRequest("X"),
    ]
)


ACTIONS = ("enroll", "drop", "swap", "join", "leave")


class SchoolMachine(RuleBasedStateMachine):
    """Five students, one step at a time; most steps are possible at that moment, the others arbitrary."""

    def __init__(self, db: Database, runner: asyncio.Runner) -> None:
        super().__init__()
        self.db, self.run = db, runner.run
        self.context = EnrollmentContext(db)
        self.model = ModelSchool(TERMS, COURSES, SECTIONS)
        self.model.attributes = dict.fromkeys(STUDENTS, BIOLOGIST)
        self.now, self.steps = BEGINNING, 0
        self.run(self._begin())

    async def _begin(self) -> None:
        for collection in CHANGING:
            await self.db[collection].delete_many({})
        await store(self.db, *SECTIONS, *TERMS, *COURSES)
        await self.db.user.delete_many({})
        name: dict[str, object] = dict.fromkeys(("first_name", "last_name", "password"), "x")
        name["attributes"] = BIOLOGIST.stored
        await self.db.user.insert_many([{"user_id": one, "email": f"{one}@school.example"} | name for one in STUDENTS])
        await users.add(self.db, REGISTRAR_USER, "x")

    @initialize(crowd=st.lists(st.tuples(students, sections), min_size=12, max_size=20, unique=True))
    def registration_day(self, crowd: list[tuple[int, SectionKey]]) -> None:
        for student, key in crowd:
            self.enroll_or_join(student, key)
        self.steps = 0

    @rule(student=students, key=sections)
    def enroll_or_join(self, student: int, key: SectionKey) -> None:
        """Enroll, or join the waitlist if the section is full."""
        if self.model.open_seats(key):
            self.enroll(student, _request_for(key))
        else:
            self.join(student, _request_for(key), None)

    @rule(student=students, keys=st.lists(sections, min_size=2, max_size=3, unique_by=lambda key: key.courseID))
    def enroll_together(self, student: int, keys: list[SectionKey]) -> None:
        """Enroll in several courses of a term at once; some may be corequisites."""
        same_term = [key for key in keys if key.term == keys[0].term]
        self._agree(
            lambda: self.model.enroll_together(student, same_term, self.now),
            enroll_together(self.context, student, same_term, self.now),
        )

    @rule(student=students, group=st.sampled_from(["AB", "FG", "BC", "GF", "IEA"]))
    def enroll_in_group(self, student: int, group: str) -> None:
        keys = [SectionKey(FALL, courseID, "01") for courseID in group]
        self._agree(
            lambda: self.model.enroll_together(student, keys, self.now),
            enroll_together(self.context, student, keys, self.now),
        )

    @rule(crowd=st.lists(st.tuples(students, plans, flags), min_size=1, max_size=4, unique_by=lambda press: press[0]))
    def press_enroll_in_all_together(self, crowd: list[tuple[int, list[SectionKey], list[bool]]]) -> None:
        """Several students press the button at once; the model takes one after the other.

        They take any section of the courses with a flag; which one a permit favors is left open.
        """
        permitted = {one.student for one in self.model.permits if not one.used_for}
        crowd = [(one, keys, [False] * len(keys) if one in permitted else flags) for one, keys, flags in crowd]
        self.steps += 1
        expected = [
            self.model.enroll_in_plan_with_alternatives(
                student, {key: self._accepted(key, one) for key, one in zip(keys, is_flexible, strict=False)}, self.now
            )
            for student, keys, is_flexible in crowd
        ]
        assert self.run(self._press_together(crowd)) == expected
        self._compare()

    def _accepted(self, key: SectionKey, is_flexible: bool) -> list[SectionKey]:
        """Return the planned section, and the others of the course if the student takes any."""
        others = [
            other
            for other, one in self.model.sections.items()
            if is_flexible and other != key and (other.term, other.courseID) == (key.term, key.courseID)
            if one.is_listed
        ]
        return [key, *others] if self.model.sections[key].is_listed or not others else others

    async def _press_together(
        self, crowd: list[tuple[int, list[SectionKey], list[bool]]]
    ) -> list[dict[SectionKey, str]]:
        """Store the plans, press, and return each outcome; the plans keep exactly the refused sections."""
        await self.db.plan.delete_many({})
        await self.db.plan.insert_many(
            section_keys.to_filter(key)
            | {"user_id": student, "place": place, "added_at": self.now}
            | ({"alternatives": [ANY_SECTION]} if flexible else {})
            for student, keys, is_flexible in crowd
            for place, (key, flexible) in enumerate(zip(keys, is_flexible, strict=False), 1)
        )
        pressed = (self.context.batches.enroll_in_plan(one, keys[0].term, self.now) for one, keys, _ in crowd)
        outcomes = [
            {each.instead_of or each.key: _code(each) for each in decisions}
            for decisions in await asyncio.gather(*pressed)
        ]
        refused = {
            (student, key)
            for (student, *_), codes in zip(crowd, outcomes, strict=True)
            for key, code in codes.items()
            if code != OK
        }
        left = await self.db.plan.find({"because": {"$exists": True}}).to_list(None)
        assert {(row["user_id"], section_keys.from_row(row)) for row in left} == refused
        assert await self.db.plan.count_documents({}) == len(refused)
        return outcomes

    @precondition(lambda self: self.waitlisted_students())
    @rule(data=st.data())
    def enroll_in_a_conflicting_course(self, data: st.DataObject) -> None:
        """Enroll a waitlisted student in another course of the term, so that the next seat may conflict."""
        student, key = data.draw(st.sampled_from(self.waitlisted_students()))
        self.enroll_or_join(student, data.draw(sections.filter(lambda other: other.term == key.term)))

    @rule(student=students, key=sections, whole=st.booleans(), overrides=permit_overrides)
    def grant_a_permit(self, student: int, key: SectionKey, whole: bool, overrides: frozenset[Override]) -> None:
        """Grant a permit for the section or its whole course; then the student tries to use it."""
        permitted = replace(key, section="") if whole else key
        permit = Permit("", permitted.term, permitted.courseID, permitted.section, overrides)
        self._agree(
            lambda: self.model.grant_permit(student, permitted, frozenset(map(str, overrides)), self.now),
            staff_permits.grant(self.context, STAFF, student, permit, "They asked.", self.now),
        )
        self.enroll(student, _request_for(key))

    @precondition(lambda self: self.model.permits and self.steps % 4 == 1)
    @rule(data=st.data())
    def revoke_permits(self, data: st.DataObject) -> None:
        student = data.draw(st.sampled_from([one.student for one in self.model.permits]))
        self._agree(lambda: self.model.revoke_permits(student), self._revoke_permits(student))

    async def _revoke_permits(self, student: int) -> None:
        for one in await staff_permits.find_of_student(self.db, student):
            await staff_permits.revoke(self.context, STAFF, one.permit.permit_id, "A mistake.", self.now)

    @precondition(lambda self: self.enrolled_students())
    @rule(data=st.data(), with_corequisites=st.booleans())
    def drop_a_course(self, data: st.DataObject, with_corequisites: bool) -> None:
        student, key = data.draw(st.sampled_from(self.enrolled_students()))
        self.drop(student, _request_for(key), with_corequisites)

    @precondition(lambda self: self.enrolled_students())
    @rule(data=st.data())
    def swap_or_join(self, data: st.DataObject) -> None:
        """Swap a seat for another one in the term, or join the waitlist for that if the section is full."""
        student, key = data.draw(st.sampled_from(self.enrolled_students()))
        wanted = data.draw(sections.filter(lambda wanted: wanted.term == key.term))
        if self.model.open_seats(wanted):
            self.swap(student, key.courseID, _request_for(wanted))
        else:
            self.join(student, _request_for(wanted), key.courseID)

    @rule(student=students, blocks=st.frozensets(st.sampled_from(HoldBlock), min_size=1))
    def place_or_lift_a_hold(self, student: int, blocks: frozenset[HoldBlock]) -> None:
        """Place a hold on the student, perhaps while waiting for a seat; or lift the one that there is."""
        hold = Hold("bursar", "Bursar", "Fees are unpaid", "Room 1", blocks)
        if student in self.model.holds:
            self._agree(lambda: self.model.lift_holds(student, self.now), self._lift_hold(student))
        else:
            self._agree(
                lambda: self.model.place_hold(student, blocks),
                staff_holds.place(self.context, REGISTRAR, student, hold, self.now),
            )

    @rule(student=students, attributes=attributes)
    def set_attributes(self, student: int, attributes: StudentAttributes) -> None:
        """Record attributes of the student, perhaps while waiting for a seat."""
        self._agree(
            lambda: self.model.set_attributes(student, attributes, self.now),
            self._set_attributes(student, attributes),
        )

    async def _set_attributes(self, student: int, attributes: StudentAttributes) -> None:
        found = await users.find(self.db, student)
        assert found
        before = Profile.of(found)
        wanted = replace(before, attributes=attributes)
        await people.change_profile(self.context, REGISTRAR_USER, student, wanted, self.now, seen=before.fingerprint)

    async def _lift_hold(self, student: int) -> None:
        [placed] = [one for one in await staff_holds.find_of_student(self.db, student) if one.lifted_at is None]
        await staff_holds.lift(self.context, REGISTRAR, student, placed.hold_id, "Paid", self.now)

    @rule(student=students, key=sections, staff=actors)
    def staff_enroll(self, student: int, key: SectionKey, staff: Actor) -> None:
        refusals = self._explain(student, key)
        standing = (one.code for one in refusals if one.override not in staff.overrides)
        code = self._agree(
            lambda: self.model.staff_enroll(student, key, staff.overrides, self.now),
            act_for.enroll(self.context, staff, student, key, self.now),
        )
        assert next(standing, OK) == code

    @precondition(lambda self: self.enrolled_students())
    @rule(data=st.data(), staff=actors, withdraw=st.booleans())
    def staff_drop(self, data: st.DataObject, staff: Actor, withdraw: bool) -> None:
        student, key = data.draw(st.sampled_from(self.enrolled_students()))
        self._agree(
            lambda: self.model.staff_drop(student, key, staff.overrides, self.now, withdraw=withdraw),
            act_for.drop(self.context, staff, student, key, self.now, withdraw=withdraw),
        )

    @precondition(lambda self: self.enrolled_students())
    @rule(data=st.data(), staff=actors)
    def staff_swap(self, data: st.DataObject, staff: Actor) -> None:
        student, key = data.draw(st.sampled_from(self.enrolled_students()))
        wanted = data.draw(sections.filter(lambda wanted: wanted.term == key.term))
        self._agree(
            lambda: self.model.staff_swap(student, key.courseID, wanted, staff.overrides, self.now),
            act_for.swap(self.context, staff, student, key.courseID, wanted, self.now),
        )

    @rule(student=students, key=sections, staff=actors)
    def staff_join(self, student: int, key: SectionKey, staff: Actor) -> None:
        self._agree(
            lambda: self.model.staff_join(student, key, staff.overrides, self.now),
            act_for.join(self.context, staff, student, key, self.now),
        )

    @precondition(lambda self: self.waitlisted_students())
    @rule(data=st.data(), staff=actors, position=st.integers(1, 4))
    def reorder_a_waitlist(self, data: st.DataObject, staff: Actor, position: int) -> None:
        student, key = data.draw(st.sampled_from(self.waitlisted_students()))
        self._agree(
            lambda: self.model.reorder(student, key, position, self.now),
            act_for.reorder(self.context, staff, student, key, position, self.now),
        )

    @precondition(lambda self: self.steps % 4 == 3)
    @rule(key=sections, capacity=st.integers(0, 2), waitlist_capacity=st.integers(0, 4))
    def change_capacity(self, key: SectionKey, capacity: int, waitlist_capacity: int) -> None:
        changed = replace(self.model.sections[key], capacity=capacity, waitlist_capacity=waitlist_capacity)
        self._agree(lambda: self.model.import_section(changed, self.now), import_section(self.db, changed, self.now))

    @precondition(lambda self: self.steps % 4 == 1)
    @rule(
        key=sections,
        status=st.sampled_from([SectionStatus.ACTIVE, SectionStatus.CLOSED]),
        capacity=st.none() | st.integers(0, 3),
        restriction=st.none() | st.sampled_from(["", "not standing: Senior", "program: Biology"]),
        reserved=st.none() | st.sampled_from(POOLS),
        consent=st.none() | st.sampled_from(Consent),
    )
    def edit_section(
        self,
        key: SectionKey,
        status: SectionStatus,
        capacity: int | None,
        restriction: str | None,
        reserved: tuple[Pool, ...] | None,
        consent: Consent | None,
    ) -> None:
        """Close or reopen a section, perhaps with other rules, pools or capacity; a cancelled one stays as it is."""
        section = self.model.sections[key]
        if section.is_listed:
            number = section.capacity if capacity is None else capacity
            text = section.restriction if restriction is None else restriction
            kept = section.pools if reserved is None else pools.with_counts(reserved, section.pools)
            rules = {"restriction": text, "pools": kept, "consent": consent or section.consent}
            wanted = replace(section, status=status, capacity=number, **rules)
            self._agree(
                lambda: self.model.edit_section(wanted, self.now),
                staff_sections.edit(self.context, REGISTRAR, wanted, self.now),
            )

    @precondition(lambda self: self.steps % 16 == 11)
    @rule(key=sections)
    def cancel_section(self, key: SectionKey) -> None:
        revision = self.model.sections[key].revision
        self._agree(
            lambda: self.model.cancel(key, self.now),
            cancellation.cancel(self.context, REGISTRAR, key, revision, "Too few students", self.now),
        )

    @precondition(lambda self: self.enrolled_students())
    @rule(data=st.data(), grade=st.sampled_from(["", "C", "D", "F"]), later=st.sampled_from("DH"))
    def import_grade(self, data: st.DataObject, grade: str, later: str) -> None:
        """Record a grade, and let the student try a course that may require it."""
        student, key = data.draw(st.sampled_from(self.enrolled_students()))
        row = ImportedGrade(2, str(student), key.term, key.courseID, grade)
        self._agree(
            lambda: self.model.import_grade(student, key, grade, self.now),
            import_grades(self.db, [row], self.now),
        )
        self.enroll_or_join(student, SectionKey(SPRING, later, "01"))

    @precondition(lambda self: self.enrolled_students())
    @rule(data=st.data(), others=st.sets(students, max_size=2))
    def drop_no_shows(self, data: st.DataObject, others: set[int]) -> None:
        student, key = data.draw(st.sampled_from(self.enrolled_students()))
        dropped = {student, *others}
        self._agree(
            lambda: self.model.drop_no_shows(key, dropped, self.now),
            no_show.drop(self.context, RITA, key, dropped, self.now),
        )

    @precondition(lambda self: self.steps >= STEPS_BEFORE_TIME_PASSES and self.now < BOUNDARIES[-1])
    @rule(early=st.booleans())
    def let_time_pass(self, early: bool) -> None:
        """Move the clock to the next boundary of a window, or to the second before it."""
        self.steps = 0
        boundary = next(moment for moment in BOUNDARIES if moment > self.now)
        self.now = boundary - timedelta(seconds=1) if early and boundary - self.now > timedelta(1) else boundary
        for key, offered in self.model.sections.items():
            due = {one.name for one in offered.pools if one.is_due("UTC", self.now)}
            if due:
                self._agree(
                    partial(self.model.release_pools, key, due, self.now),
                    release_pools(self.context.locks, key, self.now),
                )

    @rule(student=students, request=requests, other=st.none() | names, which=st.sampled_from(ACTIONS))
    def anything(self, student: int, request: SectionRequest, other: str | None, which: str) -> None:
        match which:
            case "enroll":
                self.enroll(student, request)
            case "drop":
                self.drop(student, request, other is None)
            case "swap":
                self.swap(student, other or "A", request)
            case "join":
                self.join(student, request, other)
            case "leave":
                self.leave(student, request)

    def enroll(self, student: int, request: SectionRequest) -> None:
        """Enroll; the explanation beforehand gives the same reason as the refusal."""
        key = SectionKey(request.term, request.courseID, request.section)
        named = self.model.sections.get(key)
        reason = self._first_reason(student, key) if named and named.is_listed else None
        code = self._agree(
            lambda: self.model.enroll(student, request, self.now),
            enroll.enroll(self.context, student, request, self.now),
        )
        assert reason in (None, code)

    def _explain(self, student: int, key: SectionKey) -> list[Refused]:
        """Return everything that stands in the student's way, in the order in which it counts."""
        try:
            candidate = self.run(load_candidate(self.db, student, key))
        except UnknownSection as unknown:
            return [unknown]
        return [one for one in explain(candidate, self.now).values() if one]

    def _first_reason(self, student: int, key: SectionKey) -> str:
        reason = next(iter(self._explain(student, key)), None)
        if isinstance(reason, SectionFull):
            reason = section_full(self.run(load_candidate(self.db, student, key)), [])
        return reason.code if reason else OK

    def drop(self, student: int, request: SectionRequest, with_corequisites: bool) -> None:
        self._agree(
            lambda: self.model.drop(student, request, self.now, with_corequisites=with_corequisites),
            enroll.drop(self.context, student, request, self.now, with_corequisites=with_corequisites),
        )

    def swap(self, student: int, dropped: str, request: SectionRequest) -> None:
        self._agree(
            lambda: self.model.swap(student, dropped, request, self.now),
            enroll.swap(self.context, student, dropped, request, self.now),
        )

    def join(self, student: int, request: SectionRequest, drop_if_enrolled: str | None) -> None:
        self._agree(
            lambda: self.model.join(student, request, self.now, drop_if_enrolled),
            waitlist.join(self.context, student, request, self.now, drop_if_enrolled),
        )

    def leave(self, student: int, request: SectionRequest) -> None:
        self._agree(
            lambda: self.model.leave(student, request, self.now),
            waitlist.leave(self.context, student, request, self.now),
        )

    def enrolled_students(self) -> list[tuple[int, SectionKey]]:
        """Return each student with a seat, and its section."""
        return [
            (student, key)
            for student, name in product(STUDENTS, self.model.terms)
            for key in self.model.enrolled(student, name).values()
        ]

    def waitlisted_students(self) -> list[tuple[int, SectionKey]]:
        """Return each waitlisted student, and the section."""
        return [(entry.student, key) for key, entries in self.model.waitlists.items() for entry in entries]

    def _agree(self, expected: Callable[[], object], done: Coroutine[None, None, object]) -> str:
        """Let both do it, and compare the outcomes and the schools; return the outcome."""
        self.steps += 1
        try:
            expected()
            code = OK
        except ModelRefusal as no:
            code = no.code
        assert self.run(outcome(done)) == code
        self._compare()
        return code

    def _compare(self) -> None:
        school = self.run(assert_sound(self.db, self.now, lowered=True))
        assert school.seats == self.model.seats
        assert school.waitlists == self.model.waitlists
        assert school.permits == self.model.permits
        assert school.sections.keys() == self.model.sections.keys()

    def teardown(self) -> None:
        found = find_discrepancies(self.run(transaction(self.db, partial(audit.read, self.db))), {}, self.now)
        assert [one.sentence for one in found if one.fault] == []


@pytest.mark.timeout(600 + 5 * RANDOM_RUNS)
def test_the_site_and_the_model_agree_after_every_step(module_uri: str) -> None:
    with asyncio.Runner() as runner, open_database(runner, module_uri) as db:

        class MachineOnDatabase(SchoolMachine):
            def __init__(self) -> None:
                super().__init__(db, runner)

        run_state_machine_as_test(MachineOnDatabase, settings=MACHINE_SETTINGS)


@contextmanager
def open_database(runner: asyncio.Runner, uri: str) -> Iterator[Database]:
    """Yield a database for a test that is not asynchronous itself."""
    opened = client.open_database(uri, 20)
    db = runner.run(opened.__aenter__())
    try:
        runner.run(empty(db))
        yield db
    finally:
        runner.run(opened.__aexit__(None, None, None))


def _code(decision: Decision) -> str:
    result = decision.result
    return result.code if isinstance(result, Refused) and not isinstance(result, AlreadyEnrolled) else OK


def _request_for(key: SectionKey) -> SectionRequest:
    return SectionRequest(key.courseID, key.term, key.section)
