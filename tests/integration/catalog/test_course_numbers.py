"""The numbers of courses and sections: found in any spelling, with a page for each, and never guessed."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from click.testing import Result
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain import folding
from quart_enroll.domain.models import Course, Section
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.services.maintenance import audit
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from quart_enroll.state import EXTENSION
from tests.support.api_clients import ENROLLMENTS, PYT, program
from tests.support.people import (
    ADA,
    FALL,
    FALL_MORNING,
    SECTIONS,
    Browser,
    Clock,
    message_after,
    offer_course,
    seats_taken,
    text,
)

Run = Callable[..., Awaitable[Result]]

HEADER = "courseID,title,credits,term"
ROW = {"title": "T", "credits": "3", "term": "Fall"}


@pytest.fixture
def run(app: Quart, tmp_path: Path) -> Run:
    """Import the text as a CSV file, in a thread, because a command starts its own event loop."""

    async def invoke(collection: str, text: str) -> Result:
        path = tmp_path / f"{collection}.csv"
        path.write_text(text, "utf-8")
        return await asyncio.to_thread(app.test_cli_runner().invoke, args=["import", collection, str(path)])

    return invoke


async def find_section_numbers(db: Database, courseID: str) -> list[str]:
    return sorted(await db.section.distinct("section", {"term": "Fall 2026", "courseID": courseID}))


# Sections


@pytest.mark.parametrize("stored", ["1", "01", "001"])
async def test_a_section_is_found_with_or_without_leading_zeros(ada: Browser, db: Database, stored: str) -> None:
    await db.section.update_one({"term": "Fall 2026", "courseID": "3333"}, {"$set": {"section": stored}})
    for spelling in ("1", "01", "001", "0001"):
        await ada.post("/enrollment", form={"courseID": "3333", "term": "Fall 2026", "section": spelling})
        assert await seats_taken(db, "3333", stored) == 1
        await ada.post("/enrollment/drop", form={"courseID": "3333"})
        await ada.post("/plan/add", form={"courseID": "3333", "term": "Fall 2026", "section": spelling})
        assert await db.plan.count_documents({"section": stored}) == 1
        await db.plan.delete_many({})


async def test_the_api_accepts_a_section_number_in_any_spelling(app: Quart, db: Database) -> None:
    ada = await program(app, db, ADA)
    for spelling, expected in (("2", 201), ("002", 200), ("02", 200)):
        status, enrollment = await ada.post(ENROLLMENTS, PYT | {"section": spelling})
        assert (status, enrollment["section"]) == (expected, "02")


@pytest.mark.parametrize("stored", ["1", "01", "001"])
@pytest.mark.parametrize("written", ["1", "01", "001"])
async def test_an_import_updates_a_section_whatever_its_leading_zeros(
    run: Run, db: Database, stored: str, written: str
) -> None:
    await db.section.update_one({"term": "Fall 2026", "courseID": "3333"}, {"$set": {"section": stored}})
    result = await run("section", f"term,courseID,section,capacity\nFall 2026,3333,{written},7\n")
    assert result.output.splitlines()[-1] == "section: 0 added, 1 changed, 0 unchanged."
    assert await find_section_numbers(db, "3333") == [stored]


async def test_a_new_section_is_stored_once(run: Run, db: Database) -> None:
    header = "term,courseID,section,capacity\n"
    result = await run("section", f"{header}Fall 2026,3333,5,7\nFall 2026,3333,005,7\n")
    assert "is in the file twice. See also line 2." in result.output
    assert await find_section_numbers(db, "3333") == ["01"]
    for number in ("5", "005", "05"):
        await run("section", f"{header}Fall 2026,3333,{number},7\n")
    assert await find_section_numbers(db, "3333") == ["01", "05"]


async def test_duplicate_sections_of_an_old_database_are_listed_and_left_alone(
    run: Run, ada: Browser, db: Database
) -> None:
    await sections.put_all(db, [replace(SECTIONS[2], section="1")])
    note = "Fall 2026 3333: the sections “01” and “1” have the same number in different spellings."
    assert (await audit.check(db, FALL_MORNING)).notes == [note]
    assert f"{note} Nothing was changed." in (await upgrade(db, FALL_MORNING, UpgradeDefaults())).unchanged
    for number in ("1", "01"):
        result = await run("section", f"term,courseID,section,capacity\nFall 2026,3333,{number},7\n")
        assert result.output.splitlines()[-1] == "section: 0 added, 1 changed, 0 unchanged."
    ambiguous = await run("section", "term,courseID,section,capacity\nFall 2026,3333,001,7\n")
    assert "The course has the sections 01 and 1. Use one of these numbers." in ambiguous.output
    message = await message_after(ada, "/enrollment", courseID="3333", section="001")
    assert "PHP 202 has no section 001 in Fall 2026." in message
    await ada.post("/enrollment", form={"courseID": "3333", "section": "1"})
    assert (await seats_taken(db, "3333", "1"), await seats_taken(db, "3333", "01")) == (1, 0)


# Courses


OTHER_SPELLINGS = ["mü 101", "MU\u0308 101", "Mü\u200b 101", "Ｍü 101", "Mü\u00a0101"]


@pytest.mark.parametrize(
    "spelling", [spelling for spelling in OTHER_SPELLINGS if folding.visible(spelling) == spelling]
)
async def test_importing_another_spelling_of_a_course_number_is_refused(run: Run, db: Database, spelling: str) -> None:
    both = await run("course", f"{HEADER}\nMü 101,Music,3,Fall\n{spelling},Music,3,Fall\n")
    assert "is in the file twice." in both.output
    await run("course", f"{HEADER}\nMü 101,Music,3,Fall\n")
    again = await run("course", f"{HEADER}\n{spelling},Music,3,Fall\n")
    assert "The catalog spells this course number Mü 101. Use the same spelling." in again.output
    assert await db.course.count_documents({}) == 4


@pytest.mark.parametrize("typed", OTHER_SPELLINGS)
async def test_a_course_is_found_however_its_number_is_typed(
    anyone: Browser, ada: Browser, run: Run, db: Database, typed: str
) -> None:
    await run("course", f"{HEADER}\nMü 101,Music,3,Fall\nMÜ 102,More music,3,Fall\n")
    await run("section", f"term,courseID,section,capacity\nFall 2026,{typed},1,5\n")
    assert await find_section_numbers(db, "Mü 101") == ["01"]
    for prefix in ("/course/", "/api/", "/api/v1/courses/"):
        assert "Music" in await text(await anyone.get(prefix + quote(typed))), prefix
    await ada.post("/enrollment", form={"courseID": typed})
    assert await seats_taken(db, "Mü 101") == 1
    await ada.post("/enrollment/drop", form={"courseID": typed})
    assert await seats_taken(db, "Mü 101") == 0


async def test_a_prerequisite_is_found_in_any_spelling(run: Run, db: Database) -> None:
    await run("course", f"{HEADER},prerequisites\nMÜ2,Music,3,Fall,mü1\nMü1,Music,3,Fall,\n")
    row = await db.course.find_one({"courseID": "MÜ2"})
    assert row is not None
    assert row["prerequisites"] == ["Mü1"]


async def test_duplicate_course_numbers_of_an_old_database_are_listed_and_found_exactly(
    anyone: Browser, db: Database
) -> None:
    await offer_course(db, "art 1", "Clay")
    await offer_course(db, "Art 1", "Paper")
    assert (await audit.check(db, FALL_MORNING)).notes == [
        "The courses “Art 1” and “art 1” have the same number in different spellings."
    ]
    assert "Clay" in await text(await anyone.get("/course/art%201"))
    assert "Paper" in await text(await anyone.get("/course/Art%201"))
    assert (await anyone.get("/course/ART%201")).status_code == 404


@pytest.mark.parametrize("number", [".", "..", "a/../b", "a//b", "/a", "a/", "a/.", "v1/a", "a\u200bb", "\u3164"])
def test_a_course_number_that_no_url_can_contain_is_refused(number: str) -> None:
    _, [problem] = CourseRow.check(ROW | {"courseID": number})
    assert problem.startswith("courseID: ")


NUMBER_PARTS = [*"/.%?#;:&=+@\\~'\"<>|{}[]^`$!*(), ", "..", "%2F", "%25", "CS", "101", "ü", "中", "e\u0301", "v1"]
UNUSUAL_NUMBERS = [
    "CS/101",
    "MAT 1.1",
    "100%",
    "a?b",
    "#1",
    "...",
    "a/.../b",
    "%2e%2e",
    "a%2Fb",
    "a;b",
    "a b+c",
    "v1",
    "\\a",
]


async def test_every_course_number_that_can_be_imported_has_a_page(
    app: Quart, ada: Browser, db: Database, clock: Clock
) -> None:
    rng = random.Random(0)  # noqa: S311  # not used for secrets
    random_numbers = ["".join(rng.choices(NUMBER_PARTS, k=rng.randint(1, 8))).strip()[:20] for _ in range(90)]
    numbers = {folding.key(number): number for number in [*UNUSUAL_NUMBERS, *random_numbers]}.values()
    valid_numbers = [number for number in numbers if not CourseRow.check(ROW | {"courseID": number})[1]]
    assert set(UNUSUAL_NUMBERS) <= {*valid_numbers, *random_numbers}
    for collection in (db.course, db.section):
        await collection.delete_many({})
    await db.course.insert_many([asdict(Course(number, "T", "", 3, "Fall")) for number in valid_numbers])
    await sections.put_all(db, [Section(FALL.term, number, "01", 5) for number in valid_numbers])
    cached = CatalogCache(db, clock)  # reads the catalog once, not for each of several hundred requests
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], catalog_cache=cached)
    links = {}
    for page in range(1, 2 + len(valid_numbers) // 25):
        catalog = await ada.read(f"/courses/Fall%202026?page={page}")
        rows = zip(
            re.findall(r'<p class="facts">[^<]*<a href="([^"]+)">', catalog),
            re.findall(r"<h2><b>(.*?)</b> · T</h2>", catalog),
            strict=True,
        )
        links |= {unescape(number): unescape(link) for link, number in rows}
    assert set(valid_numbers) == links.keys()
    for number, link in links.items():
        url = urlsplit(link)
        assert {unquote(part) for part in url.path.split("/")[2:]}.isdisjoint({"", ".", ".."}), number
        shown = await text(await ada.get(f"{url.path}?{url.query}"))
        assert f"<h1>{number} · T <small>" in unescape(shown)
        for encoded in (quote(number, safe=""), quote(number)):
            for api in ("/api/v1/courses/", "/api/"):
                if api == "/api/" and number.isdigit():
                    continue  # means a position in the catalog
                found = await (await ada.get(api + encoded)).get_json()
                assert found["courseID"] == number, api + encoded


async def test_the_links_on_a_course_page_work_for_any_course_number(ada: Browser, db: Database) -> None:
    for number in ("CS/101", "100%", "a?b", "#1", "<b>'\""):
        await offer_course(db, number, f"Course {number}")
        page = await ada.read(f"/course/{quote(number)}")
        [stream_url] = re.findall(r'sse-connect="([^"]+)"', page)
        [fragment_url] = re.findall(r'data-rows="([^"]+)"', page)
        assert number in parse_qs(urlsplit(unescape(stream_url)).query)["course"]
        [section_id] = re.findall(r'<li class="section" id="(\w+)"', page)
        assert f'id="{section_id}"' in await ada.read(unescape(fragment_url))
        await ada.post("/enrollment", form={"courseID": number, "term": "Fall 2026"})
        [link] = re.findall(r'<th scope="row" role="rowheader"><a href="([^"]+)">', await ada.read("/enrollment"))
        assert f"Course {number}" in unescape(await ada.read(unescape(link)))
        await ada.post("/enrollment/drop", form={"courseID": number})


async def test_no_course_number_hides_a_v1_url(anyone: Browser) -> None:
    for method, status in (("GET", 404), ("POST", 404)):
        response = await anyone.client.open("/api/v1/nothing", method=method)
        assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert (await anyone.get("/api/v1/me/swaps")).status_code == 405


# What a student types


@pytest.fixture
async def custom_course_numbers(db: Database) -> None:
    """Courses with the school's own numbers, as courseID or, as in a Flask site's database, as title."""
    await offer_course(db, "CSC-101", "Computers")
    await offer_course(db, "4444", "BIO 210")
    await offer_course(db, "5555", "CHE 300: Chemistry")


@pytest.mark.usefixtures("custom_course_numbers")
@pytest.mark.parametrize(
    ("typed", "courseID"),
    [
        ("CSC 101", "CSC-101"),
        ("csc101", "CSC-101"),
        ("CSC-101", "CSC-101"),
        ("csc.101", "CSC-101"),
        ("bio 210", "4444"),
        ("BIO210", "4444"),
        ("Bio-210", "4444"),
        ("che300", "5555"),
        ("CHE 300: Chemistry", "5555"),
        ("pyt-101", "1111"),
    ],
)
async def test_the_form_finds_a_course_by_its_number_in_any_spelling(
    ada: Browser, db: Database, typed: str, courseID: str
) -> None:
    page = await text(await ada.get("/enrollment/form", query_string={"courseID": typed}))
    assert f'name="courseID" required type="text" value="{courseID}"' in page
    for path in ("/plan/add", "/enrollment"):
        response = await ada.post(path, form={"courseID": typed})
        assert response.status_code == 303
    assert await db.plan.count_documents({"courseID": courseID}) == 1
    assert await db.enrollment.count_documents({"courseID": courseID, "user_id": ADA.user_id}) == 1
    await ada.post("/enrollment/drop", form={"courseID": typed})
    assert await db.enrollment.count_documents({}) == 0


@pytest.mark.usefixtures("custom_course_numbers")
async def test_the_api_finds_a_course_by_its_number_in_any_spelling(app: Quart, db: Database) -> None:
    ada = await program(app, db, ADA)
    for expected in (201, 200):
        status, enrollment = await ada.post(ENROLLMENTS, {"courseID": "csc 101"})
        assert (status, enrollment["courseID"]) == (expected, "CSC-101")
    assert [one["courseID"] for one in (await ada.get(f"{ENROLLMENTS}?courseID=csc101"))["enrollments"]] == ["CSC-101"]


async def test_an_exact_course_number_takes_precedence(ada: Browser, db: Database) -> None:
    await offer_course(db, "CSC101", "One")
    await offer_course(db, "CSC-101", "Two")
    await offer_course(db, "9", "CSC 101")
    await ada.post("/enrollment", form={"courseID": "csc-101"})
    assert await seats_taken(db, "CSC-101") == 1


async def test_an_ambiguous_course_number_lists_the_matching_courses(ada: Browser, app: Quart, db: Database) -> None:
    await offer_course(db, "CSC101", "One")
    await offer_course(db, "9", "CSC 101")
    sentence = "“CSC.101” matches several courses: 9 (CSC 101) and CSC101 (One)."
    for response, status in (
        (await ada.get("/enrollment/form?courseID=CSC.101"), 200),
        (await ada.post("/enrollment", form={"courseID": "CSC.101"}), 422),
    ):
        assert response.status_code == status
        assert sentence in await text(response)
    for path in ("/plan/add", "/waitlist", "/alert"):
        assert sentence in await message_after(ada, path, courseID="CSC.101")
    status, problem = await (await program(app, db, ADA)).post(ENROLLMENTS, {"courseID": "CSC.101"})
    assert (status, problem["code"], problem["courses"]) == (409, "ambiguous_course", ["9", "CSC101"])
    for collection in (db.enrollment, db.plan, db.waitlist):
        assert await collection.count_documents({}) == 0


async def test_part_of_a_number_or_title_matches_no_course(ada: Browser, db: Database) -> None:
    await offer_course(db, "CSC-1010", "Europe 1945 to today")
    for typed in ("CSC101", "CSC", "Europe", "1010", "...", "PYT"):
        assert f"There is no course {typed} in the catalog." in await message_after(ada, "/enrollment", courseID=typed)
    assert await db.enrollment.count_documents({}) == 0


# Searches


@pytest.mark.parametrize("q", ["CS101", "cs-101", "cs.101", "CS 101", "ｃｓ１０１", "c\u200bs101"])
async def test_page_and_api_find_a_course_number_in_any_spelling(anyone: Browser, db: Database, q: str) -> None:
    for number in ("CS 101", "CS-101x", "cs.101y", "CS101z"):
        await offer_course(db, number, "T")
    await offer_course(db, "7", "CS 101: Introduction")
    page = await anyone.get("/courses/Fall", query_string={"q": q})
    found = re.findall("<h2><b>(.*?)</b>", await text(page))
    assert found == ["CS 101", "CS 101", "CS-101x", "CS101z", "cs.101y"]
    response = await (await anyone.get("/api/v1/courses", query_string={"q": q})).get_json()
    assert [one["courseID"] for one in response["courses"]] == ["7", "CS 101", "CS-101x", "CS101z", "cs.101y"]


@pytest.mark.parametrize("q", ["renee", "RENÉE", "rene\u0301e ohara", "O’Hara", "o'hara lodz", "Łódź"])
async def test_page_and_api_fold_accents_and_apostrophes(anyone: Browser, db: Database, q: str) -> None:
    await offer_course(db, "8", "Renée O’Hara in Łódź")
    assert "<h2><b>8</b> · " in await text(await anyone.get("/courses/Fall", query_string={"q": q}))
    response = await (await anyone.get("/api/v1/courses", query_string={"q": q})).get_json()
    assert [one["courseID"] for one in response["courses"]] == ["8"]
