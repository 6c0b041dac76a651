"""Show a page without the parts that need an unknown name, and tell the log once."""

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
    """A line of one of the school's templates; line 0 stands for the whole file."""

    template: str
    line: int

    def __str__(self) -> str:
        return f"{self.template}:{self.line}" if self.line else self.template


def file_name(template: str) -> str:
    """Return the name of the template's file: templates may write it as ./menu.html or /menu.html, too."""
    return "/".join(piece for piece in template.split("/") if piece not in ("", "."))


class Problems:
    """The problems of the templates in a folder, each told once."""

    def __init__(self, folder: Path) -> None:
        self._prefix = f"{folder}/"
        self._known: set[tuple[str, str]] = set()
        self.given: set[str] = set()  # variables of some page: no problem on the others

    def tell(self, place: Place, what: str, sentence: str, *, quietly: bool = False) -> None:
        """Write the sentence about `what` in the log, unless that was told of the template before."""
        key = (place.template, what)
        if key not in self._known:
            self._known.add(key)
            if not quietly:
                logger.warning("template %s %s", place, sentence)

    def place_of(self, template: Template, line: int) -> Place | None:
        """Return the place in the template; None in one of the site's own."""
        file = template.filename or ""
        if not file.startswith(self._prefix):
            return None
        return Place(file.removeprefix(self._prefix), template.get_corresponding_lineno(line))

    def place_in(self, file: str, line: int) -> Place | None:
        """Return the place in the file; None when it is not in the folder."""
        return Place(file.removeprefix(self._prefix), line) if file.startswith(self._prefix) else None

    def present_place(self) -> Place | None:
        """Return the line that is being rendered; None in one of the site's own templates."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            template = frame.f_globals.get("__jinja_template__")
            if template is not None:
                return self.place_of(template, frame.f_lineno)
            frame = frame.f_back
        return None


def absent(problems: Problems) -> type[ChainableUndefined]:
    """Return the class of undefined values: they show nothing, whatever a template does with them."""

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
    """Tell whether each request has other keys in the value, as with the session or the query."""
    return type(value) is dict or isinstance(value, MultiDict)


def unknown_name(name: str) -> str:
    """Return the sentence about a variable or an attribute that no page has."""
    return f"names “{name}”, which the site does not know: nothing is shown there. Correct the name or remove it."


class Lenient(dict[str, Any]):
    """Jinja's filters, or tests, with a stand-in for unknown ones."""

    def __init__(self, known: dict[str, Any], stand_in: Callable[..., Any]) -> None:
        super().__init__(known)
        self._stand_in = stand_in

    def __missing__(self, name: str) -> Callable[..., Any]:
        return self._stand_in

    def get(self, name: str, default: Any = None) -> Any:
        """Return the filter; Jinja asks in this way too."""
        return self[name]


def unchanged(value: Any, *_: Any, **__: Any) -> Any:
    """Stand in for a filter."""
    return value


def never(_: Any, *__: Any, **___: Any) -> bool:
    """Stand in for a test."""
    return False


def lenient_url_for(app: Quart, problems: Problems) -> Callable[..., str]:
    """Return `url_for` for templates: it takes a Flask site's names of pages, and returns "#" for an unknown one."""

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
    """Return the sentence about a link to a page that does not exist."""
    return f"links to url_for(“{name}”), a page that the site does not have: the link leads nowhere. Remove it."
