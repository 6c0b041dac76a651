"""The registrar's list of students."""

import re
from html import unescape
from itertools import product

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.db.queries import people
from quart_enroll.domain.models import PeopleFilter, Profile, User
from quart_enroll.domain.roles import STUDENT_ONLY, Role
from tests.support.people import ADA, BOB, PASSWORD_HASH, Browser, text

NAMES = {
    101: ("Zoë", "Adler", "zoe@other.example"),
    102: ("José", "Díaz Novák", "jose+uni@school.example"),
    103: ("Ann", "O’Brien", "ann.103@school.example"),
}


@pytest.fixture
async def three_more_students(db: Database) -> None:
    """Add three students to ada and bob."""
    for number, (first, last, email) in NAMES.items():
        await users.add(db, User(number, email, first, last), PASSWORD_HASH)


@pytest.fixture
async def many_students(db: Database) -> None:
    """Add 120 students to ada and bob."""
    for number in range(1001, 1121):
        await users.add(db, User(number, f"s{number}@crowd.example", "Sam", f"No{number}"), PASSWORD_HASH)


def student_ids(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'data-label="Student ID">(\d+)<', page)]


@pytest.mark.usefixtures("three_more_students")
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("adler", [101]),
        ("ZOË", [101]),
        ("novák josé", [102]),
        ("103", [103]),
        ("ann.103@", [103]),
        ("school.example", [1, 2, 102, 103]),
        ("jose+uni", [102]),
        (".*", []),
        ("rita", []),
        ("adler josé", []),
        ("  ", [1, 2, 101, 102, 103]),
    ],
)
async def test_a_student_is_found_by_name_email_or_number(rita: Browser, q: str, found: list[int]) -> None:
    response = await rita.get("/staff/students", query_string={"q": q})
    page = await text(response)
    assert student_ids(page) == found
    noun = "students" if len(found) != 1 else "student"
    assert f">{len(found)} {noun}" in page
    assert ("No students match" in page) == (not found)


@pytest.mark.usefixtures("many_students")
async def test_many_students_come_in_pages(rita: Browser) -> None:
    first = await rita.read("/staff/students?q=crowd")
    assert student_ids(first) == list(range(1001, 1051))
    assert '<a rel="next" href="/staff/students?q=crowd&amp;page=2">' in first
    last = await rita.read("/staff/students?q=crowd&page=3")
    assert student_ids(last) == list(range(1101, 1121))
    assert 'rel="next"' not in last
    assert student_ids(await rita.read("/staff/students")) == [1, 2, *range(1001, 1049)]


@pytest.mark.usefixtures("many_students")
@pytest.mark.parametrize(
    ("page", "first_id"),
    [("abc", 1), ("", 1), ("0", 1), ("-1", 1), ("1e3", 1), ("２", 1), ("999999", 1), ("99999", 1099), ("4", 1099)],
)
async def test_a_page_number_out_of_range_shows_the_first_or_last_page(rita: Browser, page: str, first_id: int) -> None:
    response = await rita.get("/staff/students", query_string={"page": page})
    assert response.status_code == 200
    assert student_ids(await text(response))[0] == first_id


@pytest.mark.parametrize(
    "q", ["x" * 5000, "a " * 3000, "%00", "\0", "(", "[a", "\\", "9" * 30, "%ff", "<b>", "１０３", "\ud7ff"]
)
async def test_any_search_text_gets_a_page(rita: Browser, q: str) -> None:
    response = await rita.get("/staff/students", query_string={"q": q})
    assert response.status_code == 200
    assert "<b>" not in await text(response)


async def test_the_search_text_stays_in_the_search_box(rita: Browser) -> None:
    page = await rita.read("/staff/students?q=ada+%26+bob")
    assert 'value="ada & bob"' in unescape(page)
    assert 'maxlength="100"' in page


@pytest.mark.usefixtures("three_more_students")
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("jose diaz", [102]),
        ("jose\u0301 novak", [102]),
        ("NOVÁK", [102]),
        ("zoe", [101]),
        ("obrien", [103]),
        ("o'brien", [103]),
        ("O’Brien", [103]),
        ("lukasz soren", [104]),
        ("иван", [105]),
        ("ivän@bücher", [105]),
        ("'", [1, 2, 101, 102, 103, 104, 105]),
        ("ann o\u200bbrien", [103]),
    ],
)
async def test_a_name_is_found_however_it_is_typed(rita: Browser, db: Database, q: str, found: list[int]) -> None:
    await users.add(db, User(104, "l@x.example", "Łukasz", "Søren"), PASSWORD_HASH)
    await users.add(db, User(105, "ivän@bücher.example", "Иван", "Jose\u0308"), PASSWORD_HASH)
    response = await rita.get("/staff/students", query_string={"q": q})
    assert student_ids(await text(response)) == found


