"""Building a week from the courses of the plan, and using it."""

import re
from html import unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain import schedule_builder
from quart_enroll.domain.models import Section
from tests.support.people import (
    ADA,
    EVENINGS,
    FALL,
    MORNINGS,
    Browser,
    Clock,
    buttons,
    message_after,
    offer_course,
    set_clock,
)

PYT = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
PHP = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
BUILDER = "/plan/build?term=Fall+2026"


@pytest.fixture
async def planner(ada: Browser, db: Database) -> Browser:
    """Ada's browser; she plans PYT 101, which has a section in the morning and one in the evening, and ART 100."""
    await offer_course(db, "6666", "ART 100", MORNINGS)
    for courseID in ("1111", "6666"):
        await ada.post("/plan/add", form={"courseID": courseID, "section": "01"})
    return ada


async def planned_sections(db: Database) -> list[tuple[str, str]]:
    return [(row["courseID"], row["section"]) async for row in db.plan.find().sort("place")]


async def move_section(db: Database, courseID: str, days: str, start: str, end: str) -> None:
    times = [{"days": days, "start": start, "end": end}]
    await db.section.update_one({"courseID": courseID}, {"$set": {"meetings": times}})


def week_urls(page: str) -> list[str]:
    """Return where the buttons that use a week lead."""
    return [unescape(url) for url in re.findall(r'formaction="(/plan/week\?[^"]*)"', page)]


def weeks(page: str) -> list[list[str]]:
    """Return the sections of each week."""
    found = page.split('<ol class="built-weeks">')[1].split("</ol>")[0].split("<h2>")[1:]
    return [
        [" ".join(re.sub(r"<[^>]+>", "", one).split()) for one in re.findall("<li>(.*?)</li>", week, re.DOTALL)]
        for week in found
    ]


async def test_the_plan_leads_to_weeks_without_conflicts(planner: Browser) -> None:
    assert f'href="{BUILDER}"' in await planner.read("/plan")
    page = await planner.read(BUILDER)
    assert weeks(page) == [
        [f"PYT 101, section 02, {EVENINGS[0]}", f"ART 100, section 01, {MORNINGS[0]} · in your plan"],
    ]
    assert "5 days a week, no gaps" in page
    assert buttons(page) == ["Use this week : Option 1"]


async def test_using_a_week_replaces_the_planned_sections_and_is_safe_to_repeat(planner: Browser, db: Database) -> None:
    [url] = week_urls(await planner.read(BUILDER))
    for _ in range(2):
        assert await message_after(planner, url) == "Your plan for Fall 2026 now uses this week."
        assert await planned_sections(db) == [("1111", "02"), ("6666", "01")]
    page = await planner.read(BUILDER)
    assert week_urls(page) == []
    assert "This is the week in your plan." in page


async def test_a_week_for_an_outdated_plan_is_refused(planner: Browser, db: Database) -> None:
    [url] = week_urls(await planner.read(BUILDER))
    await planner.post("/plan/add", form=PHP)
    before = await planned_sections(db)
    assert "has changed since you opened that page. No changes were made." in await message_after(planner, url)
    assert await planned_sections(db) == before
    await planner.post("/plan/remove", form={"courseID": "1111", "term": "Fall 2026"})
    assert "PYT 101 isn’t in your plan for Fall 2026." in await message_after(planner, url)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (
            {"meetings": [{"days": "F", "start": "09:30", "end": "10:30"}]},
            "ART 100 conflicts with PYT 101: F 9:30–9:50 AM.",
        ),
        ({"status": "closed"}, "PYT 101, section 02, is closed"),
        ({"status": "tentative"}, "PYT 101 has no section 02 in Fall 2026."),
    ],
)
async def test_a_week_that_is_no_longer_possible_is_refused(
    planner: Browser, db: Database, change: dict[str, object], refusal: str
) -> None:
    [url] = week_urls(await planner.read(BUILDER))
    await db.section.update_one({"courseID": "1111", "section": "02"}, {"$set": change})
    assert refusal in await message_after(planner, url)
    assert await planned_sections(db) == [("1111", "01"), ("6666", "01")]


async def test_after_the_deadline_no_week_can_be_used(planner: Browser, clock: Clock, db: Database) -> None:
    [url] = week_urls(await planner.read(BUILDER))
    await set_clock(FALL.add_deadline, clock, (planner, ADA))
    assert "Enrollment for Fall 2026 closed" in await message_after(planner, url)
    assert await planned_sections(db) == [("1111", "01"), ("6666", "01")]
    assert (await planner.get(BUILDER)).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        *("", "plan=x", "courseID=1111", "courseID=1111&section=", "courseID=1111&courseID=1111&section=01&section=02"),
        *("courseID=1111&section=01&section=02", "courseID=1111&section=0123456789A", "courseID=%00&section=01"),
        "&".join(f"courseID=c{number}&section=01" for number in range(40)),
    ],
)
async def test_a_malformed_week_is_refused(planner: Browser, query: str) -> None:
    assert (await planner.post(f"/plan/week?term=Fall+2026&{query}")).status_code == 422


