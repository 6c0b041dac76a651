"""The plan for a term, and enrolling in all of it at once."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from quart_enroll.db.client import Database, OutcomeUnknown
from quart_enroll.db.collections import sections
from quart_enroll.domain import requisite_rules
from quart_enroll.domain.errors import NotOpenYet
from quart_enroll.domain.models import Meeting, Registration, Section, TakenCourse, Term
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES
from quart_enroll.i18n.language import Moment
from quart_enroll.services.enrollment import plan
from quart_enroll.services.enrollment.candidates import Offering
from quart_enroll.services.enrollment.plan import find_problems
from tests.support.people import (
    ADA,
    COURSES,
    FALL,
    MORNINGS,
    NOONS,
    SECTIONS,
    Browser,
    Clock,
    buttons,
    message_after,
    offer_course,
    seats_taken,
    set_clock,
)

SECOND = timedelta(seconds=1)
BEFORE_OPENING = FALL.opens_at - SECOND

PYT = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
PHP = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
FALL_FORM = {"term": "Fall 2026"}


@pytest.fixture
async def early(clock: Clock, ada: Browser) -> Browser:
    """Ada's browser, one second before enrollment for fall opens."""
    await set_clock(BEFORE_OPENING, clock, (ada, ADA))
    return ada


async def planned_sections(db: Database) -> list[tuple[str, str]]:
    """Return the course and section of each planned course, in the order in which they are tried."""
    return [(row["courseID"], row["section"]) async for row in db.plan.find().sort("place")]


def week_facts(page: str) -> list[str]:
    """Return what the page says about the week."""
    facts = page.split('<ul class="week-facts">')[1].split("</ul>")[0]
    return re.findall("<li>(.*?)</li>", facts)


def link_buttons(page: str) -> list[str]:
    """Return the full names of the buttons that look like links."""
    found = re.findall(r'<button class="quiet"[^>]*>(.*?)</button>', page, re.DOTALL)
    return [unescape(re.sub("<[^>]+>", "", name)) for name in found]


async def test_before_the_opening_a_row_offers_the_plan(early: Browser, anyone: Browser) -> None:
    add = "Add to plan : PHP 202, section 01"
    assert add in buttons(await early.read("/courses/Fall"))
    response = await early.post("/plan/add", form=PHP)
    assert (response.status_code, response.location) == (303, "/plan?term=Fall+2026")
    assert "Added to your plan for Fall 2026: PHP 202, section 01." in await early.read("/plan")
    page = await early.read("/courses/Fall")
    assert page.count(">Planned<") == 2  # in the row, and in its section
    assert link_buttons(page) == ["Remove from plan : PHP 202, section 01"]
    assert buttons(await anyone.read("/courses/Fall")) == []


async def test_during_the_window_enroll_comes_before_add_to_plan(ada: Browser) -> None:
    page = await ada.read("/course/3333?term=Fall")
    assert buttons(page) == ["Enroll in PHP 202, section 01"]
    assert link_buttons(page) == ["Add to plan : PHP 202, section 01"]
    await ada.post("/plan/add", form=PHP)
    assert link_buttons(await ada.read("/course/3333?term=Fall")) == ["Remove from plan : PHP 202, section 01"]
    await ada.post("/enrollment", form=PHP)
    assert link_buttons(await ada.read("/course/3333?term=Fall")) == []


@pytest.mark.parametrize(
    ("origin", "path"),
    [
        ("http://localhost/courses/Fall?q=php&open=y", "/courses/Fall?q=php&open=y#s"),
        ("http://localhost/plan", "/plan?term=Fall+2026#s"),
        ("http://localhost/help", "/plan?term=Fall+2026"),
        ("http://elsewhere.example/courses/Fall", "/plan?term=Fall+2026"),
        ("http://localhost//elsewhere.example/courses/Fall", "/plan?term=Fall+2026"),
    ],
)
async def test_a_button_returns_to_its_row_on_the_page(ada: Browser, origin: str, path: str) -> None:
    response = await ada.post("/plan/add", form=PHP, headers={"Referer": origin})
    location = response.headers["Location"]
    assert location.startswith(path)
    if "#" in path:
        assert f'id="{location.partition("#")[2]}"' in await ada.read(location.partition("#")[0])


