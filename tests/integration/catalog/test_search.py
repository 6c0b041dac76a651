"""Searching and filtering the catalog on its pages."""

import re
from contextlib import nullcontext
from dataclasses import asdict, replace
from urllib.parse import parse_qs, urlsplit

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Course, Section
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.state import EXTENSION
from tests.support.people import ADA, BOB, LAST_FALL, Browser, Clock, config, text

COURSE_COUNT = 60


def numbers(page: str) -> list[str]:
    """Return the numbers of the courses on the page."""
    return re.findall(r"<h2><b>([^<]+)</b>", page)


@pytest.fixture
async def large_catalog(db: Database) -> None:
    """A catalog of several pages."""
    courses = [Course(f"L{number:02}", f"LAW {number:02}", "Law", 1, "Fall", "Law") for number in range(COURSE_COUNT)]
    await db.course.insert_many([asdict(course) for course in courses])
    await sections.put_all(db, [Section("Fall 2026", course.courseID, "01", 5) for course in courses])


async def test_a_search_is_in_the_url(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?q=php")
    assert numbers(page) == ["PHP 202"]
    assert "1 course found" in page
    assert 'value="php"' in page


async def test_the_filters_of_a_search_stay_selected_and_visible(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?credits=4&days=T&days=R&open=y&sort=title")
    assert numbers(page) == ["PHP 202"]
    assert '<option selected value="4">' in page
    assert '<option selected value="title">' in page
    assert len(re.findall(r"<input checked [^>]+ name=\"days\"", page)) == 2
    assert '<details class="filters" open>' in page


async def test_unused_filters_are_collapsed(anyone: Browser) -> None:
    assert '<details class="filters">' in await anyone.read("/courses/Fall?q=php")


@pytest.mark.parametrize(
    "query",
    [
        "credits=99",
        "level=999",
        "building=Nowhere",
        "sort=price",
        "days=X",
        "time=noon",
        "subject=None",
        "page=0",
        "page=x",
    ],
)
async def test_an_unknown_filter_value_is_ignored(anyone: Browser, query: str) -> None:
    response = await anyone.get(f"/courses/Fall?{query}")
    assert response.status_code == 200
    assert numbers(await text(response)) == ["PHP 202", "PYT 101"]


async def test_a_search_without_results_suggests_filters_to_remove(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?q=python&credits=4")
    assert "No courses match" in page
    assert '<a href="/courses/Fall?credits=4">Search without “python” (1 course)</a>' in page
    assert '<a href="/courses/Fall?q=python">Search without “Credits” (1 course)</a>' in page


async def test_filters_that_exclude_each_other_are_suggested_one_by_one(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?q=python&credits=4&instructor=mori&days=S&days=U")
    assert re.findall(r'<li><a href="([^"]+)">Keep only “([^<]+)</a>', page) == [
        ("/courses/Fall?q=python", "python” (1 course)"),
        ("/courses/Fall?credits=4", "Credits” (1 course)"),
        ("/courses/Fall?instructor=mori", "Instructor” (1 course)"),
    ]
    assert "Search without" not in page


@pytest.mark.parametrize("query", ["q=php", "open=y&building=Hall&sort=title", "q=python&credits=4", "instructor=mori"])
async def test_one_link_clears_the_search_and_all_filters(anyone: Browser, query: str) -> None:
    page = await anyone.read(f"/courses/Fall?{query}")
    assert re.findall(r'<a href="([^"]+)">Clear all</a>', page) == ["/courses/Fall%202026"]
    assert "Show all" not in page
    assert "Clear all" not in await anyone.read("/courses/Fall")


async def test_a_mistyped_search_says_what_was_found(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?q=Pyhton,+intro")
    assert numbers(page) == ["PYT 101"]
    assert "Showing results for “python intro”." in page
    assert 'value="Pyhton, intro"' in page
    assert "Showing results" not in await anyone.read("/courses/Fall?q=Python,+intro")
    assert "Showing results" not in await anyone.read("/courses/Fall?q=pyhton&credits=4")  # nothing was found


async def test_the_best_matches_come_first(anyone: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "1111"}, {"$set": {"description": "Python for everyone. Unlike PHP."}})
    assert numbers(await anyone.read("/courses/Fall?q=php")) == ["PHP 202", "PYT 101"]
    assert numbers(await anyone.read("/courses/Fall?q=php&sort=number")) == ["PHP 202", "PYT 101"]


async def test_a_school_adds_synonyms_of_its_own(
    db: Database, mongod: str, clock: Clock, no_schema_check_at_start: None
) -> None:
    settings = config(mongo_uri=mongod, search_synonyms=("python, snakes",))
    app = create_app(settings, clock=clock, open_database=lambda *_, **__: nullcontext(db))
    async with app.test_app():
        assert numbers(await Browser(app.test_client()).read("/courses/Fall?q=snakes")) == ["PYT 101"]


async def test_markup_in_a_search_stays_text(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?q=%22%3E%3Cscript%3E&sort=%3Cb%3E")
    assert "<script>" not in page.split("<main")[1]
    assert "<b>" not in page


async def test_the_search_text_stays_as_typed(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?q=%E2%80%9CAdvanced%E2%80%9D,+PHP")
    assert numbers(page) == ["PHP 202"]
    assert 'value="“Advanced”, PHP"' in page


async def test_a_student_finds_courses_that_fit_the_schedule(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    assert numbers(await ada.read("/courses/Fall?fits=y")) == ["PHP 202"]


async def test_a_student_hides_courses_whose_prerequisites_are_missing(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["2222"]}})
    assert numbers(await ada.read("/courses/Fall")) == ["PHP 202", "PYT 101"]
    assert numbers(await ada.read("/courses/Fall?unmet=y")) == ["PYT 101"]
    page = await ada.read("/courses/Fall?q=php&unmet=y")
    assert "Search without “Hide courses whose prerequisites you haven’t taken” (1 course)" in page


async def test_a_visitor_who_hides_unmet_prerequisites_is_asked_to_sign_in(anyone: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["2222"]}})
    page = await anyone.read("/courses/Fall?unmet=y")
    assert numbers(page) == ["PHP 202", "PYT 101"]
    assert "to hide courses whose prerequisites you haven’t taken" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("instructor=silva", ["PHP 202"]),
        ("instructor=ilva", []),
        ("building=Lab", ["PHP 202"]),
        ("level=100", ["PYT 101"]),
        ("time=none", []),
    ],
)
async def test_the_catalog_is_filtered_by_instructor_building_and_level(
    anyone: Browser, query: str, expected: list[str]
) -> None:
    assert numbers(await anyone.read(f"/courses/Fall?{query}")) == expected


async def test_the_choice_of_buildings_follows_the_rooms(anyone: Browser, db: Database) -> None:
    assert '<option value="Hall">Hall</option>' in await anyone.read("/courses/Fall")
    await db.section.update_many({"room": {"$regex": "^Hall"}}, {"$set": {"room": "Tower 7"}})
    page = await anyone.read("/courses/Fall")
    assert '<option value="Tower">Tower</option>' in page
    assert '<option value="Hall">Hall</option>' not in page


class GivenCatalog(CatalogCache):
    """A catalog cache with a catalog that a test gives it."""

    current = None
    given: Catalog

    async def get(self) -> Catalog:
        return self.given


async def test_a_page_from_the_cache_follows_the_sections(app: Quart, ada: Browser, db: Database, clock: Clock) -> None:
    cache = GivenCatalog(db, clock)
    cache.given = await CatalogCache(db, clock).get()
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], catalog_cache=cache)
    assert "Showing results for “mori”" in await ada.read("/courses/Fall?q=morri")
    sections = list(cache.given.sections)
    sections[0] = replace(sections[0], room="Tower 7", instructor="T. Morrs")
    cache.given = cache.given.with_sections(sections, [sections[0]])
    page = await ada.read("/courses/Fall?q=morri")
    assert "Showing results for “morrs”" in page
    assert '<option value="Tower">Tower</option>' in page


