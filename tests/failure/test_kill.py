"""Server processes are killed with SIGKILL in the middle of a stampede."""

import asyncio
import random
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import Section
from quart_enroll.domain.plan_fit import ANY_SECTION
from tests.failure.school import FALL, discrepancies, open_school, read_all
from tests.failure.servers import start
from tests.failure.students import LastResponses, register
from tests.support.processes import quart
from tests.support.student_crowd import Crowd, sign_in

KILLS = 8
PLAN_KILLS, PLAN_COURSES = 3, 4
STUDENTS = 30
SEATS = 10


@pytest.mark.timeout(300)  # half a minute on two idle cores
async def test_a_confirmed_enrollment_survives_the_kill_of_any_process(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    courseIDs = [f"C{number:02}" for number in range(KILLS)]
    await open_school(db, courseIDs, capacity=SEATS, waitlist_capacity=SEATS)
    students = await sign_in(db, range(1, STUDENTS + 1))
    last_responses, rng = LastResponses(), random.Random(3)  # noqa: S311  # the same moments each time
    with ExitStack() as stack:
        leaving, other = start(stack, tmp_path, fresh_uri), start(stack, tmp_path, fresh_uri)
        for process in (leaving, other):
            await process.wait_until_listening()
        crowd = Crowd([leaving.port, other.port])
        async with asyncio.TaskGroup() as stampede:
            previous: list[asyncio.Task[None]] = []
            for courseID in courseIDs:
                replacement = start(stack, tmp_path, fresh_uri)
                registrations = [
                    stampede.create_task(register(crowd, student, courseID, last_responses)) for student in students
                ]
                await crowd.wait_for_responses(len(crowd.responses) + rng.randrange(STUDENTS))
                await asyncio.wait(registrations, timeout=rng.uniform(0, 0.05))  # at any point of the next step
                assert not all(act.done() for act in registrations)
                leaving.kill()
                crowd.ports.remove(leaving.port)
                await replacement.wait_until_listening()
                crowd.ports.append(replacement.port)
                leaving, other = other, replacement
                await asyncio.gather(*previous)  # so that no request is cut off more than a few times
                previous = registrations
    print(crowd.report())  # noqa: T201  # shown with -s
    rows = await read_all(db)
    assert last_responses.contradictions(rows) == []
    assert discrepancies(rows) == []
    checked = await asyncio.to_thread(quart, "check-seats", MONGO_URI=fresh_uri)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.timeout(300)
async def test_a_plan_that_was_pressed_when_a_process_was_killed_is_settled_by_pressing_again(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    """Students who press together share a transaction: it is committed for all of them or for none.

    When the planned sections are full, they get seats in other ones.
    """
    courseIDs = [f"C{number:02}" for number in range(PLAN_KILLS * PLAN_COURSES)]
    await open_school(db, courseIDs, capacity=SEATS, waitlist_capacity=SEATS)
    await sections.put_all(db, [Section(FALL, name, "02", SEATS) for name in courseIDs])
    students = await sign_in(db, range(1, STUDENTS + 1))
    rng = random.Random(4)  # noqa: S311  # the same moments each time
    with ExitStack() as stack:
        leaving, other = start(stack, tmp_path, fresh_uri), start(stack, tmp_path, fresh_uri)
        for process in (leaving, other):
            await process.wait_until_listening()
        crowd = Crowd([leaving.port, other.port])
        for kill in range(PLAN_KILLS):
            planned = courseIDs[kill * PLAN_COURSES :][:PLAN_COURSES]
            await db.plan.insert_many(
                {"user_id": one.user_id, "term": FALL, "courseID": courseID, "section": "01", "place": place}
                | {"added_at": datetime.now(UTC), "alternatives": [ANY_SECTION]}
                for one in students
                for place, courseID in enumerate(planned, 1)
            )
            replacement = start(stack, tmp_path, fresh_uri)
            pressed = [asyncio.ensure_future(crowd.post(one, "/plan/enroll", term=FALL)) for one in students]
            await asyncio.wait(pressed, timeout=rng.uniform(0, 0.2))  # at any point of the first batches
            leaving.kill()
            crowd.ports.remove(leaving.port)
            await replacement.wait_until_listening()
            crowd.ports.append(replacement.port)
            leaving, other = other, replacement
            await asyncio.gather(*pressed)
    print(crowd.report())  # noqa: T201  # shown with -s
    rows = await read_all(db)
    assert discrepancies(rows) == []
    seated = {(row["user_id"], row["courseID"]) for row in rows["enrollment"]}
    refused = {(row["user_id"], row["courseID"]) for row in rows["plan"] if row["because"]}
    assert len(refused) == len(rows["plan"])
    assert seated ^ refused == {(one.user_id, courseID) for one in students for courseID in courseIDs}
    assert not seated & refused
    assert set(Counter((row["courseID"], row["section"]) for row in rows["enrollment"]).values()) == {SEATS}
