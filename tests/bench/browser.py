"""What current browsers send with a request for a page, and what becomes of the response."""

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from types import MappingProxyType

import brotli

_NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
}

CHROME = MappingProxyType(
    _NAVIGATION
    | {
        "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
        "Sec-Ch-Ua": '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
        "Sec-Ch-Ua-Mobile": "?0",
        "Sec-Ch-Ua-Platform": '"Windows"',
    }
)
SAFARI = MappingProxyType(
    _NAVIGATION
    | {
        "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/26.0 Mobile/15E148 Safari/604.1",
        "Accept-Encoding": "gzip, deflate, br",
    }
)
FIREFOX = MappingProxyType(
    _NAVIGATION
    | {
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Accept-Language": "en-US,en;q=0.5",
    }
)
BROWSERS: Sequence[Mapping[str, str]] = (CHROME, CHROME, CHROME, SAFARI, SAFARI, FIREFOX)
"""The browsers of a crowd, about as often as people use them."""

_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": lambda body: bytes(brotli.decompress(body)),
}


@dataclass(frozen=True, slots=True)
class PageResponse:
    """A response; `size` is in bytes as transferred."""

    status: int
    headers: Mapping[str, str]
    cookies: Sequence[str]
    text: str
    size: int


def browser_of(number: int) -> Mapping[str, str]:
    """Return the browser of the student with that number."""
    return BROWSERS[number % len(BROWSERS)]


def headers_of(number: int, cookie: str, **more: str) -> dict[str, str]:
    """Return the headers that the browser of that student sends when the student follows a link."""
    return {**browser_of(number), "Cookie": cookie, **more}


def decode(body: bytes, encoding: str) -> str:
    """Return the text of a response body with that Content-Encoding."""
    return _DECODERS[encoding or "identity"](body).decode()


def fetch(port: int, path: str, headers: Mapping[str, str]) -> PageResponse:
    """Send one request over a connection of its own, and return the whole response."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        return fetch_over(connection, path, headers)


def fetch_over(connection: HTTPConnection, path: str, headers: Mapping[str, str]) -> PageResponse:
    """Send one request, and return the whole response."""
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read()
    pairs = response.getheaders()
    header_values = {name.lower(): value for name, value in pairs}
    size = len("HTTP/1.1 200 \r\n\r\n") + sum(len(name) + len(value) + 4 for name, value in pairs) + len(body)
    cookies = [value for name, value in pairs if name.lower() == "set-cookie"]
    text = decode(body, header_values.get("content-encoding", ""))
    return PageResponse(response.status, header_values, cookies, text, size)


def with_cookies(headers: Mapping[str, str], cookies: Sequence[str]) -> dict[str, str]:
    """Return the headers with the cookies that a response has set, as the browser sends them from then on."""
    jar = dict(part.split("=", 1) for part in headers.get("Cookie", "").split("; ") if part)
    jar |= dict(cookie.partition(";")[0].split("=", 1) for cookie in cookies)
    return {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
