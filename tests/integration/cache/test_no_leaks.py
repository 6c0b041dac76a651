"""No cache shows one user a page rendered for another: with and without caches, every page is the same."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.domain.models import SectionRequest, User
from quart_enroll.routes import ROUTES
from quart_enroll.services.enrollment import enroll, plan, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.state import EXTENSION
from tests.support.people import ADA, BOB, FALL_MORNING, RITA, Browser, Clock, config

pytestmark = pytest.mark.caches

EXCLUDED_PATHS = {
    "/live": "a stream",
    "/metrics": "counts the requests of its own process",
    "/logout": "ends the sign-in",
}
"""Paths that the test leaves out, each with the reason."""

PATH_ARGUMENTS = {
    "name": "Nobody",
    "term": "Fall",
    "courseID": "1111",
    "token": "of-nobody",
    "filename": "site.css",
    "idx": "1111",
    "user_id": "1",
}
"""The values for the variable parts of paths."""

QUERIES = ("/courses/?q=PYT&open=y", "/courses/Spring?sort=seats", "/course/3333?term=Fall", "/plan?term=Spring")
FORMS = ("/enrollment/form?courseID=1111", "/enrollment/form?courseID=3333&term=Fall")

PATHS = [
    *(
        re.sub(r"<(?:\w+:)?(\w+)>", lambda variable: PATH_ARGUMENTS[variable[1]], path)
        for route in ROUTES
        if "GET" in route.methods and route.path not in EXCLUDED_PATHS
        for path in route.paths
    ),
    *QUERIES,
    *FORMS,
]

VARYING_TEXT = re.compile(r'(?<=name="csrf_token" )[^>]*|(?<="request_id":")[^"]*')
"""The parts that differ between two responses to the same user."""


@pytest.fixture
async def apps(db: Database, mongod: str, clock: Clock) -> AsyncIterator[tuple[Quart, Quart]]:
    """The site as it is served, and the same site without caches."""
    cached = create_app(config(mongo_uri=mongod), clock=clock)
    cached.config["TEMPLATES_AUTO_RELOAD"] = False  # otherwise whole pages are not cached
    uncached = create_app(config(mongo_uri=mongod), clock=clock, fastpath=False, fragment_cache=False)
    async with AsyncExitStack() as stack:
        for app in (cached, uncached):
            await stack.enter_async_context(app.test_app())
            await app.extensions[EXTENSION].catalog_cache.get()
        yield cached, uncached


@pytest.fixture
async def db(db: Database) -> Database:
    """The small school, in which bob has a seat, ada is on its waitlist, and each has a plan.

    Both have the same role and language: those are part of the key of nearly every fragment.
    """
    context = EnrollmentContext(db)
    await enroll.enroll(context, BOB.user_id, SectionRequest("3333"), FALL_MORNING)
    await waitlist.join(context, ADA.user_id, SectionRequest("3333"), FALL_MORNING)
    await plan.add(context, ADA.user_id, SectionRequest("1111", section="01"), FALL_MORNING)
    await plan.add(context, BOB.user_id, SectionRequest("1111", section="02"), FALL_MORNING)
    return db


async def test_every_page_is_the_same_with_and_without_caches(apps: tuple[Quart, Quart]) -> None:
    cached, uncached = apps
    cookies = {"visitor": ""} | {user.first_name: await sign_in(cached, user) for user in (ADA, BOB, RITA)}
    for path in PATHS:
        expected = {reader: await read(uncached, path, cookie_header) for reader, cookie_header in cookies.items()}
        for reader, cookie_header in (*cookies.items(), *cookies.items()):
            assert await read(cached, path, cookie_header) == expected[reader], f"{path} as {reader} reads it"


async def sign_in(app: Quart, user: User) -> str:
    """Return the cookies of a browser in which the user has signed in and has seen the greeting."""
    browser = Browser(app.test_client())
    await browser.sign_in(user)
    await browser.get("/")
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.client.cookie_jar or ())


async def read(app: Quart, path: str, cookies: str) -> tuple[int, str | None, str]:
    """Return the status, location and body of the response; the cookies that it sets don't affect later requests."""
    response = await app.test_client(use_cookies=False).get(path, headers={"Cookie": cookies} if cookies else {})
    body = str(await response.get_data(as_text=False), "utf-8", "replace")
    return response.status_code, response.headers.get("Location"), VARYING_TEXT.sub("", body)
