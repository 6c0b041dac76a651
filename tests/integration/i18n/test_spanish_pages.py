"""No page shows English to readers of another language.

The other language is invented: its translation of a sentence is the sentence in ⟦brackets⟧. So text outside brackets
that is not data of the school or of its users can't be translated.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from gettext import NullTranslations
from html.parser import HTMLParser
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from quart import Quart
from quart.wrappers import Response

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.email_settings import DIGEST, EmailKind, EmailTiming
from quart_enroll.domain.models import EmailChangeSide
from quart_enroll.i18n import language
from quart_enroll.i18n.timezones import city_of, known_timezones
from quart_enroll.routes import ROUTES
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.notifications.delivery import Mailer
from quart_enroll.services.notifications.outbox import send_due
from quart_enroll.state import EXTENSION
from quart_enroll.web import jinja_environment
from quart_enroll.web.route import Audience
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
    text,
)
from tests.support.smtp import Postbox
from tests.support.staff import PHP, fill_staff_pages, staff_pages

TEST_LANGUAGE = "eo"
"""Esperanto: Babel knows its dates, and the site has no translation into it."""

NEW_PASSWORD = "six green apples fall"
TERM_QUERY = "term=Fall+2026"

with patch.dict(language.TRANSLATIONS, {TEST_LANGUAGE: NullTranslations()}), language.use_language(TEST_LANGUAGE):
    CITIES = sorted(map(city_of, known_timezones()), key=len, reverse=True)

WEEKDAY_LETTERS = "XYZVWQK"
"""The weekdays in the invented language."""

SCHOOL_TEXTS = [
    *("Quart Enroll", "quart-enroll", "Esperanto", "America/New_York", "UTC", "JSON", "CSV", "XLSX", "API"),
    *("PYT 101", "JAV 201", "PHP 202", "ART 100", "LAB 100", "Introduction to Python", "Advanced PHP Programming"),
    *("Intermediate Java Programming", "Ada", "Winters", "Bob", "Okafor", "Zoe", "Adler", "Rita", "Moreno"),
    *("my phone", "Chromium", "Hall", "Lab", "no such course", "Winter 1999"),
    *(part for one in SECTIONS for part in (one.instructor, one.room)),
]
"""Data of the school and of its users, which is not translated."""

NOT_TRANSLATED = re.compile(
    "|".join(
        [
            r"\S+@\S+\.\S+",  # email addresses
            r"https?://\S+|/\S+",
            r"qe_\S+|\b[0-9a-f]{16}\b|\b4K7M-2PXW-9TRC\b",  # a token, a request ID, a permission number
            r"(lundo|mardo|merkredo|ĵaŭdo|vendredo|sabato|dimanĉo), la \d+-a de \w+ \d+",
            r"\d{4}-\w+-\d+",  # short dates
            r"\b(lu|ma|me|ĵa|ve|sa|di)\b",  # short weekdays
            r"-?\d+ m?s\b|\bms\b",  # units of charts
            r"\b(user_id|email|first_name|last_name|password|roles|subjects|advisors|directory_opt_out)\b",  # columns
            r"\b(preferred_name|pronouns|programs|level|standing|cohorts|campus)\b",  # more
            r"\b(earned_credits|placements|status)\b",  # more
            r"\bpeople(\.csv)?\b|=Graduates in spring",  # names of a list and a file, and a reason
            rf"\b(?:{'|'.join(map(re.escape, CITIES))})\b",
            r"\bBursar hold\b|\bBursar’s Office\b|\bbursar@school\.example\b|\bFees are unpaid\b",  # a hold
            rf"\b[{WEEKDAY_LETTERS}]+ \d\d:\d\d",
            *(re.escape(one) for one in sorted(SCHOOL_TEXTS, key=len, reverse=True)),
        ]
    )
)
VISIBLE_ATTRIBUTES = ("aria-label", "placeholder", "title", "alt", "data-label", "data-left", "data-open")
"""Attributes whose texts people see or hear."""


class BracketTranslations(NullTranslations):
    """Puts each sentence in brackets, and records which ones were requested."""

    def __init__(self) -> None:
        super().__init__()
        self.requested: set[str] = set()

    def gettext(self, message: str) -> str:
        self.requested.add(message)
        return WEEKDAY_LETTERS if message == "MTWRFSU" else f"⟦{message}⟧"

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(one) if number == 1 else self.gettext(many)


class VisibleTexts(HTMLParser):
    """The texts that people see or hear on a page, except those marked as English."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._pending = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        hidden = tag in ("script", "style") or (values.get("lang", TEST_LANGUAGE) != TEST_LANGUAGE)
        if tag not in ("input", "meta", "link", "img", "br", "hr"):
            self._open.append((tag, hidden))
        if not any(hidden for _, hidden in self._open):
            self.texts += [values[name] or "" for name in VISIBLE_ATTRIBUTES if name in values]
            if tag == "input" and values.get("type") == "submit":
                self.texts.append(values.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self._open):
            self._pending += data  # a sentence may have markup in it
            if self._pending.count("⟦") == self._pending.count("⟧"):
                self.texts.append(self._pending)
                self._pending = ""


