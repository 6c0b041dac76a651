"""The catalog of a term."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape, unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from tests.support.people import (
    ADA,
    FALL,
    FALL_MORNING,
    MORNINGS,
    NOONS,
    SECTIONS,
    SPRING,
    Browser,
    Clock,
    buttons,
    offer_course,
    text,
)

SECOND = timedelta(seconds=1)


async def test_the_catalog_shows_the_courses_of_the_current_term(anyone: Browser) -> None:
    page = await anyone.read("/courses/")
    assert "Fall 2026" in page
    assert "PYT 101" in page
    assert "PHP 202" in page
    assert "Intermediate Java" not in page


@pytest.mark.parametrize("term", ["Fall", "fall", "Autumn", "Fall 2026", "fall%202026"])
async def test_a_term_has_several_names(anyone: Browser, term: str) -> None:
    assert "PHP 202" in await anyone.read(f"/courses/{term}")


async def test_the_catalog_is_filtered_by_term(anyone: Browser) -> None:
    page = await anyone.read("/courses/Spring")
    assert "Spring 2027" in page
    assert "JAV 201" in page
    assert "PHP 202" not in page


@pytest.mark.parametrize(
    "term",
    [
        "Winterfell",
        "2028 Spring",
        "Spring term",
        "Fall, Spring",
        "Fall 1999",
        "Summer",
        "%FF",
        "x" * 300,
        "$ne",
        "\u017fpring",
        "Spr\u0131ng",
    ],
)
async def test_an_unknown_term_lists_the_known_ones(anyone: Browser, term: str) -> None:
    response = await anyone.get(f"/courses/{term}")
    page = await text(response)
    assert response.status_code == 404
    assert 'href="/courses/Fall%202026"' in page
    assert 'href="/courses/Spring%202027"' in page


CUSTOM_TERM_NAMES = ("2026FA", "Winter 2026/27", "100% Online & more?", "Fall 2026 – first half", "#2/2027-28+")


@pytest.mark.parametrize("name", CUSTOM_TERM_NAMES)
async def test_every_link_to_a_term_with_a_custom_name_works(ada: Browser, db: Database, name: str) -> None:
    await terms.put_all(db, [replace(FALL, term=name)])
    await sections.put_all(db, [replace(one, term=name) for one in SECTIONS if one.term == "Fall 2026"])
    catalog = await ada.read("/courses/")
    [link] = re.findall(rf'href="(/courses/[^"?]*)"[^>]*>{re.escape(escape(name))}<', catalog)
    page = await ada.read(unescape(link))
    assert f"<h1>Courses <small>{escape(name)}</small></h1>" in page
    links = {link}
    for path in (*re.findall(r'href="(/course/[^"]+)"', page), *re.findall(r'hx-get="(/course/[^"]+)"', page)):
        course = await ada.read(unescape(path))
        assert f"<small>{escape(name)}</small></h1>" in course
        links |= set(re.findall(r'href="(/courses/[^"]+)"', course)) - {"/courses/"}
    assert links == {link}
    sections_found = await (await ada.get("/api/v1/sections", query_string={"term": name.lower()})).get_json()
    assert {one["term"] for one in sections_found["sections"]} == {name}
    terms_found = await (await ada.get("/api/v1/terms")).get_json()
    assert {"term": name, "season": None, "year": None}.items() <= next(
        one.items() for one in terms_found["terms"] if one["term"] == name
    )
    response = await ada.post("/enrollment", form={"courseID": "3333", "term": name, "section": "01"})
    assert response.status_code == 303
    assert f'<h2 id="term">{escape(name)}</h2>' in await ada.read(response.location)
    assert (await db.enrollment.find_one({}))["term"] == name


async def test_the_url_without_a_trailing_slash_redirects_to_the_catalog(anyone: Browser) -> None:
    response = await anyone.get("/courses?x=1")
    assert (response.status_code, response.location) == (308, "/courses/?x=1")


async def test_in_spring_the_catalog_shows_spring_by_default(anyone: Browser, clock: Clock) -> None:
    clock.now = SPRING.opens_at
    assert "JAV 201" in await anyone.read("/courses/")


async def test_a_course_in_which_the_student_is_enrolled_is_marked(ada: Browser) -> None:
    assert buttons(await ada.read("/courses/")) == [
        "Enroll in PHP 202, section 01",
        "Enroll in PYT 101, section 01",
        "Enroll in PYT 101, section 02",
    ]
    await ada.post("/enrollment", form={"courseID": "1111"})
    page = await ada.read("/courses/")
    assert ">Enrolled<" in page
    assert buttons(page) == [
        "Enroll in PHP 202, section 01",
        "Drop PYT 101",
        "Swap PYT 101 for this PYT 101, section 02",
    ]


def closed_rows(page: str) -> list[str]:
    """Return what the rows show before they are opened."""
    found = re.findall(r'<details class="course-row">\s*<summary>(.*?)</summary>', page, re.DOTALL)
    return [" ".join(re.sub("<[^>]+>", " ", unescape(one)).split()) for one in found]


async def test_a_closed_row_shows_number_name_credits_times_and_seats(anyone: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"seats_taken": 1, "waiting": 1}})
    assert closed_rows(await anyone.read("/courses/")) == [
        "PHP 202 · Advanced PHP Programming 4 credits TR 12:00–1:15 PM Full · 1 on waitlist",
        "PYT 101 · Introduction to Python 3 credits 2 sections 32 of 32 seats open",
    ]
    await db.section.update_many({"courseID": "1111"}, {"$set": {"status": "closed"}})
    assert closed_rows(await anyone.read("/courses/"))[1].endswith("2 sections Closed")


async def test_a_closed_row_shows_what_the_student_has(ada: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"seats_taken": 1}})
    await ada.post("/waitlist", form={"courseID": "3333"})
    await ada.post("/plan/add", form={"courseID": "1111", "term": "Fall", "section": "02"})
    php, pyt = closed_rows(await ada.read("/courses/"))
    assert php.endswith("Waitlisted, 1 of 1")
    assert pyt.endswith("Planned")
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    assert closed_rows(await ada.read("/courses/"))[1].endswith("Enrolled")


async def test_a_closed_row_shows_a_conflict_of_all_its_sections(ada: Browser, db: Database) -> None:
    await offer_course(db, "4444", "ART 100", MORNINGS)
    await ada.post("/enrollment", form={"courseID": "4444"})
    _, php, pyt = closed_rows(await ada.read("/courses/"))
    assert "Conflict" not in php + pyt  # section 02 of PYT 101 is in the evening
    await db.section.delete_one({"courseID": "1111", "section": "02"})
    assert closed_rows(await ada.read("/courses/"))[2].endswith("Conflict")


async def test_a_closed_row_shows_when_the_student_took_the_course(ada: Browser, db: Database) -> None:
    dates = {name: getattr(FALL, name) - timedelta(days=200) for name in ("opens_at", "add_deadline")}
    ends = {name: FALL.opens_at - timedelta(days=60) for name in ("drop_deadline", "withdraw_deadline")}
    await terms.put_all(db, [replace(FALL, term="Spring 2026", **dates, **ends)])
    seat = {"user_id": ADA.user_id, "courseID": "1111", "term": "Spring 2026", "section": "01", "status": "enrolled"}
    await db.enrollment.insert_one(seat | {"enrolled_at": FALL_MORNING})
    php, pyt = closed_rows(await ada.read("/courses/"))
    assert "Taken" not in php
    assert pyt.endswith("Taken in Spring 2026")
    assert ">Taken in Spring 2026<" in await ada.read("/course/1111")


async def test_a_section_has_one_button_and_the_rest_under_more(ada: Browser) -> None:
    page = await ada.read("/courses/?q=php")
    section = page.split('<li class="section"')[1].split("</li>")[0]
    button, more = section.index(">Enroll "), section.index('<details class="more">')
    assert button < more < section.index(">Add to plan ")
    assert section.count("<button") == 2


async def test_each_section_shows_times_room_instructor_and_seats(anyone: Browser, ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    page = await anyone.read("/courses/")
    for expected in ("Section 01", str(MORNINGS[0]), "T. Mori</a> · Hall 12", "29 of 30 seats open"):
        assert expected in page


async def test_a_full_section_shows_its_waitlist_and_the_students_position(ada: Browser, bob: Browser) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    page = await ada.read("/courses/")
    assert " Full</span>" in page
    assert "Join waitlist for PHP 202, section 01" in buttons(page)
    await ada.post("/waitlist", form={"courseID": "3333"})
    page = await ada.read("/courses/")
    assert "Full · 1 on waitlist" in page
    assert "Waitlisted, 1 of 1" in page
    assert "Leave waitlist for PHP 202" in buttons(page)


async def test_a_full_waitlist_has_no_button(anyone: Browser, db: Database) -> None:
    await db.section.update_many({"courseID": "3333"}, {"$set": {"seats_taken": 1, "waiting": 1}})
    page = await anyone.read("/courses/")
    assert "The waitlist for PHP 202, section 01, is full." in page
    assert not any("PHP 202" in label for label in buttons(page))


async def test_a_conflicting_section_can_be_swapped(ada: Browser, db: Database) -> None:
    await db.section.update_many(
        {"courseID": "3333"}, {"$set": {"meetings": [{"days": "W", "start": "09:30", "end": "11:00"}]}}
    )
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    assert "Swap PYT 101 for this PHP 202, section 01" in buttons(await ada.read("/courses/"))
    await db.section.update_many({"courseID": "3333"}, {"$set": {"seats_taken": 1}})
    assert "Join waitlist, replacing PYT 101 : PHP 202, section 01" in buttons(await ada.read("/courses/"))


async def test_a_course_that_another_one_requires_is_not_offered_for_a_swap(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    await offer_course(db, "7777", "ART LAB", corequisites=("6666",))
    for courseID in ("6666", "7777"):
        await ada.post("/enrollment", form={"courseID": courseID})
    page = await ada.read("/courses/")
    assert "ART LAB can’t be taken without ART 100, so it would be dropped too." in page
    assert not any("PHP 202" in label for label in buttons(page))


@pytest.mark.parametrize(
    "rule", [{"prerequisites": ["2222"]}, {"corequisites": ["2222"]}, {"requisite": "2222 or 3333"}]
)
async def test_a_course_page_leads_to_required_courses_in_its_term(
    ada: Browser, db: Database, rule: dict[str, object]
) -> None:
    await db.course.update_one({"courseID": "1111"}, {"$set": rule})
    assert 'href="/course/2222?term=Fall+2026"' in await ada.read("/course/1111?term=Fall+2026")
    assert "isn’t offered in Fall 2026." in await ada.read("/course/2222?term=Fall+2026")


async def test_a_course_that_a_student_cannot_take_says_why(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["1111"]}})
    assert "PHP 202 requires 1111 (PYT 101) from an earlier term." in await ada.read("/courses/")
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": []}})
    await db.term.update_many({}, {"$set": {"max_credits": 6}})
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert "PHP 202 would bring you to 7 credits (limit 6)." in await ada.read("/courses/")


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        (
            FALL.opens_at - SECOND,
            "Enrollment for Fall 2026 opens on Saturday, August 1, 2026, 12:00 AM ET.",
        ),
        (FALL.add_deadline, "Enrollment for Fall 2026 closed at the end of September 14, 2026 (ET)."),
        (FALL.withdraw_deadline - SECOND, "Enrollment for Fall 2026 closed at"),
    ],
)
async def test_outside_its_window_a_term_names_the_dates_and_has_no_buttons(
    anyone: Browser, clock: Clock, moment: datetime, sentence: str
) -> None:
    clock.now = moment
    page = await anyone.read("/courses/Fall")
    assert sentence in page
    assert buttons(page) == []


async def test_a_school_without_terms_has_an_empty_catalog(anyone: Browser, db: Database) -> None:
    await db.term.delete_many({})
    response = await anyone.get("/courses/")
    assert response.status_code == 200
    assert "No terms are available yet." in await text(response)


async def test_an_empty_catalog_says_so(anyone: Browser, db: Database) -> None:
    await db.course.delete_many({})
    response = await anyone.get("/courses/")
    assert response.status_code == 200
    assert "No courses are listed" in await text(response)
