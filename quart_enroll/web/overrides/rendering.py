"""Render pages with a school's own templates, and with the site's own in place of those that fail."""

import os
from collections.abc import Set
from pathlib import Path
from traceback import extract_tb
from typing import Any, cast

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError
from quart import Quart

from quart_enroll.web.jinja_environment import TEMPLATES, PageEnvironment
from quart_enroll.web.overrides.check import LAYOUT_TEMPLATE, Site, check
from quart_enroll.web.overrides.lenient import (
    LenientRegistry,
    Place,
    Problems,
    file_name,
    lenient_url_for,
    never,
    unchanged,
    undefined_class,
)
from quart_enroll.web.overrides.names import add_names

MAX_ENVIRONMENTS = 10
"""Jinja environments that a process keeps, each for another set of excluded templates."""


class OverrideTemplates:
    """A school's own templates, with the site's own as a fallback for those that fail."""

    def __init__(self, app: Quart, folder: Path) -> None:
        self._app, self._folder = app, folder
        self._problems = Problems(folder)
        self._excluded: frozenset[str] = frozenset()  # permanently
        self._layout_has_content = True
        self._environments: dict[frozenset[str], PageEnvironment] = {}
        environment = self._environment
        environment.filters = LenientRegistry(environment.filters, unchanged)
        environment.tests = LenientRegistry(environment.tests, never)
        environment.undefined = undefined_class(self._problems)
        environment.globals["url_for"] = lenient_url_for(app, self._problems)

    @property
    def _environment(self) -> PageEnvironment:
        return cast(PageEnvironment, self._app.jinja_env)

    def has(self, template: str) -> bool:
        """Tell whether the school has a usable template of that name."""
        file = f"{self._folder}/{template}"
        return template not in self._excluded and os.path.isfile(file)  # noqa: PTH113  # a Path takes ten times as long

    def check(self, site: Site, *, quietly: bool) -> None:
        """Log the problems of the templates; in production, exclude the broken ones permanently."""
        overrides, site_templates = (FileSystemLoader(folder) for folder in (self._folder, TEMPLATES))
        found = check(self._environment, overrides, site_templates, site)
        for problem in found.problems:
            self._problems.tell(*problem, quietly=quietly)
        for template in found.broken:  # including those that depend on a broken one
            self._problems.tell(Place(template, 0), "broken", "", quietly=True)
        self._problems.given |= found.given
        self._layout_has_content = found.layout_has_content
        if not self._environment.auto_reload:
            self._excluded = frozenset(found.broken)

    def render(self, template: str, context: dict[str, Any]) -> list[bytes]:
        """Render the page with as many of the school's templates as possible."""
        if self.has(template):
            add_names(template, context)
            excluded = self._excluded
        else:
            excluded = self._excluded if self._layout_has_content else self._excluded | {LAYOUT_TEMPLATE}
        while True:
            try:
                return self._without(excluded).render_page(template, context)
            except Exception as error:
                failed = (self._log(template, error) - excluded) or (self._all() - excluded)
                if not failed:
                    raise
                excluded |= failed

    def _all(self) -> Set[str]:
        return set(FileSystemLoader(self._folder).list_templates())

    def _log(self, page: str, error: Exception) -> Set[str]:
        """Log which of the school's templates failed and return its name; return all names if that is uncertain."""
        lines = [(frame.filename, frame.lineno or 0) for frame in extract_tb(error.__traceback__)]
        if isinstance(error, TemplateSyntaxError):
            lines.append((error.filename or "", error.lineno))
        place = next((found for line in reversed(lines) if (found := self._problems.place_in(*line))), None)
        if place is None:
            self._problems.tell(Place(page, 0), "broken", f"failed: {type(error).__name__}: {error}.")
            return self._all()
        instead = f"The site's own {place.template} is shown instead." if (TEMPLATES / place.template).is_file() else ""
        sentence = f"failed: {type(error).__name__}: {error}. {instead}".rstrip()
        self._problems.tell(place, "broken", sentence)
        return {place.template}

    def _without(self, excluded: frozenset[str]) -> PageEnvironment:
        """Return an environment without these templates of the school."""
        if not excluded:
            return self._environment
        if excluded not in self._environments:
            if len(self._environments) >= MAX_ENVIRONMENTS:
                self._environments.clear()
            loader = ChoiceLoader([PartialLoader(self._folder, excluded), FileSystemLoader(TEMPLATES)])
            self._environments[excluded] = self._environment.overlay(loader=loader)
        return self._environments[excluded]


class PartialLoader(FileSystemLoader):
    """Loads the templates in a folder, except some."""

    def __init__(self, folder: Path, excluded: Set[str]) -> None:
        super().__init__(folder)
        self._excluded = excluded

    def get_source(self, environment: Environment, template: str) -> Any:
        if file_name(template) in self._excluded:
            raise TemplateNotFound(template)
        return super().get_source(environment, template)
