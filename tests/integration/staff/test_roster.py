"""The roster of a section: its students, the roles that may see it, and the same as a file."""

import csv
import io
import re
from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from tests.support.people import (
    ADA,
    BOB,
    CAL,
    FALL,
    IVAN,
    PASSWORD_HASH,
    RITA,
    Browser,
    Clock,
    set_clock,
)

URL = "/staff/roster?term=Fall+2026&courseID=3333&section=01"
OTHER_URL = URL.replace("3333", "1111")


@pytest.fixture(autouse=True)
async def section_full(ada: Browser, bob: Browser, db: Database, other_staff: None) -> None:
    """Ada has the only seat of PHP 202, which ivan teaches, and bob waits for it."""
    await db.course.update_one({"courseID": "3333"}, {"$set": {"subject": "Computing"}})
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructors": [IVAN.user_id]}})
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})


def group(page: str, key: str) -> list[list[str]]:
    """Return the cells of the group's rows; empty if the page doesn't have the group."""
    part = page.partition(f'<h2 id="{key}">')[2].partition("<h2")[0]
    rows = re.findall(r"<tr role=\"row\".*?>(.*?)</tr>", part, re.DOTALL)[1:]
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub("<[^>]+>", "", cell).strip() for cell in row] for row in cells]


def names(page: str, key: str) -> list[str]:
    return [row[0] for row in group(page, key)]


async def file_rows(browser: Browser, query: str = "") -> list[dict[str, str]]:
    file = await browser.read(f"{URL}&format=csv{query}")
    return list(csv.DictReader(io.StringIO(file.removeprefix("\ufeff"), newline="")))


async def test_the_roster_has_the_enrolled_and_the_waiting(rita: Browser) -> None:
    page = await rita.read(URL)
    assert group(page, "enrolled") == [["Ada Winters", "1", ADA.email, "Sep 1, 2026, 9:00:00 AM"]]
    assert group(page, "waiting") == [["Bob Okafor", "1", "2", BOB.email, "Sep 1, 2026, 9:00:00 AM"]]
    assert names(page, "withdrawn") == names(page, "left") == []
    assert "Enrolled: <strong>1</strong> · On the waitlist: <strong>1</strong>" in page


async def test_the_enrolled_are_sorted_by_last_name(rita: Browser, db: Database) -> None:
    await users.add(db, CAL, PASSWORD_HASH)
    for user in (BOB, CAL):
        row = {"user_id": user.user_id, "courseID": "3333", "term": FALL.term, "section": "01"}
        await db.enrollment.insert_one(row | {"enrolled_at": FALL.opens_at, "status": "enrolled"})
    assert names(await rita.read(URL), "enrolled") == ["Cal Lindqvist", "Bob Okafor", "Ada Winters"]


async def test_the_waiting_keep_their_order(rita: Browser, db: Database) -> None:
    await users.add(db, CAL, PASSWORD_HASH)
    row = {"user_id": CAL.user_id, "courseID": "3333", "term": FALL.term, "section": "01"}
    await db.waitlist.insert_one(row | {"place": 9, "joined_at": FALL.opens_at})
    assert [row[:2] for row in group(await rita.read(URL), "waiting")] == [["Bob Okafor", "1"], ["Cal Lindqvist", "2"]]


async def test_a_student_who_drops_is_listed_with_the_time_and_the_author(rita: Browser, ada: Browser) -> None:
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    page = await rita.read(URL)
    assert group(page, "left") == [
        ["Ada Winters", "1", ADA.email, "Sep 1, 2026, 9:00:00 AM", "Dropped", "The student"],
    ]
    assert names(page, "enrolled") == ["Bob Okafor"]


async def test_a_drop_by_the_waitlist_does_not_name_the_student_who_led_to_it(
    rita: Browser, ada: Browser, bob: Browser
) -> None:
    await bob.post("/waitlist/leave", form={"courseID": "3333"})
    await bob.post("/enrollment", form={"courseID": "1111", "section": "01"})
    await bob.post("/waitlist", form={"courseID": "3333", "drop_if_enrolled": "1111"})
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    assert [row[0::5] for row in group(await rita.read(OTHER_URL), "left")] == [["Bob Okafor", "Automatic"]]


async def test_a_student_who_enrolls_again_has_not_left(rita: Browser, ada: Browser, bob: Browser) -> None:
    await bob.post("/waitlist/leave", form={"courseID": "3333"})
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "3333"})
    page = await rita.read(URL)
    assert (names(page, "enrolled"), names(page, "left")) == (["Ada Winters"], [])


