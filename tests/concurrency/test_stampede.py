"""Registration opens: 300 students compete for 30 seats, on two server processes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quart_enroll.db.client import Database
from quart_enroll.domain.models import Term
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import FALL, course, enrolled_students, section, store, waitlisted_students
from tests.support.processes import server
from tests.support.seat_model import OK
from tests.support.student_crowd import Crowd, FormResponse, Student, sign_in

STUDENTS, SEATS = 300, 30

KEY = section("A", SEATS).key

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def ports(module_uri: str, tmp_path: Path) -> Iterator[list[int]]:
    """The ports of two processes that share only the database."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(server(tmp_path / f"{name}.log", MONGO_URI=module_uri, WEB_CONCURRENCY=1))
            for name in ("one", "two")
        ]
        yield [one.port for one in servers]


@pytest.fixture
async def students(db: Database) -> list[Student]:
    """The signed-in students of a school on the day registration opens."""
    opened = datetime.now(UTC) - timedelta(seconds=1)
    ends = opened + timedelta(days=30)
    await store(db, Term("Fall 2026", opened, ends, ends, ends), course("A"), section("A", SEATS))
    return await sign_in(db, range(STUDENTS))


async def test_thirty_of_three_hundred_get_seats_and_the_others_join_the_waitlist(
    db: Database, students: list[Student], ports: list[int]
) -> None:
    crowd = Crowd(ports)

    enrolled = await _post_all_at_once(crowd, students, "/enrollment")
    assert Counter(enrolled.values()) == {OK: SEATS, "section_full": STUDENTS - SEATS}
    assert await enrolled_students(db, KEY) == {student for student, code in enrolled.items() if code == OK}

    waiting = [student for student in students if enrolled[student.user_id] != OK]
    joined = await _post_all_at_once(crowd, waiting, "/waitlist")
    assert set(joined.values()) == {OK}
    assert sorted(await waitlisted_students(db, KEY)) == sorted(joined)
    places = [row["place"] async for row in db.waitlist.find().sort("place")]
    assert places == list(range(1, STUDENTS - SEATS + 1))

    assert await _post_all_at_once(crowd, students[:20], "/enrollment") == {
        one.user_id: "already_enrolled" if enrolled[one.user_id] == OK else "already_waiting" for one in students[:20]
    }
    await assert_sound(db, datetime.now(UTC))
    _assert_no_errors(crowd)


async def test_seats_dropped_in_a_stampede_go_to_the_first_students_waiting(
    db: Database, students: list[Student], ports: list[int]
) -> None:
    crowd = Crowd(ports)
    seated, waiting, latecomers = (
        students[:SEATS],
        students[SEATS : 3 * SEATS],
        students[3 * SEATS : 5 * SEATS],
    )
    for student in seated:
        assert (await crowd.post(student, "/enrollment", **_form())).succeeded
    for student in waiting:
        assert (await crowd.post(student, "/waitlist", **_form())).succeeded

    responses = await asyncio.gather(
        *(crowd.post(student, "/enrollment", **_form()) for student in latecomers),
        *(crowd.post(student, "/enrollment/drop", courseID="A", term=FALL) for student in seated[:20]),
    )

    assert [_code(response) for response in responses] == ["section_full"] * len(latecomers) + [OK] * 20
    assert await enrolled_students(db, KEY) == {student.user_id for student in seated[20:] + waiting[:20]}
    assert await waitlisted_students(db, KEY) == [student.user_id for student in waiting[20:]]
    await assert_sound(db, datetime.now(UTC))
    _assert_no_errors(crowd)


async def _post_all_at_once(crowd: Crowd, students: list[Student], path: str) -> dict[int, str]:
    """Send all requests at once, and return the outcome by student."""
    responses = await asyncio.gather(*(crowd.post(student, path, **_form()) for student in students))
    return {student.user_id: _code(response) for student, response in zip(students, responses, strict=True)}


def _assert_no_errors(crowd: Crowd) -> None:
    print(crowd.report())  # noqa: T201  # shown when the test fails, or with -s
    assert crowd.cut_connections == 0
    assert {response.status for response in crowd.responses} <= {303, 409}


def _form() -> dict[str, str]:
    return {"courseID": "A", "term": FALL, "section": "01"}


def _code(response: FormResponse) -> str:
    return OK if response.succeeded else response.code
