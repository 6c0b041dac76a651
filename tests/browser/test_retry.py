"""A page that asks for a moment's patience tries again when the moment is over."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from quart_enroll.db.client import open_database
from tests.browser.student import press
from tests.support import school
from tests.support.people import ADA, FALL, PASSWORD, PASSWORD_METHOD
from tests.support.processes import server

BUSY_PAGE = """<!doctype html><title>One moment</title><script defer src="/static/retry.js"></script>
<form method="post" action="/enrollment" data-retry-after="0.1">
  <input type="hidden" name="courseID" value="1111"><p hidden>It presses itself.</p><button>Try again</button>
</form>"""


@pytest.fixture
async def database(fresh_uri: str) -> str:
    """The URI of a database with the small school, whose term opened yesterday."""
    now = datetime.now(UTC)
    end = now + timedelta(days=30)
    fall = replace(FALL, opens_at=now - timedelta(days=1), add_deadline=end, drop_deadline=end, withdraw_deadline=end)
    async with open_database(fresh_uri, 20) as db:
        await school.build(db)
        await school.fill(db, [fall])
    return fresh_uri


@pytest.fixture
def base_url(database: str, tmp_path: Path) -> Iterator[str]:
    with server(tmp_path / "log", MONGO_URI=database, PASSWORD_METHOD=PASSWORD_METHOD) as site:
        yield f"http://127.0.0.1:{site.port}"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refused_form_is_sent_again_automatically(base_url: str, page: Page, status: int) -> None:
    async def respond_busy(route: Route) -> None:
        await route.fulfill(status=status, headers={"Retry-After": "1"}, content_type="text/html", body=BUSY_PAGE)

    await page.goto(f"{base_url}/login")
    await page.get_by_label("Email").fill(ADA.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.goto(f"{base_url}/enrollment/form?courseID=1111")
    await page.route(lambda url: "/enrollment?" in url, respond_busy, times=1)
    await page.get_by_role("button", name="Enroll in PYT 101, section 01").click()
    await expect(page.get_by_role("row", name="PYT 101")).to_be_visible()

    # A button that updates only its own row can't show such an answer, so the whole page is loaded.
    await page.goto(f"{base_url}/courses/")
    await page.route(lambda url: "/plan/add?" in url, respond_busy, times=1)
    await press(page, "Add to plan : PHP 202")
    await expect(page).to_have_url(re.compile(rf"{base_url}/courses/#\w+"))
    await expect(page.get_by_text("Added to your plan for Fall 2026: PHP 202, section 01.")).to_be_visible()
