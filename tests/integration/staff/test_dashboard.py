"""The dashboard: exact numbers on a small invented school, for those who may see them."""

import csv
import io
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from xml.etree import ElementTree

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import plans
from quart_enroll.domain.errors import all_refusals
from quart_enroll.domain.models import PlannedSection
from quart_enroll.observability.sampler import Sample
from quart_enroll.pages.staff.dashboard import REPORTS
from quart_enroll.pages.staff.opening_reports import REASON_NAMES
from quart_enroll.services.staff import reports
from quart_enroll.services.staff.reports import EventFilter
from quart_enroll.state import EXTENSION
from tests.support.people import (
    ADA,
    BOB,
    FALL,
    FALL_MORNING,
    SAMI,
    Browser,
    Clock,
    text,
)
from tests.support.staff import PHP, PYT, PYT_EVENING, add_opening


@pytest.fixture(autouse=True)
async def opening(ada: Browser, bob: Browser, db: Database) -> None:
    """Ada has PHP 202, bob is waiting for it, and others were refused."""
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    await db.event.delete_many({})
    await add_opening(db)


async def add_plans(db: Database, expires_at: datetime = FALL.withdraw_deadline) -> None:
    await db.section.update_one(
        {"courseID": "3333"}, {"$set": {"meetings": [{"days": "T", "start": "18:30", "end": "19:00"}]}}
    )
    for user_id, keys in ((ADA.user_id, (PYT_EVENING, PHP)), (BOB.user_id, (PYT_EVENING, PHP)), (8, (PYT, PHP))):
        for place, key in enumerate(keys, 1):
            await plans.put(db, user_id, PlannedSection(key, place, FALL_MORNING, None), None, expires_at=expires_at)


async def rows(browser: Browser, report: str, query: str = "") -> list[list[str]]:
    """Return the rows of the report's file, without its header."""
    file = await browser.read(f"/staff/dashboard?term=Fall+2026&report={report}&format=csv{query}")
    return list(csv.reader(io.StringIO(file.removeprefix("\ufeff"), newline="")))[1:]


def totals(page: str) -> Mapping[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))


async def set_subjects(db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"subject": "Computing"}})
    await db.course.update_one({"courseID": "1111"}, {"$set": {"subject": "Arts"}})


async def test_subjects_add_up_their_sections(rita: Browser, db: Database) -> None:
    await set_subjects(db)
    await add_plans(db)
    # sections, seats, taken, open, full, waiting, alerts, plans
    assert await rows(rita, "subjects") == [
        ["Arts", "2", "32", "0", "32", "0", "0", "0", "3"],
        ["Computing", "1", "1", "1", "0", "1", "1", "1", "3"],
    ]
    page = await rita.read("/staff/dashboard?term=Fall+2026")
    assert totals(page) == {
        "seats": "33",
        "taken": "1",
        "open": "32",
        "full sections": "1",
        "waiting": "1",
        "alerts": "1",
        "planned": "6",
    }


async def test_sections_show_their_seats_and_the_demand_for_them(rita: Browser, db: Database) -> None:
    await add_plans(db)
    assert await rows(rita, "sections") == [
        ["1111-01", "PYT 101", "", "30", "0", "30", "0", "0", "1"],
        ["1111-02", "PYT 101", "", "2", "0", "2", "0", "0", "2"],
        ["3333-01", "PHP 202", "", "1", "1", "0", "1", "1", "3"],
    ]
    assert [row[0] for row in await rows(rita, "sections", "&sort=-planned")] == ["3333-01", "1111-02", "1111-01"]


async def test_the_opening_is_shown_second_by_second(rita: Browser) -> None:
    # second, time, seats, waitlist places, drops, refusals
    assert await rows(rita, "opening") == [
        ["0", "2026-08-01 04:00:00", "2", "0", "0", "2"],
        ["1", "2026-08-01 04:00:01", "0", "0", "0", "0"],
        ["2", "2026-08-01 04:00:02", "0", "0", "0", "0"],
        ["3", "2026-08-01 04:00:03", "1", "1", "0", "0"],
        ["4", "2026-08-01 04:00:04", "0", "0", "0", "2"],
    ]
    parts = await rows(rita, "opening", "&period=10min")
    assert [parts[0], parts[13], parts[14]] == [
        ["0", "2026-08-01 04:00:00", "3", "1", "0", "4"],
        ["65", "2026-08-01 04:01:05", "0", "0", "1", "0"],
        ["70", "2026-08-01 04:01:10", "0", "0", "0", "1"],
    ]
    assert await rows(rita, "opening", "&period=term") == [["0", "2026-08-01 04:00:00", "3", "1", "1", "5"]]


