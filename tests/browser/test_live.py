"""What an open page hears, and for how long: over HTTP/1.1 a browser has six connections to a site."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest_asyncio
from playwright.async_api import Page, Request, async_playwright, expect

from quart_enroll.models import User, Wish
from quart_enroll.mongo import Database
from quart_enroll.services import enrollment
from tests.people import ADA, BOB

COURSE = "/course/1111?term=Fall"
CONNECTIONS = 6


async def _enroll(db: Database, student: User) -> None:
    await enrollment.enroll(db, student.user_id, Wish("1111", section="01"), datetime.now(UTC))


async def _turn(page: Page, *, hidden: bool) -> None:
    """Let the page believe that it is hidden, or seen again."""
    await page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def _is_a_stream(request: Request) -> bool:
    return "/live?" in request.url


def _stream_begins(page: Page) -> AbstractAsyncContextManager[object]:
    return page.expect_event("request", _is_a_stream)


def _stream_ends(page: Page) -> AbstractAsyncContextManager[object]:
    return page.expect_event("requestfailed", _is_a_stream)


async def _hide(page: Page) -> None:
    """Hide the page for so long that it lets its stream go."""
    await _turn(page, hidden=True)
    async with _stream_ends(page):
        await page.clock.fast_forward(10_000)


async def test_a_page_that_is_seen_again_shows_what_it_has_missed(address: str, db: Database, page: Page) -> None:
    await page.clock.install()
    await page.goto(address + COURSE)
    await expect(page.get_by_text("30 of 30 seats open")).to_be_visible()
    await _hide(page)
    await _enroll(db, ADA)
    async with _stream_begins(page):
        await _turn(page, hidden=False)
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()
    await _enroll(db, BOB)
    await expect(page.get_by_text("28 of 30 seats open")).to_be_visible()


async def test_who_looks_away_for_a_moment_misses_nothing(address: str, db: Database, page: Page) -> None:
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if _is_a_stream(request) else None)
    await page.clock.install()
    async with _stream_begins(page):
        await page.goto(address + COURSE)
    await _turn(page, hidden=True)
    await page.clock.fast_forward(9_000)
    await _enroll(db, ADA)
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()
    await _turn(page, hidden=False)
    await page.clock.fast_forward(9_000)
    await _enroll(db, BOB)
    await expect(page.get_by_text("28 of 30 seats open")).to_be_visible()
    assert len(streams) == 1


async def test_a_page_that_opens_where_nobody_sees_it_waits_with_its_stream(
    address: str, db: Database, page: Page
) -> None:
    await page.add_init_script("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    await page.goto(address + COURSE)
    await _enroll(db, ADA)
    async with _stream_begins(page):
        await _turn(page, hidden=False)
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()


async def test_more_pages_than_a_browser_has_connections(address: str, page: Page) -> None:
    for _ in range(CONNECTIONS):
        other = await page.context.new_page()
        await other.clock.install()
        async with _stream_begins(other):
            await other.goto(address + COURSE)
        await _hide(other)
    await page.goto(address + COURSE)
    await expect(page.get_by_text("30 of 30 seats open")).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def keeping(chromium: str) -> AsyncIterator[Page]:
    """A page of a browser that keeps pages for who goes back to them, as people's browsers do."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"], ignore_default_args=["--disable-back-forward-cache"]
        )
        yield await browser.new_page()
        await browser.close()


async def test_who_goes_back_finds_the_page_as_it_is_now(address: str, db: Database, keeping: Page) -> None:
    await keeping.goto(address + COURSE)
    await expect(keeping.get_by_text("30 of 30 seats open")).to_be_visible()
    await keeping.evaluate("kept = true")
    async with _stream_ends(keeping):
        await keeping.goto(f"{address}/help")
    await _enroll(db, ADA)
    await keeping.go_back(wait_until="commit")  # it is not loaded again
    assert await keeping.evaluate("kept")
    await expect(keeping.get_by_text("29 of 30 seats open")).to_be_visible()


async def test_a_browser_may_tell_no_more_than_that_the_page_is_left_and_found_again(
    address: str, db: Database, page: Page
) -> None:
    async with _stream_begins(page):
        await page.goto(address + COURSE)
    async with _stream_ends(page):
        await page.evaluate("dispatchEvent(new Event('pagehide'))")
    await _enroll(db, ADA)
    async with _stream_begins(page):
        await page.evaluate("dispatchEvent(new Event('pageshow'))")
    await expect(page.get_by_text("29 of 30 seats open")).to_be_visible()
