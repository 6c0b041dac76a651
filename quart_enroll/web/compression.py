"""Join pieces of a page that were compressed separately: deflate streams that end with a full flush can be joined.

A compressor replaces what it has seen before by a reference to it, so the length of a response tells whether two parts
of it have something in common (the attack BREACH). Here each piece is compressed alone, so that no part of a page can
be guessed by what a visitor put into another part; secrets are not compressed at all.
"""

import zlib
from collections.abc import Iterable
from functools import lru_cache

from quart.typing import ResponseTypes
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""RFC 1952: deflate, no flags, no time, no further hint, unknown system."""

LAST_BLOCK = b"\x03\x00"
"""RFC 1951: an empty block that is marked as the last one."""

MAX_STORED_BYTES = 0xFFFF
"""The most bytes in a deflate block that is not compressed."""

MIN_DEFLATED_BYTES = 100
"""Bytes from which on a piece is compressed; a shorter one gains little."""


class Piece:
    """A part of many pages, which is compressed once."""

    __slots__ = ("_deflated", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._deflated: bytes | None = None

    @property
    def deflated(self) -> bytes:
        """The text as deflate blocks that end at a byte and refer to nothing before or after them."""
        if self._deflated is None:
            self._deflated = deflate(self.text) if len(self.text) >= MIN_DEFLATED_BYTES else store(self.text)
        return self._deflated

    @property
    def size(self) -> int:
        """Bytes of memory, once it is compressed."""
        return 200 + len(self.text) + (len(self.text) // 3 if self._deflated is None else len(self._deflated))


MAX_ENCODINGS_LENGTH = 200
"""Characters of the Accept-Encoding header that are read; browsers send about 30."""

Part = Piece | bytes
"""A part of a page: text that other pages share, or else the visitor's own, which is not compressed."""


def join(parts: Iterable[Part]) -> bytes:
    """Return the text of the parts."""
    return b"".join([part if isinstance(part, bytes) else part.text for part in parts])


def gzip(parts: Iterable[Part], text: bytes) -> bytes:
    """Return the parts, whose joined text is `text`, compressed for Content-Encoding: gzip."""
    blocks = [store(part) if isinstance(part, bytes) else part.deflated for part in parts]
    trailer = zlib.crc32(text).to_bytes(4, "little") + (len(text) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"".join((GZIP_HEADER, *blocks, LAST_BLOCK, trailer))


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether a client that sent this header accepts gzip."""
    return _accepts_gzip(accept_encoding[:MAX_ENCODINGS_LENGTH])


@lru_cache(500)  # of truncated texts: some 200 kB
def _accepts_gzip(accept_encoding: str) -> bool:
    return parse_accept_header(accept_encoding, Accept).quality("gzip") > 0


def mark_compressed(response: ResponseTypes, *, is_compressed: bool) -> None:
    """Add the headers of a response that is compressed for clients that accept it."""
    response.vary.add("Accept-Encoding")
    if is_compressed:
        response.headers["Content-Encoding"] = "gzip"


def deflate(text: bytes, level: int = 9) -> bytes:
    """Return the text as compressed blocks."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(text) + compressor.flush(zlib.Z_FULL_FLUSH)


def store(text: bytes) -> bytes:
    """Return the text as blocks that are not compressed."""
    if len(text) <= MAX_STORED_BYTES:
        return _stored_block(text) if text else b""
    parts = range(0, len(text), MAX_STORED_BYTES)
    return b"".join(_stored_block(text[start : start + MAX_STORED_BYTES]) for start in parts)


def _stored_block(text: bytes) -> bytes:
    length = len(text)
    return b"\0" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + text
