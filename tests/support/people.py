"""The same people in every test: ada and bob are students, rita is the registrar."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from quart.typing import TestClientProtocol
from quart.wrappers import Response
from werkzeug.security import generate_password_hash

from config import Config
from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import Course, Meeting, Section, SectionKey, Term, User
from quart_enroll.domain.roles import Role

PASSWORD = "correct horse battery"
PASSWORD_METHOD = "scrypt:1024:1:1"  # fast: the tests hash many passwords
PASSWORD_HASH = generate_password_hash(PASSWORD, PASSWORD_METHOD)

ADA = User(1, "ada@school.example", "Ada", "Winters")
BOB = User(2, "bob@school.example", "Bob", "Okafor")
RITA = User(3, "rita@school.example", "Rita", "Moreno", frozenset({Role.REGISTRAR}))
CAL = User(8, "cal@school.example", "Cal", "Lindqvist")
"""Another student; the small school does not include cal."""

IVAN = User(11, "ivan@school.example", "Ivan", "Petrov", frozenset({Role.INSTRUCTOR}))
ARON = User(12, "aron@school.example", "Aron", "Levy", frozenset({Role.ADVISOR}))
SAMI = User(13, "sami@school.example", "Sami", "Haddad", frozenset({Role.SCHEDULER}), subjects=("Computing",))
UMA = User(14, "uma@school.example", "Uma", "Iyer", frozenset({Role.AUDITOR}))
OTHER_STAFF = (IVAN, ARON, SAMI, UMA)
"""An instructor, an advisor, a scheduler and an auditor; the fixture `other_staff` adds them to the small school."""

COURSES = [
    Course("1111", "PYT 101", "Introduction to Python", 3, "Fall, Spring"),
    Course("2222", "JAV 201", "Intermediate Java Programming", 4, "Spring"),
    Course("3333", "PHP 202", "Advanced PHP Programming", 4, "Fall"),
]

SCHOOL = ZoneInfo("America/New_York")


def midnight(year: int, month: int, day: int) -> datetime:
    """Return the start of that day in the school's timezone."""
    return datetime(year, month, day, tzinfo=SCHOOL).astimezone(UTC)


FALL = Term(
    "Fall 2026",
    opens_at=midnight(2026, 8, 1),
    add_deadline=midnight(2026, 9, 15),
    drop_deadline=midnight(2026, 9, 15),
    withdraw_deadline=midnight(2026, 11, 1),
    timezone=SCHOOL.key,
)
SPRING = Term(
    "Spring 2027",
    opens_at=midnight(2026, 11, 15),
    add_deadline=midnight(2027, 2, 15),
    drop_deadline=midnight(2027, 2, 15),
    withdraw_deadline=midnight(2027, 4, 1),
    timezone=SCHOOL.key,
)
TERMS = [FALL, SPRING]

LAST_FALL = Term(
    "Fall 2025",
    **{
        name: getattr(FALL, name) - timedelta(days=364)
        for name in ("opens_at", "add_deadline", "drop_deadline", "withdraw_deadline")
    },
    timezone=SCHOOL.key,
)
"""The fall before, 52 weeks earlier to the minute; the small school does not include it."""

MORNINGS = (Meeting("MWF", "09:00", "09:50"),)
NOONS = (Meeting("TR", "12:00", "13:15"),)
EVENINGS = (Meeting("TR", "18:00", "19:15"),)

SECTIONS = [
    Section("Fall 2026", "1111", "01", 30, 0, 10, 0, MORNINGS, "T. Mori", "Hall 12"),
    Section("Fall 2026", "1111", "02", 2, 0, 2, 0, EVENINGS, "L. Haddad", "Hall 3"),
    Section("Fall 2026", "3333", "01", 1, 0, 1, 0, NOONS, "P. Silva", "Lab 1"),
    Section("Spring 2027", "1111", "01", 30, 0, 10, 0, MORNINGS, "T. Mori", "Hall 12"),
    Section("Spring 2027", "2222", "01", 30, 0, 10, 0, NOONS, "P. Silva", "Lab 1"),
]
"""In fall: two sections of PYT 101, one of PHP 202 with one seat and one waitlist place. In spring: PYT 101, JAV
201."""

FALL_MORNING = datetime(2026, 9, 1, 9, tzinfo=UTC)