async def test_parts_that_have_settled_are_not_counted_again(rita: Browser, db: Database, app: Quart) -> None:
    wanted = EventFilter("Fall 2026", FALL.opens_at, FALL.opens_at + timedelta(minutes=10))
    whole = await reports.moments(db, wanted, 5)
    known = reports.settled(whole, 5, timedelta(seconds=62))
    assert [row.second for row in known] == [0, 5, 10, 15, 20, 25, 30, 35]
    await db.event.delete_many({"at": {"$lt": FALL.opens_at + timedelta(seconds=30)}})
    assert await reports.moments(db, wanted, 5, known) == whole
    await db.event.delete_many({})
    assert await reports.moments(db, wanted, 5, known) == known
    assert reports.settled(whole, 5, timedelta(seconds=3)) == []


async def test_refusals_are_counted_by_reason(rita: Browser) -> None:
    assert await rows(rita, "refusals") == [
        ["Section full", "3", "2", "section_full"],
        ["Time conflict", "1", "1", "time_conflict"],
        ["Waitlist full", "1", "1", "waitlist_full"],
    ]
    assert len(await rows(rita, "refusals", "&period=hour")) == 4


async def test_students_without_a_seat_are_listed_with_the_reasons(rita: Browser, db: Database) -> None:
    full = "Section full; Waitlist full"
    assert await rows(rita, "unserved") == [
        ["Cal Lindqvist", "8", "cal@school.example", "3", "3333", full, "0"],
        ["Bob Okafor", "2", "bob@school.example", "1", "3333", "Section full", "1"],
    ]
    page = await rita.read("/staff/dashboard?term=Fall+2026&report=unserved&period=hour")
    assert totals(page) == {"students without a seat": "3"}
    assert "Dan Lindqvist (opted out of the directory)" in page
    assert "Dan" not in str(await rows(rita, "unserved", "&period=hour"))


async def test_students_with_few_credits_include_those_without_any(rita: Browser) -> None:
    assert await rows(rita, "credits", "&credits=3") == [
        ["Bob Okafor", "2", "bob@school.example", "0"],
        ["Cal Lindqvist", "8", "cal@school.example", "0"],
    ]
    page = await rita.read("/staff/dashboard?term=Fall+2026&report=credits&credits=6")
    assert totals(page) == {"students": "4", "with fewer credits": "4"}


async def test_small_sections_have_fewer_students_than_the_limit(rita: Browser, db: Database) -> None:
    await db.section.update_one(
        {"term": "Fall 2026", "courseID": "1111", "section": "01"}, {"$set": {"seats_taken": 10}}
    )
    await db.section.update_one({"term": "Fall 2026", "section": "02"}, {"$set": {"status": "cancelled"}})
    assert [row[0] for row in await rows(rita, "small")] == ["3333-01"]
    assert [row[0] for row in await rows(rita, "small", "&students=15")] == ["3333-01", "1111-01"]


async def test_plans_that_conflict_are_counted(rita: Browser, db: Database) -> None:
    await add_plans(db)
    assert await rows(rita, "conflicts") == [["1111-02", "3333-01", "T 6:30–7:00 PM", "2"]]


async def test_schedulers_see_their_own_subjects_and_no_students(sami: Browser, db: Database) -> None:
    assert SAMI.subjects == ("Computing",)
    await set_subjects(db)
    await add_plans(db)
    assert [row[0] for row in await rows(sami, "subjects")] == ["Computing"]
    assert [row[0] for row in await rows(sami, "sections")] == ["3333-01"]
    assert [row[2:] for row in await rows(sami, "opening")][3] == ["0", "1", "0", "0"]
    assert [row[1] for row in await rows(sami, "refusals")] == ["3", "1"]
    assert [row[:2] for row in await rows(sami, "conflicts")] == [["1111-02", "3333-01"]]
    assert await rows(sami, "subjects", "&subject=Arts") == [["Computing", "1", "1", "1", "0", "1", "1", "1", "3"]]
    for report in ("unserved", "credits", "load"):
        assert (await sami.get(f"/staff/dashboard?report={report}")).status_code == 404
    page = await sami.read("/staff/dashboard")
    assert "report=small" in page
    assert "report=unserved" not in page


async def test_auditors_see_every_report(uma: Browser) -> None:
    for report in REPORTS:
        assert (await uma.get(f"/staff/dashboard?report={report.key}")).status_code == 200


async def test_a_subject_narrows_a_report(rita: Browser, db: Database) -> None:
    await set_subjects(db)
    assert [row[0] for row in await rows(rita, "sections", "&subject=Computing")] == ["3333-01"]
    assert [row[1] for row in await rows(rita, "refusals", "&subject=Arts")] == ["1"]
    assert [row[0] for row in await rows(rita, "sections", "&subject=Alchemy")] == ["1111-01", "1111-02", "3333-01"]


async def test_the_curve_of_a_past_term_is_empty_before_anything_happened(rita: Browser) -> None:
    page = await rita.read("/staff/dashboard?term=Spring+2027&report=opening")
    assert "Nothing to report." in page
    assert "<svg viewBox" not in page.split("<main")[1]


