"""A stampede while three mongods elect another primary, twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database, open_database
from quart_enroll.db.collections import enrollments
from quart_enroll.domain.errors import AlreadyEnrolled
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import enroll
from tests.failure.school import FALL, discrepancies, open_school, read_all
from tests.failure.servers import start
from tests.failure.students import LastResponses, register
from tests.support.processes import quart
from tests.support.replica_set import ReplicaSet, replica_set
from tests.support.student_crowd import Crowd, sign_in

STUDENTS = 60
COURSES = ["C01", "C02", "C03", "C04"]
SEATS = 20


@pytest.fixture
def three_members(quick_folder: Path, request: pytest.FixtureRequest) -> Iterator[ReplicaSet]:
    with replica_set(quick_folder / request.node.name) as made:
        yield made


@pytest.fixture
async def db(three_members: ReplicaSet) -> AsyncIterator[Database]:
    async with open_database(three_members.uri, 20) as db:
        yield db


async def test_no_seat_is_lost_or_given_twice_when_the_primary_steps_down_and_the_next_one_is_killed(
    db: Database, three_members: ReplicaSet, tmp_path: Path
) -> None:
    await open_school(db, COURSES, capacity=SEATS, waitlist_capacity=SEATS)
    students = await sign_in(db, range(1, STUDENTS + 1))
    last_responses = LastResponses()
    with ExitStack() as stack:
        processes = [start(stack, tmp_path, three_members.uri) for _ in range(2)]
        for process in processes:
            await process.wait_until_listening()
        crowd = Crowd([process.port for process in processes])
        async with asyncio.TaskGroup() as stampede:
            for remove_primary, names in (
                (three_members.step_down, COURSES[:2]),
                (three_members.kill_primary, COURSES[2:]),
            ):
                registrations = [
                    stampede.create_task(register(crowd, student, name, last_responses))
                    for name in names
                    for student in students
                ]
                await crowd.wait_for_responses(len(crowd.responses) + STUDENTS // 2)
                await asyncio.to_thread(remove_primary)
                assert not all(act.done() for act in registrations)
    print(crowd.report())  # noqa: T201  # shown with -s
    rows = await read_all(db)
    assert last_responses.contradictions(rows) == []
    assert discrepancies(rows) == []
    assert crowd.cut_connections == 0
    checked = await asyncio.to_thread(quart, "check-seats", MONGO_URI=three_members.uri)
    assert checked.returncode == 0, checked.stdout


async def test_no_write_is_confirmed_that_only_the_primary_has(db: Database, three_members: ReplicaSet) -> None:
    await open_school(db, COURSES, capacity=SEATS, waitlist_capacity=SEATS)
    request, now = SectionRequest("C01", FALL), datetime.now(UTC)
    async with open_database(three_members.uri, 0.3) as impatient_db:
        await impatient_db.command("ping")
        context = EnrollmentContext(impatient_db)
        context.locks.timeout_seconds = 0.3
        with three_members.primary_alone():
            for _ in range(2):  # the second click finds the seat of the first, which no other member has yet
                with pytest.raises(DATABASE_UNAVAILABLE):
                    await enroll(context, 1, request, now)
                with suppress(*DATABASE_UNAVAILABLE):
                    assert await enrollments.find_in_term(impatient_db, 1, FALL) == []
    with suppress(AlreadyEnrolled):  # now another member may have it
        await enroll(EnrollmentContext(db), 1, request, now)
    assert discrepancies(await read_all(db)) == []
