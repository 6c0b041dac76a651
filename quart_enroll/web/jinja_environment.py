"""The Jinja environment of the pages: its filters, translations and fragment cache."""

import hashlib
from collections.abc import Callable, Hashable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment
from jinja2.environment import TemplateModule
from markupsafe import Markup
from quart import Quart, current_app

from quart_enroll.bounded_cache import cached
from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.i18n import language
from quart_enroll.web.fragment_cache import FragmentCache

TEMPLATES = Path(__file__).parents[1] / "templates"

MARK_BYTES = 600
"""Bytes of a section's key and mark in the cache."""


class PageEnvironment(Environment):
    """A synchronous Jinja environment: Quart's own awaits, and takes twice the time for the same page.

    Its fragment cache is off where a school has its own templates, which may show anything from the request.
    """

    def __init__(self, app: Quart, **options: Any) -> None:
        super().__init__(**options)
        self.filters |= {
            "mark": section_mark,
            "facts_mark": facts_mark,
            "number": language.format_number,
            "term": term_name,
            "moment": format_moment,
            "day": language.format_day,
        }
        self.policies["ext.i18n.trimmed"] = True
        # Not the extension's own functions: they create markup from each text anew, a third of the cost of a page.
        self.newstyle_gettext = True
        self.globals |= {"gettext": gettext, "_": gettext, "ngettext": ngettext}
        self.add_extension(FragmentCache)
        self.fragment_cache = cast(FragmentCache, self.extensions[FragmentCache.identifier])
        self._modules: dict[Hashable, TemplateModule] = {}
        self.fragment_cache.enabled = app.config.get("FRAGMENT_CACHE", True) and not app.config["TEMPLATE_OVERRIDES"]

    def compile(self, *args: Any, **options: Any) -> Any:
        """Compile a template that is new or whose file has changed; fragments of other templates may use it."""
        self.fragment_cache.clear()
        self._modules.clear()
        return super().compile(*args, **options)

    def macros(self, template: str, key: Hashable, context: Callable[[], dict[str, Any]]) -> TemplateModule:
        """Return the template's macros, made with that context once for each `key` and language."""
        full_key = self.get_template(template), key, language.current_language()
        if (module := self._modules.get(full_key)) is None:
            module = self._modules[full_key] = full_key[0].make_module(context())
        return module

    def render_page(self, template: str, context: dict[str, Any]) -> list[bytes]:
        """Render the template to the parts of a page."""
        return self.fragment_cache.render_page(lambda: self.get_template(template).render(context))


def gettext(message: str, /, **values: Any) -> Markup:
    """Translate the message for a page, with the values filled in and escaped."""
    text = _translated_markup(message, language.current_language())
    return text % values if values else text


def ngettext(one: str, many: str, number: float, /, **values: Any) -> Markup:
    """Translate the message about a number of things for a page."""
    return Markup(language.translate_plural(one, many, number)) % values  # noqa: S704  # our own words


@lru_cache(10_000)  # the site's own texts
def _translated_markup(message: str, spoken: str) -> Markup:
    with language.use_language(spoken):
        return Markup(language.translate(message))  # noqa: S704  # our own words


@cached("section marks", lambda key, _: MARK_BYTES)
def section_mark(key: SectionKey) -> str:
    """Return an identifier for the section that is valid in any HTML attribute.

    It has 40 bits: two of the 300 sections on a page have the same mark with a probability of 1 in 24 million.
    """
    return "s" + hashlib.blake2s("\0".join((key.term, key.courseID, key.section)).encode(), digest_size=5).hexdigest()


def facts_mark(section: Section) -> str:
    """Return a digest that changes with what a row says about the section, except in 1 of 16 million cases."""
    facts = repr((section.meetings, section.room, section.instructor, section.restriction, section.pool_facts))
    return hashlib.blake2s(facts.encode(), digest_size=3).hexdigest()


def term_name(name: object) -> str:
    """Return the name of a term in the reader's language."""
    return language.format_term(str(name))


def format_moment(moment: datetime) -> str:
    """Return the moment in words, in the reader's own time zone or else the school's."""
    return language.format_moment(moment, current_app.config["TIMEZONE"])
