"""How it looks: pages through one synchronous Jinja environment, the school's own templates first.

What many pages have in common is drawn once: a template says `{% kept "footer" %}…{% endkept %}`, and after the name
all that the part depends on; for `none` it is drawn anew. The token of the visitor's forms is filled in when the page
is ready.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Hashable, Sequence, Set
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from typing import Any, cast

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from markupsafe import Markup
from quart import Quart, current_app, request

from quart_enroll.bounded_cache import ByteCache, cached, size_of
from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.i18n import language
from quart_enroll.web import locale
from quart_enroll.web.overrides.check import LAYOUT, Site, check
from quart_enroll.web.overrides.lenient import (
    Lenient,
    Place,
    Problems,
    absent,
    file_name,
    lenient_url_for,
    never,
    unchanged,
)
from quart_enroll.web.overrides.names import add_names
from quart_enroll.web.request import asked

EXTENSION = "quart_enroll.web.templating"
OWN_TEMPLATES = "quart_enroll.own_templates"
TEMPLATES = Path(__file__).parents[1] / "templates"

MAX_ENVIRONMENTS = 10
"""Combinations of a school's templates without those that fail, which a process keeps."""

TOKEN = secrets.token_hex(16)
"""Stands in a page for the visitor's token until it is ready; nobody who writes a title or a name can know it."""


PLACE = secrets.token_hex(16)
"""Stands in a page, with a number after it, for a part that was kept."""

PLACES = re.compile(rf"{PLACE}(\d+);")

Pieces = Sequence[bytes]
"""Text as it goes out, cut where the visitor's token belongs."""


class Part:
    """A part of a page, as it goes out: to encode it costs more than to put a page together, and text takes twice the
    memory."""

    __slots__ = ("pieces",)

    def __init__(self, text: str) -> None:
        self.pieces = cut(text)

    @property
    def text(self) -> Markup:
        """The part inside of another one."""
        return Markup(TOKEN.encode().join(self.pieces).decode())  # noqa: S704  # our own

    def __len__(self) -> int:
        return sum(map(len, self.pieces))


def _size(facts: Hashable, part: Part) -> int:
    return size_of(facts) + size_of(part.pieces)


def cut(text: str) -> Pieces:
    """Return the text as it goes out, in pieces between which the token belongs."""
    return text.encode().split(TOKEN.encode())


class Kept(Extension):
    """The tag `kept`: what is drawn for the same facts in the same place is drawn once."""

    tags = {"kept"}  # noqa: RUF012  # as Jinja has it

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._parts: ByteCache[Hashable, Part] = ByteCache("page parts", _size)
        self._page: list[Part] | None = None  # the one that is put together just now: nothing else happens meanwhile

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        facts = parser.parse_tuple()
        body = parser.parse_statements(("name:endkept",), drop_needle=True)
        place = nodes.Const(f"{parser.name}:{parser.free_identifier().name}")
        return nodes.CallBlock(self.call_method("_part", [place, facts]), [], [], body).set_lineno(line)

    def forget(self) -> None:
        self._parts.clear()

    def page(self, draw: Callable[[], str]) -> list[Pieces]:
        """Return the page that `draw` returns, as all its parts one after the other."""
        parts: list[Part] = []
        self._page = parts
        try:
            page = draw()
        finally:
            self._page = None
        # Between any two texts of the page stands the number of a part.
        return [parts[int(one)].pieces if number % 2 else cut(one) for number, one in enumerate(PLACES.split(page))]

    def _part(self, place: str, facts: Hashable, caller: Callable[[], Markup]) -> Markup:
        if facts is None or not cast(PageEnvironment, self.environment).keeps:
            return caller()
        part = self._find((place, facts, variant()), caller)
        if self._page is None:
            return part.text
        self._page.append(part)
        return Markup(f"{PLACE}{len(self._page) - 1};")  # noqa: S704  # our own

    def _find(self, key: Hashable, caller: Callable[[], Markup]) -> Part:
        if (part := self._parts.get(key)) is not None:
            return part
        page, self._page = self._page, None  # a part has those inside of it as texts
        try:
            part = self._parts[key] = Part(caller())
        finally:
            self._page = page
        return part


