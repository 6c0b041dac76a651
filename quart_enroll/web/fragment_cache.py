"""Cache parts of pages: the tag `fragment` renders its body once for each key.

A template says `{% fragment "footer", here %}…{% endfragment %}`. The expressions after the tag are the cache key, and
must name everything that the body depends on besides the language; for the key `none` the body is rendered each time.
The visitor's CSRF token is never cached: a placeholder stands for it until the page is complete.
"""

import re
import secrets
from collections.abc import Callable, Hashable, Sequence
from typing import cast

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from markupsafe import Markup

from quart_enroll.bounded_cache import ByteCache, size_of
from quart_enroll.i18n import language
from quart_enroll.web.compression import SharedText

TOKEN_PLACEHOLDER = secrets.token_hex(16)
"""Stands for the visitor's CSRF token; random, so that no title or name contains it."""

FRAGMENT_PLACEHOLDER = secrets.token_hex(16)
"""Stands, with an index after it, for a fragment of the page."""

FRAGMENT_PATTERN = re.compile(rf"{FRAGMENT_PLACEHOLDER}(\d+);")

TOKEN_MARK = TOKEN_PLACEHOLDER.encode()
"""Stands for the token among the parts of a page."""


class Fragment:
    """A rendered part of a page. It is stored encoded: encoding it costs more than assembling a page from fragments,
    and as text it would take twice the memory."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.parts = parts

    @property
    def text(self) -> Markup:
        """The text to insert in an outer fragment."""
        return Markup(b"".join(self.parts).decode())  # noqa: S704  # our own


def _size(key: Hashable, fragment: Fragment) -> int:
    return size_of(key) + size_of(tuple(fragment.parts))


def split(text: str, kind: type[bytes] = bytes) -> list[bytes]:
    """Return the encoded text in parts of that kind, with TOKEN_MARK where the visitor's token belongs."""
    first, *others = text.encode().split(TOKEN_MARK)
    parts = [kind(first)]
    for part in others:
        parts += (TOKEN_MARK, kind(part))
    return parts


class FragmentCache(Extension):
    """The Jinja extension that provides the tag `fragment` and caches what it renders while it is `enabled`."""

    tags = {"fragment"}  # noqa: RUF012  # declared this way by Jinja

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.enabled = True
        self._fragments: ByteCache[Hashable, Fragment] = ByteCache("page fragments", _size)
        self._page_fragments: list[Fragment] | None = None  # of the page being rendered; rendering never awaits

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
        fragments: list[Fragment] = []
        self._page_fragments = fragments
        try:
            page = render()
        finally:
            self._page_fragments = None
        # The pattern's group makes `split` return texts and fragment indexes by turns.
        parts: list[bytes] = []
        for number, part in enumerate(FRAGMENT_PATTERN.split(page)):
            parts += fragments[int(part)].parts if number % 2 else split(part)
        return parts

    def insert(self, parts: Sequence[bytes]) -> Markup:
        """Insert parts that have been rendered already; to be called by templates."""
        return self._place(Fragment(parts))

    def text(self, key: Hashable, render: Callable[[], str]) -> SharedText:
        """Return what `render` returns, rendered once for each key and language."""
        if not self.enabled:
            return SharedText(render().encode())
        key = (key, language.current_language())
        if (fragment := self._fragments.get(key)) is None:
            fragment = self._fragments[key] = Fragment((SharedText(render().encode()),))
        return cast(SharedText, fragment.parts[0])

    def _render(self, position: str, key: Hashable, caller: Callable[[], Markup]) -> Markup:
        if key is None or not self.enabled:
            return caller()
        return self._place(self._find((position, key, language.current_language()), caller))

    def _place(self, fragment: Fragment) -> Markup:
        """Return what stands for the fragment until the page is complete; its text within another fragment."""
        if self._page_fragments is None:
            return fragment.text
        self._page_fragments.append(fragment)
        index = len(self._page_fragments) - 1
        return Markup(f"{FRAGMENT_PLACEHOLDER}{index};")  # noqa: S704  # our own

    def _find(self, key: Hashable, caller: Callable[[], Markup]) -> Fragment:
        if (fragment := self._fragments.get(key)) is not None:
            return fragment
        page_fragments, self._page_fragments = self._page_fragments, None  # inner fragments are inserted as text
        try:
            fragment = self._fragments[key] = Fragment(split(caller(), SharedText))
        finally:
            self._page_fragments = page_fragments
        return fragment