async def test_a_visitor_has_no_schedule_to_fit(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?fits=y")
    assert numbers(page) == ["PHP 202", "PYT 101"]
    assert "Hide conflicts" not in page


@pytest.mark.usefixtures("large_catalog")
async def test_a_long_list_of_courses_is_paginated(anyone: Browser) -> None:
    first = await anyone.read("/courses/Fall?subject=Law&sort=title")
    assert numbers(first) == [f"L{number:02}" for number in range(25)]
    assert '<a rel="next" href="/courses/Fall?subject=Law&amp;sort=title&amp;page=2">' in first
    assert 'rel="prev"' not in first
    last = await anyone.read("/courses/Fall?subject=Law&sort=title&page=3")
    assert numbers(last) == [f"L{number:02}" for number in range(50, 60)]
    assert 'rel="next"' not in last
    assert 'aria-label="Page 3" aria-current="page"' in last


@pytest.mark.usefixtures("large_catalog")
async def test_links_lead_to_each_subject_and_keep_the_other_filters(anyone: Browser, db: Database) -> None:
    assert '<nav class="subjects"' not in await anyone.read("/courses/Fall")  # there is only one
    await db.course.update_one({"courseID": "3333"}, {"$set": {"subject": "Arts & Crafts"}})
    page = await anyone.read("/courses/Fall?q=PHP&subject=Law")
    subjects = page.split('<nav class="subjects"')[1].split("</nav>")[0]
    assert '<a href="?q=PHP&amp;subject=Law" aria-current="true">Law</a>' in subjects
    assert '<a href="?q=PHP&amp;subject=Arts%20%26%20Crafts">Arts &amp; Crafts</a>' in subjects
    assert numbers(await anyone.read("/courses/Fall?q=PHP&subject=Arts%20%26%20Crafts")) == ["PHP 202"]


@pytest.mark.usefixtures("large_catalog")
async def test_a_page_number_past_the_end_shows_the_last_page(anyone: Browser) -> None:
    assert numbers(await anyone.read("/courses/Fall?page=999")) == numbers(await anyone.read("/courses/Fall?page=3"))


async def test_each_course_has_its_own_page(anyone: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["1111"], "subject": "Programming"}})
    page = await anyone.read("/course/3333")
    assert "<h1>PHP 202 · Advanced PHP Programming <small>Fall 2026</small></h1>" in page
    assert "<title>PHP 202 · Advanced PHP Programming, Fall 2026 " in page
    assert "<dt>Course number</dt><dd>3333</dd>" in page
    assert 'Prerequisites</dt><dd><a href="/course/1111?term=Fall+2026">PYT 101</a>' in page
    assert "TR 12:00–1:15 PM" in page
    assert "P. Silva</a> · Lab 1" in page
    assert "1 seat left" in page


