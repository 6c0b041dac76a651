"""A compressed page has the same text, and no part of it tells anything about another one."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quart_enroll.web import compression
from quart_enroll.web.compression import InputFreeText, RenderedPage, Secret, SharedText, accepts_gzip

KINDS = st.sampled_from([bytes, SharedText, InputFreeText, Secret])
PARTS = st.lists(st.tuples(KINDS, st.binary(max_size=300)).map(lambda one: one[0](one[1])), max_size=12)


@given(PARTS, st.booleans())
def test_a_compressed_page_has_the_same_text(parts: list[bytes], has_input: bool) -> None:
    page = RenderedPage.of(parts)
    assert gzip.decompress(page.gzip(has_input=has_input)) == page == b"".join(parts)


def test_a_long_part_that_is_not_compressed_has_several_blocks() -> None:
    page = RenderedPage.of([Secret(bytes(range(256)) * 1000)])
    assert gzip.decompress(page.gzip(has_input=False)) == page


def test_a_page_that_repeats_itself_is_much_shorter() -> None:
    page = RenderedPage.of([SharedText(b"<li>Introduction to Python</li>")] * 100)
    assert len(page.gzip(has_input=False)) < len(page) / 5


def test_a_long_shared_text_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compressed: list[bytes] = []
    deflate = compression._deflate
    monkeypatch.setattr(compression, "_deflate", lambda text: compressed.append(text) or deflate(text))
    long, short = InputFreeText(b"<li>" * compression.LONG_TEXT_BYTES), SharedText(b"<b>" * 10)
    pages = [RenderedPage.of([short, b"<p>" * number, short, long]) for number in (100, 200)]
    assert [gzip.decompress(page.gzip(has_input=False)) for page in pages] == pages
    assert compressed == [short + b"<p>" * 100 + short, long, short + b"<p>" * 200 + short]


def test_a_secret_is_not_compressed() -> None:
    secret = Secret(b"a secret that stands twice in the page")
    page = RenderedPage.of([SharedText(b"before"), secret, b"between", secret])
    assert page.gzip(has_input=False).count(secret) == 2


def test_the_length_does_not_tell_whether_a_guess_is_right() -> None:
    email = b"ada@school.example"

    def length(guess: bytes) -> int:
        parts = [SharedText(b"<input value='" + guess + b"'>"), b"<p>Your email: " + email, Secret(b"token" * 5)]
        return len(RenderedPage.of(parts).gzip(has_input=True))

    assert length(email) == length(b"bob@school.example") == length(b"eve@school.example")


def test_rows_are_compressed_together_even_beside_an_input() -> None:
    rows = [InputFreeText(b"<li>Introduction to Python, section %02d</li>" % number) for number in range(100)]
    page = RenderedPage.of([SharedText(b"<input value=Python>"), *rows])
    assert len(page.gzip(has_input=True)) < len(page) / 5


def test_a_joint_page_is_a_single_gzip_member() -> None:
    page = RenderedPage.of([SharedText(b"one " * 50), Secret(b"secret"), b"two " * 50])
    decompressor = zlib.decompressobj(wbits=31)
    assert decompressor.decompress(page.gzip(has_input=False)) == page
    assert (decompressor.eof, decompressor.unused_data) == (True, b"")


def test_only_clients_that_accept_gzip_get_it() -> None:
    assert [accepts_gzip(header) for header in ("gzip, br", "*", "gzip;q=0", "br", "", "x" * 5000)] == [
        *(True, True, False, False, False, False)
    ]
