"""The language of pages, emails and the API."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.catalog.import_users import import_users
from quart_enroll.services.catalog.imported_users import ImportedUser
from quart_enroll.services.notifications.delivery import Mailer
from quart_enroll.services.notifications.outbox import send_due
from tests.support.people import (
    ADA,
    FALL_MORNING,
    NOONS,
    PASSWORD,
    Browser,
    Clock,
    config,
    offer_course,
    registration,
    text,
)
from tests.support.smtp import Postbox

LINKS = EmailLinks("a key that only the tests know", "https://enroll.school.example")
TEMPLATES = Path(__file__).parents[2] / "support/flask_templates"
SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}


async def test_a_page_is_in_the_browsers_language(anyone: Browser) -> None:
    response = await anyone.get("/courses/", headers=SPANISH)
    page = await text(response)
    assert '<html lang="es">' in page
    assert "Sección 01" in page
    assert "30 de 30 plazas libres" in page
    assert response.headers["Content-Language"] == "es"
    assert {"Accept-Language", "Cookie"} <= set(response.headers["Vary"].split(", "))
    assert (await anyone.get("/courses/")).headers["Content-Language"] == "en"


async def test_choosing_a_language_returns_to_the_page(anyone: Browser) -> None:
    page = await anyone.read("/courses/Fall?q=python")
    assert 'name="next" value="/courses/Fall?q=python"' in page
    response = await anyone.post("/language", form={"language": "es", "next": "/courses/Fall?q=python"})
    assert (response.status_code, response.location) == (303, "/courses/Fall?q=python")
    again = await anyone.get("/courses/Fall?q=python", headers={"Accept-Language": "en"})
    assert again.headers["Content-Language"] == "es"
    assert again.headers["Cache-Control"] == "no-cache"  # the choice is not private, and starts no session


@pytest.mark.parametrize("next_url", ["https://evil.example/", "//evil.example", ""])
async def test_choosing_a_language_never_redirects_to_another_site(next_url: str, anyone: Browser) -> None:
    response = await anyone.post("/language", form={"language": "es", "next": next_url})
    assert (response.status_code, response.location) == (303, "/")


@pytest.mark.parametrize("form", [{}, {"language": "xx"}, {"language": "../es"}])
async def test_an_unknown_language_is_refused_with_a_sentence(form: dict[str, str], anyone: Browser) -> None:
    response = await anyone.post("/language", form=form)
    assert response.status_code == 422
    assert "This site isn’t available in that language." in await text(response)


async def test_another_sites_page_cannot_choose_a_language(ada: Browser) -> None:
    response = await ada.post("/language", form={"language": "es"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 400
    assert (await ada.get("/")).headers["Content-Language"] == "en"


async def test_a_users_language_is_kept_across_browsers(app: Quart, ada: Browser) -> None:
    await ada.post("/language", form={"language": "es"})
    assert (await ada.get("/enrollment")).headers["Content-Language"] == "es"
    other_browser = Browser(app.test_client())
    await other_browser.sign_in(ADA)
    assert "Hola, Ada. Has iniciado sesión." in await other_browser.read("/")
    await other_browser.post("/logout")
    assert (await other_browser.get("/")).headers["Content-Language"] == "en"


async def test_a_new_account_has_the_language_of_its_browser(db: Database, app: Quart) -> None:
    browser = Browser(app.test_client())
    await browser.post("/register", form=registration(), headers=SPANISH)
    found = await users.find_credentials(db, "zoe@school.example")
    assert found is not None
    assert found.user.language == "es"


async def test_an_import_keeps_the_language(db: Database) -> None:
    await users.set_language(db, ADA.user_id, "es")
    await import_users(
        db, [ImportedUser(1, None, replace(ADA, last_name="Summers"), None)], FALL_MORNING, unusable_password="-"
    )
    assert await users.find(db, ADA.user_id) == replace(ADA, last_name="Summers", language="es")


async def test_a_notice_caused_by_another_student_is_in_the_readers_language(
    db: Database, clock: Clock, ada: Browser, bob: Browser
) -> None:
    await offer_course(db, "4444", "ART 100", NOONS)
    for browser, course in ((ada, "3333"), (bob, "3333"), (bob, "4444")):
        path = "/enrollment" if (browser, course) != (bob, "3333") else "/waitlist"
        assert (await browser.post(path, form={"courseID": course, "term": "Fall 2026"})).status_code == 303
    await bob.post("/language", form={"language": "es"})
    await bob.get("/")
    await ada.post("/enrollment/drop", form={"courseID": "3333", "term": "Fall 2026"})
    page = await bob.read("/enrollment")
    assert page.count("PHP 202 coincide con ART 100: MJ 12:00–13:15.") == 2
    postbox = Postbox()
    await send_due(db, Mailer(postbox, clock, LINKS), "one")
    assert [subject for _, subject, _ in postbox.letters] == ["Tu puesto en la lista de espera de PHP 202"]
    assert "MJ 12:00–13:15. Conservas tu puesto.\n\nInicia sesión para ver tu horario." in postbox.letters[0][2]


async def test_updates_of_an_open_page_are_in_its_language(app: Quart) -> None:
    spanish, english = [
        await text(await app.test_client().get("/live?term=Fall+2026&course=1111", headers=headers))
        for headers in (SPANISH, {})
    ]
    assert "30 de 30 plazas libres" in spanish
    assert "30 of 30 seats open" in english


async def test_a_calendar_is_in_the_language_of_its_owner(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026"})
    await ada.post("/language", form={"language": "es"})
    await ada.post("/enrollment/calendar", form={"password": PASSWORD})
    found = re.search(r'value="http://[^/"]+(/calendar/[^"]+)"', await ada.read("/enrollment"))
    assert found is not None
    assert b"Secci\xc3\xb3n 01" in await (await ada.client.get(found[1])).get_data()


async def test_api_clients_get_english(anyone: Browser) -> None:
    for path in ("/api/v1/courses/0000", "/api/no-such"):
        response = await anyone.get(path, headers=SPANISH)
        assert re.search("There is no course .* in the catalog.", await text(response))
        assert "Accept-Language" not in response.headers.get("Vary", "")


async def test_a_site_with_template_overrides_offers_no_translations(mongod: str, db: Database) -> None:
    app = create_app(config(mongo_uri=mongod, template_overrides=TEMPLATES))
    async with app.test_app():
        response = await app.test_client().get("/", headers=SPANISH)
    assert response.headers["Content-Language"] == "en"
