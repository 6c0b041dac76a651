"""Fragments are cached per language and student: no reader sees a fragment rendered for another."""

from collections.abc import AsyncIterator

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.state import EXTENSION
from tests.integration.cache.test_user_cache import wait_until
from tests.support.people import ADA, BOB, Browser, Clock, config, text

WORDS_BY_PATH = {
    "/": ("Your schedule", "Tu horario"),
    "/courses/": ("Enroll", "Inscribirme"),
    "/courses/?open=y&credits=3": ("Any", "Cualquiera"),
    "/course/1111": ("Credits", "Créditos"),
    "/enrollment": ("Drop", "Dejar"),
    "/plan": ("Your plan", "Tu plan"),
    "/help": ("How does a waitlist work?", "¿Cómo funciona una lista de espera?"),
}


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site with all its caches, as in production."""
    app = create_app(config(mongo_uri=mongod), clock=clock)
    app.config["TEMPLATES_AUTO_RELOAD"] = False  # so that whole pages are cached
    async with app.test_app():
        await app.extensions[EXTENSION].catalog_cache.get()
        yield app


async def test_two_students_on_one_waitlist_each_see_their_own_position(app: Quart) -> None:
    database = app.extensions[EXTENSION].database
    await database.section.update_one({"courseID": "3333"}, {"$set": {"seats_taken": 1, "waitlist_capacity": 9}})
    browsers = [Browser(app.test_client()) for _ in (ADA, BOB)]
    for browser, user in zip(browsers, (ADA, BOB), strict=True):
        await browser.sign_in(user)
        await browser.post("/waitlist", form={"courseID": "3333", "term": "Fall 2026", "section": "01"})
        await browser.read("/enrollment")  # shows the message, so that later pages don't

    async def is_second_known() -> bool:  # the catalog follows a moment after bob has joined
        return "Waitlisted, 1 of 2" in await browsers[0].read("/enrollment")

    await wait_until(is_second_known)
    for path in ("/courses/Fall", "/course/3333", "/enrollment"):
        for _ in range(5):
            for position, browser in enumerate(browsers, 1):
                assert f"Waitlisted, {position} of 2" in await browser.read(path), (position, path)


@pytest.mark.parametrize("signed_in", [False, True])
async def test_spanish_and_english_readers_never_get_each_others_pages(app: Quart, *, signed_in: bool) -> None:
    browser = Browser(app.test_client())
    if signed_in:
        await browser.sign_in(ADA)
        await browser.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026", "section": "02"})
        state = app.extensions[EXTENSION]
        await state.database.user.update_one({"user_id": ADA.user_id}, {"$set": {"language": ""}})
        state.user_cache.logins.clear()  # instead of waiting for the change event
    for path, (english, spanish) in WORDS_BY_PATH.items():
        if not signed_in and path in ("/enrollment", "/plan", "/"):
            continue
        for _ in range(2):
            for language, word, other in (("en", english, spanish), ("es", spanish, english)):
                page = await text(await browser.get(path, headers={"Accept-Language": language}))
                assert f'<html lang="{language}">' in page, path
                assert f">{word}" in page or f" {word}" in page, (path, language)
                assert f">{other}<" not in page, (path, language)
