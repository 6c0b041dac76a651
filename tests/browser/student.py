"""What a student does in the browser, and how tests wait for the site."""

import asyncio
from typing import Literal
from urllib.request import urlopen

from playwright.async_api import Locator, Page, expect
from pymongo import ReturnDocument

from quart_enroll.db.client import Database
from quart_enroll.domain.models import User
from tests.browser.chromium import time_limit
from tests.support.people import PASSWORD
from tests.support.processes import TIMEOUT_SECONDS


async def fill_registration_form(page: Page, first_name: str = "Zoe", repeated_password: str = PASSWORD) -> None:
    """Fill in the open registration form, without submitting it."""
    await page.get_by_label("Email").fill(f"{first_name.lower()}@school.example")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm password").fill(repeated_password)
    await page.get_by_label("First name").fill(first_name)
    await page.get_by_label("Last name").fill("Adler")


async def register(page: Page, base_url: str) -> None:
    """Create an account for zoe."""
    await page.goto(f"{base_url}/register")
    await fill_registration_form(page)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("status").first).to_contain_text("Welcome, Zoe")


async def sign_in(page: Page, base_url: str, user: User) -> None:
    await page.goto(f"{base_url}/login")
    await page.get_by_label("Email").fill(user.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("status")).to_contain_text(f"Hello, {user.first_name}")


async def press(page: Page, name: str, role: Literal["button", "link"] = "button", *, exact: bool = False) -> None:
    """Press the button or link, after opening the course and "More" around it as a student would."""
    control = page.get_by_role(role, name=name, exact=exact, include_hidden=True)
    await reveal(control)
    await control.click()


async def reveal(control: Locator) -> None:
    """Open everything that is closed around the control."""
    await control.wait_for(state="attached")
    closed = control.locator("xpath=ancestor::details[not(@open)]")
    while await closed.count():
        await closed.first.locator("xpath=./summary").click()


async def wait_until_catalog_is_current(db: Database, base_url: str) -> None:
    """Wait until the site's catalog shows everything that has been written so far.

    The site reads the terms first: once it knows a deadline that has moved by a millisecond, it has read the rest too.
    """
    moved = await db.term.find_one_and_update(
        {"season": "Spring"},
        [{"$set": {"withdraw_deadline": {"$add": ["$withdraw_deadline", 1]}}}],
        return_document=ReturnDocument.AFTER,
    )
    new_deadline = moved["withdraw_deadline"].replace(tzinfo=None).isoformat()  # without a fraction for a whole second
    async with time_limit("Updating the site's catalog", TIMEOUT_SECONDS):
        while new_deadline not in await asyncio.to_thread(_read, f"{base_url}/api/v1/terms"):
            pass


def _read(url: str) -> str:
    with urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310  # the site that this test started
        return str(response.read(), "utf-8")
