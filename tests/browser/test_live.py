"""Live updates of open pages: seats, the student's changes on other devices, and when a stream starts and ends.

Over HTTP/1.1 a browser opens at most six connections to a site.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest_asyncio
from playwright.async_api import Page, Request, expect

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import SectionRequest, User
from quart_enroll.services.catalog.import_sections import ImportedSection, import_sections
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.chromium import running_chromium
from tests.browser.student import press, reveal, sign_in, wait_until_catalog_is_current
from tests.support.people import ADA, BOB, COURSES, FALL, NOONS, SECTIONS

COURSE = "/course/1111?term=Fall"
CONNECTIONS = 6


async def _enroll(db: Database, student: User) -> None:
    await enroll.enroll(EnrollmentContext(db), student.user_id, SectionRequest("1111", section="01"), datetime.now(UTC))


async def _set_hidden(page: Page, *, hidden: bool) -> None:
    """Make the page believe that it is hidden or visible."""
    await page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def _is_stream(request: Request) -> bool:
    return "/live?" in request.url


def _stream_begins(page: Page) -> AbstractAsyncContextManager[object]:
    return page.expect_event("request", _is_stream)


def _stream_ends(page: Page) -> AbstractAsyncContextManager[object]:
    return page.expect_event("requestfailed", _is_stream)


async def _hide(page: Page) -> None:
    """Hide the page long enough for its stream to end."""
    await _set_hidden(page, hidden=True)
    async with _stream_ends(page):
        await page.clock.fast_forward(10_000)


async def test_a_page_that_is_visible_again_shows_what_it_missed(base_url: str, db: Database, page: Page) -> None:
    await page.clock.install()
    await page.goto(base_url + COURSE)
    await expect(page.get_by_text("30 of 30 seats open")).to_be_visible()
    await _hide(page)
    await _enroll(db, ADA)
    async with _stream_begins(page):
        await _set_hidden(page, hidden=False)
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()
    await _enroll(db, BOB)
    await expect(page.get_by_text("28 of 30 seats open")).to_be_visible()


async def test_a_page_hidden_for_a_moment_keeps_its_stream(base_url: str, db: Database, page: Page) -> None:
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if _is_stream(request) else None)
    await page.clock.install()
    async with _stream_begins(page):
        await page.goto(base_url + COURSE)
    await _set_hidden(page, hidden=True)
    await page.clock.fast_forward(9_000)
    await _enroll(db, ADA)
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()
    await _set_hidden(page, hidden=False)
    await page.clock.fast_forward(9_000)
    await _enroll(db, BOB)
    await expect(page.get_by_text("28 of 30 seats open")).to_be_visible()
    assert len(streams) == 1


async def test_a_page_opened_in_the_background_starts_its_stream_when_it_becomes_visible(
    base_url: str, db: Database, page: Page
) -> None:
    await page.add_init_script("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    await page.goto(base_url + COURSE)
    await _enroll(db, ADA)
    async with _stream_begins(page):
        await _set_hidden(page, hidden=False)
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()


async def test_hidden_pages_leave_connections_to_new_ones(base_url: str, page: Page) -> None:
    for _ in range(CONNECTIONS):
        other = await page.context.new_page()
        await other.clock.install()
        async with _stream_begins(other):
            await other.goto(base_url + COURSE)
        await _hide(other)
    await page.goto(base_url + COURSE)
    await expect(page.get_by_text("30 of 30 seats open")).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def page_with_history_cache(chromium_path: str) -> AsyncIterator[Page]:
    """A page of a browser with a back/forward cache, which Playwright disables by default."""
    options = {"ignore_default_args": ["--disable-back-forward-cache"]}
    async with running_chromium(chromium_path, **options) as chromium:
        yield await chromium.new_page()


async def test_going_back_shows_the_page_as_it_is_now(
    base_url: str, db: Database, page_with_history_cache: Page
) -> None:
    await page_with_history_cache.goto(base_url + COURSE)
    await expect(page_with_history_cache.get_by_text("30 of 30 seats open")).to_be_visible()
    await page_with_history_cache.evaluate("kept = true")
    async with _stream_ends(page_with_history_cache):
        await page_with_history_cache.goto(f"{base_url}/help")
    await _enroll(db, ADA)
    await page_with_history_cache.go_back(wait_until="commit")  # from the cache, so it is not loaded again
    assert await page_with_history_cache.evaluate("kept")
    await expect(page_with_history_cache.get_by_text("29 of 30 seats open")).to_be_visible()


async def test_pagehide_and_pageshow_alone_end_and_restart_the_stream(base_url: str, db: Database, page: Page) -> None:
    async with _stream_begins(page):
        await page.goto(base_url + COURSE)
    async with _stream_ends(page):
        await page.evaluate("dispatchEvent(new Event('pagehide'))")
    await _enroll(db, ADA)
    async with _stream_begins(page):
        await page.evaluate("dispatchEvent(new Event('pageshow'))")
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()


async def _change_for_ada(
    change: Callable[..., Awaitable[object]], db: Database, courseID: str, section: str = ""
) -> None:
    """Make a change for ada, as if on another device."""
    await change(EnrollmentContext(db), ADA.user_id, SectionRequest(courseID, FALL.term, section), datetime.now(UTC))


async def test_an_open_schedule_shows_changes_made_on_another_device(base_url: str, db: Database, page: Page) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/enrollment")
    await page.evaluate("kept = true")
    await expect(page.get_by_text("You don’t have any courses yet")).to_be_visible()
    await _change_for_ada(enroll.enroll, db, "1111", "01")
    await expect(page.get_by_role("row", name="PYT 101")).to_be_visible()
    await expect(page.get_by_role("link", name="Download calendar file")).to_be_visible()
    await _change_for_ada(waitlist.join, db, "3333", "01")
    await expect(page.get_by_text("Waitlisted, 1 of 1")).to_be_visible()
    await page.get_by_role("button", name="Drop PYT 101").focus()
    await _change_for_ada(waitlist.leave, db, "3333")
    await expect(page.get_by_text("Waitlisted, 1 of 1")).to_have_count(0)
    await expect(page.get_by_role("button", name="Drop PYT 101")).to_be_focused()
    await _change_for_ada(enroll.drop, db, "1111")
    await expect(page.get_by_text("You don’t have any courses yet")).to_be_visible()
    assert await page.evaluate("kept")


async def test_a_hidden_schedule_shows_changes_when_it_becomes_visible(base_url: str, db: Database, page: Page) -> None:
    await page.clock.install()
    await sign_in(page, base_url, ADA)
    async with _stream_begins(page):
        await page.goto(f"{base_url}/enrollment")
    await _hide(page)
    await _change_for_ada(enroll.enroll, db, "1111", "01")
    await _set_hidden(page, hidden=False)
    await expect(page.get_by_role("row", name="PYT 101")).to_be_visible()


async def test_a_page_does_not_fetch_what_it_already_shows(base_url: str, db: Database, page: Page) -> None:
    fetched: list[str] = []
    await sign_in(page, base_url, ADA)
    page.on("request", lambda request: fetched.append(request.url) if request.resource_type == "xhr" else None)
    await page.goto(base_url + COURSE)
    await press(page, "Enroll in PYT 101, section 01")
    await expect(page.get_by_text("You’re enrolled in PYT 101")).to_be_visible()
    await _change_for_ada(enroll.drop, db, "1111")
    await expect(page.get_by_role("button", name="Enroll in PYT 101, section 01")).to_be_visible()
    await expect(page.get_by_text("You’re enrolled in PYT 101")).to_be_visible()
    assert fetched == [base_url + COURSE]


async def test_an_open_catalog_updates_its_buttons_and_keeps_the_search_text(
    base_url: str, db: Database, page: Page
) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await page.get_by_label("Search", exact=True).fill("python")
    await expect(page.get_by_text("1 course found")).to_be_visible()
    await _change_for_ada(enroll.enroll, db, "1111", "01")
    row = page.locator("summary").filter(has_text="PYT 101")
    await expect(row).to_contain_text("Enrolled")
    await expect(page.get_by_label("Search", exact=True)).to_have_value("python")
    await expect(page.get_by_label("Search", exact=True)).to_be_focused()
    await reveal(page.get_by_role("button", name="Drop PYT 101", include_hidden=True))
    await _change_for_ada(enroll.drop, db, "1111")
    await expect(page.get_by_role("button", name="Enroll in PYT 101, section 01")).to_be_visible()
    await expect(row).not_to_contain_text("Enrolled")


async def test_a_closed_row_shows_the_seats_of_all_its_sections_as_they_are_taken(
    base_url: str, db: Database, page: Page
) -> None:
    await page.goto(f"{base_url}/courses/Fall")
    row = page.locator("summary").filter(has_text="PYT 101")
    await expect(row).to_contain_text("2 sections 32 of 32 seats open")
    await _change_for_ada(enroll.enroll, db, "1111", "01")
    await expect(row).to_contain_text("2 sections 31 of 32 seats open")
    other = page.locator("summary").filter(has_text="PHP 202")
    await expect(other).to_contain_text("TR 12:00–1:15 PM Full")
    await enroll.drop(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), datetime.now(UTC))
    await expect(other).to_contain_text("TR 12:00–1:15 PM 1 seat left")


async def test_a_closed_row_shows_the_new_times_of_its_only_section(base_url: str, db: Database, page: Page) -> None:
    await db.section.delete_one({"courseID": "1111", "section": "02"})
    await wait_until_catalog_is_current(db, base_url)
    await page.goto(f"{base_url}/courses/Fall")
    row = page.locator("summary").filter(has_text="PYT 101")
    await expect(row).to_contain_text("MWF 9:00–9:50 AM")
    await _move_section(db, datetime.now(UTC))
    await expect(row).to_contain_text("TR 12:00–1:15 PM")


async def test_a_row_stays_open_while_its_section_is_planned_and_the_closed_row_says_so(
    base_url: str, page: Page
) -> None:
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/courses/Fall")
    await press(page, "Add to plan : PYT 101, section 02")
    button = page.get_by_role("button", name="Remove from plan : PYT 101, section 02")
    await expect(button).to_be_visible()  # in the row, and under "More"
    await expect(button).to_be_focused()
    row = page.locator("summary").filter(has_text="PYT 101")
    await expect(row).to_contain_text("Planned")
    await button.click()
    await expect(row).not_to_contain_text("Planned")
    await expect(page.get_by_role("button", name="Add to plan : PYT 101, section 02")).to_be_visible()


async def test_an_open_course_page_keeps_the_chosen_course_to_drop(base_url: str, db: Database, page: Page) -> None:
    await db.course.insert_one(asdict(replace(COURSES[0], courseID="4444", title="ANG 101")))
    await sections.put_all(db, [replace(SECTIONS[0], courseID="4444", meetings=())])
    for courseID in ("1111", "4444"):
        await _change_for_ada(enroll.enroll, db, courseID, "01")
    await wait_until_catalog_is_current(db, base_url)
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/course/3333?term=Fall")
    await reveal(page.get_by_label("If I get a seat, drop"))
    await page.get_by_label("If I get a seat, drop").select_option("ANG 101")
    await page.evaluate("document.querySelector('#offered').dataset.old = ''")
    await enroll.swap(
        EnrollmentContext(db), ADA.user_id, "1111", SectionRequest("1111", FALL.term, "02"), datetime.now(UTC)
    )
    await expect(page.locator("#offered[data-old]")).to_have_count(0)
    await expect(page.get_by_label("If I get a seat, drop")).to_have_value("4444")
    await _change_for_ada(enroll.drop, db, "4444")
    await expect(page.get_by_label("If I get a seat, drop")).to_have_value("1111")


async def _move_section(db: Database, now: datetime) -> None:
    changed_fields = frozenset({"capacity", "waitlist_capacity", "meetings", "room"})
    await import_sections(
        db, [ImportedSection(2, replace(SECTIONS[0], meetings=NOONS, room="Hall 9"), changed_fields)], now
    )


async def test_a_section_that_moves_shows_its_new_times_on_an_open_page(
    base_url: str, db: Database, page: Page
) -> None:
    await page.goto(base_url + COURSE)
    await expect(page.get_by_text("MWF 9:00–9:50 AM")).to_be_visible()
    await _move_section(db, datetime.now(UTC))
    await expect(page.get_by_text("Hall 9")).to_be_visible()
    await expect(page.get_by_text("TR 12:00–1:15 PM")).to_be_visible()
    await expect(page.get_by_text("MWF 9:00–9:50 AM")).to_have_count(0)


async def test_an_open_schedule_shows_a_moved_section_and_a_notice(base_url: str, db: Database, page: Page) -> None:
    await _enroll(db, ADA)
    await sign_in(page, base_url, ADA)
    await page.goto(f"{base_url}/enrollment")
    await expect(page.get_by_text("Hall 12").first).to_be_visible()
    await _move_section(db, datetime.now(UTC))
    await expect(page.get_by_text("Room: Hall 9.")).to_be_visible()
    await expect(page.locator("td").get_by_text("Hall 9")).to_be_visible()
