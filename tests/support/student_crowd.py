"""Many students who send requests to the site's server processes, signed in without a password."""

import asyncio
import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from itsdangerous import URLSafeTimedSerializer

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import User
from quart_enroll.services.accounts.token_digest import token_digest
from tests.support.processes import environment

MAX_CONNECTIONS = 400
"""Maximum number of connections of a crowd."""

RESPONSE_TIMEOUT_SECONDS = 30.0
"""The time for one response: after that, Heroku's router would have cut it off."""

RETRY_TIMEOUT_SECONDS = 60.0
"""The time within which a client that repeats a request must get a definite response."""

RETRY_PAUSE_SECONDS = 0.25
"""The average pause before a request is repeated; the site asks for 5 seconds."""


class ConnectionCut(Exception):
    """The connection was lost before the response was complete, so the outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Student:
    """A student with a browser; `cookie` is that of a sign-in."""

    user_id: int
    cookie: str


@dataclass(frozen=True, slots=True)
class FormResponse:
    """What came back: `code` is that of a refusal, "" otherwise; `at` and `took` are in seconds."""

    status: int
    code: str
    finished_at: float
    response_seconds: float

    @property
    def succeeded(self) -> bool:
        return self.status == 303


async def sign_in(db: Database, numbers: Iterable[int], key: str = "") -> list[Student]:
    """Create students with these numbers, each with a sign-in like the site's own, but without a password.

    `key` is the site's SECRET_KEY, if it differs from the tests' key.
    """
    people = [User(number, f"student{number}@school.example", "Stu", f"Dent {number}") for number in numbers]
    await db.user.insert_many([users.to_row(person) | {"password": "!"} for person in people])
    return await sign_in_device(db, [person.user_id for person in people], 1, key)


async def sign_in_device(db: Database, user_ids: Sequence[int], device: int, key: str = "") -> list[Student]:
    """Sign these students in on their device of that number, as `sign_in` does on the first."""
    key = key or environment()["SECRET_KEY"]
    serializer = URLSafeTimedSerializer(key, "quart auth salt", signer_kwargs={"digest_method": sha512})
    now = datetime.now(UTC)
    identities = {
        user_id: f"a sign-in of the tests, long enough, number {user_id} on device {device}" for user_id in user_ids
    }
    await db.login.insert_many(
        {
            "_id": token_digest(identity),
            "user_id": user_id,
            "created_at": now,
            "last_used_at": now,
            "expires_at": now + timedelta(hours=1),
            "remembered": False,
            "address": "127.0.0.1",
            "agent": "",
        }
        for user_id, identity in identities.items()
    )
    return [Student(user_id, f"QUART_AUTH={serializer.dumps(identity)}") for user_id, identity in identities.items()]


@dataclass
class Crowd:
    """Students who click at the processes that listen on `ports`, which may change meanwhile.

    `answers` keeps every answer, `waits` the seconds from each first click to the clear answer, `cuts` counts the
    connections that broke.
    """

    ports: list[int]
    responses: list[FormResponse] = field(default_factory=list)
    total_seconds: list[float] = field(default_factory=list)
    cut_connections: int = 0
    connections: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONNECTIONS))
    response_received: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for_responses(self, number: int) -> None:
        """Wait until that many responses have arrived."""
        async with asyncio.timeout(RETRY_TIMEOUT_SECONDS):
            while len(self.responses) < number:
                self.response_received.clear()
                await self.response_received.wait()

    async def post(self, student: Student, path: str, **form: str) -> FormResponse:
        """Send a student's form, as `send_form` does: it is accepted or refused."""
        response = await self.send_form(student, path, form)
        assert response.status in (303, 409), response
        return response

    async def send_form(self, student: Student, path: str, form: Mapping[str, str | Sequence[str]]) -> FormResponse:
        """Send the form as `send` does; a field may have several values."""
        return await self.send(student, "POST", path, "application/x-www-form-urlencoded", urlencode(form, doseq=True))

    async def send_json(self, student: Student, method: str, path: str, body: Mapping[str, Any]) -> FormResponse:
        """Send the body to the API as `send` does, with the cookie of the sign-in."""
        return await self.send(student, method, path, "application/json", json.dumps(body))

    async def send(self, student: Student, method: str, path: str, content_type: str, body: str) -> FormResponse:
        """Send the request, and repeat it after a lost connection or a 503, until there is a definite response."""
        request = _request(student, method, path, content_type, body)
        started = time.monotonic()
        while time.monotonic() < started + RETRY_TIMEOUT_SECONDS:
            try:
                async with self.connections:
                    response = await self._send(random.choice(self.ports), path, request)  # noqa: S311  # no secret
            except ConnectionCut:
                self.cut_connections += 1
            else:
                self.responses.append(response)
                self.response_received.set()
                if response.status != 503:
                    self.total_seconds.append(response.finished_at - started)
                    return response
            await asyncio.sleep(random.uniform(0.5, 1.5) * RETRY_PAUSE_SECONDS)  # noqa: S311  # the same
        raise AssertionError(f"Student {student.user_id} has no clear answer to {path}.")

    async def _send(self, port: int, path: str, request: bytes) -> FormResponse:
        started = time.monotonic()
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
                status, headers, body = await exchange(port, request)
        except TimeoutError:
            raise AssertionError(f"No answer to {path} within {RESPONSE_TIMEOUT_SECONDS:g} s.") from None
        except OSError as error:
            raise ConnectionCut from error
        if status == 503:
            assert int(headers["retry-after"]) > 0
        finished_at = time.monotonic()
        is_error = status >= 400 and "json" in headers["content-type"]  # forms for staff come back as pages
        problem = json.loads(body) if is_error else {"error": ""}
        code = problem["code"] if "code" in problem else problem["error"]  # the API's, or that of a form
        return FormResponse(status, code, finished_at, finished_at - started)

    def report(self) -> str:
        """Return how long the responses took, and the longest time without one."""
        finished_at = sorted(response.finished_at for response in self.responses if response.status != 503)
        longest_gap = max((later - earlier for earlier, later in pairwise(finished_at)), default=0.0)
        busy_count = sum(response.status == 503 for response in self.responses)
        return (
            f"{len(self.responses)} responses, {busy_count} of them 503, {self.cut_connections} cut off; each: "
            f"{spread([response.response_seconds for response in self.responses])}; "
            f"until it was definite: {spread(self.total_seconds)}; "
            f"longest time without a definite response {longest_gap:.2f} s"
        )


def spread(seconds: list[float]) -> str:
    """Return the median, the 99th percentile and the maximum of these times."""
    ordered = sorted(seconds) or [0.0]
    median, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"median {median:.3f}, p99 {p99:.3f}, longest {ordered[-1]:.3f} s"


def _request(student: Student, method: str, path: str, content_type: str, body: str) -> bytes:
    head = {
        "Host": "localhost",
        "Connection": "close",
        "Accept": "application/json",
        "Sec-Fetch-Site": "same-origin",
        "Cookie": student.cookie,
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", body]
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
