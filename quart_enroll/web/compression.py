"""Compress pages so that the length of a response reveals nothing: neither a secret, nor what stands beside an input.

A compressor replaces text that it has seen before by a reference to it, so the length of a page tells whether something
in the URL, which another site can choose, also stands elsewhere in the page (the attack BREACH). So secrets are not
compressed at all; and if a request has a query, text that only this visitor sees isn't either, and texts that many
visitors share are compressed each on its own.

What many pages share is compressed once, by zlib; the rest of a page by ISA-L, in a tenth of the time that zlib takes.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from typing import cast

from isal import isal_zlib
from quart import Response
from quart.typing import ResponseTypes
from quart.wrappers.response import DataBody
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from quart_enroll.web.request import SiteRequest

COMPRESSION_LEVEL = 0
"""Of ISA-L's levels from 0 to 3: 2 takes half as long again, and saves an eighth of a page."""

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""RFC 1952: deflate, no flags, no time, no further hint, unknown system."""

LAST_BLOCK = b"\x03\x00"
"""RFC 1951: an empty block that is marked as the last one."""

MAX_STORED_BYTES = 0xFFFF
"""The most bytes in a deflate block that is not compressed."""

MIN_COMPRESSED_BYTES = 200
"""Bytes between two secrets from which on they are compressed: for fewer, it costs more than it saves."""

LONG_TEXT_BYTES = 1500
"""Bytes of a shared text from which on it is compressed alone, and only once."""

MAX_ENCODINGS_LENGTH = 200
"""Characters of the Accept-Encoding header that are read; browsers send about 30."""


class SharedText(bytes):
    """A part of a page that many visitors share; if it repeats an input, it has nothing of anyone else's."""

    @cached_property
    def deflated(self) -> bytes:
        """The part as compressed blocks, as small as possible: this is done once for many pages."""
        compressor = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
        return compressor.compress(self) + compressor.flush(zlib.Z_FULL_FLUSH)


class InputFreeText(SharedText):
    """A shared part that never repeats an input; a long one may be joined anew for each page."""

    @cached_property
    def deflated(self) -> bytes:
        """The part as compressed blocks, at little cost."""
        return _deflate(self)


class Secret(bytes):
    """A part of a page that no one else may guess."""

    __slots__ = ()


class RenderedPage(bytes):
    """The text of a page, with the `parts` that it consists of."""

    parts: Sequence[bytes]

    @classmethod
    def of(cls, parts: Sequence[bytes]) -> "RenderedPage":
        """Return the page of these parts."""
        page = cls(b"".join(parts))
        page.parts = parts
        return page

    def gzip(self, *, has_input: bool) -> bytes:
        """Return the page compressed for Content-Encoding: gzip.

        `has_input` says that it may repeat what the request said.
        """
        blocks = _separate_blocks(self.parts) if has_input else _joint_blocks(self.parts)
        trailer = isal_zlib.crc32(self).to_bytes(4, "little") + (len(self) & 0xFFFFFFFF).to_bytes(4, "little")
        return b"".join((GZIP_HEADER, *blocks, LAST_BLOCK, trailer))


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether a client that sent this header accepts gzip."""
    return bool(choose_encoding(accept_encoding[:MAX_ENCODINGS_LENGTH], ("gzip",)))


def add_headers(response: ResponseTypes, *, is_compressed: bool) -> None:
    """Add the headers of a page that is compressed for clients that accept it."""
    response.vary.add("Accept-Encoding")
    if is_compressed:
        response.headers["Content-Encoding"] = "gzip"


def compress(response: ResponseTypes, request: SiteRequest) -> None:
    """Compress the response if it is a page that was requested and the client accepts it."""
    if not isinstance(response, Response) or request.method not in ("GET", "HEAD") or response.status_code != 200:
        return
    body = response.response
    if isinstance(body, DataBody) and isinstance(page := body.data, RenderedPage):
        is_compressed = accepts_gzip(request.header_map.get("accept-encoding", ""))
        add_headers(response, is_compressed=is_compressed)
        if is_compressed:
            response.set_data(page.gzip(has_input=bool(request.query_string)))


@lru_cache(500)  # of truncated texts: some 200 kB
def choose_encoding(accepted: str, offered: tuple[str, ...]) -> str:
    """Return the first of the `offered` encodings that a client accepts; empty for none.

    The header must be cut at MAX_ENCODINGS_LENGTH.
    """
    qualities = parse_accept_header(accepted, Accept)
    return next((encoding for encoding in offered if qualities.quality(encoding) > 0), "")


def _joint_blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield deflate blocks in which secrets stand alone, and long shared texts too, which are compressed only once."""
    for kind, group in groupby(parts, _kind):
        if kind is SharedText:
            yield from (cast(SharedText, part).deflated for part in group)
        else:
            text = b"".join(group)
            yield _store(text) if kind is Secret or len(text) < MIN_COMPRESSED_BYTES else _deflate(text)


def _kind(part: bytes) -> type[bytes]:
    """Tell how a part is compressed in a page without an input: alone, not at all, or together with its neighbors."""
    if isinstance(part, SharedText):
        return SharedText if len(part) >= LONG_TEXT_BYTES else bytes
    return type(part)


def _separate_blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield deflate blocks in which a part that may repeat an input stands alone; only shared texts are compressed."""
    for is_free, group in groupby(parts, lambda part: isinstance(part, InputFreeText)):
        if is_free:
            yield _deflate(b"".join(group))
        else:
            yield from (_deflate(part) if isinstance(part, SharedText) else _store(part) for part in group)


def _deflate(text: bytes) -> bytes:
    """Return the text as compressed blocks that end at a byte and refer to nothing outside of them."""
    if not text:
        return b""
    compressor = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
    return compressor.compress(text) + compressor.flush(isal_zlib.Z_FULL_FLUSH)


def _store(text: bytes) -> bytes:
    """Return the text as blocks that are not compressed."""
    starts = range(0, len(text), MAX_STORED_BYTES)
    return b"".join([_stored_block(text[start : start + MAX_STORED_BYTES]) for start in starts])


def _stored_block(text: bytes) -> bytes:
    length = len(text)
    return b"\0" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + text
