"""Long words, numbers and emails on a phone: everything stays visible and clickable."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest_asyncio
from playwright.async_api import Page

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import Section, SectionRequest, User
from quart_enroll.services.enrollment import enroll, plan, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.student import sign_in, wait_until_catalog_is_current
from tests.support.people import ADA, FALL, MORNINGS, RITA

PHONE = {"width": 390, "height": 844}
WORD = "Donaudampfschifffahrtsgesellschaftskunde"
"""Forty letters without a break opportunity."""

NUMBER = "ENGINEERINGCAPSTONE1"
EMAIL = f"{WORD.lower()}@{WORD.lower()}.example"
PAGES = (
    *(
        "/",
        "/courses/",
        f"/course/{NUMBER}",
        "/enrollment",
        "/enrollment/history",
        "/plan",
        "/account",
        "/account/tokens",
    ),
    *(f"/enrollment/form?courseID={NUMBER}", f"/courses/?q={WORD}", "/account/delete", "/account/password", "/help"),
    *(f"/course/{WORD}", "/login", "/register"),
)

OUTSIDE = """() => [...document.querySelectorAll("main :is(button, a, input, select), header :is(a, button)")]
    .filter(control => control.offsetParent && getComputedStyle(control).position !== "absolute")
    .filter(control => {
        const box = control.getBoundingClientRect();
        return box.width && (box.left < 0 || box.right > innerWidth);
    })
    .map(control => control.outerHTML)"""


@pytest_asyncio.fixture(loop_scope="session")
async def long(db: Database, site_url: str) -> str:
    """The URL of a school where everything has a long name; ada is enrolled in, waits for and plans a course there."""
    names = {"email": EMAIL, "first_name": WORD, "last_name": WORD}
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": names})
    text = {"title": WORD, "description": f"{WORD} {WORD * 3}", "subject": WORD}
    await db.course.update_many({}, {"$set": text})
    await db.course.update_one({"courseID": "1111"}, {"$set": {"courseID": NUMBER}})
    await db.course.update_one({"courseID": "3333"}, {"$set": {"corequisites": [NUMBER]}})
    section = Section(FALL.term, NUMBER, "01", 30, 0, 10, 0, MORNINGS, WORD, WORD)
    await sections.put_all(db, [section, replace(section, section="ABCDEFGHIJ")])
    await db.section.delete_many({"courseID": "1111"})
    now = datetime.now(UTC)
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest(NUMBER, section="01"), now)
    await waitlist.join(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), now)
    await plan.add(EnrollmentContext(db), RITA.user_id, SectionRequest(NUMBER, section="01"), now)
    await wait_until_catalog_is_current(db, site_url)
    return site_url


async def outside(page: Page, *paths: str) -> dict[str, object]:
    """Open the pages, and return the width of each one that is wider than the window, and what can't be clicked."""
    found: dict[str, object] = {}
    for path in paths:
        await page.goto(path)
        scrolls, fits = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        controls = await page.evaluate(OUTSIDE)
        if scrolls > fits or controls:
            found[path] = scrolls, controls
    return found


async def test_no_long_word_pushes_anything_off_a_students_phone(long: str, page: Page) -> None:
    await page.set_viewport_size(PHONE)
    await sign_in(page, long, User(ADA.user_id, EMAIL, WORD, WORD, "student"))
    assert await outside(page, *(f"{long}{path}" for path in PAGES)) == {}


async def test_no_long_word_pushes_anything_off_the_registrars_phone(long: str, page: Page) -> None:
    await page.set_viewport_size(PHONE)
    await sign_in(page, long, RITA)
    paths = ("/user", f"/user?q={WORD}", "/plan", "/courses/", f"/course/{NUMBER}")
    assert await outside(page, *(f"{long}{path}" for path in paths)) == {}