async def test_a_button_that_changes_only_its_row_finds_it_on_the_page_of_the_course(ada: Browser) -> None:
    response = await ada.post("/plan/add", form=PHP, headers={"HX-Request": "true"})
    assert (response.status_code, response.location) == (303, "/course/3333?term=Fall+2026")
    page = await ada.read(response.location)
    [(row_id, endpoint)] = re.findall(
        r'<li class="section" id="(\w+)".*?formaction="/plan/(\w+)\?[^"]*" data-toggles="plan"', page, re.DOTALL
    )
    assert endpoint == "remove"
    assert f'id="{row_id}"' in await ada.read("/courses/Fall")


@pytest.mark.parametrize(
    ("back", "path"),
    [
        ("/courses/Fall?q=php", "/courses/Fall?q=php#s"),
        ("//elsewhere.example/courses/Fall", "/enrollment?term=Fall+2026"),
        ("http://localhost/courses/Fall", "/enrollment?term=Fall+2026"),
        ("/help", "/enrollment?term=Fall+2026"),
        ("http://[", "/enrollment?term=Fall+2026"),
    ],
)
async def test_a_confirmed_change_returns_to_the_page_before_the_question(ada: Browser, back: str, path: str) -> None:
    await ada.post("/enrollment", form=PHP)
    response = await ada.post(f"/enrollment/drop?{urlencode({'back': back})}", form=PHP)
    assert response.headers["Location"].startswith(path)


async def test_planning_a_course_again_replaces_its_section(early: Browser, db: Database) -> None:
    for form in (PYT, PHP):
        await early.post("/plan/add", form=form)
    assert "Already in your plan for Fall 2026: " in await message_after(early, "/plan/add", **PYT)
    assert await planned_sections(db) == [("1111", "01"), ("3333", "01")]
    await early.post("/plan/add", form=PYT | {"section": "02"})
    assert await planned_sections(db) == [("1111", "02"), ("3333", "01")]


async def test_removing_twice_says_so_and_changes_nothing(early: Browser, db: Database) -> None:
    await early.post("/plan/add", form=PHP)
    assert (
        await message_after(early, "/plan/remove", courseID="3333") == "Removed from your plan for Fall 2026: PHP 202."
    )
    refused = "PHP 202 isn’t in your plan for Fall 2026. No changes were made."
    assert await message_after(early, "/plan/remove", courseID="3333", term="Fall 2026") == refused
    assert (
        await message_after(early, "/plan/remove", courseID="3333")
        == "PHP 202 isn’t in your plan. No changes were made."
    )
    assert await planned_sections(db) == []


async def test_a_course_moves_up_and_the_first_one_stays(early: Browser, db: Database) -> None:
    for form in (PYT, PHP):
        await early.post("/plan/add", form=form)
    for _ in range(2):
        response = await early.post("/plan/up", form={"courseID": "3333", "term": "Fall 2026"})
        assert response.location == "/plan?term=Fall+2026"
        assert await planned_sections(db) == [("3333", "01"), ("1111", "01")]


async def test_a_course_moves_down_and_the_last_one_stays(early: Browser, db: Database) -> None:
    for form in (PYT, PHP):
        await early.post("/plan/add", form=form)
    for _ in range(2):
        moved = await message_after(early, "/plan/down", **PYT)
        assert moved == "PYT 101 is now number 2 of 2 in your plan."
        assert await planned_sections(db) == [("3333", "01"), ("1111", "01")]


async def test_the_first_course_cannot_move_up_and_the_last_one_not_down(early: Browser) -> None:
    await early.post("/plan/add", form=PYT)
    assert "Move" not in " ".join(link_buttons(await early.read("/plan")))
    await early.post("/plan/add", form=PHP)
    page = await early.read("/plan")
    assert [one for one in link_buttons(page) if "isn’t available" not in one] == [
        *("Move up : PYT 101", "Move down : PYT 101", "Remove PYT 101 from your plan"),
        *("Move up : PHP 202", "Move down : PHP 202", "Remove PHP 202 from your plan"),
    ]
    disabled = re.findall(r'formaction="/plan/(\w+)\?courseID=(\d+)[^>]*aria-disabled="true"', page)
    assert disabled == [("up", "1111"), ("down", "3333")]


