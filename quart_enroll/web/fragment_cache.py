"""Cache parts of pages: the tag `fragment` renders its body once for each key.

A template says `{% fragment "footer", here %}…{% endfragment %}`. The expressions after the tag are the cache key, and
must name everything that the body depends on besides the language and the reader's time zone; for the key `none` the
body is rendered each time.
What differs between visitors, such as the CSRF token, is never cached: a gap stands for it until the page is complete.
"""

import re
import secrets
from collections.abc import Callable, Hashable, Sequence

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from markupsafe import Markup

from quart_enroll.bounded_cache import ByteCache, size_of
from quart_enroll.i18n import language
from quart_enroll.web.compression import SharedText

GAP_PLACEHOLDER = secrets.token_hex(16)
"""Stands, with a name after it, for a gap in a text; random, so that no title or name contains it."""

GAP_PATTERN = re.compile(rf"{GAP_PLACEHOLDER}(\w+);")

FRAGMENT_PLACEHOLDER = secrets.token_hex(16)
"""Stands, with an index after it, for a fragment of the page."""

FRAGMENT_PATTERN = re.compile(rf"{FRAGMENT_PLACEHOLDER}(\d+);")


class Gap(bytes):
    """Stands among the parts of a page for something of the visitor's own, and is its name."""

    __slots__ = ()


def gap(name: str) -> Markup:
    """Return what stands in a template for something of the visitor's own."""
    return Markup(f"{GAP_PLACEHOLDER}{name};")  # noqa: S704  # our own


def split_at_gaps(text: str, kind: type[bytes] = bytes) -> Sequence[bytes]:
    """Return the encoded text in parts of that kind, with gaps between them."""
    # The pattern's group makes `split` return texts and names by turns.
    return [(Gap if i % 2 else kind)(part.encode()) for i, part in enumerate(GAP_PATTERN.split(text))]


def _as_text(parts: Sequence[bytes]) -> Markup:
    """Return the parts of a fragment as the text to insert in an outer one."""
    texts = (gap(part.decode()) if isinstance(part, Gap) else part.decode() for part in parts)
    return Markup("".join(texts))  # noqa: S704  # our own


def _size(key: tuple[Hashable, str, str], parts: Sequence[bytes]) -> int:
    return size_of(key[0]) + size_of(tuple(parts))  # the language and the time zone are the same texts in all keys


class FragmentCache(Extension):
    """The Jinja extension that provides the tag `fragment` and caches what it renders while it is `enabled`.

    Fragments are stored encoded: encoding them costs more than assembling a page, and as text they would take twice the
    memory.
    """

    tags = {"fragment"}  # noqa: RUF012  # declared this way by Jinja

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.enabled = True
        self._fragments: ByteCache[tuple[Hashable, str, str], Sequence[bytes]] = ByteCache("page fragments", _size)
        self._page_fragments: list[Sequence[bytes]] | None = None  # of the page being rendered; rendering never awaits

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        key = parser.parse_tuple()
        body = parser.parse_statements(("name:endfragment",), drop_needle=True)
        position = nodes.Const(f"{parser.name}:{parser.free_identifier().name}")
        return nodes.CallBlock(self.call_method("_render", [position, key]), [], [], body).set_lineno(line)

    def clear(self) -> None:
        self._fragments.clear()

    def render_page(self, render: Callable[[], str]) -> list[bytes]:
        """Return the page that `render` returns, as its parts."""
        fragments: list[Sequence[bytes]] = []
        outer, self._page_fragments = self._page_fragments, fragments
        try:
            page = render()
        finally:
            self._page_fragments = outer
        # The pattern's group makes `split` return texts and fragment indexes by turns.
        parts: list[bytes] = []
        for i, part in enumerate(FRAGMENT_PATTERN.split(page)):
            parts += fragments[int(part)] if i % 2 else split_at_gaps(part)
        return parts

    def get_or_render(self, key: Hashable, render: Callable[[], Sequence[bytes]]) -> Sequence[bytes]:
        """Return the parts that `render` returns, which is called once for each key, language and time zone."""
        if key is None or not self.enabled:
            return render()
        full_key = (key, *language.current_formats())
        if (parts := self._fragments.get(full_key)) is None:
            parts = self._fragments[full_key] = render()
        return parts

    def _render(self, position: str, key: Hashable, caller: Callable[[], Markup]) -> Markup:
        if key is None or not self.enabled:
            return caller()
        parts = self.get_or_render((position, key), lambda: self._render_fragment(caller))
        if self._page_fragments is None:
            return _as_text(parts)
        self._page_fragments.append(parts)
        index = len(self._page_fragments) - 1
        return Markup(f"{FRAGMENT_PLACEHOLDER}{index};")  # noqa: S704  # our own

    def _render_fragment(self, caller: Callable[[], Markup]) -> Sequence[bytes]:
        page_fragments, self._page_fragments = self._page_fragments, None  # inner fragments are inserted as text
        try:
            return split_at_gaps(caller(), SharedText)
        finally:
            self._page_fragments = page_fragments
