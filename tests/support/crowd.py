"""A crowd of students in front of the site's server processes, signed in without a password."""

import asyncio
import json
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from itertools import pairwise
from urllib.parse import urlencode

from itsdangerous import URLSafeTimedSerializer

from quart_enroll.db.client import Database
from quart_enroll.domain.models import User
from quart_enroll.services.accounts.token_digest import token_digest
from tests.support.processes import environment

MAX_CONNECTIONS = 400
"""Connections of a crowd at the same time."""

RESPONSE_TIMEOUT_SECONDS = 30.0
"""How long one response may take; Heroku's router would end the request then."""

CLEAR_RESPONSE_SECONDS = 60.0
"""Seconds within which a client that repeats a request must get a clear response."""

RETRY_SECONDS = 0.25
"""The average pause before a retry after a 503; the site asks for 5 seconds."""


class Cut(Exception):
    """The connection broke before the response was complete, so the outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Student:
    """A student with a browser; `cookie` is a sign-in."""

    user_id: int
    cookie: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: `code` is that of a refusal, or empty; `at` and `took` are in seconds."""

    status: int
    code: str
    at: float
    took: float

    @property
    def done(self) -> bool:
        return self.status == 303


async def sign_in(db: Database, numbers: Iterable[int], key: str = "") -> list[Student]:
    """Create students with these numbers, each with a sign-in as the site itself creates it, but without a password.

    `key` is the site's SECRET_KEY, if it is not that of the tests.
    """
    key = key or environment()["SECRET_KEY"]
    serializer = URLSafeTimedSerializer(key, "quart auth salt", signer_kwargs={"digest_method": sha512})
    people = [User(number, f"student{number}@school.example", "Stu", f"Dent {number}", "student") for number in numbers]
    now = datetime.now(UTC)
    identity = "a sign-in of the tests, long enough, number {}".format
    await db.user.insert_many([asdict(person) | {"password": "!"} for person in people])
    await db.login.insert_many(
        {
            "_id": token_digest(identity(person.user_id)),
            "user_id": person.user_id,
            "created_at": now,
            "last_used_at": now,
            "expires_at": now + timedelta(hours=1),
            "remembered": False,
            "address": "127.0.0.1",
            "agent": "",
        }
        for person in people
    )
    return [Student(one.user_id, f"QUART_AUTH={serializer.dumps(identity(one.user_id))}") for one in people]


@dataclass
class Crowd:
    """Students who send requests to the processes that listen on `ports`, which may change meanwhile.

    `answers` are all responses, `waits` the seconds from each first request to the clear response, `cuts` the number of
    broken connections.
    """

    ports: list[int]
    answers: list[Answer] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    cuts: int = 0
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONNECTIONS))
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def answered(self, number: int) -> None:
        """Wait until there are that many responses."""
        async with asyncio.timeout(CLEAR_RESPONSE_SECONDS):
            while len(self.answers) < number:
                self.changed.clear()
                await self.changed.wait()

    async def post(self, student: Student, path: str, **form: str) -> Answer:
        """Send the form, again after a broken connection or a 503, until there is a clear response."""
        began = time.monotonic()
        while time.monotonic() < began + CLEAR_RESPONSE_SECONDS:
            try:
                async with self.room:
                    answer = await self._click(random.choice(self.ports), student, path, form)  # noqa: S311  # no secret
            except Cut:
                self.cuts += 1
            else:
                self.answers.append(answer)
                self.changed.set()
                assert answer.status in (303, 409, 503), answer
                if answer.status != 503:
                    self.waits.append(answer.at - began)
                    return answer
            await asyncio.sleep(random.uniform(0.5, 1.5) * RETRY_SECONDS)  # noqa: S311  # the same
        raise AssertionError(f"Student {student.user_id} has no clear answer to {path}.")

    async def _click(self, port: int, student: Student, path: str, form: dict[str, str]) -> Answer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
                status, headers, body = await exchange(port, _request(student, path, form))
        except TimeoutError:
            raise AssertionError(f"No answer to {path} within {RESPONSE_TIMEOUT_SECONDS:g} s.") from None
        except OSError as error:
            raise Cut from error
        if status == 503:
            assert int(headers["retry-after"]) > 0
        at = time.monotonic()
        return Answer(status, json.loads(body)["error"] if status >= 400 else "", at, at - began)

    def report(self) -> str:
        """Return how long responses took, and the longest time without any."""
        at = sorted(answer.at for answer in self.answers if answer.status != 503)
        gap = max((later - earlier for earlier, later in pairwise(at)), default=0.0)
        away = sum(answer.status == 503 for answer in self.answers)
        return (
            f"{len(self.answers)} answers, {away} of them 503, {self.cuts} cut off; one answer: "
            f"{spread([answer.took for answer in self.answers])}; until it was clear: {spread(self.waits)}; "
            f"longest time without a clear answer to anybody {gap:.2f} s"
        )


def spread(seconds: list[float]) -> str:
    """Return the median, the 99th percentile, and the maximum of these times."""
    ordered = sorted(seconds) or [0.0]
    median, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"median {median:.3f}, p99 {p99:.3f}, longest {ordered[-1]:.3f} s"


def _request(student: Student, path: str, form: dict[str, str]) -> bytes:
    body = urlencode(form)
    head = {
        "Host": "localhost",
        "Connection": "close",
        "Accept": "application/json",
        "Sec-Fetch-Site": "same-origin",
        "Cookie": student.cookie,
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", body]
    return "\r\n".join(lines).encode()


async def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request that closes its connection; return the status, the headers and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not status or len(body) != int(headers.get("content-length", 0)):
        raise ConnectionResetError("The answer is not whole.")
    return int(status.split()[1]), headers, body