class RecordingBrowser(Browser):
    """A browser that records the texts that the site shows."""

    def __init__(self, app: Quart, shown_texts: set[str]) -> None:
        super().__init__(app.test_client())
        self.shown_texts = shown_texts

    async def get(self, path: str, **options: Any) -> Response:
        return await self._note(await super().get(path, **options))

    async def post(self, path: str, **options: Any) -> Response:
        return await self._note(await super().post(path, **options))

    async def _note(self, response: Response) -> Response:
        body = str(await response.get_data(as_text=True))
        if response.mimetype == "text/html" and not 300 <= response.status_code < 400:
            self.shown_texts.update(VisibleTexts(body).texts)
        elif response.mimetype == "application/json":
            self.shown_texts.add((await response.get_json()).get("message", ""))
        return response

    async def submit(self, path: str, **form: str) -> None:
        """Submit a form, and follow its redirect."""
        response = await self.post(path, form=form)
        if response.status_code == 303:
            await self.get(response.location)


@pytest.fixture
def brackets(monkeypatch: pytest.MonkeyPatch) -> Iterator[BracketTranslations]:
    translations = BracketTranslations()
    jinja_environment._translated_markup.cache_clear()
    monkeypatch.setitem(language.TRANSLATIONS, TEST_LANGUAGE, translations)
    yield translations
    language._seasons.cache_clear()
    jinja_environment._translated_markup.cache_clear()


@pytest.fixture
async def site(db: Database, mongod: str, clock: Clock, brackets: BracketTranslations) -> AsyncIterator[Quart]:
    """The site in the invented language; its emails stay in the outbox."""
    app = create_app(config(mongo_uri=mongod, languages=(TEST_LANGUAGE, "en")), clock=clock)
    async with app.test_app():
        opened = app.extensions[EXTENSION]
        app.extensions[EXTENSION] = replace(
            opened, catalog_cache=AlwaysCurrentCatalog(opened.database, clock), sends_mail=True
        )
        yield app


def untranslated(texts: set[str]) -> str:
    """Return the texts that are neither in brackets nor data of the school and its users, one per line."""
    found = []
    for shown in texts:
        rest = shown
        while "⟦" in rest and (shorter := re.sub(r"⟦[^⟦⟧]*⟧", " ", rest)) != rest:
            rest = shorter
        if re.search(r"[^\W\d_]", NOT_TRANSLATED.sub(" ", rest)):
            found.append(" ".join(shown.split()))
    return "\n".join(sorted(found))


def test_the_check_finds_untranslatable_text() -> None:
    page = (
        '<p>⟦Hello, Ada⟧</p><p>PYT 101</p><p title="Bare"> Press ⟦here⟧</p><p lang="en">API words</p><script>x</script>'
    )
    assert untranslated(set(VisibleTexts(page).texts)) == "Bare\nPress ⟦here⟧"


async def test_spanish_pages_for_visitors_contain_no_english(site: Quart) -> None:
    visitor = RecordingBrowser(site, shown_texts := set())
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
    await visitor.submit("/password/forgot", email=ADA.email)
    await visitor.submit("/register", **registration())
    await visitor.get("/")
    await visitor.submit("/logout")
    assert untranslated(shown_texts) == ""


