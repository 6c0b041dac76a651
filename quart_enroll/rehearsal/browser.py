"""A browser of an invented student: one connection at a time, cookies, and a record of every response.

It reads HTTP/1.1 itself, because thousands of these share a process with little CPU time to spare.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlencode

HOST = "127.0.0.1"

RESPONSE_TIMEOUT_SECONDS = 30.0
"""How long a browser waits: after that, Heroku's router would have cut it off."""

NO_RESPONSE = 0
"""The status that is recorded if there is no response."""

MAX_HEADER_BYTES = 64 * 1024

HTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Sample:
    """A request: when it was sent and how long the response took, in seconds; `step` names what the student did."""

    step: str
    sent_at: float
    seconds: float
    status: int


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The JSON body; None if there is none."""
        return json.loads(self.body) if self.headers.get("content-type", "").startswith(JSON) else None


@dataclass
class Browser:
    """Requests pages at `port`, from the IP address that a proxy would report; `record` gets each Sample."""

    port: int
    address: str
    record: Callable[[Sample], None]
    cookies: dict[str, str] = field(default_factory=dict)
    _connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, step: str, accept: str = HTML) -> Response:
        """Request a page."""
        return await self._request("GET", path, step, {"Accept": accept}, b"")

    async def post(self, path: str, step: str, **form: str) -> Response:
        """Submit a form; a refusal comes back as JSON with its code."""
        headers = {"Accept": JSON, "Content-Type": "application/x-www-form-urlencoded"}
        return await self._request("POST", path, step, headers, urlencode(form).encode())

    @asynccontextmanager
    async def open_stream(self, path: str) -> AsyncIterator[None]:
        """Receive live updates on a connection of their own during the block, as an open page does."""
        task = asyncio.create_task(self._read_stream(path))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    async def _request(self, method: str, path: str, step: str, headers: Mapping[str, str], body: bytes) -> Response:
        sent_at, status = monotonic(), NO_RESPONSE
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
                response = await self._exchange(self._encode(method, path, headers, body))
            status = response.status
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            self.close()
            response = Response(NO_RESPONSE, {}, b"")
        self.record(Sample(step, sent_at, monotonic() - sent_at, status))
        return response

    async def _exchange(self, request: bytes) -> Response:
        """Send the request on the open connection, or on a new one if the server has closed it meanwhile."""
        if self._connection is not None:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                return await self._send(*self._connection, request)
        self._connection = await asyncio.open_connection(HOST, self.port, limit=MAX_HEADER_BYTES)
        return await self._send(*self._connection, request)

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Response:
        writer.write(request)
        status, headers = await self._read_head(reader)
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b"".join([chunk async for chunk in _chunks(reader)])
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Response(status, headers, body)

    async def _read_head(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if name == "set-cookie":
                self._store_cookie(value)
            headers[name] = value
        return int(lines[0].split(" ", 2)[1]), headers

    def _store_cookie(self, text: str) -> None:
        pair, _, attributes = text.partition(";")
        name, _, value = pair.partition("=")
        if value and "max-age=0" not in attributes.lower():
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)

    def _encode(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        sent = {
            "Host": "localhost",
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Accept-Language": "en",
            "Sec-Fetch-Site": "same-origin",
            "X-Forwarded-For": self.address,
            "X-Forwarded-Proto": "https",
            **headers,
        }
        if headers["Accept"] == HTML:
            sent["Accept-Encoding"] = "gzip, deflate, br, zstd"
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            sent["Content-Length"] = str(len(body))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    async def _read_stream(self, path: str) -> None:
        sent_at, status, writer = monotonic(), NO_RESPONSE, None
        try:
            reader, writer = await asyncio.open_connection(HOST, self.port, limit=MAX_HEADER_BYTES)
            writer.write(self._encode("GET", path, {"Accept": "text/event-stream"}, b""))
            async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
                status, _ = await self._read_head(reader)
            self.record(Sample("opens live updates", sent_at, monotonic() - sent_at, status))
            while await reader.read(MAX_HEADER_BYTES):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            if status == NO_RESPONSE:
                self.record(Sample("opens live updates", sent_at, monotonic() - sent_at, status))
        finally:
            if writer is not None:
                writer.close()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunk = await reader.readexactly(size + 2)
        yield chunk[:-2]
    await reader.readuntil(b"\r\n")