async def test_a_link_to_the_builder_has_all_constraints(planner: Browser, db: Database) -> None:
    await db.section.update_one(
        {"courseID": "6666"}, {"$set": {"meetings": [{"days": "M", "start": "14:00", "end": "15:00"}]}}
    )
    assert len(weeks(await planner.read(BUILDER))) == 2
    page = await planner.read(f"{BUILDER}&start=10:00&free=W&free=F")
    assert [one[0] for one in weeks(page)] == [f"PYT 101, section 02, {EVENINGS[0]}"]
    assert re.findall(r"<input checked[^>]*value=\"(\w)\"", page) == ["W", "F"]
    assert '<option selected value="10:00">' in page
    page = await planner.read(f"{BUILDER}&keep=1111")
    assert [one[0] for one in weeks(page)] == [f"PYT 101, section 01, {MORNINGS[0]} · in your plan"]


@pytest.mark.parametrize("query", ["start=25:99", "lunch=x", "travel=-5", "free=X&free=%00", "keep=9", "open=&x=1"])
async def test_constraints_that_cannot_be_read_are_ignored(planner: Browser, query: str) -> None:
    assert len(weeks(await planner.read(f"{BUILDER}&{query}"))) == 1


async def test_sections_without_an_open_seat_can_be_left_out(planner: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "1111", "section": "02"}, {"$set": {"seats_taken": 2}})
    assert "· Full" in await planner.read(BUILDER)
    page = unescape(await planner.read(f"{BUILDER}&open=y"))
    assert "These don’t all fit into one week: PYT 101 and ART 100. Remove any one of them and try again." in page


async def test_weeks_can_be_built_from_accepted_sections_only(planner: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "6666"}, {"$set": {"meetings": []}})
    await sections.put_all(db, [Section("Fall 2026", "1111", "03", 5, 0, 5, 0, EVENINGS)])
    assert "alternatives" not in await planner.read(BUILDER)
    await planner.send("/plan/alternatives", PYT | {"alternative": ["03"]})
    page = await planner.read(BUILDER)
    assert "Only planned sections and their alternatives" in page
    assert len(weeks(page)) == 3
    found = [week[0].split(", ")[1] for week in weeks(await planner.read(f"{BUILDER}&accepted=y"))]
    assert sorted(found) == ["section 01", "section 03"]


async def test_without_a_week_the_page_says_which_constraint_is_in_the_way(planner: Browser) -> None:
    page = unescape(await planner.read(f"{BUILDER}&free=R&lunch=30"))
    assert "These don’t all fit into one week: PYT 101, ART 100, and no meetings on Thu." in page
    page = unescape(await planner.read(f"{BUILDER}&free=M"))
    assert "These don’t all fit into one week: ART 100 and no meetings on Mon." in page


async def test_enrolled_courses_stay_in_every_week(planner: Browser, db: Database) -> None:
    await planner.post("/enrollment", form=PHP)
    page = unescape(await planner.read(BUILDER))
    assert "Each week also has the courses in which you’re enrolled: PHP 202." in page
    await db.section.update_one(
        {"courseID": "3333"}, {"$set": {"meetings": [{"days": "T", "start": "18:30", "end": "19:30"}]}}
    )
    page = unescape(await planner.read(BUILDER))
    assert "These don’t all fit into one week: PYT 101, ART 100, and PHP 202." in page


async def test_a_course_of_which_nothing_can_be_chosen_is_named(planner: Browser, db: Database) -> None:
    await db.section.update_many({"courseID": "6666"}, {"$set": {"status": "closed"}})
    assert "No section of ART 100 is available." in await planner.read(BUILDER)


async def test_a_search_that_takes_too_long_says_so(planner: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_builder.build_weeks, "__kwdefaults__", {"max_weeks": 10, "max_steps": 1})
    assert "We found no week in time" in unescape(await planner.read(BUILDER))


async def test_without_planned_courses_the_builder_leads_to_the_catalog(ada: Browser) -> None:
    page = await ada.read("/plan/build")
    assert "First, add the courses you want to your plan." in page
    assert 'href="/courses/' in page


async def test_nobody_caches_a_built_week(planner: Browser) -> None:
    assert (await planner.get(BUILDER)).headers["Cache-Control"] == "no-store"