@pytest.mark.parametrize("name", ["김민준", "がくせい", "शर्मा", "विद्यार्थी", "ไทยแท้", "שָׁלוֹם", "مُحَمَّد", "தமிழ்"])
async def test_a_name_in_any_script_is_found_as_it_is_typed(rita: Browser, db: Database, name: str) -> None:
    await users.add(db, User(106, "n@x.example", name, f"van {name}"), PASSWORD_HASH)
    response = await rita.get("/staff/students", query_string={"q": name})
    assert student_ids(await text(response)) == [106]


@pytest.mark.parametrize("q", ["ﷺ" * 100, "ae" * 50, "o" * 100, "ö" * 100, "[" * 100, "각" * 100])
async def test_no_search_is_too_long_for_the_database(rita: Browser, q: str) -> None:
    response = await rita.get("/staff/students", query_string={"q": q})
    assert response.status_code == 200


@pytest.mark.parametrize("q", ["lien", "zo adl", "other.ex", "#101", "1"])
async def test_a_search_finds_the_beginnings_of_words(rita: Browser, three_more_students: None, q: str) -> None:
    found = {"lien": [], "zo adl": [101], "other.ex": [101], "#101": [101], "1": [1, 103]}
    response = await rita.get("/staff/students", query_string={"q": q})
    assert student_ids(await text(response)) == found[q]


async def test_students_whom_an_older_version_has_stored_are_listed_and_found(rita: Browser, db: Database) -> None:
    for number, (first, last, email) in NAMES.items():
        row = users.to_row(User(number, email, first, last))
        del row["is_student"], row["search_words"], row["roles"]
        await db.user.insert_one(row | {"password": PASSWORD_HASH})
    assert student_ids(await rita.read("/staff/students")) == [1, 2, *NAMES]
    assert student_ids(await rita.read("/staff/students?q=diaz")) == [102]
    assert not await db.user.count_documents({"search_words": None})


async def test_a_former_student_is_no_longer_listed(rita: Browser, db: Database) -> None:
    async with await db.client.start_session() as session:
        await users.set_profile(db, BOB.user_id, Profile(frozenset({Role.ADVISOR})), session)
    assert student_ids(await rita.read("/staff/students")) == [ADA.user_id]


@pytest.mark.usefixtures("many_students")
async def test_a_search_that_finds_too_many_shows_the_first(rita: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (60, 5):  # the second one by reading the list in its order
        monkeypatch.setattr(people, "MAX_FOUND", number)
        page = await rita.read("/staff/students?q=crowd&sort=-name&page=9")
        assert f"More than {number} match" in page
        assert student_ids(page) == list(range(1120, 1120 - number, -1))[-10:]
        assert (await rita.read("/staff/students?q=crowd&format=csv")).count("@crowd.example") == 120
        assert "More than" not in await rita.read("/staff/students?q=ada")
        assert student_ids(await rita.read("/staff/students?q=crowd+no1050+sam")) == [1050]


@pytest.mark.usefixtures("many_students")
async def test_a_page_reads_only_its_own_rows(db: Database) -> None:
    """Also the last one: the rows before it are skipped in the index."""
    for roles, order in product(((), STUDENT_ONLY), ("name", "user_id", "email")):
        for descending in (False, True):
            wanted = PeopleFilter(roles=frozenset(roles), order=order, descending=descending)
            plan = await people._plan(db, wanted)
            found = await people._sorted(db, plan, wanted).skip(100).limit(10).explain()
            assert found["executionStats"]["totalDocsExamined"] == 10
            assert "'SORT'" not in str(found["queryPlanner"]["winningPlan"])


@pytest.mark.usefixtures("many_students")
async def test_people_are_counted_without_reading_their_rows(db: Database) -> None:
    plan = await people._plan(db, PeopleFilter(roles=STUDENT_ONLY, order="user_id"))
    stages = [{"$match": plan.filter}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]
    command = {"aggregate": "user", "pipeline": stages, "cursor": {}, "hint": dict(plan.keys)}
    command["collation"] = users.CASE_INSENSITIVE.document
    found = await db.command("explain", command, verbosity="executionStats")
    assert re.findall(r"'totalDocsExamined': (\d+)", str(found)) == ["0"]
