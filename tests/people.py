"""The same people in every test: ada and bob are students, rita is the registrar."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quart.typing import TestClientProtocol
from quart.wrappers import Response

from config import Config
from quart_enroll.models import Course, User

PASSWORD = "correct horse battery"
METHOD = "scrypt:1024:8:1"  # cheap: the tests make many hashes

ADA = User(1, "ada@school.example", "Ada", "Winters", "student")
BOB = User(2, "bob@school.example", "Bob", "Okafor", "student")
RITA = User(3, "rita@school.example", "Rita", "Moreno", "registrar")

COURSES = [
    Course("1111", "PYT 101", "Introduction to Python", 3, "Fall, Spring"),
    Course("2222", "JAV 201", "Intermediate Java Programming", 4, "Spring"),
    Course("3333", "PHP 202", "Advanced PHP Programming", 4, "Fall"),
]

FALL_MORNING = datetime(2026, 9, 1, 9, tzinfo=UTC)


def config(**settings: Any) -> Config:
    """Return settings for a test; the database is named by who needs one."""
    return Config(
        **{
            "app_env": "development",
            "secret_key": "a key that only the tests know, and long",
            "password_method": METHOD,
            "password_threads": 2,
        }
        | settings
    )


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: datetime = FALL_MORNING

    def __call__(self) -> datetime:
        return self.now


class Browser:
    """A test client that says what a browser says of a request that a page of the site causes."""

    def __init__(self, client: TestClientProtocol) -> None:
        self.client = client

    async def get(self, path: str, **options: Any) -> Response:
        return await self.client.get(path, **_from_our_page(options))

    async def post(self, path: str, **options: Any) -> Response:
        return await self.client.post(path, **_from_our_page(options))

    async def read(self, path: str) -> str:
        """Return the page at `path`, through redirects."""
        response = await self.get(path, follow_redirects=True)
        return str(await response.get_data(as_text=True))

    async def sign_in(self, user: User, password: str = PASSWORD, **fields: Any) -> Response:
        return await self.post("/login", form={"email": user.email, "password": password} | fields)


def _from_our_page(options: dict[str, Any]) -> dict[str, Any]:
    return options | {"headers": {"Sec-Fetch-Site": "same-origin"} | options.get("headers", {})}


async def text(response: Response) -> str:
    return str(await response.get_data(as_text=True))


def registration(email: str = "zoe@school.example", **fields: str) -> dict[str, str]:
    """Return what somebody types to register."""
    return {
        "email": email,
        "password": PASSWORD,
        "password_confirm": PASSWORD,
        "first_name": "Zoe",
        "last_name": "Adler",
    } | fields
