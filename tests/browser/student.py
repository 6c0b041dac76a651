"""What a student does in the browser, and what the tests must wait for."""

import asyncio
from urllib.request import urlopen

from playwright.async_api import Page, expect
from pymongo import ReturnDocument

from quart_enroll.db.client import Database
from quart_enroll.domain.models import User
from tests.support.people import PASSWORD


async def register(page: Page, address: str) -> None:
    """Make an account for zoe."""
    await page.goto(f"{address}/register")
    await page.get_by_label("Email").fill("zoe@school.example")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Confirm password").fill(PASSWORD)
    await page.get_by_label("First name").fill("Zoe")
    await page.get_by_label("Last name").fill("Adler")
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("status").first).to_contain_text("Welcome, Zoe")


async def sign_in(page: Page, address: str, user: User) -> None:
    await page.goto(f"{address}/login")
    await page.get_by_label("Email").fill(user.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("status")).to_contain_text(f"Hello, {user.first_name}")


async def heard(db: Database, address: str) -> None:
    """Wait until the site's catalog has all that was written before.

    The terms are the first that it reads: one that has moved by a moment tells that all the rest was read after it.
    """
    moved = await db.term.find_one_and_update(
        {"season": "Spring"},
        [{"$set": {"withdraw_deadline": {"$add": ["$withdraw_deadline", 1]}}}],
        return_document=ReturnDocument.AFTER,
    )
    sign = moved["withdraw_deadline"].isoformat(timespec="milliseconds")[:23]
    while sign not in await asyncio.to_thread(_read, f"{address}/api/v1/terms"):
        pass


def _read(address: str) -> str:
    with urlopen(address) as response:  # noqa: S310  # of the site that this test started
        return str(response.read(), "utf-8")
