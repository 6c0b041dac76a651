"""The commands for registrars and administrators."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain import people_search
from quart_enroll.domain.models import SYSTEM_ACTOR, Section, SectionRequest
from quart_enroll.forms.imports.users import NO_HASH
from quart_enroll.services.accounts import calendar_tokens
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.concurrency.school import read_rows
from tests.support.api_clients import program
from tests.support.people import ADA, BOB, FALL_MORNING, PASSWORD, RITA, Browser, seats_taken

Run = Callable[..., Awaitable[Result]]
COURSE = {"courseID": "7777", "title": "BIO 101", "description": "Cells", "credits": 3.5, "term": "Fall"}
USER = {"email": "new@school.example", "first_name": "New", "last_name": "One"}


@pytest.fixture
def run(app: Quart) -> Run:
    """Run a command as in a terminal; it starts its own event loop, so it needs its own thread."""

    async def invoke(*arguments: str, input_text: str | None = None) -> Result:
        return await asyncio.to_thread(app.test_cli_runner().invoke, args=arguments, input=input_text)

    return invoke


def _write_rows(tmp_path: Path, rows: Any) -> str:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    return str(path)


async def _delete_rows(db: Database, except_in: str = "") -> None:
    for name in {"course", "term", "section", "user", "enrollment"} - {except_in}:
        await db[name].delete_many({})


async def test_importing_courses_twice_changes_nothing_the_second_time(run: Run, db: Database, tmp_path: Path) -> None:
    await sections.put_all(db, [Section("Fall 2026", "7777", "01", 30)])
    file = _write_rows(tmp_path, [COURSE, COURSE | {"courseID": "1111"}])
    first = await run("import", "course", file)
    assert (first.exit_code, first.output) == (
        0,
        "row 2: 1111: title “PYT 101” → “BIO 101”, description “Introduction to Python” → “Cells”, credits 3 → 3.5, "
        "term “Fall, Spring” → “Fall”\ncourse: 1 added, 1 changed, 0 unchanged.\n",
    )
    assert (await run("import", "course", file)).output == "course: 0 added, 0 changed, 2 unchanged.\n"
    stored = await db.course.find_one({"courseID": "7777"}, {"_id": 0})
    assert stored == COURSE | {"subject": "", "prerequisites": [], "corequisites": []}


async def test_an_import_by_a_command_is_in_the_audit_log_once(run: Run, db: Database, tmp_path: Path) -> None:
    file = _write_rows(tmp_path, [COURSE])
    for _ in range(2):  # the second time, nothing changes
        assert (await run("import", "course", file)).exit_code == 0
    entries = await db.audit.find({"action": "import"}).to_list(None)
    assert [(entry["actor"], entry["about"]) for entry in entries] == [
        (SYSTEM_ACTOR, {"kind": "course", "name": "rows.json"})
    ]


async def test_enrollments_are_imported_row_by_row(run: Run, db: Database, tmp_path: Path) -> None:
    far = dict.fromkeys(("add_deadline", "drop_deadline", "withdraw_deadline"), datetime(2190, 1, 1, tzinfo=UTC))
    await db.term.update_one({"term": "Fall 2026"}, {"$set": far})
    added = {"student": ADA.email, "term": "Fall 2026", "courseID": "1111", "section": "1", "action": "add"}
    file = _write_rows(tmp_path, [added, added | {"student": "nobody@school.example"}])
    assert (await run("import", "enrollment", file)).exit_code == 2  # without a reason
    first = await run("import", "enrollment", file, "--reason", "Advised")
    assert "enrollment: 1 added, 0 changed, 0 unchanged, 1 refused." in first.output
    assert "row 2: student: There is no student nobody@school.example." in first.output
    assert await seats_taken(db, "1111") == 1
    notice = await db.notice.find_one({"user_id": ADA.user_id})
    assert notice is not None
    assert "The registrar’s office" in str(notice["because"])
    again = await run("import", "enrollment", file, "--reason", "Advised")
    assert "enrollment: 0 added, 0 changed, 1 unchanged, 1 refused." in again.output
    await db.section.update_one(dict(list(added.items())[1:3]), {"$set": {"capacity": 1}})
    other = _write_rows(tmp_path, [{"Who": BOB.email} | {name: added[name] for name in list(added)[1:]}])
    command = ("import", "enrollment", other, "--reason", "Advised", "--column", "Who=student")
    assert "0 added, 0 changed, 0 unchanged, 1 refused." in (await run(*command)).output
    assert "1 added, 0 changed, 0 unchanged." in (await run(*command, "--override", "full")).output
    assert (await run(*command[:-1], "Who=person")).exit_code == 2


async def test_an_import_names_the_courses_in_which_no_student_can_enroll(
    run: Run, db: Database, tmp_path: Path
) -> None:
    path = tmp_path / "courses.csv"
    rows = [f"{number},BIO {number},1,Fall" for number in range(100, 112)]
    path.write_text("\n".join(["courseID,title,credits,term", *rows, "900,OLD 1,3,Winter 2022", "1111,PYT 101,3,Fall"]))
    assert (await run("import", "course", str(path))).output.splitlines()[-2:] == [
        "Note: No student can enroll in 1 course of “Winter 2022”, which is not a term of the school: 900. "
        "Add the term with `import term`, or change the course with `import course`.",
        "Note: No student can enroll in 12 courses without sections: 100, 101, 102, 103, 104, 105, 106, 107, 108, 109 "
        "and 2 more. Add sections with `import section`, or give each course a section 01 "
        "with `upgrade-db --sections`.",
    ]


async def test_an_import_converts_credits_stored_as_text(run: Run, db: Database, tmp_path: Path) -> None:
    await db.course.update_one({"courseID": "1111"}, {"$set": {"credits": "3"}})
    path = tmp_path / "courses.csv"
    path.write_text("courseID,title,credits,term\n1111,PYT 101,3,Fall\n")
    assert (await run("import", "course", str(path))).exit_code == 0
    stored = await db.course.find_one({"courseID": "1111"})
    assert stored is not None
    assert stored["credits"] == 3


async def test_credits_that_are_text_count_as_numbers(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "1111"}, {"$set": {"credits": "3"}})
    assert (await ada.post("/enrollment", form={"courseID": "1111"})).status_code == 303
    schedule = await db.schedule.find_one({"user_id": ADA.user_id})
    assert schedule is not None
    assert schedule["credits"] == 3
    [course, *_] = await (await ada.get("/api/")).get_json()
    assert course == {
        "courseID": "1111",
        "title": "PYT 101",
        "description": "Introduction to Python",
        "credits": 3,
        "term": "Fall, Spring",
    }


async def test_passwords_that_are_not_hashes_are_reported_once(run: Run, db: Database, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    rows = [f"u{number}@school.example,New,One,secret{number}" for number in range(25)]
    path.write_text("\n".join(["email,first_name,last_name,password", *rows]))
    refused = await run("import", "user", str(path))
    assert refused.exit_code == 1
    assert refused.output == (
        f"line 2: password: {NO_HASH} The same problem is in 24 more rows.\nError: Nothing was imported.\n"
    )


async def test_import_reads_csv(run: Run, db: Database, tmp_path: Path) -> None:
    path = tmp_path / "courses.csv"
    path.write_text('\ufeffcourseID,title,description,credits,term\n0042,ART 1,"Clay, mostly",2,Autumn\n')
    assert (await run("import", "course", str(path))).exit_code == 0
    stored = await db.course.find_one({"courseID": "0042"})
    assert stored is not None
    assert (stored["description"], stored["credits"]) == ("Clay, mostly", 2)


async def test_a_quoted_csv_value_may_have_several_lines(run: Run, db: Database, tmp_path: Path) -> None:
    path = tmp_path / "courses.csv"
    path.write_bytes(b'courseID,title,description,credits,term\r\n42,ART 1,"one\r\ntwo",2,Fall\r\n')
    assert (await run("import", "course", str(path))).exit_code == 0
    stored = await db.course.find_one({"courseID": "42"})
    assert stored is not None
    assert stored["description"] == "one\r\ntwo"


async def test_an_import_with_bad_rows_names_each_and_imports_none(run: Run, db: Database, tmp_path: Path) -> None:
    rows = [
        COURSE,
        COURSE | {"courseID": "8", "credits": "three"},
        COURSE | {"courseID": "", "term": "Fall;Spring"},
        COURSE | {"courseID": {"$gt": ""}},
        COURSE | {"courseID": "x" * 21, "credits": 31},
        {"description": "Cells"},
    ]
    result = await run("import", "course", _write_rows(tmp_path, rows))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "row 2: credits “three”: This must be a number from 0 to 30.",
        "row 3: courseID is missing.",
        "row 3: term “Fall;Spring”: Separate seasons with commas, like Fall, Spring.",
        "row 4: courseID: This must be text or a number.",
        f"row 5: courseID “{'x' * 21}”: Use at most 20 characters.",
        "row 5: credits “31”: This must be a number from 0 to 30.",
        "row 6: courseID, title, credits, and term are missing.",
        "Error: Nothing was imported.",
    ]
    assert await db.course.count_documents({}) == 3


async def test_an_import_refuses_a_duplicate_key(run: Run, db: Database, tmp_path: Path) -> None:
    result = await run("import", "course", _write_rows(tmp_path, [COURSE, COURSE]))
    assert "row 2: courseID: 7777 is in the file twice. See also row 1." in result.output
    assert await db.course.count_documents({}) == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"{}", b"[1, 2]", b"\xff\xfe", b"null", b'[["a"]]', b"[" * 100_000, b"[" + b"9" * 5001 + b"]"],
)
async def test_an_unreadable_file_is_reported(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    result = await run("import", "course", str(path))
    assert result.exit_code == 1
    assert str(path) in result.output
    assert "Traceback" not in result.output


async def test_importing_users_keeps_existing_passwords(run: Run, db: Database, tmp_path: Path) -> None:
    before = await db.user.find_one({"user_id": ADA.user_id})
    assert before is not None
    renamed = {"user_id": ADA.user_id, "email": ADA.email, "first_name": "Ada", "last_name": "Sommer"}
    file = _write_rows(tmp_path, [USER, renamed | {"password": "pbkdf2:sha256:1000$abc$" + "0" * 64}])
    assert (await run("import", "user", file)).output == (
        "row 2: user 1: last_name “Winters” → “Sommer”\nuser: 1 added, 1 changed, 0 unchanged.\n"
    )
    assert (await run("import", "user", file)).output == "user: 0 added, 0 changed, 2 unchanged.\n"
    after = await db.user.find_one({"user_id": ADA.user_id})
    words = people_search.words_of(replace(ADA, last_name="Sommer"))
    assert after == before | {"last_name": "Sommer", "search_words": words}
    new = await db.user.find_one({"email": USER["email"]})
    assert new is not None
    assert (new["user_id"], new["roles"]) == (4, ["student"])


async def test_an_import_refuses_another_users_email(run: Run, db: Database, tmp_path: Path) -> None:
    rows = [USER, USER | {"email": BOB.email.upper(), "user_id": 77}]
    result = await run("import", "user", _write_rows(tmp_path, rows))
    assert "row 2: email “BOB@SCHOOL.EXAMPLE”: This email belongs to user 2." in result.output
    assert await db.user.count_documents({}) == 3


async def test_import_without_a_role_leaves_the_registrar_one(run: Run, db: Database, tmp_path: Path) -> None:
    row = {"email": RITA.email, "first_name": "Rita", "last_name": "Sommer"}
    assert (await run("import", "user", _write_rows(tmp_path, [row]))).output == (
        "row 1: user 3: last_name “Moreno” → “Sommer”\nuser: 0 added, 1 changed, 0 unchanged.\n"
    )
    stored = await db.user.find_one({"user_id": RITA.user_id})
    assert stored is not None
    assert (stored["last_name"], stored["roles"]) == ("Sommer", ["registrar"])


async def test_student_numbers_from_a_file_are_not_assigned_to_others(run: Run, db: Database, tmp_path: Path) -> None:
    rows = [USER, USER | {"email": "four@school.example", "user_id": 4}]
    assert (await run("import", "user", _write_rows(tmp_path, rows))).exit_code == 0
    assert await db.user.distinct("user_id") == [1, 2, 3, 4, 5]


async def test_an_import_does_not_change_accounts_that_share_an_email(run: Run, db: Database, tmp_path: Path) -> None:
    for number, email in ((8, "cleo@school.example"), (9, "Cleo@school.example")):
        old = {"user_id": number, "email": email, "first_name": "Cleo", "last_name": "Ay", "password": "x"}
        await db.user.insert_one(old)
    result = await run("import", "user", _write_rows(tmp_path, [USER | {"email": "CLEO@school.example"}]))
    assert "row 1: email “CLEO@school.example”: This email belongs to user 8 and 9." in result.output


async def test_new_student_numbers_follow_the_imported_ones(run: Run, db: Database, tmp_path: Path) -> None:
    await run("import", "user", _write_rows(tmp_path, [USER | {"user_id": 500}]))
    await run("import", "user", _write_rows(tmp_path, [USER | {"email": "next@school.example"}]))
    new = await db.user.find_one({"email": "next@school.example"})
    assert new is not None
    assert new["user_id"] == 501


async def test_seed_fills_only_an_empty_catalog(run: Run, db: Database) -> None:
    result = await run("seed")
    assert "nothing was changed" in result.output
    assert await db.course.count_documents({}) == 3
    await db.course.delete_many({})
    await db.user.delete_many({})
    assert (await run("seed")).exit_code == 0
    assert await db.course.distinct("courseID") == ["1111", "2222", "3333", "4444", "5555"]
    assert await db.user.count_documents({"roles": "registrar"}) == 1


async def test_the_demo_school_is_open_whenever_it_is_made(run: Run, db: Database) -> None:
    await _delete_rows(db)
    assert (await run("seed")).exit_code == 0
    now = datetime.now(UTC)
    known = await terms.find_all(db)
    assert {term.season for term in known} == {"Fall", "Spring"}
    assert all(term.is_open(now) for term in known)
    offered = await sections.find_all(db, [term.term for term in known])
    courses = [course async for course in db.course.find()]
    assert {(one.courseID, one.term.split()[0]) for one in offered} == {
        (course["courseID"], season) for course in courses for season in course["term"].split(", ")
    }
    taken = await enroll.enroll(EnrollmentContext(db), 1, SectionRequest("1111"), now)
    assert taken.offering.section.section == "01"


async def test_seed_says_why_it_refuses(run: Run, db: Database) -> None:
    result = await run("seed", "--force")
    assert result.exit_code == 1
    assert "row 4: email “rita@school.example”: This email belongs to user 3." in result.output


async def test_seed_can_add_to_an_existing_catalog(run: Run, db: Database) -> None:
    await db.user.delete_many({})
    assert (await run("seed", "--force")).exit_code == 0
    assert await db.course.count_documents({}) == 5


async def test_a_demo_school_is_created_once_and_is_consistent(run: Run, db: Database) -> None:
    await _delete_rows(db)
    first = await run("seed", "--demo")
    assert first.exit_code == 0, first.output
    assert "is open" in first.output
    checked = await run("check-seats")
    assert (checked.exit_code, "No discrepancies" in checked.output, "Note" in checked.output) == (0, True, False)
    before = await read_rows(db)
    assert (await run("seed", "--demo")).output == "The database already has a school; nothing was changed.\n"
    assert await read_rows(db) == before


@pytest.mark.parametrize("remaining", ["course", "term", "section", "user", "enrollment"])
async def test_a_demo_school_needs_an_empty_database(run: Run, db: Database, remaining: str) -> None:
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("1111"), FALL_MORNING)
    await _delete_rows(db, except_in=remaining)
    before = await read_rows(db)
    assert "nothing was changed" in (await run("seed", "--demo")).output
    assert await read_rows(db) == before


async def test_a_demo_school_is_only_for_development(run: Run, app: Quart, db: Database) -> None:
    await _delete_rows(db)
    app.config["APP_ENV"] = "production"
    result = await run("seed", "--demo")
    assert (result.exit_code, "APP_ENV=development" in result.output) == (1, True)
    assert await db.user.count_documents({}) == 0


async def test_a_demo_school_cannot_be_forced(run: Run, db: Database) -> None:
    assert (await run("seed", "--demo", "--force")).exit_code == 2
    assert await db.course.count_documents({}) == 3


async def test_create_user_asks_for_the_password(run: Run, db: Database) -> None:
    arguments = ("create-user", "--email", "boss@school.example", "--first-name", "Lee", "--last-name", "Ray")
    result = await run(*arguments, "--role", "registrar", input_text=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    stored = await db.user.find_one({"email": "boss@school.example"})
    assert stored is not None
    assert stored["roles"] == ["registrar"]
    assert stored["password"].startswith("scrypt:")


async def test_create_user_explains_a_refusal(run: Run, db: Database) -> None:
    arguments = ("create-user", "--email", ADA.email.upper(), "--first-name", "Lee", "--last-name", "Ray")
    taken = await run(*arguments, input_text="another password\nanother password\n")
    assert (taken.exit_code, "already exists" in taken.output) == (1, True)
    short = await run(*arguments, input_text="short\nshort\n")
    assert (short.exit_code, "8 to 128 characters" in short.output) == (1, True)
    common = await run(
        "create-user", "--email", "lee@school.example", *arguments[3:], input_text="password1\npassword1\n"
    )
    assert (common.exit_code, "too common" in common.output) == (1, True)
    assert await db.user.count_documents({}) == 3


async def test_sign_out_ends_all_access_of_one_user_and_prints_what_ended(
    run: Run, app: Quart, db: Database, ada: Browser, bob: Browser, anyone: Browser, log: pytest.LogCaptureFixture
) -> None:
    phone = Browser(app.test_client())
    await phone.sign_in(ADA, remember_me="y")
    api_client = await program(app, db, ADA)
    login = await db.login.find_one({"user_id": ADA.user_id})
    assert login is not None
    link = f"/calendar/{await calendar_tokens.create(db, ADA.user_id, FALL_MORNING, login=login['_id'])}.ics"
    assert (await anyone.get(link)).status_code == 200
    log.clear()
    result = await run("sign-out", "--email", ADA.email.upper())
    assert result.exit_code == 0
    assert "Signed out user 1 (sign-ins: 2, tokens: 1, calendar links: 1, shared links: 0)." in result.output
    assert [(await browser.get("/account")).status_code for browser in (ada, phone, bob)] == [303, 303, 200]
    assert (await api_client.send("GET", "/api/v1/me")).status_code == 401
    assert (await anyone.get(link)).status_code == 404
    assert 'event="signed out by command" user_id=1 sign_ins=2 tokens=1 calendar_links=1 shared_links=0' in log.text
    assert ADA.email not in log.text.lower()
    assert (await ada.sign_in(ADA)).status_code == 303


async def test_sign_out_refuses_an_unknown_email(run: Run) -> None:
    result = await run("sign-out", "--email", "nobody@school.example")
    assert (result.exit_code, "There is no account with this email." in result.output) == (1, True)