@pytest.mark.parametrize("report", [one.key for one in REPORTS if one.key != "load"])
async def test_every_chart_is_valid_svg_with_a_table_that_says_the_same(
    rita: Browser, db: Database, report: str
) -> None:
    await add_plans(db)
    page = (await rita.read(f"/staff/dashboard?term=Fall+2026&report={report}")).split("<main")[1]
    [drawing] = re.findall(r'<svg viewBox="0 0 480 .*?</svg>', page, re.DOTALL)
    chart = ElementTree.fromstring(drawing)  # noqa: S314  # our own page
    assert chart.attrib["role"] == "img"
    assert chart.attrib["aria-label"]
    assert '<table class="listing' in page


async def test_the_chart_draws_the_numbers_of_the_table(rita: Browser, db: Database) -> None:
    page = await rita.read("/staff/dashboard?term=Fall+2026&report=opening")
    label = unescape(re.findall(r'role="img" aria-label="(.*?)"', page)[0])
    assert label == (
        "After the opening. seats taken: at most 2 per second, at 0 s; waitlist places taken: at most 1 per second, "
        "at 3 s; refusals: at most 2 per second, at 0 s. The opening is at 0 s."
    )
    [seats, _, _] = re.findall(r'<polyline class="line\d" points="([\d., ]+)"', page.split('class="legend"')[0])
    assert [round(float(point.split(",")[1])) for point in seats.split()] == [12, 190, 190, 101, 190]


async def test_before_the_opening_the_charts_show_the_plans(rita: Browser, db: Database, clock: Clock) -> None:
    await add_plans(db)
    clock.now = FALL_MORNING
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"opens_at": FALL_MORNING + timedelta(days=1)}})
    page = await rita.read("/staff/dashboard?term=Fall+2026")
    assert "with planned: 6." in page


async def test_a_page_is_live_around_the_opening_and_says_how_to_stop(rita: Browser, db: Database) -> None:
    url = "/staff/dashboard?term=Fall+2026&report=opening"
    assert "hx-get" not in await rita.read(url)
    assert "hx-get" in await rita.read(f"{url}&live=y")
    opens_at = FALL_MORNING + timedelta(minutes=5)
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"opens_at": opens_at}})
    assert "hx-get" in await rita.read(url)
    assert "hx-get" not in await rita.read(f"{url}&live=n")
    assert "hx-get" not in await rita.read(url.replace("opening", "credits"))


async def test_a_page_that_is_up_to_date_gets_nothing_new(rita: Browser, db: Database) -> None:
    url = "/staff/dashboard?term=Fall+2026&report=opening&live=y"
    page = await rita.read(url)
    [mark] = re.findall(r'"Shown-Report": "([\d.]+)"', unescape(page))
    assert (await rita.get(url, headers={"Shown-Report": mark})).status_code == 204
    assert (await rita.get(url, headers={"Shown-Report": "0"})).status_code == 200


def test_every_recorded_refusal_has_a_name_for_staff() -> None:
    assert {kind.code for kind in all_refusals() if kind.is_recorded} == set(REASON_NAMES)


async def test_many_readers_share_one_aggregation(
    rita: Browser, uma: Browser, recorded_commands: list[object], app: Quart
) -> None:
    url = "/staff/dashboard?term=Fall+2026&report=opening"
    first = await rita.read(url)
    before = [str(one) for one in recorded_commands if "event" in str(one)]
    assert unescape(first).split('id="report"')[1].split("</main")[0].count("polyline") > 0
    await uma.read(url)
    await rita.read(f"{url}&page=2")
    assert [str(one) for one in recorded_commands if "event" in str(one)] == before
    assert len(app.extensions[EXTENSION].report_cache) == 1


async def test_the_load_of_the_process_is_drawn(rita: Browser, app: Quart) -> None:
    samples = deque(Sample(10.0 + one / 2, 0.25 * one, 0.002, one, 0, 7, 0.5) for one in range(3))
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], load_history=samples)
    assert await rows(rita, "load") == [
        ["0.0", "0.5", "2.0", "2", "0", "7", "0.5"],
        ["-0.5", "0.25", "2.0", "1", "0", "7", "0.5"],
        ["-1.0", "0.0", "2.0", "0", "0", "7", "0.5"],
    ]
    assert (await rita.read("/staff/dashboard?report=load")).count('role="img"') == 3


async def test_a_report_comes_as_a_spreadsheet_and_is_logged(rita: Browser, db: Database) -> None:
    response = await rita.get("/staff/dashboard?term=Fall+2026&report=sections&format=xlsx")
    assert response.headers["Content-Disposition"] == "attachment; filename=seats-by-section-2026-09-01.xlsx"
    assert (await response.get_data())[:2] == b"PK"
    assert await db.audit.count_documents({"action": "export"}) == 1


async def test_an_unknown_report_does_not_exist(rita: Browser) -> None:
    assert (await rita.get("/staff/dashboard?report=weather")).status_code == 404


async def test_a_school_without_terms_is_told_so(rita: Browser, db: Database) -> None:
    await db.term.delete_many({})
    assert "There are no terms yet." in await text(await rita.get("/staff/dashboard"))
