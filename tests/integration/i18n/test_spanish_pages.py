"""No page shows English to readers of another language.

The other language is made up: it has every sentence of the site in ⟦brackets⟧. So what a page shows is in brackets, or
is what the school and its people have written; anything else is untranslatable text.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from gettext import NullTranslations
from html.parser import HTMLParser
from typing import Any

import pytest
from quart import Quart
from quart.wrappers import Response

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.i18n import language
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.state import EXTENSION
from quart_enroll.web import jinja_environment
from tests.integration.conftest import AlwaysCurrentCatalog
from tests.support.people import (
    ADA,
    BOB,
    NOONS,
    PASSWORD,
    RITA,
    SECTIONS,
    SPRING,
    Browser,
    Clock,
    config,
    midnight,
    offer_course,
    registration,
    set_clock,
)
from tests.support.smtp import Postbox

MADE_UP = "eo"
"""Babel knows the dates of Esperanto, and the site has no translation into it."""

NEW = "six green apples fall"
TERM = "term=Fall+2026"

LETTERS = "XYZVWQK"
"""The letters of its days of the week."""

DATA = [
    *("Quart Enroll", "quart-enroll", "Esperanto", "America/New_York", "UTC", "JSON", "API"),
    *("PYT 101", "JAV 201", "PHP 202", "ART 100", "LAB 100", "Introduction to Python", "Advanced PHP Programming"),
    *("Intermediate Java Programming", "Ada", "Winters", "Bob", "Okafor", "Zoe", "Adler", "Rita", "Moreno"),
    *("my phone", "Chromium", "Hall", "Lab", "no such course", "Winter 1999"),
    *(part for one in SECTIONS for part in (one.instructor, one.room)),
]
"""What the school and its people have written, longest first in the pattern below."""

WRITTEN = re.compile(
    "|".join(
        [
            r"\S+@\S+\.\S+",  # addresses
            r"https?://\S+|/\S+",
            r"qe_\S+|\b[0-9a-f]{16}\b",  # a token, the number of a request
            r"(lundo|mardo|merkredo|ĵaŭdo|vendredo|sabato|dimanĉo), la \d+-a de \w+ \d+",
            r"\d{4}-\w+-\d+",  # its short dates
            r"\b(lu|ma|me|ĵa|ve|sa|di)\b",  # and days
            rf"\b[{LETTERS}]+ \d\d:\d\d",
            *(re.escape(one) for one in sorted(DATA, key=len, reverse=True)),
        ]
    )
)
SHOWN = ("aria-label", "placeholder", "title", "alt", "data-label", "data-left", "data-open")
"""Attributes whose texts people see or hear."""


class Brackets(NullTranslations):
    """Translations that put every sentence in brackets, and record which ones were requested."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def gettext(self, message: str) -> str:
        self.said.add(message)
        return LETTERS if message == "MTWRFSU" else f"⟦{message}⟧"

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(one) if number == 1 else self.gettext(many)