def config(**settings: Any) -> Config:
    """Return settings for a test; tests that need a database pass its URI."""
    return Config(
        **{
            "app_env": "development",
            "account_removal": "user",
            "secret_key": "a key that only the tests know, and long",
            "password_method": PASSWORD_METHOD,
            "password_threads": 2,
            "slow_request": 30,  # so that a busy machine does not change the log
            "slow_query": 30,
        }
        | settings
    )


@dataclass
class Clock:
    """A clock that stands still until a test sets it."""

    now: datetime = FALL_MORNING

    def __call__(self) -> datetime:
        return self.now


class Browser:
    """A test client that sends the headers of a browser on a page of this site."""

    def __init__(self, client: TestClientProtocol) -> None:
        self.client = client

    async def get(self, path: str, **options: Any) -> Response:
        return await self.client.get(path, **_from_our_page(options))

    async def post(self, path: str, **options: Any) -> Response:
        return await self.client.post(path, **_from_our_page(options))

    async def send(self, path: str, form: Mapping[str, Any]) -> Response:
        """Post a form in which a field may have several values."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.post(path, data=urlencode(form, doseq=True), headers=headers)

    async def read(self, path: str) -> str:
        """Return the page at `path`, following redirects."""
        response = await self.get(path, follow_redirects=True)
        return str(await response.get_data(as_text=True))

    async def sign_in(self, user: User, password: str = PASSWORD, scheme: str = "http", **fields: Any) -> Response:
        return await self.post("/login", form={"email": user.email, "password": password} | fields, scheme=scheme)


def _from_our_page(options: dict[str, Any]) -> dict[str, Any]:
    return options | {"headers": {"Sec-Fetch-Site": "same-origin"} | options.get("headers", {})}


async def text(response: Response) -> str:
    return str(await response.get_data(as_text=True))


def buttons(page: str) -> list[str]:
    """Return the full names of the buttons, and of the links that look like them, in the page's main part.

    Those for the student's own calendar, which are the same on each schedule, are left out.
    """
    main = page.split("<main")[1].split("</main>")[0].split('<section id="calendar"')[0]
    found = re.findall(r'<(?:button|a) class="btn[^>]*>(.*?)</(?:button|a)>', main, re.DOTALL)
    return [re.sub("<[^>]+>", "", name) for name in found]


def button_fields(page: str, path: str) -> dict[str, str]:
    """Return the fields that the only button on the page for a POST to `path` sends, without the CSRF token."""
    urls = re.findall(rf' formaction="{path}([?"][^>]*)', page)
    forms = re.findall(rf'<form [^>]*action="{path}">(.*?)</form>', page, re.DOTALL)
    assert len(urls) + len(forms) == 1
    if urls:
        return dict(parse_qsl(unescape(urls[0].removeprefix("?").partition('"')[0])))
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', forms[0]))
    return {name: unescape(value) for name, value in fields.items() if name != "csrf_token"}


async def set_clock(moment: datetime, clock: Clock, *signed_in: tuple[Browser, User]) -> None:
    """Set the clock, and sign users in again whose sign-in would have ended by then."""
    clock.now = moment
    for browser, user in signed_in:
        await browser.post("/logout")
        await browser.sign_in(user)
        await browser.get("/")  # shows the greeting, so that it is gone


async def message_after(browser: Browser, path: str, **form: str) -> str:
    """Send the form, and return the messages on the page it leads to."""
    await browser.get("/")  # shows earlier messages, so that they are gone
    response = await browser.post(path, form=form)
    assert response.status_code == 303
    found = re.findall(r'<div class="alert [^>]*>(.*?)</div>', await browser.read(response.location), re.DOTALL)
    return unescape(" ".join(found))


async def offer_course(db: Database, courseID: str, title: str, times: Sequence[Meeting] = (), **facts: Any) -> None:
    """Store a course of 3 credits with a section 01 in fall, with one seat and one waitlist place."""
    await db.course.insert_one(asdict(Course(courseID, title, "", 3, "Fall", **facts)))
    await sections.put_all(db, [Section("Fall 2026", courseID, "01", 1, 0, 1, 0, tuple(times))])


async def seats_taken(db: Database, courseID: str, section: str = "01") -> int:
    """Return the number of seats taken in the section in fall."""
    found = await sections.find(db, SectionKey("Fall 2026", courseID, section))
    assert found is not None
    return found.seats_taken


def registration(email: str = "zoe@school.example", **fields: str) -> dict[str, str]:
    """Return the fields of a registration form."""
    return {
        "email": email,
        "password": PASSWORD,
        "password_confirm": PASSWORD,
        "first_name": "Zoe",
        "last_name": "Adler",
    } | fields