async def test_spanish_pages_for_email_confirmation_contain_no_english(site: Quart, db: Database, clock: Clock) -> None:
    zoe = RecordingBrowser(site, shown_texts := set())
    await zoe.get("/email/confirm")
    await zoe.submit("/register", **registration())
    for path in ("/account", "/enrollment"):
        await zoe.get(path)
    for _ in range(4):
        await zoe.submit("/account/email")
    found = await users.find_credentials(db, "zoe@school.example")
    assert found is not None
    for _ in range(2):
        await zoe.get(EmailLinks("a key that only the tests know, and long", "").confirmation(found.user, clock.now))
        await zoe.get("/email/confirm")
        await zoe.submit("/email/confirm")
    assert untranslated(shown_texts) == ""


async def test_spanish_pages_for_a_new_email_contain_no_english(site: Quart, clock: Clock) -> None:
    ada = RecordingBrowser(site, shown_texts := set())
    await ada.post("/login", form={"email": ADA.email, "password": PASSWORD})
    links, asked_at = EmailLinks("a key that only the tests know, and long", ""), clock.now
    await ada.get("/account/email/change")
    for email in ("ada", ADA.email, "ada.new@school.example"):
        await ada.submit("/account/email/change", email=email, password=PASSWORD)
    await ada.get("/account")
    for side in EmailChangeSide:
        await ada.get(links.email_change(ADA.user_id, asked_at, side))
        await ada.get("/email/change")
        await ada.submit("/email/change", decision="agree")
        await ada.get("/email/change")
    await ada.post("/login", form={"email": "ada.new@school.example", "password": PASSWORD})
    for _ in range(4):
        await ada.submit("/account/email/change", email=ADA.email, password=PASSWORD)
        await ada.get("/account")
        await ada.submit("/account/email/stop")
    await ada.submit("/account/email/change", email=BOB.email, password=PASSWORD)
    await ada.get(links.email_change(ADA.user_id, asked_at, EmailChangeSide.OLD))
    await ada.submit("/email/change", decision="stop")
    assert untranslated(shown_texts) == ""


