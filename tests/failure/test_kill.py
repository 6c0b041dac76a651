"""Server processes are killed with SIGKILL in the middle of a stampede."""

import asyncio
import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from quart_enroll.db.client import Database
from tests.failure.school import disagreements, open_school, read_all
from tests.failure.servers import start
from tests.failure.students import LastResponses, register
from tests.support.crowd import Crowd, sign_in
from tests.support.processes import quart

KILLS = 8
STUDENTS = 30
SEATS = 10


@pytest.mark.timeout(300)  # half a minute on two idle cores
async def test_a_student_told_enrolled_is_enrolled_whichever_process_is_killed(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    courseIDs = [f"C{number:02}" for number in range(KILLS)]
    await open_school(db, courseIDs, capacity=SEATS, waitlist_capacity=SEATS)
    students = await sign_in(db, range(1, STUDENTS + 1))
    responses, chance = LastResponses(), random.Random(3)  # noqa: S311  # the same moments each time
    with ExitStack() as stack:
        victim, other = start(stack, tmp_path, fresh_uri), start(stack, tmp_path, fresh_uri)
        for process in (victim, other):
            await process.wait_until_listening()
        crowd = Crowd([victim.port, other.port])
        async with asyncio.TaskGroup() as stampede:
            before: list[asyncio.Task[None]] = []
            for courseID in courseIDs:
                after = start(stack, tmp_path, fresh_uri)
                acts = [stampede.create_task(register(crowd, student, courseID, responses)) for student in students]
                await crowd.answered(len(crowd.answers) + chance.randrange(STUDENTS))
                await asyncio.wait(acts, timeout=chance.uniform(0, 0.05))  # at any point of the next step
                assert not all(act.done() for act in acts)
                victim.kill()
                crowd.ports.remove(victim.port)
                await after.wait_until_listening()
                crowd.ports.append(after.port)
                victim, other = other, after
                await asyncio.gather(*before)  # so that no request is cut off more than three or four times
                before = acts
    print(crowd.report())  # noqa: T201  # shown with -s
    # An unfinished transaction of a killed process would delay dropping the database by a minute.
    await db.client.admin.command("killAllSessions", [])
    rows = await read_all(db)
    assert responses.broken_promises(rows) == []
    assert disagreements(rows) == []
    checked = await asyncio.to_thread(quart, "check-seats", MONGO_URI=fresh_uri)
    assert checked.returncode == 0, checked.stdout