class PageEnvironment(Environment):
    """A Jinja environment that does not await: Quart's own takes twice the time for the same page.

    It keeps no parts where a school has templates of its own, which may show whatever a request says.
    """

    def __init__(self, app: Quart, **options: Any) -> None:
        super().__init__(**options)
        self.keeps = not app.config["TEMPLATE_OVERRIDES"]
        self.filters |= {
            "mark": mark,
            "facts_mark": facts_mark,
            "number": language.format_number,
            "term": term,
            "moment": spoken,
            "day": language.format_day,
        }
        self.policies["ext.i18n.trimmed"] = True
        # Not those that the extension would install: they make markup of each text anew, at a third of a page's price.
        self.newstyle_gettext = True
        self.globals |= {"gettext": said, "_": said, "ngettext": said_of}
        self.add_extension(Kept)

    @property
    def kept(self) -> Kept:
        return cast(Kept, self.extensions[Kept.identifier])

    def compile(self, *args: Any, **options: Any) -> Any:
        """Compile a template, for the first time or because its file has changed: then other parts may look new."""
        self.kept.forget()
        return super().compile(*args, **options)


def said(message: str, /, **values: Any) -> Markup:
    """Return the message for a page, in the reader's language, with the values filled in and escaped."""
    text = _markup(message, language.current_language())
    return text % values if values else text


def said_of(one: str, many: str, number: float, /, **values: Any) -> Markup:
    """Return the message about a number of things for a page."""
    return Markup(language.translate_plural(one, many, number)) % values  # noqa: S704  # our own words


@lru_cache(10_000)  # of the site's own texts
def _markup(message: str, spoken: str) -> Markup:
    with language.use_language(spoken):
        return Markup(language.translate(message))  # noqa: S704  # our own words


@cached("section marks", lambda key, _: 600)
def mark(key: SectionKey) -> str:
    """Return a name for the section that may stand in any attribute."""
    return "s" + hashlib.blake2s("\0".join((key.term, key.courseID, key.section)).encode(), digest_size=8).hexdigest()


def facts_mark(section: Section) -> str:
    """Return a text that differs when the section meets at other times, or has another room or instructor."""
    facts = repr((section.meetings, section.room, section.instructor))
    return hashlib.blake2s(facts.encode(), digest_size=4).hexdigest()


class OwnTemplates:
    """A school's own templates, with the site's own as a fallback for those that fail."""

    def __init__(self, app: Quart, folder: Path) -> None:
        self._app, self._folder = app, folder
        self._problems = Problems(folder)
        self._left_out: frozenset[str] = frozenset()  # for good
        self._layout_has_content = True
        self._environments: dict[frozenset[str], PageEnvironment] = {}
        environment = self._environment
        environment.filters = Lenient(environment.filters, unchanged)
        environment.tests = Lenient(environment.tests, never)
        environment.undefined = absent(self._problems)
        environment.globals["url_for"] = lenient_url_for(app, self._problems)

    @property
    def _environment(self) -> PageEnvironment:
        return cast(PageEnvironment, self._app.jinja_env)

    def has(self, template: str) -> bool:
        """Tell whether the school has a template of that name that can be used."""
        file = f"{self._folder}/{template}"
        return template not in self._left_out and os.path.isfile(file)  # noqa: PTH113  # a Path takes ten times as long

    def check(self, site: Site, *, quietly: bool) -> None:
        """Log the problems of the templates; in production, leave out the broken ones for good."""
        own, sites = (FileSystemLoader(one) for one in (self._folder, TEMPLATES))
        found = check(self._environment, own, sites, site)
        for problem in found.problems:
            self._problems.tell(*problem, quietly=quietly)
        for template in found.broken:  # what is broken because another one is
            self._problems.tell(Place(template, 0), "broken", "", quietly=True)
        self._problems.given |= found.given
        self._layout_has_content = found.layout_has_content
        if not self._environment.auto_reload:
            self._left_out = frozenset(found.broken)

    def draw(self, template: str, context: dict[str, Any]) -> list[Pieces]:
        """Return the page, rendered with as many of the school's templates as possible."""
        if self.has(template):
            add_names(template, context)
            left_out = self._left_out
        else:
            left_out = self._left_out if self._layout_has_content else self._left_out | {LAYOUT}
        while True:
            try:
                return _draw(self._without(left_out), template, context)
            except Exception as error:
                failed = (self._tell(template, error) - left_out) or (self._all() - left_out)
                if not failed:
                    raise
                left_out |= failed

    def _all(self) -> Set[str]:
        return set(FileSystemLoader(self._folder).list_templates())

    def _tell(self, page: str, error: Exception) -> Set[str]:
        """Log which of the school's templates failed and return its name; return all names if that is uncertain."""
        lines = [(frame.filename, frame.lineno or 0) for frame in extract_tb(error.__traceback__)]
        if isinstance(error, TemplateSyntaxError):
            lines.append((error.filename or "", error.lineno))
        place = next((one for line in reversed(lines) if (one := self._problems.place_in(*line))), None)
        if place is None:
            self._problems.tell(Place(page, 0), "broken", f"failed: {type(error).__name__}: {error}.")
            return self._all()
        instead = f"The site's own {place.template} is shown instead." if (TEMPLATES / place.template).is_file() else ""
        what = f"failed: {type(error).__name__}: {error}. {instead}".rstrip()
        self._problems.tell(place, "broken", what)
        return {place.template}

    def _without(self, left_out: frozenset[str]) -> PageEnvironment:
        """Return an environment without these templates of the school."""
        if not left_out:
            return self._environment
        if left_out not in self._environments:
            if len(self._environments) >= MAX_ENVIRONMENTS:
                self._environments.clear()
            loader = ChoiceLoader([OwnLoader(self._folder, left_out), FileSystemLoader(TEMPLATES)])
            self._environments[left_out] = self._environment.overlay(loader=loader)
        return self._environments[left_out]