@pytest.mark.parametrize("path", ["/plan/remove", "/plan/up", "/plan/down"])
async def test_a_button_of_an_outdated_page_never_acts_on_another_section(
    early: Browser, db: Database, path: str
) -> None:
    for form in (PHP, PYT):
        await early.post("/plan/add", form=form)
    page = await early.read("/plan")
    urls = {unescape(url) for url in re.findall(rf'formaction="({path}\?courseID=1111[^"]*)"', page)}
    assert urls == {f"{path}?courseID=1111&term=Fall+2026&section=01"}
    await early.post("/plan/add", form=PYT | {"section": "02"})
    refused = "PYT 101, section 01 isn’t in your plan for Fall 2026. No changes were made."
    assert await message_after(early, urls.pop()) == refused
    assert await planned_sections(db) == [("3333", "01"), ("1111", "02")]


async def test_the_plan_has_the_week_of_all_planned_enrolled_and_waitlisted_sections(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await offer_course(db, "6666", "ART 100", (Meeting("F", "09:00", "10:00"),))
    await ada.post("/enrollment", form={"courseID": "6666"})
    await bob.post("/enrollment", form=PHP)
    await ada.post("/waitlist", form=PHP)
    await ada.post("/plan/add", form=PYT | {"section": "02"})
    page = await ada.read("/plan")
    boxes = re.findall(r'<svg class="box is-(\w+) .*?<strong><a[^>]*>([^<]*)<', page, re.DOTALL)
    assert sorted(set(boxes)) == [("enrolled", "ART 100"), ("planned", "PYT 101"), ("waiting", "PHP 202")]
    assert week_facts(page) == [
        "Free days: Mon, Wed",
        "3.5 hours of meetings a week",
        "3 credits enrolled, 3 planned (limit 18)",
    ]
    others = page.split("Already on your schedule:")[1].split("</ul>")[0]
    assert re.findall("<li>(.*?)</li>", others) == [
        "ART 100, F 9:00–10:00 AM",
        f"PHP 202, {NOONS[0]} (waitlisted)",
    ]


async def test_the_week_shows_conflicts_of_the_plan_and_does_not_repeat_them_in_words(
    early: Browser, db: Database
) -> None:
    await offer_course(db, "6666", "ART 100", MORNINGS)
    for form in (PYT, {"courseID": "6666"}):
        await early.post("/plan/add", form=form)
    page = await early.read("/plan")
    assert len(re.findall(r'<svg class="box is-planned color-\d narrow clashes"', page)) == 6
    assert page.count("conflicts with") == 1
    assert page.count("time conflict") == 6  # in the list of days


async def test_the_week_names_a_conflict_with_a_waitlisted_section(ada: Browser, bob: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    await bob.post("/enrollment", form=PHP)
    await ada.post("/waitlist", form=PHP)
    await ada.post("/plan/add", form={"courseID": "6666", "section": "01"})
    assert f"PHP 202 (waitlisted) conflicts with ART 100 (planned): {NOONS[0]}." in await ada.read("/plan")


async def test_planned_courses_are_headings(early: Browser) -> None:
    await early.post("/plan/add", form=PHP)
    levels = re.findall(r"<h([1-6])[^>]*>(?:<a[^>]*>)?([^<]*)", (await early.read("/plan")).split("<main")[1])
    assert [(level, text.strip()) for level, text in levels][:4] == [
        *(("1", "Your plan"), ("2", "Courses"), ("3", "PHP 202"), ("2", "Your week")),
    ]


@pytest.mark.parametrize(
    ("form", "moment", "sentence"),
    [
        ({"courseID": "9999"}, BEFORE_OPENING, "There is no course 9999 in the catalog."),
        (PYT | {"section": "9"}, BEFORE_OPENING, "PYT 101 has no section 9 in Fall 2026."),
        (
            PYT,
            FALL.add_deadline,
            "Enrollment for Fall 2026 closed at the end of September 14, 2026 (ET).",
        ),
    ],
)
async def test_planning_an_impossible_section_is_refused_with_a_reason(
    ada: Browser, clock: Clock, db: Database, form: dict[str, str], moment: datetime, sentence: str
) -> None:
    await set_clock(moment, clock, (ada, ADA))
    assert sentence in await message_after(ada, "/plan/add", **form)
    assert await planned_sections(db) == []


async def test_an_enrolled_course_cannot_be_planned(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form=PYT)
    assert "You’re already enrolled in PYT 101" in await message_after(ada, "/plan/add", **PYT, follow="")
    assert await planned_sections(db) == []


async def test_a_plan_disappears_with_its_term(early: Browser, db: Database) -> None:
    await early.post("/plan/add", form=PHP)
    [row] = await db.plan.find().to_list(None)
    assert row["expires_at"] == FALL.withdraw_deadline
    assert (await db.plan.index_information())["expires_at_1"]["expireAfterSeconds"] == 0


async def test_a_plan_has_a_maximum_size(early: Browser, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MAX_PLANNED_COURSES", 1)
    await early.post("/plan/add", form=PYT)
    assert "Your plan for Fall 2026 already has 1 courses." in await message_after(early, "/plan/add", **PHP)
    await early.post("/plan/add", form=PYT | {"section": "02"})
    assert await planned_sections(db) == [("1111", "02")]


async def test_each_term_has_a_plan_of_its_own(early: Browser) -> None:
    await early.post("/plan/add", form={"courseID": "2222", "term": "Spring 2027", "section": "01"})
    assert "JAV 201</a>" in await early.read("/plan")
    assert "Your plan for Fall 2026 is empty." in await early.read("/plan?term=Fall")
    assert (await early.get("/plan?term=Never")).status_code == 404


async def test_without_terms_the_plan_page_is_empty(ada: Browser, db: Database) -> None:
    await db.term.delete_many({})
    assert "There’s no term to plan for right now." in await ada.read("/plan")


async def test_the_plan_counts_down_by_the_servers_clock(early: Browser, clock: Clock) -> None:
    await early.post("/plan/add", form=PHP)
    page = await early.read("/plan")
    times = [int(moment.timestamp() * 1000) for moment in (BEFORE_OPENING, FALL.opens_at)]
    assert 'data-now="{}" data-opens="{}"'.format(*times) in page
    assert "Enrollment for Fall 2026 opens on Saturday, August 1, 2026, 12:00 AM ET." in page
    assert 'data-at-opening="">Enroll in this course<' in page
    await set_clock(FALL.opens_at, clock, (early, ADA))
    page = await early.read("/plan")
    assert "data-opens" not in page
    assert "data-at-opening" not in page


async def test_updating_the_plan_before_the_opening_keeps_the_countdown(early: Browser) -> None:
    before, _, part = (await early.read("/course/3333?term=Fall")).partition('id="offered"')
    assert "data-opens" in before
    assert "data-opens" not in part


async def test_enrolling_too_early_is_refused_and_not_recorded(early: Browser, db: Database) -> None:
    await early.post("/plan/add", form=PHP)
    assert "Enrollment for Fall 2026 opens on" in await message_after(early, "/plan/enroll", **FALL_FORM)
    assert await planned_sections(db) == [("3333", "01")]
    assert await db.event.count_documents({}) == 0


async def test_enrolling_in_a_plan_keeps_refused_courses_with_their_reasons(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await offer_course(db, "6666", "ART 100", MORNINGS)
    await bob.post("/enrollment", form=PHP)
    for form in (PHP, PYT, {"courseID": "6666", "term": "Fall 2026", "section": "01"}):
        await ada.post("/plan/add", form=form)
    message = await message_after(ada, "/plan/enroll", **FALL_FORM)
    assert message == "You’re enrolled in PYT 101 for Fall 2026. We couldn’t enroll you in 2 courses; see why below."
    assert await planned_sections(db) == [("3333", "01"), ("6666", "01")]
    page = unescape(await ada.read("/plan"))
    assert "Last attempt: PHP 202, section 01, is full. You can join the waitlist." in page
    assert f"<li>ART 100 conflicts with PYT 101: {MORNINGS[0]}.</li>" in page
    assert "Join waitlist for PHP 202, section 01" in buttons(page)

    await bob.post("/enrollment/drop", form=PHP)
    message = await message_after(ada, "/plan/enroll", **FALL_FORM)
    assert message == "You’re enrolled in PHP 202 for Fall 2026. We couldn’t enroll you in 1 course; see why below."
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 2


async def test_an_enrolled_course_leaves_the_plan(ada: Browser, db: Database) -> None:
    await ada.post("/plan/add", form=PYT)
    await ada.post("/enrollment", form=PYT)
    page = await ada.read("/plan")
    assert ">Enrolled<" in page
    assert "Enroll in" not in page
    assert await message_after(ada, "/plan/enroll", **FALL_FORM) == "You’re already enrolled in PYT 101 for Fall 2026."
    assert await message_after(ada, "/plan/enroll", **FALL_FORM) == "Your plan for Fall 2026 is empty."
    assert await seats_taken(db, "1111") == 1


async def test_a_plan_is_settled_completely_or_not_at_all(
    ada: Browser, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take_seats(*_: Any) -> None:
        raise OutcomeUnknown

    for form in (PYT, PHP):
        await ada.post("/plan/add", form=form)
    with monkeypatch.context() as patch:
        patch.setattr(sections, "take_seats", take_seats)  # after all other rows are written
        assert (await ada.post("/plan/enroll", form=FALL_FORM)).status_code == 503
    assert await planned_sections(db) == [("1111", "01"), ("3333", "01")]
    assert await db.enrollment.count_documents({}) == 0
    assert "You’re enrolled in PHP 202" in await message_after(ada, "/plan/enroll", **FALL_FORM)
    assert await planned_sections(db) == []


async def test_a_course_no_longer_offered_can_be_removed_from_the_plan(early: Browser, db: Database) -> None:
    await early.post("/plan/add", form=PHP)
    await db.section.delete_many({"courseID": "3333"})
    page = await early.read("/plan")
    assert "No longer offered" in page
    assert link_buttons(page) == ["Remove PHP 202 from your plan"]


async def test_the_plan_shows_its_credits(ada: Browser, db: Database) -> None:
    async def credit_summary() -> str:
        return " ".join((await ada.read("/plan")).split('<p class="total">')[1].split("</p>")[0].split())

    await ada.post("/plan/add", form=PHP)
    assert await credit_summary() == "4 of 18 credits planned"
    await ada.post("/enrollment", form=PYT)
    assert await credit_summary() == "3 credits enrolled, 4 planned (limit 18)"
    await db.course.update_one({"courseID": "1111"}, {"$set": {"credits": 1}})
    assert await credit_summary() == "1 credit enrolled, 4 planned (limit 18)"
    await ada.post("/enrollment", form=PHP)
    assert await credit_summary() == "5 of 18 credits"


async def test_the_enroll_button_of_a_plan_says_how_many_courses(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100")
    for form, label in ((PHP, "this course"), (PYT, "both courses"), ({"courseID": "6666"}, "all 3 courses")):
        await ada.post("/plan/add", form=form)
        assert f"Enroll in {label}" in buttons(await ada.read("/plan"))


def offering(number: int, section: Section | None = None, **facts: Any) -> Offering:
    """Return the offering in fall of the given section, or else of SECTIONS[number]."""
    chosen = section or SECTIONS[number]
    [course] = [one for one in COURSES if one.courseID == chosen.courseID]
    return Offering(FALL, replace(course, **facts), chosen)


def problems(*arguments: Any) -> list[list[str]]:
    """Return the problems of each planned course as text."""
    return [[str(problem) for problem in found] for found in find_problems(*arguments, NO_ATTRIBUTES)]


PYT_101, PHP_202 = offering(0), offering(2)
CONFLICTING_PHP_202 = offering(2, replace(SECTIONS[2], meetings=MORNINGS))


def test_of_two_planned_courses_at_the_same_time_the_second_shows_the_conflict() -> None:
    assert problems([PYT_101, CONFLICTING_PHP_202], [], []) == [
        [],
        [f"PHP 202 conflicts with PYT 101: {MORNINGS[0]}."],
    ]
    assert problems([PYT_101, PHP_202], [], []) == [[], []]


def test_a_plan_shows_the_reason_of_any_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotOpenYet(FALL.term, Moment(FALL.opens_at, "UTC"))  # stands for the refusal of any other rule

    monkeypatch.setattr(requisite_rules, "check_prerequisites", refuse)
    [[reason]] = problems([PYT_101], [], [])
    assert reason.startswith("Enrollment for Fall 2026 opens on ")


def test_enrolled_courses_count_toward_conflicts_without_being_listed() -> None:
    enrolled = [Registration(PYT_101.course, PYT_101.section, "enrolled")]
    assert problems([PYT_101, CONFLICTING_PHP_202], enrolled, []) == [
        [],
        [f"PHP 202 conflicts with PYT 101: {MORNINGS[0]}."],
    ]


def _limited(max_credits: float) -> list[Offering]:
    """Return both courses in a term with this credit limit."""
    return [replace(one, term=replace(FALL, max_credits=max_credits)) for one in (PHP_202, PYT_101)]


def test_the_first_course_over_the_credit_limit_says_so() -> None:
    assert problems(_limited(6), [], []) == [
        [],
        ["PYT 101 takes your plan over the limit of 6 credits."],
    ]
    assert problems(_limited(7), [], []) == [[], []]
    assert problems(_limited(3), [], []) == [
        ["PHP 202 takes your plan over the limit of 3 credits."],
        [],
    ]


@pytest.mark.parametrize(
    ("prerequisite_term", "missing"), [(None, True), (FALL, True), (replace(FALL, term="Fall 2025"), False)]
)
def test_a_planned_prerequisite_in_the_same_term_does_not_count(prerequisite_term: Term | None, missing: bool) -> None:
    wanted = offering(2, prerequisites=("1111",))
    expected = ["PHP 202 requires 1111 from an earlier term."] if missing else []
    assert problems([wanted], [], [TakenCourse("1111", prerequisite_term)] if prerequisite_term else []) == [expected]


ART = {"courseID": "4444", "term": "Fall 2026", "section": "01"}


@pytest.fixture
async def art_in_two_sections(db: Database) -> None:
    """ART 110 at the same time as PYT 101, section 01, and at noon."""
    await offer_course(db, "4444", "ART 110", MORNINGS)
    await sections.put_all(db, [Section("Fall 2026", "4444", "02", 5, 0, 5, 0, NOONS)])


async def test_the_plan_shows_which_alternative_the_student_would_get(
    early: Browser, art_in_two_sections: None
) -> None:
    for form in (PYT, ART):
        await early.post("/plan/add", form=form)
    page = await early.read("/plan")
    assert "ART 110 conflicts with PYT 101: MWF 9:00–9:50 AM." in page
    assert page.count("If it isn’t available, we skip the course.") == 2
    assert "Section 02, TR 12:00–1:15 PM if section 01 isn’t available: ART 110" in " ".join(link_buttons(page))
    message = await message_after(early, "/plan/alternatives", **ART, alternative="02")
    assert message == "ART 110, section 01: If it isn’t available, we try section 02."
    page = await early.read("/plan")
    assert "You’d get section 02, TR 12:00–1:15 PM instead." in page
    assert "conflicts with" not in page
    await early.send("/plan/alternatives", ART)
    assert "conflicts with" in await early.read("/plan")


async def test_alternatives_are_put_in_order_and_removed_one_by_one(
    early: Browser, art_in_two_sections: None, db: Database
) -> None:
    await sections.put_all(db, [Section("Fall 2026", "4444", "03", 5, 0, 5, 0, NOONS)])
    await early.post("/plan/add", form=ART)
    await early.send("/plan/alternatives", ART | {"alternative": ["02", "03", "*"]})
    for label, expected in (("Move down", ["03", "02", "*"]), ("Remove", ["02", "*"]), ("Remove", ["*"])):
        listed = (await early.read("/plan")).partition('<ol class="chosen">')[2]
        [url] = re.findall(rf'formaction="([^"]+)"[^>]*>{label} <', listed)[:1]
        response = await early.post(unescape(url))
        assert re.fullmatch(r"/plan\?term=Fall\+2026#s\w+-alternatives", response.location)
        assert (await db.plan.find_one() or {})["alternatives"] == expected
    assert 'class="chosen"' not in await early.read("/plan")


async def test_the_button_takes_an_alternative_and_says_so(
    early: Browser, art_in_two_sections: None, db: Database, clock: Clock
) -> None:
    for form in (PYT, ART):
        await early.post("/plan/add", form=form)
    await early.send("/plan/alternatives", ART | {"alternative": ["*"]})
    await set_clock(FALL.opens_at, clock, (early, ADA))
    message = await message_after(early, "/plan/enroll", **FALL_FORM)
    assert "You got section 02, because section 01 couldn’t be taken." in message
    assert await seats_taken(db, "4444", "02") == 1
    assert await planned_sections(db) == []


@pytest.mark.parametrize(
    ("alternatives", "status"), [(["01", "02", "*", "03"], 422), (["9" * 11], 422), (["07"], 303), (["\0"], 422)]
)
async def test_impossible_alternatives_change_nothing(
    early: Browser, art_in_two_sections: None, db: Database, alternatives: list[str], status: int
) -> None:
    await early.post("/plan/add", form=ART)
    response = await early.send("/plan/alternatives", ART | {"alternative": alternatives})
    assert response.status_code == status
    assert "alternatives" not in (await db.plan.find_one() or {})


async def test_alternatives_of_a_section_that_is_no_longer_planned_are_refused(
    early: Browser, art_in_two_sections: None
) -> None:
    await early.post("/plan/add", form=ART | {"section": "02"})
    message = await message_after(early, "/plan/alternatives", **ART, alternative="*")
    assert message == "ART 110, section 01 isn’t in your plan for Fall 2026. No changes were made."