async def test_a_student_who_withdraws_is_listed_apart(rita: Browser, ada: Browser, clock: Clock) -> None:
    await set_clock(FALL.drop_deadline + timedelta(days=1), clock, (ada, ADA), (rita, RITA))
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    page = await rita.read(URL)
    assert group(page, "withdrawn") == [["Ada Winters", "1", ADA.email, "Sep 16, 2026, 4:00:00 AM", "The student"]]
    assert names(page, "left") == []


async def test_a_student_who_moves_to_another_section_has_left(rita: Browser, ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    await ada.post("/enrollment/swap", form={"drop": "1111", "add": "1111", "section": "02"})
    page = await rita.read(OTHER_URL)
    assert [(row[0], row[4]) for row in group(page, "left")] == [("Ada Winters", "Moved to section 02")]


async def test_only_those_who_may_see_the_section_see_its_roster(
    ivan: Browser, aron: Browser, sami: Browser, uma: Browser, ada: Browser
) -> None:
    statuses = {name: (await person.get(URL)).status_code for name, person in locals().items()}
    assert statuses == {"ivan": 200, "aron": 403, "sami": 200, "uma": 200, "ada": 403}


@pytest.mark.parametrize("path", ["", "/email", "/no-show"])
async def test_a_roster_outside_the_scope_is_not_found(ivan: Browser, path: str) -> None:
    assert (await ivan.get(URL.replace("?", f"{path}?"))).status_code == 200
    assert (await ivan.get(OTHER_URL.replace("?", f"{path}?"))).status_code == 404


async def test_an_instructor_who_is_also_a_scheduler_manages_only_own_rosters(ivan: Browser, db: Database) -> None:
    scheduler = {"roles": ["instructor", "scheduler"], "subjects": ["Web"]}
    await db.user.update_one({"user_id": IVAN.user_id}, {"$set": scheduler})
    await db.course.update_one({"courseID": "1111"}, {"$set": {"subject": "Web"}})
    assert (await ivan.get(OTHER_URL)).status_code == 200
    assert "Drop no-shows" not in await ivan.read(OTHER_URL)
    for path in ("email", "no-show"):
        assert (await ivan.get(OTHER_URL.replace("?", f"/{path}?"))).status_code == 404


async def test_opening_a_roster_is_logged_once_a_minute(rita: Browser, ivan: Browser, db: Database) -> None:
    for _ in range(2):
        await ivan.get(URL)
    await rita.get(URL)
    await rita.get(OTHER_URL)
    looks = await db.access.find({}, {"_id": 0, "actor": 1, "page": 1, "about.courseID": 1}).to_list(None)
    assert looks == [
        {"actor": actor, "page": "staff_roster", "about": {"courseID": courseID}}
        for actor, courseID in ((IVAN.user_id, "3333"), (RITA.user_id, "3333"), (RITA.user_id, "1111"))
    ]
    page = await rita.read("/staff/access")
    assert "PHP 202, section 01, Fall 2026" in page
    assert page.count(">Roster<") == 3


async def test_a_file_has_all_groups(rita: Browser, ada: Browser, db: Database) -> None:
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    rows = await file_rows(rita)
    assert [(row["Last name"], row["Status"], row["By"]) for row in rows] == [
        ("Okafor", "Enrolled", ""),
        ("Winters", "Dropped", "The student"),
    ]
    assert await db.audit.count_documents({"action": "export"}) == 1


async def test_a_student_outside_the_directory_is_marked_and_left_out_of_files(rita: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"directory_opt_out": True}})
    page = await rita.read(URL)
    assert names(page, "enrolled") == ["Ada Winters (opted out of the directory)"]
    assert [row["Last name"] for row in await file_rows(rita)] == ["Okafor"]
    assert "opted_out=y" in page
    full = await file_rows(rita, "&opted_out=y")
    assert [(row["Last name"], row["Directory"]) for row in full] == [
        ("Winters", "Opted out of the directory"),
        ("Okafor", ""),
    ]


async def test_names_lead_to_records_that_the_reader_may_open(rita: Browser, ivan: Browser) -> None:
    assert 'href="/staff/students/1"' in await rita.read(URL)
    assert 'href="/staff/students/1"' not in await ivan.read(URL)


async def test_the_page_is_live_until_the_last_day_to_withdraw(rita: Browser, clock: Clock) -> None:
    assert "sse-connect" in await rita.read(URL)
    await set_clock(FALL.withdraw_deadline, clock, (rita, RITA))
    assert "sse-connect" not in await rita.read(URL)


async def test_sections_lead_to_their_rosters(ivan: Browser) -> None:
    link = URL.replace("&", "&amp;")
    assert link in await ivan.read("/staff/sections?term=Fall+2026")
    assert link in await ivan.read(URL.replace("roster", "section"))


async def test_a_section_that_does_not_exist_has_no_roster(rita: Browser) -> None:
    assert (await rita.get(URL.replace("01", "77"))).status_code == 404
