"""Answers that are the same for everybody, given again without the framework until the catalog changes.

A view says so with `same_for_all`. The framework's first answer is kept, with all its headers, and whoever then asks
for the same address, without a cookie or anything else that could make a difference, gets its bytes: compressed once,
not for each. Nothing is kept for longer than its catalog, nor past the next moment at which a term opens or closes.
"""

import gzip
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from weakref import ref

import brotli
from quart import Response, g, request, session
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_etags, quote_etag

from quart_enroll.bounded_cache import ByteCache, size_of
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Term
from quart_enroll.fastpath.hypercorn_writer import Headers, Send, Whole, send_whole
from quart_enroll.web import auth, locale, security_headers
from quart_enroll.web.request_id import request_number

LEAST = 1000
"""Bytes from which on an answer is compressed."""

MAKES_A_DIFFERENCE = {
    *(b"cookie", b"authorization", b"origin", b"x-reader"),
    *(b"range", b"if-range", b"if-match", b"if-modified-since", b"if-unmodified-since"),
    *(b"content-length", b"transfer-encoding", b"expect", b"upgrade"),
}
"""Headers of requests that the framework must answer."""

HEADERS_BYTES = 5000
"""Most bytes of an answer besides its body and key: its headers in three forms, and the objects around them."""

MAX_ENCODINGS_LENGTH = 200
"""Characters of the Accept-Encoding header that are read; browsers send about 30."""

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: bytes(brotli.compress(body, quality=5)),
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
"""How, by the name of the encoding; of those that a client takes the first is used."""

Key = tuple[str, str, str, bytes, str]
"""The encoding of the answer, and everything else that requests for it have in common."""


@dataclass(frozen=True, slots=True)
class Same:
    """What an answer that is the same for all was made of, and until when the clock changes nothing.

    It does not hold the catalog: answers that nobody asks for again would hold many.
    """

    catalog: "ref[Catalog]"
    begun: datetime
    until: datetime


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """An answer in one encoding, for clients that don't have it and for those that do.

    `etag` is weak, for it stands for the body in any encoding.
    """

    same: Same
    headers: Headers
    unchanged: Whole
    etag: str
    whole: Whole

    def encoded(self, encoding: str) -> "Answer":
        """Return the answer with its body compressed."""
        body = COMPRESS[encoding](self.whole.body)
        return replace(self, whole=_whole(self.headers, body, (b"content-encoding", encoding.encode())))


class Prepared:
    """The answers that a process keeps.

    Each encoding is an entry of its own, so that a large answer is kept only in the encodings that clients ask for.
    """

    def __init__(self) -> None:
        self._answers: ByteCache[Key, Answer] = ByteCache("prepared answers", _size)

    def find(self, key: Key, catalog: Catalog | None, moment: datetime) -> Answer | None:
        """Return the answer to such a request, if it was made of this catalog and would be made so now."""
        answer = self._answers.get(key)
        if answer is not None:
            if answer.same.catalog() is catalog and answer.same.begun <= moment < answer.same.until:
                return answer
            del self._answers[key]
        if not (encoding := key[0]) or (plain := self.find(_plain(key), catalog, moment)) is None:
            return None
        if len(plain.whole.body) < LEAST:
            return plain
        answer = self._answers[key] = plain.encoded(encoding)
        return answer

    def keep(self, key: Key, answer: Answer) -> None:
        """Store an answer that is not compressed."""
        self._answers[_plain(key)] = answer

    async def finish(self, response: ResponseTypes, languages: tuple[str, ...]) -> ResponseTypes:
        """Let caches ask whether an answer that is the same for all has changed; keep it for who asks the same."""
        same: Same | None = g.get("cache_public")
        if same is None or not isinstance(response, Response) or not _is_for_all(response):
            return response
        body = bytes(await response.get_data(as_text=False))
        etag = blake2b(body, digest_size=16).hexdigest()
        response.set_etag(etag, weak=True)
        response.vary.add("Accept-Encoding")
        if (key := key_of(request.scope, languages)) is not None:
            told = _without(encode_headers(response.headers))
            unchanged = [(name, value) for name, value in told if name.decode() in security_headers.UNCHANGED]
            self.keep(key, Answer(same, told, Whole(304, unchanged, b""), etag, _whole(told, body)))
        return await response.make_conditional(request)


