"""The URLs of the site, each with the facts about it: path, view, audience, roles and what else the site must know.

Endpoints have no prefix: templates say url_for("courses").
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.routing import IntegerConverter, PathConverter

from quart_enroll.api.v1.staff import confirmation as api_confirmation
from quart_enroll.db.collections.users import MAX_USER_ID_DIGITS
from quart_enroll.forms.imports.courses import RESERVED_PREFIX
from quart_enroll.pages.staff import confirmation
from quart_enroll.routes import operations, staff_api, staff_pages, student_api, student_pages
from quart_enroll.web import auth
from quart_enroll.web.application import SiteApp
from quart_enroll.web.route import Audience, Route, add_route

ROUTES = [
    *student_pages.ROUTES,
    *staff_pages.ROUTES,
    *student_api.ROUTES,
    *staff_api.ROUTES,
    *operations.ROUTES,
]

_PARAMETERS: dict[str, frozenset[bytes]] = {}
for _route in ROUTES:
    for _path in _route.paths if _route.query_parameters is not None else ():
        _folder, _read = _path.partition("<")[0], _route.query_parameters or ()
        _PARAMETERS[_folder] = _PARAMETERS.get(_folder, frozenset()) | {name.encode() for name in _read}
"""The query parameters that are read at each path; for a path with a variable part, at all paths that begin like it."""

_PATHS = {path for route in ROUTES for path in route.paths if "<" not in path}

_FOLDERS = {path.partition("<")[0] for route in ROUTES for path in route.paths if "<" in path}

_DEEP_FOLDERS = sorted(
    (path.partition("<")[0] for route in ROUTES for path in route.paths if ":" in path), key=len, reverse=True
)
"""Folders below which a variable part may contain slashes; an inner folder comes before its outer one."""


def filter_query(path: str, query: bytes) -> bytes:
    """Return the query without the parameters that the view at the path does not read."""
    folder = path if path in _PATHS else next(filter(path.startswith, _DEEP_FOLDERS), path[: path.rfind("/") + 1])
    names = _PARAMETERS.get(path)
    if names is None and (folder not in _FOLDERS or (names := _PARAMETERS.get(folder)) is None):
        return query
    return b"&".join(parameter for parameter in query.split(b"&") if _name(parameter) in names)


def _name(parameter: bytes) -> bytes:
    return unquote_to_bytes(parameter.partition(b"=")[0].replace(b"+", b" "))


class FlaskApiConverter(PathConverter):
    """Matches what may follow /api/ in URLs of the Flask site's API, but not the newer API."""

    regex = f"(?!{RESERVED_PREFIX})[^/].*?"


class StorableIntConverter(IntegerConverter):
    """Matches numbers that the database can store; a longer one names nobody."""

    regex = rf"\d{{1,{MAX_USER_ID_DIGITS}}}"


def register(app: SiteApp) -> None:
    """Add all routes to `app`, each open to its audience only."""
    app.url_map.converters["int"] = StorableIntConverter
    app.url_map.converters["flask_api"] = FlaskApiConverter
    for route in ROUTES:
        is_new = route.endpoint not in app.view_functions
        if route.menu_label is not None:
            app.staff_menu.append(route)
        if route.survives_disconnect:
            app.surviving_paths.update(route.paths)
        if route.has_file:
            app.upload_paths.update(route.paths)
        add_route(app, route, _guarded(route) if is_new and route.view else None)


def _guarded(route: Route) -> Callable[..., Any] | None:
    """Return the route's view, open to its audience only; for changes, staff confirm their password."""
    view = route.view
    if view is not None and route.audience is Audience.STAFF:
        view = api_confirmation.confirmed(view) if route.api_tag else confirmation.confirmed(view)
    return view and auth.restrict(view, route.audience)
