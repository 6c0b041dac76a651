"""Importing courses, terms and sections from files, and the promotions that result."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import Result
from quart import Quart

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, events, notices, schedules, sections, terms, waitlist
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.models import Course, Meeting, Registration, Section, SectionKey, SectionRequest
from quart_enroll.services.catalog.import_courses import ImportedCourse, import_courses
from quart_enroll.services.catalog.import_sections import ImportedSection, import_sections
from quart_enroll.services.catalog.import_terms import ImportedTerm, import_terms
from quart_enroll.services.enrollment import enroll, seat_changes
from quart_enroll.services.enrollment import waitlist as waiting
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.maintenance import audit
from tests.support.people import ADA, BOB, EVENINGS, FALL, FALL_MORNING, NOONS, RITA, SECTIONS

Run = Callable[..., Awaitable[Result]]

NOW = FALL_MORNING
PHP_202 = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
"""PHP 202 in fall: one seat, one waitlist place."""

LIMIT_COLUMNS = frozenset({"max_credits", "timezone"})

TERM_CSV = """\
term,opens_at,add_deadline,drop_deadline,withdraw_deadline
Fall 2026,2026-08-01,2026-09-20,2026-09-20,2026-11-01
Summer 2027,2027-05-01T08:00,2027-06-10,2027-06-15,2027-07-01T17:00-04:00
"""
SECTION_CSV = """\
term,courseID,section,capacity,waitlist_capacity,meetings,instructor,room
Fall 2026,1111,3,12,4,MWF 09:00-09:50; R 14:00-15:15,B. Chaudhry,Lab 7
Fall,3333,1,5,,TR 12:00-13:15,P. Silva,Lab 1
"""


@pytest.fixture
def run(app: Quart) -> Run:
    """Run a command in a thread, because it starts its own event loop."""

    async def invoke(*args: str) -> Result:
        return await asyncio.to_thread(app.test_cli_runner().invoke, args=args)

    return invoke


def write_csv(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    return str(path)


async def import_section(
    db: Database, section: Section, given: str = "waitlist_capacity meetings instructor room"
) -> None:
    await import_sections(db, [ImportedSection(1, section, frozenset(given.split()))], NOW)


async def fill_section_and_waitlist_bob(db: Database) -> None:
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), NOW)
    await waiting.join(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), NOW)


async def registrations_of(db: Database, user_id: int, term: str = "Fall 2026") -> dict[str, Registration]:
    return {one.courseID: one for one in await enrollments.find_in_term(db, user_id, term)}


async def test_terms_from_csv_are_read_in_the_schools_timezone(run: Run, db: Database, tmp_path: Path) -> None:
    args = ("import", "term", write_csv(tmp_path, TERM_CSV))
    first, second = await run(*args), await run(*args)
    assert first.output.splitlines()[-1] == "term: 1 added, 1 changed, 0 unchanged."
    assert second.output == "term: 0 added, 0 changed, 2 unchanged.\n"
    summer = await terms.find(db, "Summer 2027")
    assert summer is not None
    assert (summer.timezone, summer.max_credits) == ("UTC", 18)  # the defaults from the settings
    assert f"{summer.opens_at:%d %H:%M}, {summer.withdraw_deadline:%d %H:%M}" == "01 08:00, 01 21:00"


CUSTOM_TERM_NAMES = ["2026FA", "Winter 2026/27", "Summer Session II", "Fall 2026 – first half", "2026-27 Semester 1"]


async def test_custom_term_names_are_stored_unchanged(run: Run, db: Database, tmp_path: Path) -> None:
    header, *_ = TERM_CSV.splitlines()
    rows = [f"{name},2026-08-01,2026-09-20,2026-09-20,2026-11-01" for name in CUSTOM_TERM_NAMES]
    args = ("import", "term", write_csv(tmp_path, "\n".join([header, *rows])))
    assert (await run(*args)).output == "term: 5 added, 0 changed, 0 unchanged.\n"
    assert (await run(*args)).output == "term: 0 added, 0 changed, 5 unchanged.\n"
    assert {term.term for term in await terms.find_all(db)} == {"Fall 2026", "Spring 2027", *CUSTOM_TERM_NAMES}
    assert await terms.find(db, "Fall 2026") == FALL
    section_rows = "".join(f"{name.upper()},3333,01,5\n" for name in CUSTOM_TERM_NAMES)
    await run("import", "section", write_csv(tmp_path, f"term,courseID,section,capacity\n{section_rows}"))
    assert set(await db.section.distinct("term", {"courseID": "3333"})) == {"Fall 2026", *CUSTOM_TERM_NAMES}


async def test_other_spellings_of_a_term_mean_the_stored_term(run: Run, db: Database, tmp_path: Path) -> None:
    header, *_ = TERM_CSV.splitlines()
    days = "2026-08-01,2026-09-14,2026-09-14,2026-10-31"
    await run("import", "term", write_csv(tmp_path, f"{header}\n2026 FA,{days}\n"))
    for name in ("2026fa", "２０２６ＦＡ", "autumn 2026"):
        result = await run("import", "term", write_csv(tmp_path, f"{header}\n{name},{days}\n"))
        assert result.output.startswith("term: 0 added")
    assert {term.term for term in await terms.find_all(db)} == {"2026 FA", "Fall 2026", "Spring 2027"}
    duplicates = await run("import", "term", write_csv(tmp_path, f"{header}\n2027FA,{days}\n2027fa,{days}\n"))
    assert "line 3: term “2027fa”: 2027FA is in the file twice. See also line 2.\n" in duplicates.output


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Monsoon", "“Monsoon” is neither a season (Winter, Spring, Summer, Fall) nor a term in the catalog."),
        ('"Fall, 2027FA"', "“2027FA” is neither a season (Winter, Spring, Summer, Fall) nor a term in the catalog."),
        ("Every Fall", "“Every Fall” is neither a season (Winter, Spring, Summer, Fall) nor a term in the catalog."),
        ("Fall;Spring", "Separate seasons with commas, like Fall, Spring."),
        ('"Fall, Spring 2019"', ""),
        ("autumn and spring", ""),
        ('"Fall, 2026fa"', ""),
    ],
)
async def test_a_course_lists_only_known_seasons_or_terms(
    run: Run, db: Database, tmp_path: Path, text: str, error: str
) -> None:
    await terms.put_all(db, [replace(FALL, term="2026FA")])
    result = await run(
        "import", "course", write_csv(tmp_path, f"courseID,title,description,credits,term\n7,X 1,,3,{text}\n")
    )
    if error:
        assert result.exit_code == 1
        assert result.output.startswith("line 2: term")
        assert error in result.output
    else:
        assert result.exit_code == 0


async def test_importing_the_same_sections_twice_changes_nothing_the_second_time(
    run: Run, db: Database, tmp_path: Path
) -> None:
    args = ("import", "section", write_csv(tmp_path, SECTION_CSV))
    assert (await run(*args)).output.splitlines()[-1] == "section: 1 added, 1 changed, 0 unchanged."
    before = await db.section.find().to_list(None)
    assert (await run(*args)).output == "section: 0 added, 0 changed, 2 unchanged.\n"
    assert await db.section.find().to_list(None) == before
    meetings = (Meeting("MWF", "09:00", "09:50"), Meeting("R", "14:00", "15:15"))
    assert await sections.find(db, SectionKey("Fall 2026", "1111", "03")) == Section(
        "Fall 2026", "1111", "03", 12, 0, 4, 0, meetings, "B. Chaudhry", "Lab 7"
    )


async def test_a_section_file_with_invalid_rows_lists_each_and_imports_none(
    run: Run, db: Database, tmp_path: Path
) -> None:
    rows = ["Fall,1111,7,9", "Winter,1111,8,9", "Fall,9999,8,9", "Fall,1111,07,9", "Fall,1111,9,none"]
    malformed = await run(
        "import", "section", write_csv(tmp_path, "\n".join(["term,courseID,section,capacity", *rows]))
    )
    assert malformed.output.startswith("line 6: capacity “none”: This must be a whole number, like 30.\n")
    assert malformed.output.endswith("Error: Nothing was imported.\n")
    unknown = await run(
        "import", "section", write_csv(tmp_path, "\n".join(["term,courseID,section,capacity", *rows[:3]]))
    )
    assert "line 3: term: There is no term “Winter” in the catalog.\n" in unknown.output
    assert "line 4: courseID: There is no course 9999 in the catalog.\n" in unknown.output
    duplicates = await run(
        "import", "section", write_csv(tmp_path, "\n".join(["term,courseID,section,capacity", rows[0], rows[3]]))
    )
    assert "line 3: section: Fall 2026 1111 section 07 is in the file twice. See also line 2." in duplicates.output
    assert [malformed.exit_code, unknown.exit_code, duplicates.exit_code] == [1, 1, 1]
    assert await db.section.count_documents({}) == len(SECTIONS)


async def test_columns_missing_from_a_file_keep_their_stored_values(run: Run, db: Database, tmp_path: Path) -> None:
    restricted = "term,courseID,section,capacity,restriction\nFall 2026,3333,01,1,Programs: Nursing\n"
    await run("import", "section", write_csv(tmp_path, restricted))
    await run("import", "section", write_csv(tmp_path, "term,courseID,section,capacity\nFall 2026,3333,01,2\n"))
    kept = replace(PHP_202, capacity=2, revision=2, restriction="program: Nursing")
    assert await sections.find(db, PHP_202.key) == kept
    rules = {"restriction": "level: Graduate", "max_attempts": 2, "withdrawals_count": True, "equivalents": ("2222",)}
    course = replace(Course("3333", "PHP 202", "", 4, "Fall", "Computing", ("1111",), ("2222",)), **rules)
    given = frozenset({"subject", "prerequisites", "corequisites", *rules})
    await import_courses(db, [ImportedCourse(1, course, given)], NOW)
    row = "courseID,title,description,credits,term,subject\n3333,PHP 202,,4,Fall,\n"
    assert (await run("import", "course", write_csv(tmp_path, row))).exit_code == 0
    assert await courses.find(db, "3333") == replace(course, subject="")
    await import_courses(db, [ImportedCourse(1, replace(course, description="Forms"), given | {"description"})], NOW)
    assert (
        await run("import", "course", write_csv(tmp_path, row.replace(",description", "").replace(",,", ",", 1)))
    ).output
    assert await courses.find(db, "3333") == replace(course, subject="", description="Forms")


@pytest.mark.parametrize("name", ["Fall 2026", "autumn  2026"])
async def test_a_term_keeps_its_timezone_and_credit_limit_if_the_file_omits_them(
    run: Run, db: Database, tmp_path: Path, name: str
) -> None:
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"max_credits": 12.5}})
    header = "term,opens_at,add_deadline,drop_deadline,withdraw_deadline"
    row = f"{name},2026-08-01,2026-09-15T00:00,2026-09-14,2026-10-31"
    for text in (f"{header}\n{row}\n", f"{header},max_credits,timezone\n{row},,\n"):
        result = await run("import", "term", write_csv(tmp_path, text))
        assert result.output == "term: 0 added, 0 changed, 1 unchanged.\n"
        assert await terms.find(db, "Fall 2026") == replace(FALL, max_credits=12.5)
    await run("import", "term", write_csv(tmp_path, f"{header},max_credits,timezone\n{row},15,UTC\n"))
    term = await terms.find(db, "Fall 2026")
    assert term is not None
    assert (term.max_credits, term.timezone, term.opens_at) == (15, "UTC", datetime(2026, 8, 1, tzinfo=UTC))


async def test_a_term_keeps_its_first_and_last_day_if_the_file_omits_them(
    run: Run, db: Database, tmp_path: Path
) -> None:
    header = "term,opens_at,add_deadline,drop_deadline,withdraw_deadline"
    row = "Fall 2026,2026-08-01,2026-09-14,2026-09-14,2026-10-31"
    days = write_csv(tmp_path, f"{header},starts_on,ends_on\n{row},2026-08-31,2026-12-18\n")
    assert (await run("import", "term", days)).output == (
        "line 2: Fall 2026: starts_on nothing → 2026-08-31, ends_on nothing → 2026-12-18\n"
        "term: 0 added, 1 changed, 0 unchanged.\n"
    )
    for text in (f"{header}\n{row}\n", f"{header},starts_on,ends_on\n{row},,\n"):
        result = await run("import", "term", write_csv(tmp_path, text))
        assert result.output == "term: 0 added, 0 changed, 1 unchanged.\n"
    expected = replace(FALL, starts_on=date(2026, 8, 31), ends_on=date(2026, 12, 18))
    assert await terms.find(db, "Fall 2026") == expected
    await terms.put_all(db, [FALL])
    assert await terms.find(db, "Fall 2026") == FALL


async def test_unreadable_days_of_a_term_are_ignored(db: Database) -> None:
    days = {"starts_on": "soon", "ends_on": 5}
    await db.term.update_one({"term": "Fall 2026"}, {"$set": days}, bypass_document_validation=True)
    assert await terms.find(db, "Fall 2026") == FALL


async def test_a_course_cannot_require_itself_or_an_unknown_course(run: Run, db: Database, tmp_path: Path) -> None:
    header = "courseID,title,description,credits,term,prerequisites,corequisites,equivalents"
    rows = f"{header}\n7,BIO 1,,3,Fall,1111 7,8 9999,7\n"
    refused = await run("import", "course", write_csv(tmp_path, rows + "8,BIO 2,,1,Fall,,7,7\n"))
    assert refused.exit_code == 1
    assert refused.output.splitlines()[:-1] == [
        "line 2: corequisites “8 9999”: There is no course 9999 in the catalog.",
        "line 2: equivalents “7”: A course can’t be its own equivalent.",
        "line 2: prerequisites “1111 7”: A course can’t require itself.",
    ]


async def test_a_raised_capacity_promotes_a_waitlisted_student_and_adds_a_notice(db: Database) -> None:
    await fill_section_and_waitlist_bob(db)
    await import_section(db, replace(PHP_202, capacity=2))
    assert (await registrations_of(db, BOB.user_id)).keys() == {"3333"}
    [notice] = await notices.take_unseen(db, BOB.user_id)
    assert notice.action == "promote"
    promoted = (await events.find_page(db, BOB.user_id, "", 1))[0][0]
    assert (promoted.action, promoted.actor) == ("promote", 0)
    assert (await audit.check(db, NOW)).discrepancies == []


async def test_a_capacity_below_the_seats_taken_removes_no_student(db: Database) -> None:
    await fill_section_and_waitlist_bob(db)
    await import_section(db, replace(PHP_202, capacity=0))
    assert (await registrations_of(db, ADA.user_id)).keys() == {"3333"}
    found = await audit.check(db, NOW)
    assert found.discrepancies == []
    assert found.notes == [
        "3333, section 01, Fall 2026: 1 enrolled, but the capacity is 0; it was lowered, or staff exceeded it."
    ]
    await import_section(db, replace(PHP_202, capacity=1))
    assert (await audit.check(db, NOW)).notes == []


async def test_a_later_deadline_promotes_a_waitlisted_student(db: Database) -> None:
    await fill_section_and_waitlist_bob(db)
    late = FALL.add_deadline
    await enroll.drop(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), late)
    assert await registrations_of(db, BOB.user_id) == {}
    open_again = replace(FALL, add_deadline=FALL.withdraw_deadline, drop_deadline=FALL.withdraw_deadline)
    await import_terms(db, [ImportedTerm(1, open_again, LIMIT_COLUMNS)], late)
    assert (await registrations_of(db, BOB.user_id)).keys() == {"3333"}


async def test_a_higher_credit_limit_promotes_a_skipped_student(db: Database) -> None:
    await fill_section_and_waitlist_bob(db)
    await import_terms(db, [ImportedTerm(1, replace(FALL, max_credits=3), LIMIT_COLUMNS)], NOW)
    await enroll.drop(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), NOW)
    assert await registrations_of(db, BOB.user_id) == {}
    await import_terms(db, [ImportedTerm(1, FALL, LIMIT_COLUMNS)], NOW)
    assert (await registrations_of(db, BOB.user_id)).keys() == {"3333"}


async def test_moved_meetings_promote_a_student_who_had_a_conflict(db: Database) -> None:
    await waitlist_bob_with_a_conflict(db)
    await enroll.drop(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), NOW)
    assert (await registrations_of(db, BOB.user_id)).keys() == {"1111"}
    await import_section(db, replace(PHP_202, meetings=(Meeting("S", "09:00", "10:00"),)))
    assert (await registrations_of(db, BOB.user_id)).keys() == {"1111", "3333"}
    assert (await audit.check(db, NOW)).discrepancies == []


async def test_a_student_skipped_during_an_import_gets_the_seat_after_all(db: Database) -> None:
    await waitlist_bob_with_a_conflict(db)
    moved_section = replace(SECTIONS[1], capacity=9, meetings=(Meeting("U", "09:00", "10:00"),))
    importing: list[asyncio.Task[None]] = []

    async def drop(session: Session) -> None:
        step = SeatTransaction(db, session, NOW, ADA.user_id)
        await seat_changes.bump_version(step, ADA.user_id, FALL.term)
        [held] = await enrollments.find_in_term(db, ADA.user_id, FALL.term, step.session)
        await seat_changes.drop(step, ADA.user_id, held, is_withdrawal=False)
        await promote_waitlists(step)  # skips bob, who still has a conflict
        importing.append(asyncio.create_task(import_section(db, moved_section)))
        finished, _ = await asyncio.wait(importing, timeout=0.5)
        assert not finished, "the import didn't wait"

    await transaction(db, drop)
    await importing[0]
    assert (await registrations_of(db, BOB.user_id)).keys() == {"1111", "3333"}


async def test_meetings_moved_to_the_same_time_are_noted_but_not_an_error(db: Database) -> None:
    await enroll.enroll(EnrollmentContext(db), BOB.user_id, SectionRequest("1111", section="02"), NOW)
    await enroll.enroll(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), NOW)
    await import_section(db, replace(PHP_202, meetings=EVENINGS))
    found = await audit.check(db, NOW)
    assert found.discrepancies == []
    assert found.notes == ["Student 2, Fall 2026: 1111 and 3333 both meet on TR 6:00–7:15 PM; a meeting was moved."]


async def test_changed_credits_of_a_course_apply_to_its_students(db: Database) -> None:
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), NOW)
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("1111"), NOW)
    await enroll.enroll(EnrollmentContext(db), RITA.user_id, SectionRequest("1111"), NOW)
    php = await courses.find(db, "3333")
    assert php is not None
    await import_courses(db, [ImportedCourse(1, replace(php, credits=2.5), frozenset())], NOW)
    assert await schedules.find_credits(db, ADA.user_id) == {"Fall 2026": 5.5}
    assert await schedules.find_credits(db, RITA.user_id) == {"Fall 2026": 3}
    assert (await audit.check(db, NOW)).discrepancies == []


async def test_a_removed_prerequisite_promotes_a_waitlisted_student(db: Database) -> None:
    await fill_section_and_waitlist_bob(db)
    php = await courses.find(db, "3333")
    assert php is not None
    given = frozenset({"prerequisites"})
    await import_courses(db, [ImportedCourse(1, replace(php, prerequisites=("2222",)), given)], NOW)
    await enroll.drop(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), NOW)
    assert [one.user_id for one in await waitlist.find_by_section(db, PHP_202.key)] == [BOB.user_id]
    await import_courses(db, [ImportedCourse(1, php, given)], NOW)
    assert (await registrations_of(db, BOB.user_id)).keys() == {"3333"}


async def waitlist_bob_with_a_conflict(db: Database) -> None:
    """Give ada the only seat in PHP 202, put bob on its waitlist, then move its meetings onto those of his PYT 101."""
    await fill_section_and_waitlist_bob(db)
    await enroll.enroll(EnrollmentContext(db), BOB.user_id, SectionRequest("1111", section="02"), NOW)
    await import_section(db, replace(PHP_202, meetings=EVENINGS))
    assert PHP_202.meetings == NOONS
