"""Answer repeated requests for public responses with stored ones, without the framework.

A view says with `cache_public` what its response depends on: it is then the same for everybody, and answers requests
for the same URL without cookies. A stored response is used only while the catalog it was made from is current and no
term has opened or closed since.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from weakref import ref

from quart import Response, g, request, session
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from werkzeug.http import parse_etags, quote_etag

from quart_enroll.bounded_cache import ByteCache, size_of
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Term
from quart_enroll.fastpath.cache_keys import COMPRESSORS, ResponseKey, key_of
from quart_enroll.fastpath.hypercorn_writer import Answer, Headers, SerializedResponse
from quart_enroll.state import AppState
from quart_enroll.web import auth, security_headers
from quart_enroll.web.request_id import choose_request_id

MIN_COMPRESSED_BYTES = 1000
"""Bytes from which on a response is compressed."""

HEADERS_BYTES = 5000
"""The most bytes of a stored response besides its body and key: its headers in three forms, and the objects around
them."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a response was made from, and the period in which the passing of time alone doesn't change it.

    It does not hold the catalog: responses that are never requested again would keep many catalogs alive.
    """

    catalog: "ref[Catalog] | None"
    begun: datetime
    until: datetime

    def is_current(self, state: AppState, moment: datetime) -> bool:
        catalog = self.catalog
        return (catalog is None or catalog() is state.catalog_cache.current) and self.begun <= moment < self.until


@dataclass(frozen=True, eq=False, slots=True)
class CachedResponse:
    """A response for everybody, in one encoding. `etag` is weak, since it stands for the body in any encoding."""

    endpoint: str
    basis: Basis
    headers: Headers
    etag: str
    not_modified: SerializedResponse
    full: SerializedResponse

    def compressed(self, encoding: str) -> "CachedResponse":
        body = COMPRESSORS[encoding](self.full.body)
        return replace(self, full=_serialize(self.headers, body, (b"content-encoding", encoding.encode())))

    def is_current(self, state: AppState) -> bool:
        return self.basis.is_current(state, state.clock())

    def select(self, request_headers: dict[bytes, bytes]) -> SerializedResponse:
        """Return the 304 for a client that has the body already, else the full response."""
        sent = request_headers.get(b"if-none-match")
        return self.not_modified if sent is not None and _matches(sent, self.etag) else self.full


class ResponseCache:
    """The responses that a process stores; while not `enabled`, none.

    Each encoding of a response is an entry of its own, so that a large one is kept only in the encodings that clients
    ask for.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self.responses: ByteCache[ResponseKey, CachedResponse] = ByteCache("public responses", _size)

    def find(self, scope: Any, state: AppState, languages: tuple[str, ...]) -> CachedResponse | None:
        """Return the current response to the request, if one is stored."""
        key = key_of(scope, languages) if self._enabled else None
        return None if key is None else self._find(key, state)

    def _find(self, key: ResponseKey, state: AppState) -> CachedResponse | None:
        response = self.responses.get(key)
        if response is not None:
            if response.is_current(state):
                return response
            del self.responses[key]
        if not key.encoding or (plain := self._find(key._replace(encoding=""), state)) is None:
            return None
        is_small = len(plain.full.body) < MIN_COMPRESSED_BYTES
        response = self.responses[key] = plain if is_small else plain.compressed(key.encoding)
        return response

    async def store(self, response: ResponseTypes, languages: tuple[str, ...]) -> ResponseTypes:
        """Store the response if its view allows it, and return what to send: a 304 if the client has it already."""
        basis: Basis | None = g.get("cache_public")
        if (
            basis is None
            or not isinstance(response, Response)
            or response.status_code != 200
            or not _is_public(response)
        ):
            return response
        body = bytes(await response.get_data(as_text=False))
        etag = blake2b(body, digest_size=16).hexdigest()
        response.set_etag(etag, weak=True)
        response.vary.add("Accept-Encoding")
        key = key_of(request.scope, languages) if self._enabled else None
        if key is not None:
            headers = _shared_headers(response)
            sent_headers = [
                (name, value) for name, value in headers if name.decode() in security_headers.NOT_MODIFIED_HEADERS
            ]
            not_modified = SerializedResponse(304, sent_headers, b"")
            self.responses[key._replace(encoding="")] = CachedResponse(
                request.endpoint or "", basis, headers, etag, not_modified, _serialize(headers, body)
            )
        return await response.make_conditional(request)


def cache_public(moment: datetime, catalog: Catalog) -> None:
    """Say that the view's response depends only on its URL, this catalog and which terms are open.

    `moment` is when the view began: a term may open while it works.
    """
    g.cache_public = Basis(ref(catalog), moment, next_boundary(catalog.terms, moment))


def next_boundary(terms: Iterable[Term], moment: datetime) -> datetime:
    """Return the next moment at which one of the terms opens or closes."""
    upcoming = (boundary for term in terms for boundary in term.boundaries if boundary > moment)
    return min(upcoming, default=datetime.max.replace(tzinfo=UTC))


def select(response: CachedResponse, scope: Any) -> Answer:
    """Return what answers the request, with an ID of this request."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    number = choose_request_id(headers.get(b"x-request-id", b"").decode("latin-1")).encode()
    return Answer(response.select(headers), [(b"x-request-id", number)])


def _is_public(response: Response) -> bool:
    """Tell whether nothing in the response belongs to a single visitor."""
    return auth.user() is None and not session.accessed and "Set-Cookie" not in response.headers


def _shared_headers(response: Response) -> Headers:
    """Return the headers without those that differ in each response."""
    headers = encode_headers(response.headers)
    return [(name, value) for name, value in headers if name not in (b"x-request-id", b"content-length")]


def _serialize(headers: Headers, body: bytes, *more: tuple[bytes, bytes]) -> SerializedResponse:
    return SerializedResponse(200, [*headers, (b"content-length", str(len(body)).encode()), *more], body)


def _matches(if_none_match: bytes, etag: str) -> bool:
    """Tell whether the header names the ETag."""
    text = if_none_match.decode("latin-1")
    return text == quote_etag(etag, weak=True) or parse_etags(text).contains_weak(etag)


def _size(key: Hashable, response: CachedResponse) -> int:
    return size_of(key) + HEADERS_BYTES + len(response.full.body)
