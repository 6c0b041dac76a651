"""The order and the slots of a bulk assignment, and how an appointment came to differ from it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from itertools import islice, pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quart_enroll.domain import bulk_appointments
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.bulk_appointments import BulkRules, RankedStudent, Ranking
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes, StudentStatus
from tests.support.people import FALL

ZONE = ZoneInfo(FALL.timezone)
RULES = BulkRules(FALL.term, "seed", Ranking.CREDITS, FALL.opens_at, 2, 30)
APPOINTMENT = Appointment(FALL.term, FALL.opens_at)


@given(
    st.dictionaries(st.integers(1, 10_000), st.integers(0, 5), max_size=40),
    st.sampled_from(Ranking),
    st.integers(1, 7),
    st.integers(1, 1440),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.randoms(use_true_random=False),
)
def test_everybody_gets_one_slot_in_the_order_of_ranks(
    ranks: dict[int, int], ranking: Ranking, size: int, minutes: int, seed: str, random: Random
) -> None:
    rules = replace(RULES, ranking=ranking, slot_size=size, interval_minutes=minutes, seed=seed)
    students = [RankedStudent(*one) for one in ranks.items()]
    placed = [*bulk_appointments.place(rules, students, ZONE)]
    random.shuffle(students)
    assert [*bulk_appointments.place(rules, students, ZONE)] == placed
    assert sorted(one.student.user_id for one in placed) == sorted(ranks)
    assert [one.place for one in placed] == [*range(1, len(ranks) + 1)]
    for before, after in pairwise(placed):
        first, second = before.student.rank, after.student.rank
        assert (first > second if ranking is Ranking.CREDITS else first < second) or (
            first == second and before.digest < after.digest
        )
    for one in placed:
        assert one.slot == (one.place - 1) // size + 1
        assert one.appointment.starts_at == FALL.opens_at + timedelta(minutes=minutes) * (one.slot - 1)
        assert one.digest == sha256(f"{seed}:{one.student.user_id}".encode()).hexdigest()
    assert [one.students for one in bulk_appointments.slots(placed)] == [
        min(size, len(ranks) - first) for first in range(0, len(ranks), size)
    ]


def test_slots_continue_the_next_day_after_the_latest_start() -> None:
    # On November 1, 2026, New York's clocks are set back.
    rules = replace(
        RULES, starts_at=datetime(2026, 10, 31, 12, tzinfo=UTC), interval_minutes=240, last_start=time(12), slot_size=1
    )
    begins = islice(bulk_appointments.starts(rules, ZONE), 5)
    assert [f"{one.astimezone(ZONE):%d %H:%M}" for one in begins] == [
        *("31 08:00", "31 12:00", "01 08:00", "01 12:00", "02 08:00"),
    ]


def test_students_are_ranked_by_credits_or_the_schools_levels() -> None:
    levels = replace(RULES, ranking=Ranking.LEVEL, levels=("Senior", "Junior"))
    assert [levels.rank(StudentAttributes(level=level)) for level in ("senior", "Junior", "", "Other")] == [1, 2, 3, 3]
    assert [RULES.rank(one) for one in (NO_ATTRIBUTES, StudentAttributes(earned_credits=60.5))] == [0, 60.5]
    nurses = replace(RULES, restriction="program: Nursing")
    assert nurses.admits(StudentAttributes(programs=("Nursing",)))
    assert not nurses.admits(NO_ATTRIBUTES)
    assert not RULES.admits(StudentAttributes(status=StudentStatus.LEAVE))


@pytest.mark.parametrize(
    ("rules", "number", "field"),
    [
        (RULES, 4, None),
        (replace(RULES, starts_at=FALL.opens_at - timedelta(minutes=1)), 4, "starts_at"),
        (replace(RULES, interval_minutes=1440), 2 * 45, None),
        (replace(RULES, interval_minutes=1440), 2 * 45 + 1, "slot_size"),
        (replace(RULES, starts_at=FALL.opens_at + timedelta(hours=9), last_start=time(8)), 1, "last_start"),
    ],
)
def test_all_slots_begin_in_the_terms_window(rules: BulkRules, number: int, field: str | None) -> None:
    assert [*bulk_appointments.problems(FALL, rules, number)] == ([field] if field else [])


def _entry(action: str, *changes: Change) -> AuditEntry:
    return AuditEntry(FALL.opens_at, 3, action, About("term", FALL.term), 1, changes=changes)


ASSIGN = _entry("appointment.assign", Change("starts_at", "", "2026-08-01 04:00"))
MOVE = _entry("appointment.assign", Change("starts_at", "2026-08-01 04:00", "2026-08-02 04:00"))
REMOVE = _entry("appointment.remove", Change("starts_at", "2026-08-01 04:00", ""))
MOVED = replace(APPOINTMENT, starts_at=FALL.opens_at + timedelta(days=1))


@pytest.mark.parametrize(
    ("current", "entries", "change"),
    [
        (MOVED, [ASSIGN, MOVE], MOVE),
        (None, [ASSIGN, REMOVE], REMOVE),
        (MOVED, [ASSIGN], None),
        (MOVED, [], None),
        (None, [ASSIGN, MOVE], None),
        (replace(MOVED, max_credits=6), [ASSIGN, MOVE], None),
    ],
)
def test_the_audit_log_explains_an_appointment_that_differs(
    current: Appointment | None, entries: Sequence[AuditEntry], change: AuditEntry | None
) -> None:
    assert bulk_appointments.find_change(APPOINTMENT, current, entries) == change
