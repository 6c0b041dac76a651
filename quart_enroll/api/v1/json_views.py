"""Decorators and functions for JSON views: they parse requests, name every invalid field, and serialize responses.

Quart-Schema's own validation reports one invalid field at a time, and no wrong content type. The site uses only its
markers on views, from which `document` makes the OpenAPI document.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, get_args

import msgspec
from msgspec import Meta, Struct
from quart import Response, abort, request
from quart_schema import document_headers, document_querystring, document_request, document_response

from quart_enroll.api.v1.schemas import IdempotencyHeaders, IdempotencyKey
from quart_enroll.domain.errors import WrongFields
from quart_enroll.domain.models import StoredResponse
from quart_enroll.domain.readable_text import is_all_readable
from quart_enroll.services import idempotency
from quart_enroll.services.idempotency import IdempotentRequest
from quart_enroll.state import database, now
from quart_enroll.web import auth

P = ParamSpec("P")
S = TypeVar("S", bound=Struct)
V = TypeVar("V", bound=Callable[..., Any])
JsonView = Callable[P, Awaitable[Response]]

JSON = "application/json"
KEY_HEADER = "Idempotency-Key"
PROBLEM_STATUSES = "_problem_statuses"
"""The attribute of a view that lists the statuses of its problems."""

UNREADABLE = "This contains characters that can’t be read."
REPEATED = "This was sent more than once. Send it once."
UNKNOWN_FIELD = "There is no such field."
INVALID = "This value is not valid."


def responds_with(schema: type[Struct], *statuses: int, problems: tuple[int, ...] = ()) -> Callable[[V], V]:
    """Document the schema and the statuses of a view's responses, and the statuses of its problems."""

    def mark(view: V) -> V:
        for status in statuses or (200,):
            view = document_response(cast(Any, schema), status)(view)
        return _add_problems(view, *problems)

    return mark


def takes_query(schema: type[S]) -> Callable[[Callable[Concatenate[S, P], Awaitable[Response]]], JsonView[P]]:
    """Call a view with the query parsed as `schema`."""

    def decorate(view: Callable[Concatenate[S, P], Awaitable[Response]]) -> JsonView[P]:
        @wraps(view)
        async def parse_and_call(*args: P.args, **kwargs: P.kwargs) -> Response:
            query = {name: values[0] if len(values) == 1 else values for name, values in request.args.lists()}
            return await view(parse(schema, query, strict=False), *args, **kwargs)

        return _add_problems(document_querystring(cast(Any, schema))(parse_and_call), 422)

    return decorate


def takes_body(schema: type[S]) -> Callable[[Callable[Concatenate[S, P], Awaitable[Response]]], JsonView[P]]:
    """Call a view with the JSON body parsed as `schema`; repeats with an Idempotency-Key get the first response."""

    def decorate(view: Callable[Concatenate[S, P], Awaitable[Response]]) -> JsonView[P]:
        @wraps(view)
        async def parse_and_call(*args: P.args, **kwargs: P.kwargs) -> Response:
            body = parse(schema, await _json_object())
            return await _call_once(body, lambda: view(body, *args, **kwargs))

        marked = document_headers(cast(Any, IdempotencyHeaders))(document_request(cast(Any, schema))(parse_and_call))
        return _add_problems(marked, 400, 413, 415, 422)

    return decorate


def respond(content: Struct, status: int = 200, location: str = "") -> Response:
    """Return a JSON response; `location` is the URL of a new resource."""
    return _to_response(StoredResponse(status, location, msgspec.json.encode(content).decode()))


def respond_publicly(content: Struct) -> Response:
    """Return a JSON response that is the same for everybody; caches may store it and must revalidate it."""
    return _public_response(msgspec.json.encode(content))


async def respond_with_etag(body: bytes) -> Response:
    """Return a JSON response that is the same for everybody and does not come from the catalog."""
    response = _public_response(body)
    await response.add_etag()
    return await response.make_conditional(request)


def _public_response(body: bytes) -> Response:
    response = Response(body, content_type=JSON)
    response.headers["Cache-Control"] = "public, no-cache"
    return response


def parse(schema: type[S], data: Mapping[str, Any], *, strict: bool = True) -> S:
    """Return the data as `schema`; raise WrongFields with a sentence for every invalid field.

    Unless `strict`, text may stand for a number or a boolean.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(schema)}
    wrong = {name[:50]: UNKNOWN_FIELD for name in data if name not in fields}
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in data:
            if field.required:
                wrong[name] = _sentence(field.type)
            continue
        try:
            values[field.name] = msgspec.convert(data[name], field.type, strict=strict)
        except msgspec.ValidationError:
            wrong[name] = REPEATED if isinstance(data[name], list) and not strict else _sentence(field.type)
        else:
            if not is_all_readable(data[name]):
                wrong[name] = UNREADABLE
    if wrong:
        raise WrongFields(wrong)
    return schema(**values)


def _sentence(kind: Any) -> str:
    """Return the sentence that answers an invalid value of the type."""
    return str(next((meta.extra["sentence"] for meta in _metas(kind) if meta.extra), INVALID))


def _metas(kind: Any) -> list[Meta]:
    """Return the metadata of a type, of the parts of a union, and of aliases inside."""
    found = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Meta)]
    return found + [meta for part in get_args(kind) for meta in _metas(part)]


async def _json_object() -> Mapping[str, Any]:
    """Return the JSON object in the request's body; abort with 400, 415 or 422 without one."""
    body = await request.get_data(cache=False)
    if request.mimetype != JSON:
        abort(415, f"Send JSON with the header Content-Type: {JSON}. Nothing was changed.")
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        abort(400, "This is not valid JSON. Nothing was changed.")
    if not isinstance(content, dict):
        abort(422, "Send a JSON object, such as {}. Nothing was changed.")
    return content


async def _call_once(body: Struct, view: Callable[[], Awaitable[Response]]) -> Response:
    """Call the view; with an Idempotency-Key only for the first request, whose response all repeats get."""
    keys = request.headers.getlist(KEY_HEADER)
    if not keys:
        return await view()
    if len(keys) > 1:
        raise WrongFields({KEY_HEADER: REPEATED})
    try:
        key = msgspec.convert(keys[0], IdempotencyKey)
    except msgspec.ValidationError:
        raise WrongFields({KEY_HEADER: _sentence(IdempotencyKey)}) from None

    async def call_view() -> StoredResponse:
        response = await view()
        return StoredResponse(response.status_code, response.location or "", await response.get_data(as_text=True))

    digest = hashlib.sha256(request.path.encode() + b"\n" + msgspec.json.encode(body)).hexdigest()
    idempotent = IdempotentRequest(auth.signed_in().user_id, key, digest)
    stored, is_repeat = await idempotency.run_once(database(), idempotent, now(), call_view)
    response = _to_response(stored)
    if is_repeat:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _to_response(stored: StoredResponse) -> Response:
    response = Response(stored.body, stored.status, content_type=JSON)
    if stored.location:
        response.headers["Location"] = stored.location
    return response


def _add_problems(view: V, *statuses: int) -> V:
    setattr(view, PROBLEM_STATUSES, {*getattr(view, PROBLEM_STATUSES, ()), *statuses})
    return view
