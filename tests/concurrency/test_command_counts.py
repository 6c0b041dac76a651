"""How many commands the most frequent changes send to MongoDB: each costs more than everything else about a change."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
from pymongo.monitoring import CommandListener, CommandStartedEvent

from quart_enroll.db import client
from quart_enroll.db.client import Database
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.services.enrollment import plan
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import drop, enroll
from quart_enroll.services.enrollment.enroll_plan import enroll_plan
from quart_enroll.services.enrollment.waitlist import join, leave
from tests.concurrency.school import FALL, NOW, course, outcomes_of, section, store, term

ADA, BOB = 1, 2
CROWD = range(10, 110)
"""Students who arrive together: they share at most two transactions."""


class CommandRecorder(CommandListener):
    """Records the name of each command; what continues an earlier one is not counted."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name not in ("getMore", "endSessions"):
            self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...

    async def count(self, change: Awaitable[object]) -> int:
        """Make the change, and return the number of its commands."""
        self.names.clear()
        await change
        return len(self.names)


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> CommandRecorder:
    """The commands of this test's database, which opens after this."""
    recorder = CommandRecorder()
    monkeypatch.setattr(client, "SlowCommandLogger", lambda _: recorder)
    return recorder


@pytest.fixture
async def catalog(commands: CommandRecorder, db: Database) -> Catalog:
    """A school with an open section of each of five courses, and a full one of another."""
    courses = [course(courseID, 1) for courseID in "ABCDEF"]
    await store(db, term(), *courses, *(section(courseID, 200) for courseID in "ABCDE"), section("F", 0))
    return await CatalogCache(db, lambda: NOW).get()


def _request(courseID: str) -> SectionRequest:
    return SectionRequest(courseID, FALL, "01")


async def test_enrolling_takes_six_commands(
    commands: CommandRecorder, context: EnrollmentContext, catalog: Catalog
) -> None:
    assert await commands.count(enroll(context, ADA, _request("A"), NOW, catalog)) <= 6


async def test_a_refusal_at_a_full_section_takes_four_commands(
    commands: CommandRecorder, context: EnrollmentContext, catalog: Catalog
) -> None:
    assert await commands.count(outcomes_of([enroll(context, ADA, _request("F"), NOW, catalog)])) <= 4


async def test_a_crowd_at_a_full_section_shares_its_commands(
    commands: CommandRecorder, context: EnrollmentContext, catalog: Catalog, db: Database
) -> None:
    refused = outcomes_of(enroll(context, student, _request("F"), NOW, catalog) for student in CROWD)
    assert await commands.count(refused) <= 2 * 4
    assert await db.event.count_documents({"result": "section_full"}) == len(CROWD)


async def test_a_crowd_at_open_sections_shares_its_commands(
    commands: CommandRecorder, context: EnrollmentContext, catalog: Catalog
) -> None:
    wanted = [enroll(context, student, _request("ABCDE"[student % 5]), NOW, catalog) for student in CROWD]
    assert await commands.count(asyncio.gather(*wanted)) <= 2 * 6


async def test_dropping_takes_eleven_commands(
    commands: CommandRecorder, context: EnrollmentContext, catalog: Catalog
) -> None:
    await enroll(context, ADA, _request("A"), NOW, catalog)
    assert await commands.count(drop(context, ADA, SectionRequest("A", FALL), NOW)) <= 11


async def test_joining_and_leaving_a_waitlist_take_seven_and_eight_commands(
    commands: CommandRecorder, context: EnrollmentContext, catalog: Catalog
) -> None:
    assert await commands.count(join(context, ADA, _request("F"), NOW)) <= 7
    assert await commands.count(leave(context, ADA, SectionRequest("F", FALL), NOW)) <= 8


async def test_a_plan_takes_as_many_commands_with_five_courses_as_with_one(
    commands: CommandRecorder, context: EnrollmentContext, catalog: Catalog, db: Database
) -> None:
    for student, courseIDs in ((ADA, "A"), (BOB, "ABCDE")):
        for courseID in courseIDs:
            await plan.add(context, student, _request(courseID), NOW - timedelta(days=1))
    for student in (ADA, BOB):
        assert await commands.count(enroll_plan(context, student, FALL, NOW, catalog)) <= 8
    assert await db.enrollment.count_documents({"user_id": BOB}) == len("ABCDE")
