"""The OpenAPI document, which Quart-Schema makes from the views and their schemas, and a page that shows it.

Quart-Schema is not installed in the application itself: it would wrap every response.
"""

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from http import HTTPStatus
from typing import Any, cast

import msgspec
from msgspec import Struct
from quart import Quart, Response, current_app, request
from quart_schema import OpenAPIProvider, QuartSchema
from quart_schema.openapi import HttpSecurityScheme, Info, Tag
from quart_schema.validation import DataSource
from werkzeug.routing import BaseConverter, Rule

from quart_enroll.api.v1.codes import CODES
from quart_enroll.api.v1.examples import curl
from quart_enroll.api.v1.json_views import JSON, PROBLEM_STATUSES, respond_with_etag
from quart_enroll.api.v1.schemas import CourseID, UserID
from quart_enroll.domain.roles import in_order
from quart_enroll.web import problem_details
from quart_enroll.web.problem_details import Problem
from quart_enroll.web.route import Audience, SiteRule
from quart_enroll.web.templating import render

EXTENSION = "quart_enroll.document"
SCHEMA_REFERENCE = "#/components/schemas/{name}"

DESCRIPTION = """Browse the school's courses, enroll, and work as staff, from your own programs.

Anybody can read the catalog. Your own data, and what you see as staff, require a personal access token, which you
create on the site and send as `Authorization: Bearer qe_…`; or your email and password as HTTP Basic, over https only.
Checking a password is slow, so use a token for frequent requests. A token never allows more than your roles do.

Every change is safe to repeat. Repeating a change of your own returns the current state; repeating a change as staff
changes nothing or is refused. With an `Idempotency-Key`, every repeat returns the first response.

An account can make 300 changes in a burst, then one per second; beyond that, wait `Retry-After` seconds. Errors are RFC
9457 problem details. Their `code` never changes; their sentences may."""

SCHEMES = {
    "token": HttpSecurityScheme(scheme="bearer"),
    "password": HttpSecurityScheme(scheme="basic"),
}
SECURITY: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
TAGS = [
    Tag("Catalog", "The same for everybody, with an ETag."),
    Tag("Me", "Your own data. A read-only token is enough."),
    Tag("Changes", "These require a token that may enroll."),
    Tag(
        "Staff",
        "For staff with one of the roles, with a token whose scope is `staff:read` or `staff:write`. "
        "Anything outside your scope is not found (404).",
    ),
    Tag("Staff changes", "For staff with one of the roles, with a token whose scope is `staff:write`."),
]
PATH_PARAMETERS = {"courseID": CourseID, "user_id": UserID}
"""The types of the variable parts of paths."""

COMMON_STATUSES = (503,)
"""Statuses of problems that any operation may have: the database is unavailable."""

SIGN_IN_STATUSES = (401, 403, 429)
"""Statuses of problems with a token or a password."""


class Document(OpenAPIProvider):
    """The operations of version 1, with references to schemas, and with their problems."""

    @cached_property
    def json(self) -> bytes:
        """The document, made on first use."""
        return msgspec.json.encode(self.schema())

    def generate_rules(self) -> Iterable[Rule]:
        return (rule for rule in self._app.url_map.iter_rules() if cast(SiteRule, rule).route.api_tag)

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        route = cast(SiteRule, rule).route
        is_public = route.audience is Audience.EVERYBODY
        paths, components = super().build_paths(rule)
        own = getattr(self._app.view_functions[rule.endpoint], PROBLEM_STATUSES, ())
        statuses = sorted({*own, *COMMON_STATUSES, *(() if is_public else SIGN_IN_STATUSES)})
        reference, problem_schemas = _schema(Problem)
        for methods in paths.values():
            for operation in methods.values():
                operation["tags"] = [route.api_tag]
                if route.roles:
                    roles = f"Roles: {', '.join(in_order(route.roles))}."
                    operation["description"] = "\n\n".join(filter(None, [operation.get("description"), roles]))
                if not is_public:
                    operation["security"] = SECURITY
                operation["responses"] |= {
                    status: _response(HTTPStatus(status).phrase, problem_details.MEDIA_TYPE, reference)
                    for status in statuses
                }
                if is_public:
                    operation["responses"][304] = {"description": "Not modified since the response with your ETag."}
        return paths, components | problem_schemas

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(PATH_PARAMETERS[name])}

    def build_querystring_parameters(self, model: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return _parameters(model, "query"), {}

    def build_headers_parameters(self, model: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        parameters = _parameters(model, "header")
        return [one | {"name": one["name"].replace("_", "-").title()} for one in parameters], {}

    def build_request_body(self, model: Any, source: DataSource) -> tuple[dict[str, Any], dict[str, Any]]:
        reference, components = _schema(model)
        return {"required": True, "content": {JSON: {"schema": reference, "example": model.example}}}, components

    def build_response_object(self, model: Any, headers_model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        reference, components = _schema(model)
        return _response(model.__doc__, JSON, reference), components

    def operation_id(self, method: str, path: str, func: Callable[..., Any]) -> str:
        return func.__name__


def init_app(app: Quart) -> None:
    """Let `app` describe its API."""
    settings = QuartSchema(
        info=Info(title="Quart Enroll", version="1", description=DESCRIPTION),
        security_schemes=dict(SCHEMES),
        tags=list(TAGS),
    )
    app.extensions[EXTENSION] = Document(app, settings)


async def openapi() -> Response:
    return await respond_with_etag(current_app.extensions[EXTENSION].json)


async def docs() -> bytes:
    document = msgspec.json.decode(current_app.extensions[EXTENSION].json)
    return render("api.html", document=document, codes=CODES, example=partial(curl, request.host_url.rstrip("/")))


def _schema(model: type[Struct]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the reference to a schema, and all schemas that it needs."""
    (reference,), components = msgspec.json.schema_components([model], ref_template=SCHEMA_REFERENCE)
    return reference, components


def _parameters(model: type[Struct], where: str) -> list[dict[str, Any]]:
    """Return the fields of a schema as parameters."""
    (schema,) = (found for name, found in _schema(model)[1].items() if name == model.__name__)
    return [
        {
            "name": name,
            "in": where,
            "required": name in schema["required"],
            "description": kind.get("description", ""),
            "schema": {key: value for key, value in kind.items() if key != "description"},
        }
        for name, kind in schema["properties"].items()
    ]


def _response(description: str, media_type: str, reference: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": reference}}}
