"""A stampede while three mongods elect another primary."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
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
from tests.failure.school import FALL, disagreements, open_school, read_all
from tests.failure.servers import start
from tests.failure.students import LastResponses, register
from tests.support.crowd import Crowd, sign_in
from tests.support.processes import quart
from tests.support.replica_set import ReplicaSet, replica_set

STUDENTS = 60
COURSES = ["C01", "C02", "C03"]
SEATS = 20


@pytest.fixture
def three(quick_folder: Path, request: pytest.FixtureRequest) -> Iterator[ReplicaSet]:
    with replica_set(quick_folder / request.node.name) as made:
        yield made


@pytest.fixture
async def db(three: ReplicaSet) -> AsyncIterator[Database]:
    async with open_database(three.uri, 20) as db:
        yield db


@pytest.mark.parametrize("fall", [ReplicaSet.step_down, ReplicaSet.kill_primary], ids=["steps down", "is killed"])
async def test_no_seat_is_lost_or_given_twice_when_the_primary(
    fall: Callable[[ReplicaSet], None], db: Database, three: ReplicaSet, tmp_path: Path
) -> None:
    await open_school(db, COURSES, capacity=SEATS, waitlist_capacity=SEATS)
    students = await sign_in(db, range(1, STUDENTS + 1))
    responses = LastResponses()
    with ExitStack() as stack:
        processes = [start(stack, tmp_path, three.uri) for _ in range(2)]
        for process in processes:
            await process.wait_until_listening()
        crowd = Crowd([process.port for process in processes])
        async with asyncio.TaskGroup() as stampede:
            acts = [
                stampede.create_task(register(crowd, student, name, responses))
                for name in COURSES
                for student in students
            ]
            await crowd.answered(STUDENTS // 2)
            await asyncio.to_thread(fall, three)
            assert not all(act.done() for act in acts)
    print(crowd.report())  # noqa: T201  # shown with -s
    rows = await read_all(db)
    assert responses.broken_promises(rows) == []
    assert disagreements(rows) == []
    assert crowd.cuts == 0
    checked = await asyncio.to_thread(quart, "check-seats", MONGO_URI=three.uri)
    assert checked.returncode == 0, checked.stdout


async def test_nobody_is_told_about_a_write_that_only_the_primary_has(db: Database, three: ReplicaSet) -> None:
    await open_school(db, COURSES, capacity=SEATS, waitlist_capacity=SEATS)
    request, now = SectionRequest("C01", FALL), datetime.now(UTC)
    async with open_database(three.uri, 0.3) as hasty:
        await hasty.command("ping")
        context = EnrollmentContext(hasty)
        context.locks.timeout_seconds = 0.3
        with three.primary_alone():
            for _ in range(2):  # the second click finds the seat of the first, which no other member has yet
                with pytest.raises(DATABASE_UNAVAILABLE):
                    await enroll(context, 1, request, now)
                with suppress(*DATABASE_UNAVAILABLE):
                    assert await enrollments.find_in_term(hasty, 1, FALL) == []
    with suppress(AlreadyEnrolled):  # now another member may have it
        await enroll(EnrollmentContext(db), 1, request, now)
    assert disagreements(await read_all(db)) == []
