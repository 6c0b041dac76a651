"""`rehearse`: it plays a whole opening, changes nothing of the school, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from bson import BSON
from click.testing import Result
from pymongo import MongoClient

from quart_enroll.app import create_app
from quart_enroll.db.client import open_database
from quart_enroll.db.collections import leases, plans, terms
from quart_enroll.db.queries import rehearsal as stored
from quart_enroll.domain.models import PlannedSection, SectionKey
from quart_enroll.services.maintenance import rehearsal
from quart_enroll.services.maintenance.rehearsal import RehearsalRefused
from quart_enroll.system.usage import descendants
from tests.support import school
from tests.support.people import ADA, FALL, SPRING, config
from tests.support.processes import PROJECT, QUART, environment, expect_exit, with_database

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of the site in /proc"),
    pytest.mark.timeout(300),  # seconds; a whole rehearsal needs ten, and many times as long on a busy machine
]

RUN_SECONDS = 240
"""How long a rehearsal of a few seconds may take on a busy machine."""

DEAD_PROCESS = 2**22 + 1
"""A process id that Linux never gives."""

Documents = MongoClient[dict[str, Any]]


class SchoolDatabase:
    """The database of a small school whose fall term opens in ten days, seen from outside."""

    def __init__(self, uri: str, client: Documents) -> None:
        self.uri = uri
        self.client = client
        self.name = client.get_default_database().name
        self.rehearsal_name = rehearsal.database_name(self.name)
        self.rehearsal_uri = with_database(uri, self.rehearsal_name)

    def digest(self) -> str:
        """Return a digest of every document."""
        database = self.client[self.name]
        rows = [
            (name, sorted(BSON.encode(row) for row in database[name].find()))
            for name in sorted(database.list_collection_names())
        ]
        return sha256(repr(rows).encode()).hexdigest()

    def has_rehearsal(self) -> bool:
        """Return whether there is a database of a rehearsal."""
        return self.rehearsal_name in self.client.list_database_names()

    def open_soon(self, **until: float) -> None:
        """Move the opening of the fall term to that time from now."""
        opens_at = datetime.now(UTC) + timedelta(**until)
        self.client[self.name].term.update_one({"term": FALL.term}, {"$set": {"opens_at": opens_at}})


@pytest.fixture
def school_db(fresh_uri: str) -> Iterator[SchoolDatabase]:
    asyncio.run(_build(fresh_uri))
    with Documents(fresh_uri) as client:
        database = SchoolDatabase(fresh_uri, client)
        yield database
        client.drop_database(database.rehearsal_name)


async def _build(uri: str) -> None:
    opens_at = datetime.now(UTC) + timedelta(days=10)
    ends = opens_at + timedelta(days=60)
    fall = replace(FALL, opens_at=opens_at, add_deadline=ends, drop_deadline=ends, withdraw_deadline=ends)
    past = opens_at - timedelta(days=500)
    spring = replace(
        SPRING, term="Spring 2025", opens_at=past, add_deadline=past, drop_deadline=past, withdraw_deadline=past
    )
    async with open_database(uri, 20) as db:
        await school.build(db)
        await school.fill(db, [fall, spring])
        await db.section.update_many({"term": "Spring 2027"}, {"$set": {"term": spring.term}})
        await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["2222"]}})
        await plans.put(
            db,
            ADA.user_id,
            PlannedSection(SectionKey(FALL.term, "1111", "01"), 1, opens_at),
            None,
            expires_at=ends,
        )


def start(uri: str, *options: str, folder: Path) -> subprocess.Popen[str]:
    """Start `rehearse` in a folder of its own."""
    return subprocess.Popen(
        [*QUART, "rehearse", "--yes", "--output", str(folder / "report.html"), *options],
        cwd=PROJECT,
        env=environment(MONGO_URI=uri, WEB_CONCURRENCY=2, SMTP_URL="smtp://127.0.0.1:9", MAIL_FROM="a@school.example"),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def playing(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Wait until the students arrive, and yield the ids of the site's processes."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if " opens in " in line:
            break
    else:
        raise AssertionError("".join(lines))
    try:
        yield descendants(process.pid)
    finally:
        process.kill()
        process.communicate()


def invoke(uri: str, *arguments: str, answer: str | None = None) -> Result:
    """Run `rehearse` in this process, for what it refuses."""
    app = create_app(config(mongo_uri=uri))
    return app.test_cli_runner().invoke(args=["rehearse", *arguments], input=answer)


def test_a_rehearsal_after_a_killed_one_reports_what_happened_and_leaves_nothing_behind(
    school_db: SchoolDatabase, tmp_path: Path
) -> None:
    before = school_db.digest()
    killed = start(school_db.uri, "--students", "3", "--minutes", "2", folder=tmp_path)
    with playing(killed) as site, expect_exit(site):
        killed.kill()
        killed.wait()
    assert school_db.has_rehearsal()
    options = ("--students", "20", "--minutes", "0.05", "--passwords", "20", "--json")
    process = start(school_db.uri, *options, folder=tmp_path)
    output, progress = process.communicate(timeout=RUN_SECONDS)
    figures = json.loads(output)
    # On an overloaded machine, requests may fail; the command must say so.
    assert process.returncode == (0 if figures["succeeded"] else 1), progress
    assert figures["discrepancies"] == []
    assert (figures["setup"]["term"], figures["setup"]["students"]) == (FALL.term, 20)
    assert 0 < figures["setup"]["password_students"] < 20
    sections = figures["sections"]
    assert [one["capacity"] for one in sections if one["taken"] > one["capacity"]] == []
    assert figures["adds"] == sum(one["taken"] for one in sections) > 0
    planned = sum(one["planned"] for one in sections)
    assert figures["settling"]["planned_seats"] == planned >= 20
    presses = sum(one["number"] for one in figures["steps"] if one["step"] == "presses “Enroll in all”")
    assert presses > 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "20 invented students" in page
    assert f"{figures['adds']} of {figures['setup']['seats']}" in page
    assert school_db.digest() == before
    assert not school_db.has_rehearsal()


async def test_a_renewal_on_its_way_does_not_create_the_removed_database_again(fresh_uri: str) -> None:
    async with open_database(fresh_uri, 20) as db:
        await leases.renew(db, "rehearsal", "host:1", timedelta(seconds=60))
        assert await db.list_collection_names() == []
        await leases.acquire(db, "rehearsal", "host:1", timedelta(0))
        await leases.renew(db, "rehearsal", "host:1", timedelta(seconds=60))
        assert not await leases.acquire(db, "rehearsal", "host:2", timedelta(seconds=60))


def test_a_stopped_rehearsal_removes_its_database(school_db: SchoolDatabase, tmp_path: Path) -> None:
    process = start(school_db.uri, "--students", "3", "--minutes", "2", folder=tmp_path)
    with playing(process) as site, expect_exit(site):
        process.send_signal(signal.SIGINT)
        _, progress = process.communicate(timeout=RUN_SECONDS)
    assert (process.returncode, progress.splitlines()[-1]) == (130, "Stopped. Nothing of the rehearsal is left.")
    assert not school_db.has_rehearsal()


def test_a_site_that_dies_ends_the_rehearsal(school_db: SchoolDatabase, tmp_path: Path) -> None:
    process = start(school_db.uri, "--students", "3", "--minutes", "2", folder=tmp_path)
    with playing(process) as (server, *_):
        os.kill(server, signal.SIGKILL)
        _, progress = process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 1
    assert "The site’s processes ended with status -9." in progress
    assert not school_db.has_rehearsal()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--students", "0"),
        ("--students", "many"),
        ("--minutes", "0"),
        ("--passwords", "101"),
        ("--json", "--output", "-"),
        ("--output", "/no/such/folder/report.html"),
        ("--no-such-option",),
    ],
)
def test_wrong_arguments_are_refused_before_anything_happens(arguments: tuple[str, ...]) -> None:
    refused = invoke("mongodb://127.0.0.1:9/none", *arguments)
    assert refused.exit_code == 2, refused.output


def test_only_a_term_with_sections_can_be_rehearsed(school_db: SchoolDatabase) -> None:
    refused = invoke(school_db.uri, "--term", "Fall 1926")
    assert refused.exit_code == 1
    assert "Terms with sections: Spring 2025, Fall 2026." in refused.output


def test_a_school_without_students_has_to_say_how_many(school_db: SchoolDatabase) -> None:
    school_db.client[school_db.name].user.delete_many({"roles": "student"})
    refused = invoke(school_db.uri)
    assert (refused.exit_code, "--students" in refused.output) == (1, True)


@pytest.mark.parametrize("hours", [-23, 23])
def test_a_rehearsal_near_an_opening_is_refused(hours: float, school_db: SchoolDatabase) -> None:
    school_db.open_soon(hours=hours)
    refused = invoke(school_db.uri)
    assert refused.exit_code == 1
    assert "Use --force if that doesn’t matter." in refused.output
    assert "Begin?" in invoke(school_db.uri, "--force", answer="n").output


def test_nothing_happens_without_confirmation(school_db: SchoolDatabase) -> None:
    declined = invoke(school_db.uri, answer="n")
    assert declined.exit_code == 1
    assert "2 invented students" in declined.output
    assert not school_db.has_rehearsal()


def test_a_database_without_the_marker_is_never_touched(school_db: SchoolDatabase) -> None:
    other = school_db.client[school_db.rehearsal_name]
    other.section.insert_one({"note": "not a rehearsal"})
    for arguments in (("--yes",), ("--remove",)):
        refused = invoke(school_db.uri, *arguments)
        assert refused.exit_code == 1
        assert f"There is a database {school_db.rehearsal_name} that no rehearsal" in refused.output
    assert other.section.count_documents({}) == 1


async def test_a_running_rehearsal_keeps_its_database(school_db: SchoolDatabase) -> None:
    async with open_database(school_db.rehearsal_uri, 20) as db:
        async with rehearsal.open_rehearsal_database(db, school_db.name):
            await db.lease.update_one({"_id": rehearsal.LEASE_NAME}, {"$set": {"holder": "another-machine:1"}})
            with pytest.raises(RehearsalRefused, match="Another rehearsal"):
                await rehearsal.remove_leftovers(db, school_db.name)
            assert await stored.is_marked(db, school_db.name)


async def test_leftovers_of_a_dead_process_are_removed(school_db: SchoolDatabase) -> None:
    async with open_database(school_db.rehearsal_uri, 20) as db:
        assert not await rehearsal.remove_leftovers(db, school_db.name)
        async with rehearsal.open_rehearsal_database(db, school_db.name):
            host = os.uname().nodename
            await db.lease.update_one({"_id": rehearsal.LEASE_NAME}, {"$set": {"holder": f"{host}:{DEAD_PROCESS}"}})
            assert await rehearsal.remove_leftovers(db, school_db.name)
            assert not school_db.has_rehearsal()


async def test_the_marker_of_another_school_protects_its_database(school_db: SchoolDatabase) -> None:
    async with open_database(school_db.rehearsal_uri, 20) as db:
        assert await stored.mark(db, "another school", datetime.now(UTC))
        await stored.remove(db, school_db.name)
        with pytest.raises(RehearsalRefused, match="no rehearsal"):
            await rehearsal.remove_leftovers(db, school_db.name)
        assert await stored.is_marked(db, "another school")


async def test_only_the_catalog_is_copied(school_db: SchoolDatabase) -> None:
    now = datetime.now(UTC)
    async with open_database(school_db.uri, 20) as site, open_database(school_db.rehearsal_uri, 20) as db:
        await site.section.update_many({}, {"$set": {"seats_taken": 1, "waiting": 1, "queue_tail": 1}})
        facts = await rehearsal.read_school(site, "", now)
        assert (facts.term.term, facts.students, facts.plans) == (FALL.term, 2, {"1111": 1})
        defaults = rehearsal.UpgradeDefaults()
        assert await rehearsal.fill(site, db, facts, [], defaults, password="", now=now) == 0
        for name in ("user", "plan", "login", "enrollment", "event"):
            assert await db[name].count_documents({}) == 0, name
        copied = await db.section.find({"term": FALL.term}).to_list(None)
        assert len(copied) == 3
        assert {one["seats_taken"] + one["waiting"] + one["queue_tail"] for one in copied} == {0}
        assert await db.course.count_documents({}) == 3
        opening = next(term for term in await terms.find_all(db) if term.term == FALL.term)
        assert opening.opens_at > now