async def test_spanish_pages_for_students_contain_no_english(
    site: Quart, db: Database, clock: Clock, brackets: BracketTranslations
) -> None:
    """Let ada and bob submit every form, most of them once more than is allowed."""
    ada, bob = RecordingBrowser(site, shown_texts := set()), RecordingBrowser(site, shown_texts)
    fall = {"term": "Fall 2026"}
    await offer_course(db, "4444", "ART 100", NOONS)
    await offer_course(db, "5555", "LAB 100", prerequisites=("2222",), corequisites=("1111",))
    for browser, user in ((ada, ADA), (bob, BOB)):
        await browser.submit("/login", email=user.email, password=PASSWORD)
        for path in ("/", "/enrollment", "/enrollment/history", "/plan", "/account", "/account/tokens"):
            await browser.get(path)

    await ada.submit("/enrollment", courseID="3333", **fall)
    await bob.submit("/enrollment", courseID="3333", **fall)
    await bob.submit("/waitlist", courseID="3333", **fall)
    await bob.submit("/waitlist", courseID="3333", **fall)
    await bob.submit("/enrollment", courseID="4444", **fall)
    await bob.submit("/enrollment", courseID="5555", **fall)
    for path in (
        "/enrollment",
        "/courses/",
        "/course/3333",
        "/course/4444",
        "/course/5555",
        "/live?course=3333&" + TERM_QUERY,
    ):
        await bob.get(path)
    await ada.submit("/alert", courseID="4444", **fall)
    await ada.submit("/alert", courseID="1111", section="02", **fall)
    await ada.get("/enrollment")
    await ada.submit("/enrollment/drop", courseID="3333", **fall)  # bob can't be promoted yet
    for path in ("/enrollment", "/enrollment/history", "/course/3333"):
        await bob.get(path)
    await bob.submit("/enrollment/drop", courseID="4444", **fall)  # now he can; and ada gets her alert
    await bob.get("/enrollment")
    await ada.get("/enrollment")
    await ada.submit("/alert/end", courseID="4444", section="01", **fall)

    for form in ({"courseID": "1111", "section": "02"}, {"courseID": "1111", "section": "09"}, {"courseID": "9999"}):
        await ada.submit("/enrollment", **form, **fall)
    for form in ({}, {"courseID": "x" * 30}, {"courseID": "2222", **fall}, {"courseID": "1111", "term": "Winter 1999"}):
        await ada.submit("/enrollment", **form)
    await ada.submit("/enrollment/swap", drop="1111", add="4444", **fall)
    await ada.submit("/enrollment/swap", drop="1111", add="4444", **fall)
    await ada.submit("/waitlist/leave", courseID="3333", **fall)
    await ada.submit("/enrollment/drop", courseID="3333", **fall)
    await bob.submit("/enrollment", courseID="1111", section="01", **fall)
    await db.enrollment.update_one({"user_id": BOB.user_id, "courseID": "3333"}, {"$set": {"courseID": "5555"}})
    await bob.submit("/enrollment/drop", courseID="1111", **fall)

    spring = {"term": "Spring 2027"}
    for course in ("1111", "2222", "2222", "3333"):
        await ada.submit("/plan/add", courseID=course, **spring)
    await ada.submit("/plan/up", courseID="2222", **spring)
    await ada.submit("/plan/down", courseID="2222", **spring)
    plans = ("save", ""), ("save", "1"), ("save", "1"), ("rename", "2"), ("rename", "3"), ("use", "1"), ("use", "9")
    for action, name in (*plans, ("save", "4"), ("save", "5"), ("save", "6"), ("save", "7"), ("delete", "4")):
        await ada.submit(f"/plan/{action}", name=name, in_use="x" if name == "3" else "", **spring)
    limits = "free=M&free=F&start=13:00&end=12:00&lunch=60&travel=10"
    for query in ("", f"&{limits}", f"&{limits}&lunch=&travel=&start=", "&open=y&keep=1111"):
        await ada.get(f"/plan/build?term=Spring{query}")
    await ada.submit("/plan/week", courseID="1111", section="01", plan="x", **spring)
    await ada.submit("/plan/week", courseID="2222", section="09", plan="x", **spring)
    await ada.submit("/plan/week", courseID="2222", section="", **spring)
    for path in ("/plan?term=Spring+2027", "/plan?term=Fall+2026", "/course/2222", "/courses/Spring"):
        await ada.get(path)
    await ada.submit("/plan/enroll", **spring)
    await ada.submit("/plan/remove", courseID="1111", **spring)
    await ada.submit("/plan/remove", courseID="1111", **spring)
    await set_clock(SPRING.opens_at + timedelta(days=1), clock, (ada, ADA), (bob, BOB))
    await ada.submit("/plan/enroll", **spring)
    await ada.submit("/plan/enroll", **spring)
    await set_clock(midnight(2026, 10, 1), clock, (ada, ADA), (bob, BOB))
    await bob.submit("/enrollment/drop", courseID="5555", **fall)  # withdrawn
    for path in ("/enrollment", "/enrollment/history", "/courses/", "/help"):
        await bob.get(path)

    await ada.get("/enrollment/calendar")
    await ada.submit("/enrollment/calendar", password="x")
    await ada.submit("/enrollment/calendar", password=PASSWORD)
    await ada.submit("/enrollment/calendar/end")
    shared = {"content": "plan", "term": "Fall 2026", "password": PASSWORD}
    await ada.submit("/enrollment/permission-number?term=Fall+2026&courseID=3333", code="x")
    await db.section.update_one({"courseID": "3333"}, {"$set": {"consent": "department"}})
    ask = "/enrollment/consent?term=Fall+2026&courseID=3333&section=01"
    for path in (ask, ask.replace("?", "/withdraw?"), ask):
        await ada.submit(path, message="x")
        await ada.get(ask)
    await db.permit.update_many({}, {"$set": {"status": "declined"}})
    await ada.get(ask)
    await db.section.update_one({"courseID": "3333"}, {"$unset": {"consent": ""}})
    await ada.submit("/enrollment/links", content="x")
    created = await text(await ada.post("/enrollment/links", form=shared))
    for path in re.findall(r'value="http://localhost(/shared/[^"]+)"', created):
        await ada.get(path)
    for label in ("", "1", "1", "2", "3", "4", "5"):
        await ada.submit("/enrollment/links", label=label, **shared)
    await ada.submit("/enrollment/links/end", link_id="x")
    await ada.submit("/account/tokens", name="", scope="x", expires_at="x")
    await ada.submit("/account/tokens", name="my phone", scope="read", expires_at="1999-01-01")
    for _ in range(2):
        await ada.submit("/account/tokens", name="my phone", scope="enroll", expires_at="2026-12-01", password=PASSWORD)
    await ada.get("/account/name")
    await ada.submit("/account/name", preferred_name="x" * 51)
    await ada.submit("/account/name", preferred_name="Ada", pronouns="⟦she/her⟧")
    await ada.submit("/account/emails", alert="x")
    await ada.submit("/account/emails", **dict.fromkeys(EmailKind, EmailTiming.AT_ONCE))
    for emails in (EmailKind.ALERT, DIGEST):
        path = urlsplit(site.extensions[EXTENSION].links.unsubscribe(ADA, emails)).path
        await ada.get(path)
        await ada.submit(path)
    await ada.submit("/account/timezone", timezone="Mars")
    await ada.submit("/account/timezone", timezone="America/New_York")
    await ada.get("/account")
    await ada.get("/account/tokens")
    await ada.submit("/account/tokens/end", token_id="x")
    await ada.submit("/account/tokens/end")
    await ada.submit(
        "/account/password", current_password="x", password=PASSWORD[::-1], password_confirm=PASSWORD[::-1]
    )
    await ada.get("/account/password")
    await ada.submit("/account/end", login="x")
    await ada.get("/user")
    await ada.get("/logout", headers={"Sec-Fetch-Site": "cross-site"})
    await ada.submit(
        "/account/password", current_password=PASSWORD, password=NEW_PASSWORD, password_confirm=NEW_PASSWORD
    )
    await ada.get("/account/delete")
    await ada.submit("/account/delete", password="x")
    await ada.submit("/account/delete", password=NEW_PASSWORD)
    await bob.submit("/account/sign-out")
    assert untranslated(shown_texts) == ""
    assert len(brackets.requested) > 300  # of about 480; fewer mean that pages were not reached


