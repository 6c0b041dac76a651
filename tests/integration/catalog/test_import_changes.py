"""What an import prints about its changes, and dry runs, which print the same but change nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, sections
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.catalog.import_sections import ImportedSection, import_sections
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.support.people import ADA, BOB, FALL_MORNING, SECTIONS

Run = Callable[..., Awaitable[Result]]

PHP_202 = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
"""PHP 202 in fall: one seat, one place on the waitlist."""

TERM_HEADER = "term,opens_at,add_deadline,drop_deadline,withdraw_deadline"


@pytest.fixture
def run(app: Quart, tmp_path: Path) -> Run:
    """Import the text as a CSV file, in a thread, because a command starts its own event loop."""

    async def invoke(collection: str, text: str, *options: str) -> Result:
        path = tmp_path / f"{collection}.csv"
        path.write_text(text, "utf-8")
        return await asyncio.to_thread(app.test_cli_runner().invoke, args=["import", collection, str(path), *options])

    return invoke


@pytest.fixture
async def full_section(db: Database) -> None:
    """Fill PHP 202 with ada, put bob on its waitlist, and keep fall open at the real time, which commands use."""
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), FALL_MORNING)
    await waitlist.join(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), FALL_MORNING)
    late = dict.fromkeys(("add_deadline", "drop_deadline", "withdraw_deadline"), datetime(2190, 1, 1, tzinfo=UTC))
    await db.term.update_one({"term": "Fall 2026"}, {"$set": late})


async def read_all_rows(db: Database) -> dict[str, list[Any]]:
    names = await db.list_collection_names()
    return {name: await db[name].find().sort("_id").to_list(None) for name in sorted(names)}


@pytest.mark.usefixtures("full_section")
async def test_old_and_new_values_are_printed_with_the_number_of_students_affected(run: Run, db: Database) -> None:
    row = "term,courseID,section,capacity,meetings,room\nFall 2026,3333,1,2,TBA,Lab 9\n"
    result = await run("section", row)
    assert result.output.splitlines() == [
        "line 2: Fall 2026 3333 section 01: capacity 1 → 2, meetings TR 12:00-13:15 → nothing, "
        "room “Lab 1” → “Lab 9” (1 enrolled, 1 waiting)",
        "Student 2 got a seat in 3333 section 01, Fall 2026.",
        "section: 0 added, 1 changed, 0 unchanged.",
    ]


@pytest.mark.usefixtures("full_section")
async def test_a_term_under_another_name_of_its_season_shows_what_it_overwrites(run: Run) -> None:
    result = await run("term", f"{TERM_HEADER}\nAutumn 2026,2026-08-02,2189-01-01T09:00,2190-01-01,2191-01-01\n")
    assert result.output.startswith("line 2: Fall 2026: opens_at 2026-08-01 00:00 → 2026-08-02 00:00, add_deadline ")
    assert result.output.splitlines()[0].endswith(" (1 enrolled)")


@pytest.mark.usefixtures("full_section")
async def test_changed_credits_show_how_many_students_they_affect(run: Run) -> None:
    result = await run("course", "courseID,title,credits,term\n3333,PHP 202,5,Fall\n")
    assert result.output.splitlines()[0] == "line 2: 3333: credits 4 → 5 (1 enrolled, 1 waiting)"


@pytest.mark.usefixtures("full_section")
async def test_a_capacity_below_the_number_enrolled_is_a_warning(run: Run, db: Database) -> None:
    result = await run("section", "term,courseID,section,capacity\nFall 2026,3333,1,0\n")
    assert result.exit_code == 0
    assert (
        "Warning: line 2: Fall 2026 3333 section 01 has 1 enrolled, more than its new capacity of 0. "
        "Enrolled students keep their seats, and no other student gets one until there is room.\n"
    ) in result.output
    assert [one.courseID for one in await enrollments.find_in_term(db, ADA.user_id, "Fall 2026")] == ["3333"]


@pytest.mark.usefixtures("full_section")
@pytest.mark.parametrize(
    ("collection", "text", "expected"),
    [
        (
            "section",
            "term,courseID,section,capacity\nFall 2026,3333,1,2\nFall 2026,1111,9,5\n",
            [
                "line 2: Fall 2026 3333 section 01: capacity 1 → 2 (1 enrolled, 1 waiting)",
                "Student 2 would get a seat in 3333 section 01, Fall 2026.",
                "section: 1 would be added, 1 changed, 0 left unchanged. This was a dry run: nothing was changed.",
            ],
        ),
        (
            "course",
            "courseID,title,credits,term\n2222,JAV 202,4,Spring\n",
            [
                "line 2: 2222: title “JAV 201” → “JAV 202”",
                "course: 0 would be added, 1 changed, 0 left unchanged. This was a dry run: nothing was changed.",
            ],
        ),
        (
            "term",
            f"{TERM_HEADER}\nSummer 2027,2027-05-01,2027-06-01,2027-06-01,2027-07-01\n",
            ["term: 1 would be added, 0 changed, 0 left unchanged. This was a dry run: nothing was changed."],
        ),
        (
            "user",
            "email,first_name,last_name,user_id\nnew@school.example,New,One,\nbob@school.example,Bob,Ray,2\n",
            [
                "line 3: user 2: last_name “Okafor” → “Ray”",
                "user: 1 would be added, 1 changed, 0 left unchanged. This was a dry run: nothing was changed.",
            ],
        ),
    ],
)
async def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    run: Run, db: Database, collection: str, text: str, expected: list[str]
) -> None:
    before = await read_all_rows(db)
    preview = await run(collection, text, "--dry-run")
    assert preview.output.splitlines() == expected
    assert await read_all_rows(db) == before
    result = await run(collection, text)
    assert result.output.splitlines()[:-1] == [line.replace("would get", "got") for line in expected[:-1]]
    assert await read_all_rows(db) != before


async def test_a_dry_run_refuses_the_same_files_as_the_import(run: Run, db: Database) -> None:
    before = await read_all_rows(db)
    for text in ("Fall 2026,9999,1,2\n", "Fall 2026,3333,1,few\n", "Fall 2026,3333,1,2\nFall 2026,3333,01,2\n"):
        rows = f"term,courseID,section,capacity\n{text}"
        preview, result = await run("section", rows, "--dry-run"), await run("section", rows)
        assert (preview.exit_code, preview.output) == (result.exit_code, result.output) == (1, preview.output)
    assert await read_all_rows(db) == before


async def test_only_the_first_changes_are_printed_unless_verbose(run: Run, db: Database) -> None:
    await sections.put_all(db, [replace(PHP_202, courseID="1111", section=f"{number}") for number in range(10, 70)])
    rows = "".join(f"Fall 2026,1111,{number},5\n" for number in range(10, 70))
    text = f"term,courseID,section,capacity\n{rows}"
    short = await run("section", text, "--dry-run")
    assert short.output.splitlines()[-2] == "… and 10 more changed rows; --verbose prints them all."
    assert len(short.output.splitlines()) == 52
    whole = await run("section", text, "--dry-run", "--verbose")
    assert len(whole.output.splitlines()) == 61


async def test_a_dry_run_returns_the_students_who_would_get_a_seat(db: Database) -> None:
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), FALL_MORNING)
    await waitlist.join(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), FALL_MORNING)
    row = ImportedSection(7, replace(PHP_202, capacity=2), frozenset())
    preview = await import_sections(db, [row], FALL_MORNING, dry_run=True)
    assert [(one.user_id, one.courseID) for one in preview.promoted] == [(BOB.user_id, "3333")]
    found = await sections.find(db, SectionKey("Fall 2026", "3333", "01"))
    assert found is not None
    assert (found.capacity, found.seats_taken, found.waiting) == (1, 1, 1)


@pytest.mark.parametrize(
    ("days", "deadlines", "expected"),
    [
        (
            "2026-09-20,2026-12-18",
            "2026-09-10,2026-09-15,2026-09-20T00:00",
            "withdraw_deadline “2026-09-20T00:00”: Courses begin on 2026-09-20, leaving no time to withdraw.",
        ),
        (
            "2026-09-01,2026-09-20",
            "2026-09-22,2026-11-01,2026-11-01",
            "add_deadline “2026-09-22”: Courses end on 2026-09-20, before this deadline.",
        ),
    ],
)
async def test_deadlines_that_contradict_the_first_or_last_day_of_courses_are_refused(
    run: Run, db: Database, days: str, deadlines: str, expected: str
) -> None:
    row = f"Fall 2026,2026-08-01,{deadlines}"
    with_days = await run("term", f"{TERM_HEADER},starts_on,ends_on\n{row},{days}\n")
    assert with_days.output.startswith(f"line 2: {expected}\n")
    starts_on, ends_on = days.split(",")
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"starts_on": starts_on, "ends_on": ends_on}})
    by_stored_days = await run("term", f"{TERM_HEADER}\n{row}\n")
    assert by_stored_days.output.startswith(f"line 2: {expected}\n")


async def test_an_invalid_header_is_reported_once(run: Run, db: Database) -> None:
    rows = "".join(f"{number}@school.example,A,B\n" for number in range(30))
    result = await run("user", f"mail box,first,last\n{rows}")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert [line.split("user.csv: ")[-1] for line in lines] == [
        "Unknown column: “mail box”. Remove or rename it. The columns may be user_id, email, first_name, last_name, "
        "password, roles, subjects, advisors, directory_opt_out, preferred_name, pronouns, programs, level, standing, "
        "cohorts, campus, earned_credits, placements, status.",
        "The column email must be in the file.",
        "Nothing was imported.",
    ]


async def test_an_import_states_its_assumptions(run: Run, db: Database) -> None:
    result = await run("user", "E-mail;first_name;last_name\nzoe@school.example;Zoe;Adler\n")
    assert result.output == "Note: Columns read: “E-mail” → email.\nuser: 1 added, 0 changed, 0 unchanged.\n"


@pytest.mark.usefixtures("db")
async def test_control_characters_in_a_file_are_printed_escaped(run: Run) -> None:
    escape, hidden = "\x1b]0;owned\x07\x1b[2J", "\u202eevil"
    header = await run("user", f"email,first_name,last_name,{escape}\nzoe@school.example,Zoe,Adler,x\n")
    cells = await run("user", f"email,first_name,last_name\nzoe@school.example,{escape}{hidden},Adler,{escape}\n")
    cell = await run("user", f"email,first_name,last_name\nzoe@school.example,{escape},Adler\n")
    for result in (header, cells, cell):
        assert result.exit_code == 1
        assert result.output.replace("\n", "").isprintable()
        assert r"\x1b]0;owned" in result.output
