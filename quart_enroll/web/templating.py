"""Render pages, from a school's own templates first."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import escape
from quart import Quart, get_flashed_messages

from quart_enroll.i18n import language
from quart_enroll.state import site
from quart_enroll.web import locale
from quart_enroll.web.compression import InputFreeText, RenderedPage, Secret, SharedText
from quart_enroll.web.fragment_cache import Gap, gap, split_at_gaps
from quart_enroll.web.jinja_environment import TEMPLATES, PageEnvironment
from quart_enroll.web.overrides.check import LAYOUT_TEMPLATE, Site
from quart_enroll.web.overrides.rendering import OverrideTemplates
from quart_enroll.web.request import current_globals, current_request

EXTENSION = "quart_enroll.web.templating"
OVERRIDES_EXTENSION = "quart_enroll.web.overrides"

TOKEN_GAP = b"csrf_token"
"""The gap for the visitor's CSRF token."""

URL_GAP = b"here"
"""The gap for the page's own URL."""

VALUE_GAP = gap("value")
"""The gap for a value that the visitor's page has in a text that it shares with others."""


SHARED_ATTRIBUTES = ("is_authenticated", "is_staff", "role", "roles")
"""What a frame may know about the visitor, because it is rendered once for all visitors with the same roles."""


class Callbacks(NamedTuple):
    """What templates need to know about a request."""

    context: Callable[[], dict[str, Any]]
    session: Callable[[], Mapping[str, Any]]
    csrf_token: Callable[[], str]


def init_app(
    app: Quart,
    overrides: Path | None,
    context: Callable[[], dict[str, Any]],
    session: Callable[[], Mapping[str, Any]],
    csrf_token: Callable[[], str],
) -> None:
    """Let `app` render templates, from the folder `overrides` first.

    `context` returns the variables of every page, of which `session` has facts about the visitor, and `csrf_token` the
    visitor's token.
    """
    app.extensions[EXTENSION] = Callbacks(context, session, csrf_token)
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
    overrides = _overrides(site())
    renderer = overrides.render if overrides else _environment().render_page
    return _fill(renderer(template, _context(variables)), {})


def render_frame(
    template: str, key: Hashable, gaps: Mapping[str, Sequence[bytes]], variables: Callable[[], dict[str, Any]]
) -> RenderedPage:
    """Render the template with gaps, once for each `key`, and fill these with parts of the visitor's own.

    `variables` returns what the template needs; it is called only if the template is rendered.

    The key names everything that the page depends on besides the language and the visitor's roles; for None, it is
    rendered each time. To the template, a gap is a variable, and the page's URL and what it knows of the visitor are
    gaps too.
    """
    app = site()
    if overrides := _overrides(app):  # a school's own templates may show anything about the visitor
        own = {name: [part for one in parts for part in split(one)] for name, parts in gaps.items()}  # more tokens
        return _fill(overrides.render(template, {**_context(variables()), **_gaps(gaps)}), own)
    environment, user = _environment(), current_globals().get("user")
    is_shared = key is not None and not get_flashed_messages()
    full_key = (template, key, user and user.roles) if is_shared else None

    def render_parts() -> Sequence[bytes]:
        context = _context(variables())
        hidden = {**_hide_visitor(context), **_gaps([URL_GAP.decode(), *gaps])}
        parts = environment.render_page(template, {**context, **hidden})
        return list(_join_texts(parts))

    return _fill(environment.fragment_cache.get_or_render(full_key, render_parts), gaps)


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
    """Return the texts that `render` makes with the template's macros, once for each `key`, as `render_shared` does."""
    environment, is_signed_in = _environment(), current_globals().get("user") is not None

    def render_parts() -> Sequence[bytes]:
        macros = environment.macros(template, is_signed_in, _frame_context)
        return [InputFreeText(text.encode()) for text in render(macros)]

    full_key = template, key, is_signed_in
    return cast(Sequence[InputFreeText], environment.fragment_cache.get_or_render(full_key, render_parts))


def render_filled(
    template: str, macro: str, key: Hashable, values: Sequence[object], /, *arguments: object
) -> InputFreeText:
    """Call the template's macro once for each `key` and number of values, and fill the values in.

    The macro gets a list of gaps as its first argument, and must show each of them once, in their order. So a text that
    names what few students share, such as two courses that conflict, is not stored for each of them.
    """
    gaps = [VALUE_GAP] * len(values)
    first, *others = render_shared_parts(
        template, (macro, len(values), key), lambda macros: getattr(macros, macro)(gaps, *arguments).split(VALUE_GAP)
    )
    pairs = zip(values, others, strict=True)
    return InputFreeText(b"".join([first, *(part for value, text in pairs for part in (_encode(value), text))]))


def _encode(value: object) -> bytes:
    """Return the value as a page may contain it; bytes are part of a page already."""
    return value if isinstance(value, bytes) else str(escape(value)).encode()


def split(text: bytes) -> Sequence[bytes]:
    """Return the text in parts, with the visitor's token where it belongs."""
    return [_token() if type(part) is Gap else part for part in split_at_gaps(text.decode(), InputFreeText)]


def _fill(parts: Sequence[bytes], gaps: Mapping[str, Sequence[bytes]]) -> RenderedPage:
    """Return the page with the visitor's token and everything else of their own in its place."""
    filled: list[bytes] = []
    token: Secret | None = None
    for part in parts:
        if type(part) is not Gap:
            filled.append(part)
        elif part == TOKEN_GAP:
            filled.append(token := token or _token())
        elif part == URL_GAP:
            filled.append(_encode(_current_url()))
        elif (own := gaps.get(name := part.decode())) is not None:
            filled += own
        else:
            filled.append(_encode(_callbacks().session()[name]))
    return RenderedPage.of(filled)


def _join_texts(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the gaps, and what stands between them in one piece."""
    for is_gap, between in groupby(parts, lambda part: type(part) is Gap):
        if is_gap:
            yield from between
        else:
            yield SharedText(b"".join(between))


def _gaps(names: Iterable[str]) -> dict[str, str]:
    return {name: gap(name) for name in names}


def _hide_visitor(context: dict[str, Any]) -> dict[str, Any]:
    """Return the variables about the visitor with gaps for everything but the roles."""
    visitor = context["current_user"]
    return {
        "current_user": SimpleNamespace(**{name: getattr(visitor, name) for name in SHARED_ATTRIBUTES}),
        "session": _gaps(context["session"]),
    }


def _frame_context() -> dict[str, Any]:
    context = _context({})
    return {**context, **_hide_visitor(context)}


def _token() -> Secret:
    return Secret(_callbacks().csrf_token().encode())


def _callbacks() -> Callbacks:
    return cast(Callbacks, site().extensions[EXTENSION])


def _context(variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables together with those of every page."""
    return {
        "csrf_token": _token_placeholder,
        "language": language.current_language(),
        "languages": _language_names(locale.offered()),
        "here": _current_url(),
        "has_page_form": not is_overridden(LAYOUT_TEMPLATE),
        **_callbacks().context(),
        **variables,
    }


def _environment() -> PageEnvironment:
    return cast(PageEnvironment, site().jinja_env)


def is_overridden(template: str) -> bool:
    """Tell whether the school has its own template of that name."""
    overrides = _overrides(site())
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
