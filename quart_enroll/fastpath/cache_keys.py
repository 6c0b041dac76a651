"""The keys of cached responses: what requests for the same response have in common."""

import gzip
from collections.abc import Callable
from typing import Any, NamedTuple

import brotli

from quart_enroll.web import locale
from quart_enroll.web.compression import MAX_ENCODINGS_LENGTH, choose_encoding

FRAMEWORK_HEADERS = {
    *(b"authorization", b"origin", b"x-reader"),
    *(b"range", b"if-range", b"if-match", b"if-modified-since", b"if-unmodified-since"),
    *(b"content-length", b"transfer-encoding", b"expect", b"upgrade"),
}
"""Request headers that only the framework handles."""

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: bytes(brotli.compress(body, quality=5)),
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
"""The compression for each encoding; of those that a client accepts, the first is used."""

ENCODINGS = tuple(COMPRESSORS)


class ResponseKey(NamedTuple):
    """What requests for the same public response have in common."""

    encoding: str
    root_path: str
    path: str
    query: bytes
    language: str


def key_of(scope: Any, languages: tuple[str, ...]) -> ResponseKey | None:
    """Return the key of the request; None if its response may depend on the visitor or on other headers.

    `languages` are those that the site offers; visitors who chose one have a cookie.
    """
    path = scope["path"]
    if scope["method"] not in ("GET", "HEAD"):
        return None
    encodings = b""
    accepted: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            encodings = value[:MAX_ENCODINGS_LENGTH]
        elif name == b"accept-language" and accepted is None:
            accepted = value[: locale.MAX_LANGUAGES_LENGTH]
        elif name == b"cookie" or name in FRAMEWORK_HEADERS or (name == b"x-forwarded-proto" and value != b"https"):
            return None
    encoding = choose_encoding(encodings.decode("latin-1"), ENCODINGS)
    language = ""
    if not path.startswith(locale.API_PATH):
        language = locale.choose("", (accepted or b"").decode("latin-1"), languages)
    return ResponseKey(encoding, scope["root_path"], path, scope["query_string"], language)