def cache_public(moment: datetime, catalog: Catalog) -> None:
    """Say that what the view answers depends on its address, this catalog and the time of day at its terms' doors.

    `moment` is when it began: a door may open while it works.
    """
    g.cache_public = Same(ref(catalog), moment, next_door(catalog.terms, moment))


def next_door(terms: Iterable[Term], moment: datetime) -> datetime:
    """Return the first moment to come at which one of the terms opens or closes."""
    to_come = (one for term in terms for one in term.boundaries if one > moment)
    return min(to_come, default=datetime.max.replace(tzinfo=UTC))


def key_of(scope: Any, languages: tuple[str, ...]) -> Key | None:
    """Return what all requests have in common that get the same answer; None when somebody must look closer.

    `languages` are those that the site offers; who has chosen one has a cookie.
    """
    if scope["method"] not in ("GET", "HEAD"):
        return None
    accepted, encodings, path = None, b"", scope["path"]
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            encodings = value[:MAX_ENCODINGS_LENGTH]
        elif name == b"accept-language" and accepted is None:
            accepted = value.decode("latin-1")[: locale.LONGEST]
        if name in MAKES_A_DIFFERENCE or (name == b"x-forwarded-proto" and value != b"https"):
            return None
    language = "" if path.startswith(locale.API) else locale.wanted("", accepted or "", languages)
    return encoding_for(encodings), scope["root_path"], path, scope["query_string"], language


def _plain(key: Key) -> Key:
    return ("", *key[1:])


def _whole(told: Headers, body: bytes, *more: tuple[bytes, bytes]) -> Whole:
    return Whole(200, [*told, (b"content-length", str(len(body)).encode()), *more], body)


def _size(key: Key, answer: Answer) -> int:
    return size_of(key) + HEADERS_BYTES + len(answer.whole.body)


async def send(answer: Answer, scope: Any, send_event: Send) -> int:
    """Send the answer as the request wants it, and return the status."""
    asked: dict[bytes, bytes] = dict(scope["headers"])
    whole = answer.unchanged if _has(asked.get(b"if-none-match"), answer.etag) else answer.whole
    return await send_numbered(whole, asked, send_event)


async def send_numbered(whole: Whole, asked: Mapping[bytes, bytes], send_event: Send) -> int:
    """Send the answer with the number of the request, whose headers are `asked`, and return the status."""
    number = request_number(asked.get(b"x-request-id", b"").decode("latin-1")).encode()
    await send_whole(whole, send_event, (b"x-request-id", number))
    return whole.status


@lru_cache(500)  # of truncated texts: some 200 kB
def encoding_for(accepted: bytes) -> str:
    """Return the encoding to use for who accepts these, or nothing."""
    wanted = parse_accept_header(accepted.decode("latin-1"), Accept)
    return next((encoding for encoding in COMPRESS if wanted.quality(encoding) > 0), "")


def _is_for_all(response: Response) -> bool:
    """Tell whether nothing of one visitor's own has come into the answer."""
    mine = auth.user() is not None or session.accessed or "Set-Cookie" in response.headers
    return response.status_code == 200 and not mine


def _has(sent: bytes | None, etag: str) -> bool:
    """Tell whether the client has the answer already."""
    if sent is None:
        return False
    text = sent.decode("latin-1")
    return text == quote_etag(etag, weak=True) or parse_etags(text).contains_weak(etag)


def _without(told: Headers) -> Headers:
    """Return the headers but for those that each answer has of its own."""
    return [(name, value) for name, value in told if name not in (b"x-request-id", b"content-length")]
