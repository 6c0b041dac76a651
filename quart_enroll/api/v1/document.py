"""The OpenAPI document, made of the views and their shapes by Quart-Schema, and a page that shows it.

Quart-Schema is not let into the application itself: there it would wrap the making of every page.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from http import HTTPStatus
from typing import Any, cast

import msgspec
from msgspec import Struct
from quart import Quart, Response, current_app
from quart_schema import OpenAPIProvider, QuartSchema
from quart_schema.openapi import HttpSecurityScheme, Info, Tag
from quart_schema.validation import DataSource
from werkzeug.routing import BaseConverter, Rule

from quart_enroll.api.v1.codes import CODES
from quart_enroll.api.v1.exchange import JSON, PROBLEMS, cached_json
from quart_enroll.api.v1.shapes import CourseID
from quart_enroll.web import problem_details
from quart_enroll.web.problem_details import Problem
from quart_enroll.web.route import Audience, SiteRule
from quart_enroll.web.templating import render

EXTENSION = "quart_enroll.document"
REFERENCE = "#/components/schemas/{name}"

DESCRIPTION = """Courses and seats of the school, for programs.

Everybody may read the catalog. What is yours needs a personal access token, which you make on the site, sent as
`Authorization: Bearer qe_…`; or your address and password as HTTP Basic, over https alone. A token is quick, a
password is slow: a program that asks often takes a token.

Every change may be sent again: a repeat tells what is. With an `Idempotency-Key` it is told what the first was told.
An account can make 300 changes at once, then one a second; beyond that, wait `Retry-After` seconds.
Refusals are problems of RFC 9457; their `code` stays, their sentences may change."""

SCHEMES = {
    "token": HttpSecurityScheme(scheme="bearer"),
    "password": HttpSecurityScheme(scheme="basic"),
}
SECURITY: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
TAGS = [
    Tag("Catalog", "The same for everybody, with an ETag."),
    Tag("Me", "What is yours; a token that may read will do."),
    Tag("Changes", "These need a token that may enroll."),
]
IN_PATHS = {"courseID": CourseID}
"""What stands for a part of an address."""

ALWAYS = (503,)
"""Statuses of problems that any operation may have: the database is unavailable."""

SIGN_IN = (401, 403, 429)
"""Statuses of problems with a token or a password."""


class Document(OpenAPIProvider):
    """The addresses of version 1, with shapes by reference and with their refusals."""

    @cached_property
    def json(self) -> bytes:
        """The document itself, made when somebody asks for it."""
        return msgspec.json.encode(self.schema())

    def generate_rules(self) -> Iterable[Rule]:
        return (rule for rule in self._app.url_map.iter_rules() if cast(SiteRule, rule).route.api_tag)

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        route = cast(SiteRule, rule).route
        is_public = route.audience is Audience.EVERYBODY
        paths, components = super().build_paths(rule)
        own = getattr(self._app.view_functions[rule.endpoint], PROBLEMS, ())
        statuses = sorted({*own, *ALWAYS, *(() if is_public else SIGN_IN)})
        reference, more = _schema(Problem)
        for methods in paths.values():
            for operation in methods.values():
                operation["tags"] = [route.api_tag]
                if not is_public:
                    operation["security"] = SECURITY
                operation["responses"] |= {
                    status: _response(HTTPStatus(status).phrase, problem_details.MEDIA_TYPE, reference)
                    for status in statuses
                }
                if is_public:
                    operation["responses"][304] = {"description": "Nothing has changed since the ETag that you have."}
        return paths, components | more

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(IN_PATHS[name])}

    def build_querystring_parameters(self, model: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return _parameters(model, "query"), {}

    def build_headers_parameters(self, model: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return [one | {"name": one["name"].replace("_", "-").title()} for one in _parameters(model, "header")], {}

    def build_request_body(self, model: Any, source: DataSource) -> tuple[dict[str, Any], dict[str, Any]]:
        reference, components = _schema(model)
        return {"required": True, "content": {JSON: {"schema": reference}}}, components

    def build_response_object(self, model: Any, headers_model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        reference, components = _schema(model)
        return _response(model.__doc__, JSON, reference), components

    def operation_id(self, method: str, path: str, func: Callable[..., Any]) -> str:
        return func.__name__


def init_app(app: Quart) -> None:
    """Make the document of the addresses that `app` has."""
    about = QuartSchema(
        info=Info(title="Quart Enroll", version="1", description=DESCRIPTION),
        security_schemes=dict(SCHEMES),
        tags=list(TAGS),
    )
    app.extensions[EXTENSION] = Document(app, about)


async def openapi() -> Response:
    return await cached_json(current_app.extensions[EXTENSION].json)


async def docs() -> bytes:
    document = msgspec.json.decode(current_app.extensions[EXTENSION].json)
    return render("api.html", document=document, codes=CODES)


def _schema(model: type[Struct]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the reference to a shape, and the shapes that it needs."""
    (reference,), components = msgspec.json.schema_components([model], ref_template=REFERENCE)
    return reference, components


def _parameters(model: type[Struct], where: str) -> list[dict[str, Any]]:
    """Return the fields of a shape as parameters."""
    (shape,) = (one for name, one in _schema(model)[1].items() if name == model.__name__)
    return [
        {
            "name": name,
            "in": where,
            "required": name in shape["required"],
            "description": kind.get("description", ""),
            "schema": {key: value for key, value in kind.items() if key != "description"},
        }
        for name, kind in shape["properties"].items()
    ]


def _response(description: str, media_type: str, reference: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": reference}}}
