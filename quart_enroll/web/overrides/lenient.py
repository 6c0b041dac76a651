"""Render a page without the parts that need an unknown name, and log each of these once."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from jinja2 import ChainableUndefined, Template
from jinja2.utils import missing
from quart import Quart
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BuildError

from quart_enroll.web.overrides.names import endpoints

logger = logging.getLogger(__name__)


class Place(NamedTuple):
    """A line of one of the school's templates; line 0 means the whole file."""

    template: str
    line: int

    def __str__(self) -> str:
        return f"{self.template}:{self.line}" if self.line else self.template


def file_name(template: str) -> str:
    """Return the name of the template's file, which may also be written as ./menu.html or /menu.html."""
    return "/".join(piece for piece in template.split("/") if piece not in ("", "."))


class Problems:
    """The problems of the templates in a folder, each of which is logged once."""

    def __init__(self, folder: Path) -> None:
        self._prefix = f"{folder}/"
        self._known: set[tuple[str, str]] = set()
        self.given: set[str] = set()  # variables that some page has: no problem on the others

    def tell(self, place: Place, what: str, sentence: str, *, quietly: bool = False) -> None:
        """Log the sentence about `what`, unless it was logged for the template before."""
        key = (place.template, what)
        if key not in self._known:
            self._known.add(key)
            if not quietly:
                logger.warning("template %s %s", place, sentence)

    def place_of(self, template: Template, line: int) -> Place | None:
        """Return the place in the template; None for one of the site's own."""
        file = template.filename or ""
        if not file.startswith(self._prefix):
            return None
        return Place(file.removeprefix(self._prefix), template.get_corresponding_lineno(line))

    def place_in(self, file: str, line: int) -> Place | None:
        """Return the place in the file; None if it is not in the folder."""
        return Place(file.removeprefix(self._prefix), line) if file.startswith(self._prefix) else None

    def present_place(self) -> Place | None:
        """Return the line that is being rendered; None for one of the site's own templates."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            template = frame.f_globals.get("__jinja_template__")
            if template is not None:
                return self.place_of(template, frame.f_lineno)
            frame = frame.f_back
        return None


def undefined_class(problems: Problems) -> type[ChainableUndefined]:
    """Return a class of undefined values that render as nothing, whatever a template does with them."""

    class Absent(ChainableUndefined):
        __slots__ = ()

        def _tell(self) -> None:
            name, of = self._undefined_name, self._undefined_obj
            is_given = (of is missing and name in problems.given) or _varies(of)
            if isinstance(name, str) and not is_given and (place := problems.present_place()):
                problems.tell(place, f"name {name}", unknown_name(name))

        def _nothing(self, *_: Any, **__: Any) -> "Absent":
            self._tell()
            return self

        def _never(self, _: Any) -> bool:
            self._tell()
            return False

        def __str__(self) -> str:
            self._tell()
            return ""

        def __iter__(self) -> Iterator[Any]:
            self._tell()
            return iter(())

        def __int__(self) -> int:  # type: ignore[override]  # Jinja's own raises
            return 0

        def __float__(self) -> float:  # type: ignore[override]
            return 0.0

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _nothing  # type: ignore[assignment]
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _nothing  # type: ignore[assignment]
        __mod__ = __rmod__ = __pow__ = __rpow__ = __pos__ = __neg__ = __call__ = _nothing  # type: ignore[assignment]
        __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]

    return Absent


def _varies(value: object) -> bool:
    """Tell whether the value's keys vary between requests, as in the session or the query."""
    return type(value) is dict or isinstance(value, MultiDict)


def unknown_name(name: str) -> str:
    """Return the log's sentence about an unknown variable or attribute."""
    return f"names “{name}”, which the site does not know: nothing is shown there. Correct the name or remove it."


class LenientRegistry(dict[str, Any]):
    """Jinja's filters or tests, with a substitute for unknown ones."""

    def __init__(self, known: dict[str, Any], substitute: Callable[..., Any]) -> None:
        super().__init__(known)
        self._substitute = substitute

    def __missing__(self, name: str) -> Callable[..., Any]:
        return self._substitute

    def get(self, name: str, default: Any = None) -> Any:
        """Return the filter; Jinja looks filters up this way too."""
        return self[name]


def unchanged(value: Any, *_: Any, **__: Any) -> Any:
    """Replace an unknown filter."""
    return value


def never(_: Any, *__: Any, **___: Any) -> bool:
    """Replace an unknown test."""
    return False


def lenient_url_for(app: Quart, problems: Problems) -> Callable[..., str]:
    """Return `url_for` for templates: it accepts a Flask site's endpoints, and returns "#" for an unknown one."""

    def url_for(endpoint: str, **values: Any) -> str:
        for one in endpoints(str(endpoint), app.view_functions):
            try:
                return app.url_for(one, **values)
            except BuildError:  # a value is missing: "course" is also our page of one course
                continue
        if place := problems.present_place():
            problems.tell(place, f"endpoint {endpoint}", unknown_endpoint(str(endpoint)))
        return "#"

    return url_for


def unknown_endpoint(name: str) -> str:
    """Return the log's sentence about a link to a page that does not exist."""
    return f"links to url_for(“{name}”), a page that the site does not have: the link leads nowhere. Remove it."
