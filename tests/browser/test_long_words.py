"""Long words, numbers and emails on a phone: everything stays visible and clickable."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest_asyncio
from playwright.async_api import Page

from quart_enroll.db.client import Database
from quart_enroll.db.collections import audit as audit_rows
from quart_enroll.db.collections import sections
from quart_enroll.domain.audit import About
from quart_enroll.domain.models import Section, SectionKey, SectionRequest, User
from quart_enroll.services.enrollment import enroll, plan, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.browser.student import sign_in, wait_until_catalog_is_current
from tests.support.people import ADA, FALL, MORNINGS, RITA
from tests.support.staff import OVERRIDE, fill_staff_pages, staff_pages

PHONE = {"width": 390, "height": 844}
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskunde"
"""Forty letters without a break opportunity."""

LONG_COURSE_ID = "ENGINEERINGCAPSTONE1"
LONG_EMAIL = f"{LONG_WORD.lower()}@{LONG_WORD.lower()}.example"
STUDENT_PATHS = (
    *(
        "/",
        "/courses/",
        f"/course/{LONG_COURSE_ID}",
        "/enrollment",
        "/enrollment/history",
        "/plan",
        "/account",
        "/account/email/change",
        "/account/emails",
        "/account/name",
        "/account/timezone",
        "/account/tokens",
        "/enrollment/links",
    ),
    *(
        f"/enrollment/form?courseID={LONG_COURSE_ID}",
        f"/courses/?q={LONG_WORD}",
        "/account/delete",
        "/account/password",
        "/help",
    ),
    *(f"/course/{LONG_WORD}", "/login", "/register"),
)

CONTROLS_OUTSIDE = """() => [...document.querySelectorAll("main :is(button, a, input, select), header :is(a, button)")]
    .filter(control => control.offsetParent && getComputedStyle(control).position !== "absolute")
    .filter(control => {
        const box = control.getBoundingClientRect();
        return box.width && (box.left < 0 || box.right > innerWidth);
    })
    .map(control => control.outerHTML)"""


@pytest_asyncio.fixture(loop_scope="session")
async def long_words_url(db: Database, base_url: str) -> str:
    """The URL of a site where every name is long; ada is enrolled and waitlisted there, and rita has a plan."""
    names = {"email": LONG_EMAIL, "first_name": LONG_WORD, "last_name": LONG_WORD}
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": names})
    text = {"title": LONG_WORD, "description": f"{LONG_WORD} {LONG_WORD * 3}", "subject": LONG_WORD}
    await db.course.update_many({}, {"$set": text})
    await db.course.update_one({"courseID": "1111"}, {"$set": {"courseID": LONG_COURSE_ID}})
    await db.course.update_one({"courseID": "3333"}, {"$set": {"corequisites": [LONG_COURSE_ID]}})
    section = Section(FALL.term, LONG_COURSE_ID, "01", 30, 0, 10, 0, MORNINGS, LONG_WORD, LONG_WORD)
    await sections.put_all(db, [section, replace(section, section="ABCDEFGHIJ")])
    await db.section.delete_many({"courseID": "1111"})
    now = datetime.now(UTC)
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest(LONG_COURSE_ID, section="01"), now)
    await waitlist.join(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), now)
    await plan.add(EnrollmentContext(db), RITA.user_id, SectionRequest(LONG_COURSE_ID, section="01"), now)
    await wait_until_catalog_is_current(db, base_url)
    return base_url


async def find_overflow(page: Page, *paths: str) -> dict[str, object]:
    """Return the width of each page that is wider than the window, and its controls that can't be clicked."""
    overflow: dict[str, object] = {}
    for path in paths:
        await page.goto(path)
        content_width, window_width = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        controls = await page.evaluate(CONTROLS_OUTSIDE)
        if content_width > window_width or controls:
            overflow[path] = content_width, controls
    return overflow


async def test_no_long_word_pushes_anything_off_a_students_phone(long_words_url: str, page: Page) -> None:
    await page.set_viewport_size(PHONE)
    await sign_in(page, long_words_url, User(ADA.user_id, LONG_EMAIL, LONG_WORD, LONG_WORD))
    assert await find_overflow(page, *(f"{long_words_url}{path}" for path in STUDENT_PATHS)) == {}


async def test_no_long_word_pushes_anything_off_the_registrars_phone(
    long_words_url: str, page: Page, db: Database
) -> None:
    await page.set_viewport_size(PHONE)
    await sign_in(page, long_words_url, RITA)
    files = await fill_staff_pages(db, datetime.now(UTC), LONG_WORD)
    about = About("section", FALL.term, LONG_COURSE_ID, "01")
    await audit_rows.add(db, replace(OVERRIDE, about=about, reason=LONG_WORD))
    paths = (
        *staff_pages(SectionKey(FALL.term, LONG_COURSE_ID, "01"), ADA.user_id),
        *files,
        f"/staff/audit?actor={LONG_EMAIL}",
        f"/staff/students?q={LONG_WORD}",
        "/plan",
        "/courses/",
        f"/course/{LONG_COURSE_ID}",
    )
    assert await find_overflow(page, *(f"{long_words_url}{path}" for path in paths)) == {}