class Visible(HTMLParser):
    """The texts that people see or hear on a page, except those marked as English."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._begun = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        hidden = tag in ("script", "style") or (given.get("lang", MADE_UP) != MADE_UP)
        if tag not in ("input", "meta", "link", "img", "br", "hr"):
            self._open.append((tag, hidden))
        if not any(hidden for _, hidden in self._open):
            self.texts += [given[name] or "" for name in SHOWN if name in given]
            if tag == "input" and given.get("type") == "submit":
                self.texts.append(given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self._open):
            self._begun += data  # a sentence may have markup in it
            if self._begun.count("⟦") == self._begun.count("⟧"):
                self.texts.append(self._begun)
                self._begun = ""


class Reading(Browser):
    """A browser that records the texts of the site."""

    def __init__(self, app: Quart, texts_seen: set[str]) -> None:
        super().__init__(app.test_client())
        self.texts_seen = texts_seen

    async def get(self, path: str, **options: Any) -> Response:
        return await self._note(await super().get(path, **options))

    async def post(self, path: str, **options: Any) -> Response:
        return await self._note(await super().post(path, **options))

    async def _note(self, response: Response) -> Response:
        body = str(await response.get_data(as_text=True))
        if response.mimetype == "text/html" and not 300 <= response.status_code < 400:
            self.texts_seen.update(Visible(body).texts)
        elif response.mimetype == "application/json":
            self.texts_seen.add((await response.get_json()).get("message", ""))
        return response

    async def does(self, path: str, **form: str) -> None:
        """Submit a form, and look at the page that follows."""
        response = await self.post(path, form=form)
        if response.status_code == 303:
            await self.get(response.location)


@pytest.fixture
def brackets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Brackets]:
    made_up = Brackets()
    jinja_environment._translated_markup.cache_clear()
    monkeypatch.setitem(language.TRANSLATIONS, MADE_UP, made_up)
    yield made_up
    language._seasons.cache_clear()
    jinja_environment._translated_markup.cache_clear()


@pytest.fixture
async def site(db: Database, mongod: str, clock: Clock, brackets: Brackets) -> AsyncIterator[Quart]:
    """The site for readers of brackets; its emails go to the test."""
    settings = {"smtp_url": "smtp://127.0.0.1:9", "mail_from": "no-reply@school.example"}
    app = create_app(config(mongo_uri=mongod, languages=(MADE_UP, "en"), **settings), clock=clock)
    async with app.test_app():
        opened = app.extensions[EXTENSION]
        app.extensions[EXTENSION] = replace(
            opened, catalog_cache=AlwaysCurrentCatalog(opened.database, clock), sends_mail=True
        )
        yield app


def bare(texts: set[str]) -> str:
    """Return, one per line, the texts that are neither in brackets nor written by the school and its people."""
    found = []
    for text in texts:
        left = text
        while "⟦" in left and (less := re.sub(r"⟦[^⟦⟧]*⟧", " ", left)) != left:
            left = less
        if re.search(r"[^\W\d_]", WRITTEN.sub(" ", left)):
            found.append(" ".join(text.split()))
    return "\n".join(sorted(found))


def test_the_check_finds_untranslatable_text() -> None:
    page = (
        '<p>⟦Hello, Ada⟧</p><p>PYT 101</p><p title="Bare"> Press ⟦here⟧</p><p lang="en">API words</p><script>x</script>'
    )
    assert bare(set(Visible(page).texts)) == "Bare\nPress ⟦here⟧"


async def test_spanish_pages_for_visitors_contain_no_english(site: Quart) -> None:
    visitor = Reading(site, texts_seen := set())
    for path in ("/", "/courses/", "/courses/Spring", "/courses/Winter 1999", "/courses/?q=no such course&open=y"):
        await visitor.get(path)
    for path in ("/courses/?q=nothing&days=M&time=morning&sort=title", "/course/1111", "/course/2222", "/course/9999"):
        await visitor.get(path)
    for path in ("/help", "/login", "/register", "/password/forgot", "/password/reset", "/nothing", "/api/v1/docs"):
        await visitor.get(path)
    for path in ("/enrollment", "/enrollment/history", "/account", "/plan", "/user", "/enrollment/calendar.ics"):
        await visitor.get((await visitor.get(path)).location)
    for query in ("", "?courseID=1111&term=Spring", "?courseID=9999", "?courseID=2222&term=Fall", "?courseID="):
        await visitor.get(f"/enrollment/form{query}")
    await visitor.post("/help")
    await visitor.post("/", headers={"Sec-Fetch-Site": "cross-site"})
    await visitor.post("/login", data=b"x" * 70_000, headers={"Content-Type": "application/x-www-form-urlencoded"})
    for form in ({}, {"email": "no", "password": "short"}, {"email": ADA.email, "password": "another one"}):
        await visitor.post("/login", form=form)
    await visitor.post("/login", form={"email": "a\x00b@school.example", "password": PASSWORD})
    for wrong in ({"email": ADA.email}, {"password": "password1"}, {"password_confirm": "x"}, {"first_name": ""}):
        await visitor.post("/register", form=registration(**wrong))
    await visitor.post("/register", form={"first_name": "x" * 51, "last_name": "x" * 51, "email": "x" * 300})
    await visitor.post("/register", form=registration(password="zoe.adler1", password_confirm="zoe.adler1"))
    await visitor.post("/language", form={"language": "xx"})
    await visitor.get("/nothing", headers={"Accept": "application/json"})
    await visitor.does("/password/forgot", email=ADA.email)
    await visitor.does("/register", **registration())
    await visitor.get("/")
    await visitor.does("/logout")
    assert bare(texts_seen) == ""


async def test_spanish_pages_for_email_confirmation_contain_no_english(site: Quart, db: Database, clock: Clock) -> None:
    zoe = Reading(site, texts_seen := set())
    await zoe.get("/email/confirm")
    await zoe.does("/register", **registration())
    for path in ("/account", "/enrollment"):
        await zoe.get(path)
    for _ in range(4):
        await zoe.does("/account/email")
    found = await users.find_credentials(db, "zoe@school.example")
    assert found is not None
    for _ in range(2):
        await zoe.get(EmailLinks("a key that only the tests know, and long", "").confirmation(found.user, clock.now))
        await zoe.get("/email/confirm")
        await zoe.does("/email/confirm")
    assert bare(texts_seen) == ""


async def test_spanish_pages_for_students_contain_no_english(
    site: Quart, db: Database, clock: Clock, brackets: Brackets
) -> None:
    """Ada and bob do everything once that can be done, most of it once too often."""
    ada, bob = Reading(site, texts_seen := set()), Reading(site, texts_seen)
    fall = {"term": "Fall 2026"}
    await offer_course(db, "4444", "ART 100", NOONS)
    await offer_course(db, "5555", "LAB 100", prerequisites=("2222",), corequisites=("1111",))
    for browser, user in ((ada, ADA), (bob, BOB)):
        await browser.does("/login", email=user.email, password=PASSWORD)
        for path in ("/", "/enrollment", "/enrollment/history", "/plan", "/account", "/account/tokens"):
            await browser.get(path)

    await ada.does("/enrollment", courseID="3333", **fall)
    await bob.does("/enrollment", courseID="3333", **fall)
    await bob.does("/waitlist", courseID="3333", **fall)
    await bob.does("/waitlist", courseID="3333", **fall)
    await bob.does("/enrollment", courseID="4444", **fall)
    await bob.does("/enrollment", courseID="5555", **fall)
    for path in (
        "/enrollment",
        "/courses/",
        "/course/3333",
        "/course/4444",
        "/course/5555",
        "/live?course=3333&" + TERM,
    ):
        await bob.get(path)
    await ada.does("/alert", courseID="4444", **fall)
    await ada.does("/alert", courseID="1111", section="02", **fall)
    await ada.get("/enrollment")
    await ada.does("/enrollment/drop", courseID="3333", **fall)  # bob can't take it
    for path in ("/enrollment", "/enrollment/history", "/course/3333"):
        await bob.get(path)
    await bob.does("/enrollment/drop", courseID="4444", **fall)  # now he can; and ada hears of the other
    await bob.get("/enrollment")
    await ada.get("/enrollment")
    await ada.does("/alert/end", courseID="4444", section="01", **fall)

    for form in ({"courseID": "1111", "section": "02"}, {"courseID": "1111", "section": "09"}, {"courseID": "9999"}):
        await ada.does("/enrollment", **form, **fall)
    for form in ({}, {"courseID": "x" * 30}, {"courseID": "2222", **fall}, {"courseID": "1111", "term": "Winter 1999"}):
        await ada.does("/enrollment", **form)
    await ada.does("/enrollment/swap", drop="1111", add="4444", **fall)
    await ada.does("/enrollment/swap", drop="1111", add="4444", **fall)
    await ada.does("/waitlist/leave", courseID="3333", **fall)
    await ada.does("/enrollment/drop", courseID="3333", **fall)
    await bob.does("/enrollment", courseID="1111", section="01", **fall)
    await db.enrollment.update_one({"user_id": BOB.user_id, "courseID": "3333"}, {"$set": {"courseID": "5555"}})
    await bob.does("/enrollment/drop", courseID="1111", **fall)

    spring = {"term": "Spring 2027"}
    for course in ("1111", "2222", "2222", "3333"):
        await ada.does("/plan/add", courseID=course, **spring)
    await ada.does("/plan/up", courseID="2222", **spring)
    for path in ("/plan?term=Spring+2027", "/plan?term=Fall+2026", "/course/2222", "/courses/Spring"):
        await ada.get(path)
    await ada.does("/plan/enroll", **spring)
    await ada.does("/plan/remove", courseID="1111", **spring)
    await ada.does("/plan/remove", courseID="1111", **spring)
    await set_clock(SPRING.opens_at + timedelta(days=1), clock, (ada, ADA), (bob, BOB))
    await ada.does("/plan/enroll", **spring)
    await ada.does("/plan/enroll", **spring)
    await set_clock(midnight(2026, 10, 1), clock, (ada, ADA), (bob, BOB))
    await bob.does("/enrollment/drop", courseID="5555", **fall)  # withdrawn
    for path in ("/enrollment", "/enrollment/history", "/courses/", "/help"):
        await bob.get(path)

    await ada.get("/enrollment/calendar")
    await ada.does("/enrollment/calendar", password="x")
    await ada.does("/enrollment/calendar", password=PASSWORD)
    await ada.does("/enrollment/calendar/end")
    await ada.does("/account/tokens", name="", scope="x", expires_at="x")
    await ada.does("/account/tokens", name="my phone", scope="read", expires_at="1999-01-01")
    for _ in range(2):
        await ada.does("/account/tokens", name="my phone", scope="enroll", expires_at="2026-12-01", password=PASSWORD)
    await ada.get("/account/tokens")
    await ada.does("/account/tokens/end", token_id="x")
    await ada.does("/account/tokens/end")
    await ada.does("/account/password", current_password="x", password=PASSWORD[::-1], password_confirm=PASSWORD[::-1])
    await ada.get("/account/password")
    await ada.does("/account/end", login="x")
    await ada.get("/user")
    await ada.get("/logout", headers={"Sec-Fetch-Site": "cross-site"})
    await ada.does("/account/password", current_password=PASSWORD, password=NEW, password_confirm=NEW)
    await ada.get("/account/delete")
    await ada.does("/account/delete", password="x")
    await ada.does("/account/delete", password=NEW)
    await bob.does("/account/sign-out")
    assert bare(texts_seen) == ""
    assert len(brackets.said) > 300  # of some 480: a walk that went astray would have heard far less


async def test_spanish_pages_for_the_registrar_contain_no_english(site: Quart, db: Database) -> None:
    rita = Reading(site, texts_seen := set())
    await rita.does("/login", email=RITA.email, password=PASSWORD)
    for path in ("/user", "/account"):
        await rita.get(path)
    await rita.does("/account/delete", password=PASSWORD)
    await db.term.delete_many({})
    for path in ("/courses/", "/plan", "/enrollment", "/help", "/course/1111"):
        await rita.get(path)
    assert bare(texts_seen) == ""


async def test_spanish_error_pages_contain_no_english(site: Quart, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise TimeoutError

    visitor = Reading(site, texts_seen := set())
    for _ in range(12):
        await visitor.post("/login", form={"email": ADA.email, "password": "wrong password"})
    monkeypatch.setattr(AlwaysCurrentCatalog, "get", away)
    await visitor.get("/courses/")
    assert bare(texts_seen) == ""


async def test_spanish_emails_contain_no_english(site: Quart, db: Database, clock: Clock) -> None:
    ada, bob = Reading(site, set()), Reading(site, set())
    fall = {"term": "Fall 2026", "courseID": "3333"}
    for browser, user in ((ada, ADA), (bob, BOB)):
        await browser.does("/login", email=user.email, password=PASSWORD)
    await ada.does("/enrollment", **fall)
    await bob.does("/waitlist", **fall)
    await ada.does("/enrollment/drop", **fall)
    await ada.does("/alert", **fall)
    await bob.does("/enrollment/drop", **fall)
    await ada.does("/account/password", current_password=PASSWORD, password=NEW, password_confirm=NEW)
    await ada.does("/password/forgot", email=ADA.email)
    await Reading(site, set()).does("/register", **registration())
    box = Postbox()
    await send_due(db, box, clock, EmailLinks("a key that only the tests know", "https://enroll.school.example"), "one")
    assert len(box.letters) == 5
    assert bare({part for _, subject, text in box.letters for part in (subject, text)}) == ""
