"""How it looks: pages through one synchronous Jinja environment, the school's own templates first."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from quart import Quart, current_app, request

from quart_enroll import language, reader
from quart_enroll.models import SectionKey

EXTENSION = "quart_enroll.rendering"
TEMPLATES = Path(__file__).parent / "templates"


class PageEnvironment(Environment):
    """A Jinja environment that does not await: Quart's own takes twice the time for the same page."""

    def __init__(self, app: Quart, **options: Any) -> None:
        super().__init__(**options)
        self.filters |= {"mark": mark, "number": language.decimal, "term": term, "moment": spoken, "day": language.day}
        self.policies["ext.i18n.trimmed"] = True
        # The extension of Jinja itself, which its types do not know.
        self.install_gettext_callables(language.translated, language.numbered, newstyle=True)  # type: ignore[attr-defined]


@lru_cache(50_000)
def mark(key: SectionKey) -> str:
    """Return a name for the section that may stand in any attribute."""
    return "s" + hashlib.blake2s("\0".join((key.term, key.courseID, key.section)).encode(), digest_size=8).hexdigest()


def init_app(app: Quart, overrides: Path | None, *names: Callable[[], dict[str, Any]]) -> None:
    """Let `app` render templates, from the folder `overrides` first; `names` give what every page knows."""
    app.extensions[EXTENSION] = names
    folders = [overrides, TEMPLATES] if overrides else [TEMPLATES]
    app.jinja_environment = PageEnvironment  # type: ignore[assignment]  # a plain environment does
    app.jinja_options = {
        "loader": ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        "extensions": ["jinja2.ext.i18n"],
        "trim_blocks": True,
        "lstrip_blocks": True,
    }


def render(template: str, /, **names: Any) -> str:
    """Return the page that the template makes of `names` and of what all pages know."""
    context: dict[str, Any] = {"language": language.spoken(), "languages": _languages(), "here": _here()}
    for names_of_all in current_app.extensions[EXTENSION]:
        context.update(names_of_all())
    return current_app.jinja_env.get_template(template).render(context | names)


def term(name: object) -> str:
    """Return the name of a term in the reader's words."""
    return language.term_name(str(name))


def _languages() -> list[tuple[str, str]]:
    """Return the languages that may be chosen, each with what its speakers call it."""
    return [(one, language.own_name(one)) for one in reader.offered()]


def _here() -> str:
    """Return where the choice of a language leads: to this page, if it can be asked for and is no secret."""
    rule = request.url_rule
    if rule is None or "GET" not in (rule.methods or ()) or "token" in rule.arguments:
        return ""
    return request.full_path.rstrip("?")


def spoken(moment: datetime) -> str:
    """Return the moment in words, by the school's clock."""
    return language.moment(moment, current_app.config["TIMEZONE"])


def is_overridden(template: str) -> bool:
    """Tell whether the school has a template of its own by that name."""
    return Path(current_app.jinja_env.get_template(template).filename or "").parent != TEMPLATES


def wants_json() -> bool:
    """Tell whether the client would rather have JSON than a page."""
    if request.path.startswith("/api/"):
        return True
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]