async def test_a_course_page_shows_a_student_missing_prerequisites(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["1111"]}})
    page = await ada.read("/course/3333")
    assert "(not taken)" in page
    assert "PHP 202 requires 1111 (PYT 101) from an earlier term." in page


async def test_an_equivalent_course_counts_as_the_required_one(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["2222"]}})
    await terms.put_all(db, [LAST_FALL])
    seat = {"user_id": ADA.user_id, "courseID": "1111", "term": "Fall 2025", "section": "01"}
    await db.enrollment.insert_one(seat | {"status": "enrolled", "enrolled_at": LAST_FALL.opens_at})
    assert "PHP 202 requires 2222 (JAV 201) from an earlier term." in await ada.read("/course/3333")
    await db.course.update_one({"courseID": "2222"}, {"$set": {"equivalents": ["1111"]}})
    assert "(taken)" in await ada.read("/course/3333")
    assert "in PHP 202, section 01" in await ada.read("/courses?q=PHP")
    assert "<dt>Equivalent courses</dt><dd>1111</dd>" in await ada.read("/course/2222")
    response = await ada.post("/api/v1/me/enrollments", json={"courseID": "3333"})
    assert response.status_code == 201


async def test_a_course_page_shows_what_else_a_student_lacks(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"requisite": "1111 or 60 credits or Junior standing"}})
    for page in (await ada.read("/course/3333"), await ada.read("/courses?q=PHP")):
        assert "PHP 202 requires 1111 (PYT 101), 60 earned credits, or Junior standing." in page
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"attributes": {"earned_credits": 60}}})
    page = await ada.read("/course/3333")
    assert (
        '60 earned credits <span class="had">(met)</span> or Junior standing <span class="had">(not met)</span>' in page
    )
    for path in ("/course/3333", "/courses?q=PHP"):
        assert "in PHP 202, section 01" in await ada.read(path)
    response = await ada.post("/api/v1/me/enrollments", json={"courseID": "3333"})
    assert response.status_code == 201


async def test_a_course_page_links_to_its_terms(anyone: Browser) -> None:
    page = await anyone.read("/course/1111?term=Spring+2027")
    assert "<h1>PYT 101 · Introduction to Python <small>Spring 2027</small></h1>" in page
    assert 'href="/course/1111?term=Fall+2026">Fall 2026</a>' in page


@pytest.mark.parametrize(
    "path", ["/course/9999", "/course/1111?term=Winterfell", "/course/%00", f"/course/{'x' * 300}"]
)
async def test_an_unknown_course_or_term_gets_a_friendly_404(anyone: Browser, path: str) -> None:
    response = await anyone.get(path)
    assert response.status_code == 404
    assert "There is no" in await text(response)


async def test_a_course_no_longer_offered_has_a_page(anyone: Browser, db: Database) -> None:
    await db.section.delete_many({"courseID": "3333"})
    assert "It isn’t offered in upcoming terms." in await anyone.read("/course/3333")


async def test_a_course_not_offered_in_that_term_links_to_the_terms_in_which_it_is(anyone: Browser) -> None:
    page = await anyone.read("/course/3333?term=Spring+2027")
    assert "<p>PHP 202 isn’t offered in Spring 2027.</p>" in page
    assert 'href="/course/3333?term=Fall+2026">Fall 2026</a>' in page
    assert "upcoming terms" not in page


async def test_a_course_offered_in_no_term_is_not_shown_in_the_requested_term(anyone: Browser, db: Database) -> None:
    await db.section.delete_many({"courseID": "3333"})
    page = await anyone.read("/course/3333?term=Spring+2027")
    assert "It isn’t offered in upcoming terms." in page
    assert '<nav class="terms"' not in page


async def test_a_visitor_who_filters_by_schedule_is_asked_to_sign_in(anyone: Browser, ada: Browser) -> None:
    path, sentence = "/courses/Fall?q=P&fits=y", "to see only what fits your schedule"
    for _ in range(2):  # the second time from the cache
        assert sentence in await anyone.read(path)
        assert sentence not in await anyone.read("/courses/Fall?q=P")
        assert sentence not in await ada.read(path)
    [link] = re.findall(rf'<a href="(/login[^"]+)">Sign in</a> {sentence}', await anyone.read(path))
    assert (await anyone.sign_in(BOB, next=parse_qs(urlsplit(link).query)["next"][0])).location == path
    assert sentence not in await anyone.read(path)