async def test_spanish_pages_for_the_registrar_contain_no_english(site: Quart, db: Database, clock: Clock) -> None:
    rita = RecordingBrowser(site, shown_texts := set())
    await rita.submit("/login", email=RITA.email, password=PASSWORD)
    files = await fill_staff_pages(db, clock.now)
    paths = [*staff_pages(PHP, ADA.user_id), *files]
    for path in (*paths, "/account"):
        assert (await rita.get(path)).status_code in (200, 303)
    seen = {site.url_map.bind("").match(path.partition("?")[0])[0] for path in paths}
    pages = (
        route for route in ROUTES if route.audience is Audience.STAFF and "GET" in route.methods and route.is_localized
    )
    assert seen == {route.endpoint for route in pages}
    await rita.submit("/account/delete", password=PASSWORD)
    await db.term.delete_many({})
    for path in ("/courses/", "/plan", "/enrollment", "/help", "/course/1111"):
        await rita.get(path)
    assert untranslated(shown_texts) == ""


async def test_spanish_error_pages_contain_no_english(site: Quart, monkeypatch: pytest.MonkeyPatch) -> None:
    async def time_out(*_: object, **__: object) -> None:
        raise TimeoutError

    visitor = RecordingBrowser(site, shown_texts := set())
    for _ in range(12):
        await visitor.post("/login", form={"email": ADA.email, "password": "wrong password"})
    monkeypatch.setattr(AlwaysCurrentCatalog, "get", time_out)
    await visitor.get("/courses/")
    assert untranslated(shown_texts) == ""


async def test_spanish_emails_contain_no_english(site: Quart, db: Database, clock: Clock) -> None:
    ada, bob = RecordingBrowser(site, set()), RecordingBrowser(site, set())
    fall = {"term": "Fall 2026", "courseID": "3333"}
    for browser, user in ((ada, ADA), (bob, BOB)):
        await browser.submit("/login", email=user.email, password=PASSWORD)
    await ada.submit("/enrollment", **fall)
    await bob.submit("/waitlist", **fall)
    await ada.submit("/enrollment/drop", **fall)
    await ada.submit("/alert", **fall)
    await bob.submit("/enrollment/drop", **fall)
    await ada.submit(
        "/account/password", current_password=PASSWORD, password=NEW_PASSWORD, password_confirm=NEW_PASSWORD
    )
    await ada.submit("/password/forgot", email=ADA.email)
    await RecordingBrowser(site, set()).submit("/register", **registration())
    for email in (ADA.email, "bob.new@school.example"):
        await bob.submit("/account/email/change", email=email, password=PASSWORD)
    postbox = Postbox()
    links = EmailLinks("a key that only the tests know", "https://enroll.school.example")
    await send_due(db, Mailer(postbox, clock, links), "one")
    assert len(postbox.letters) == 9
    assert untranslated({part for _, subject, text in postbox.letters for part in (subject, text)}) == ""
