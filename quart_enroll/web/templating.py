"""Render pages, from a school's own templates first."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import escape
from quart import Quart, current_app, g, get_flashed_messages

from quart_enroll.i18n import language
from quart_enroll.web import locale
from quart_enroll.web.compression import InputFreeText, RenderedPage, Secret, SharedText
from quart_enroll.web.fragment_cache import Gap, gap, split_at_gaps
from quart_enroll.web.jinja_environment import TEMPLATES, PageEnvironment
from quart_enroll.web.overrides.check import LAYOUT_TEMPLATE, Site
from quart_enroll.web.overrides.rendering import OverrideTemplates
from quart_enroll.web.request import current_request

EXTENSION = "quart_enroll.web.templating"
OVERRIDES_EXTENSION = "quart_enroll.web.overrides"

TOKEN_GAP = b"csrf_token"
"""The gap for the visitor's CSRF token."""


def init_app(
    app: Quart, overrides: Path | None, context: Callable[[], dict[str, Any]], csrf_token: Callable[[], str]
) -> None:
    """Let `app` render templates, from the folder `overrides` first.

    `context` returns the variables of every page, and `csrf_token` the visitor's token.
    """
    app.extensions[EXTENSION] = context, csrf_token
    folders = [overrides, TEMPLATES] if overrides else [TEMPLATES]
    app.jinja_environment = PageEnvironment  # type: ignore[assignment]  # a synchronous environment works
    app.jinja_options = {
        "loader": ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        "extensions": ["jinja2.ext.i18n"],
        "trim_blocks": True,
        "lstrip_blocks": True,
    }
    if overrides:
        app.extensions[OVERRIDES_EXTENSION] = OverrideTemplates(app, overrides)


def check_overrides(app: Quart, site: Site, *, quietly: bool = False) -> None:
    """Log the problems of the school's own templates, if it has any."""
    if overrides := _overrides(app):
        overrides.check(site, quietly=quietly)


def _overrides(app: Quart) -> OverrideTemplates | None:
    return cast("OverrideTemplates | None", app.extensions.get(OVERRIDES_EXTENSION))


def render(template: str, /, **variables: Any) -> RenderedPage:
    """Render the template with these variables and those of every page."""
    overrides = _overrides(current_app)
    renderer = overrides.render if overrides else _environment().render_page
    return _fill(renderer(template, _context(variables)), {})


def render_frame(
    template: str, key: Hashable, gaps: Mapping[str, Sequence[bytes]], /, **variables: Any
) -> RenderedPage:
    """Render the template with gaps, once for each `key`, and fill these with parts of the visitor's own.

    The key names everything that the page depends on besides its URL, the language and the visitor's role; for None, it
    is rendered each time. To the template, a gap is a variable, and what it knows of the visitor are gaps too.
    """
    environment, context = _environment(), _context(variables)
    names = {name: gap(name) for name in gaps}
    if overrides := _overrides(current_app):  # a school's own templates may show anything about the visitor
        own = {name: [part for one in parts for part in split(one)] for name, parts in gaps.items()}  # more tokens
        return _fill(overrides.render(template, {**context, **names}), own)
    visitor = context["current_user"]
    is_shared = key is not None and not get_flashed_messages()
    full_key = (template, key, current_request().full_path, visitor.role) if is_shared else None

    def render_parts() -> Sequence[bytes]:
        parts = environment.render_page(template, {**context, **_hide_visitor(context), **names})
        return [part if isinstance(part, Gap) else SharedText(part) for part in parts]

    own = {name: [str(escape(value)).encode()] for name, value in context["session"].items()}
    return _fill(environment.fragment_cache.get_or_render(full_key, render_parts), {**own, **gaps})


def render_shared(template: str, macro: str, key: Hashable, /, *arguments: object) -> InputFreeText:
    """Call the template's macro once for each `key`, which names everything that its text depends on.

    Besides that, it may depend on the language and on whether the visitor is signed in. It must not repeat what the
    request says. If it has a form with the visitor's token, pass it to `split` before it becomes part of a page.
    """
    [part] = render_shared_parts(template, (macro, key), lambda macros: [getattr(macros, macro)(*arguments)])
    return part


def render_shared_parts(
    template: str, key: Hashable, render: Callable[[Any], Iterable[str]], /
) -> Sequence[InputFreeText]:
    """Return the texts that `render` makes with the template's macros, once for each `key`, as `render_shared` does.

    For None, they are made each time.
    """
    environment, is_signed_in = _environment(), g.get("user") is not None

    def render_parts() -> Sequence[bytes]:
        macros = environment.macros(template, is_signed_in, _frame_context)
        return [InputFreeText(text.encode()) for text in render(macros)]

    full_key = None if key is None else (template, key, is_signed_in)
    return cast(Sequence[InputFreeText], environment.fragment_cache.get_or_render(full_key, render_parts))


def split(text: bytes) -> Sequence[bytes]:
    """Return the text in parts, with gaps where the visitor's token belongs."""
    return split_at_gaps(text.decode(), InputFreeText)


def _fill(parts: Sequence[bytes], gaps: Mapping[str, Sequence[bytes]]) -> RenderedPage:
    """Return the page with the visitor's token and everything else of their own in its place."""
    filled: list[bytes] = []
    for part in parts:
        filled += gaps.get(part.decode(), (part,)) if type(part) is Gap else (part,)
    if any(type(part) is Gap for part in filled):
        token = _token()
        filled = [token if type(part) is Gap else part for part in filled]
    return RenderedPage.of(filled)


def _hide_visitor(context: dict[str, Any]) -> dict[str, Any]:
    """Return the variables about the visitor with gaps for everything but the role."""
    visitor = context["current_user"]
    return {
        "current_user": SimpleNamespace(is_authenticated=visitor.is_authenticated, role=visitor.role),
        "session": {name: gap(name) for name in context["session"]},
    }


def _frame_context() -> dict[str, Any]:
    context = _context({})
    return {**context, **_hide_visitor(context)}


def _token() -> Secret:
    _, csrf_token = current_app.extensions[EXTENSION]
    return Secret(csrf_token().encode())


def _context(variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables together with those of every page."""
    shared_context, _ = current_app.extensions[EXTENSION]
    return {
        "csrf_token": _token_placeholder,
        "language": language.current_language(),
        "languages": _language_names(locale.offered()),
        "here": _current_url(),
        "has_page_form": not is_overridden(LAYOUT_TEMPLATE),
        **shared_context(),
        **variables,
    }


def _environment() -> PageEnvironment:
    return cast(PageEnvironment, current_app.jinja_env)


def is_overridden(template: str) -> bool:
    """Tell whether the school has its own template of that name."""
    overrides = _overrides(current_app)
    return overrides is not None and overrides.has(template)


def _token_placeholder() -> str:
    return gap(TOKEN_GAP.decode())


@lru_cache
def _language_names(offered: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Return the offered languages, each with its own name for itself."""
    return [(code, language.native_name(code)) for code in offered]


def _current_url() -> str:
    """Return where choosing a language leads: back to this page; empty if its URL is secret or not for GET."""
    request = current_request()
    rule = request.url_rule
    if rule is None or "GET" not in (rule.methods or ()) or "token" in rule.arguments:
        return ""
    return request.full_path.rstrip("?")