class OwnLoader(FileSystemLoader):
    """Loads the templates in a folder, except some."""

    def __init__(self, folder: Path, left_out: Set[str]) -> None:
        super().__init__(folder)
        self._left_out = left_out

    def get_source(self, environment: Environment, template: str) -> Any:
        if file_name(template) in self._left_out:
            raise TemplateNotFound(template)
        return super().get_source(environment, template)


def init_app(app: Quart, overrides: Path | None, names: Callable[[], dict[str, Any]], token: Callable[[], str]) -> None:
    """Let `app` render templates, from the folder `overrides` first.

    `names` gives what every page knows, and `token` the proof that a form comes from this site.
    """
    app.extensions[EXTENSION] = names, token
    folders = [overrides, TEMPLATES] if overrides else [TEMPLATES]
    app.jinja_environment = PageEnvironment  # type: ignore[assignment]  # a plain environment does
    app.jinja_options = {
        "loader": ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        "extensions": ["jinja2.ext.i18n"],
        "trim_blocks": True,
        "lstrip_blocks": True,
    }
    if overrides:
        app.extensions[OWN_TEMPLATES] = OwnTemplates(app, overrides)


def check_own_templates(app: Quart, site: Site, *, quietly: bool = False) -> None:
    """Log the problems of the school's own templates, if it has any."""
    if own := _own_templates(app):
        own.check(site, quietly=quietly)


def _own_templates(app: Quart) -> OwnTemplates | None:
    return cast("OwnTemplates | None", app.extensions.get(OWN_TEMPLATES))


def render(template: str, /, **names: Any) -> bytes:
    """Return the page that the template makes of `names` and of what all pages know, as it goes out."""
    names_of_all, token = current_app.extensions[EXTENSION]
    context = {
        "csrf_token": _token_to_come,
        "language": language.current_language(),
        "languages": _languages(locale.offered()),
        "here": _here(),
        **names_of_all(),
        **names,
    }
    own = _own_templates(current_app)
    pages = cast(PageEnvironment, current_app.jinja_env)
    parts = own.draw(template, context) if own else _draw(pages, template, context)
    mine = token().encode() if any(len(pieces) > 1 for pieces in parts) else b""
    return b"".join([mine.join(pieces) for pieces in parts])


def _draw(pages: PageEnvironment, template: str, context: dict[str, Any]) -> list[Pieces]:
    return pages.kept.page(lambda: pages.get_template(template).render(context))


def _token_to_come() -> str:
    return TOKEN


def term(name: object) -> str:
    """Return the name of a term in the reader's words."""
    return language.format_term(str(name))


@lru_cache
def _languages(offered: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Return the languages that may be chosen, each with what its speakers call it."""
    return [(one, language.native_name(one)) for one in offered]


def _here() -> str:
    """Return where the choice of a language leads: to this page, if it can be asked for and is no secret."""
    request = asked()
    rule = request.url_rule
    if rule is None or "GET" not in (rule.methods or ()) or "token" in rule.arguments:
        return ""
    return request.full_path.rstrip("?")


def spoken(moment: datetime) -> str:
    """Return the moment in words, by the school's clock."""
    return language.format_moment(moment, current_app.config["TIMEZONE"])


def variant() -> Hashable:
    """Return what all pages depend on besides what they show; what is kept of pages is kept for each."""
    return language.current_language()


def is_overridden(template: str) -> bool:
    """Tell whether the school has a template of its own by that name."""
    own = _own_templates(current_app)
    return own is not None and own.has(template)


def wants_json() -> bool:
    """Tell whether the client would rather have JSON than a page."""
    if request.path.startswith("/api/"):
        return True
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]
