"""How a request is read and answered: JSON in, JSON out, each wrong field with its sentence.

Quart-Schema's own validation tells of one wrong field at a time, and nothing of the kind of a body; from it come the
marks on the views, of which `document` makes the OpenAPI document.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, get_args

import msgspec
from msgspec import Meta, Struct
from quart import Response, abort, request
from quart_schema import document_headers, document_querystring, document_request, document_response

from quart_enroll.api.v1.shapes import IdempotencyKey, RepeatHeaders
from quart_enroll.domain.errors import WrongFields
from quart_enroll.domain.models import StoredResponse
from quart_enroll.forms.base import is_readable
from quart_enroll.services import idempotency
from quart_enroll.services.idempotency import IdempotentRequest
from quart_enroll.state import database, now
from quart_enroll.web import auth

P = ParamSpec("P")
S = TypeVar("S", bound=Struct)
V = TypeVar("V", bound=Callable[..., Any])
View = Callable[P, Awaitable[Response]]

JSON = "application/json"
KEY = "Idempotency-Key"
PROBLEMS = "_problems"
"""The mark on a view that lists the statuses of its refusals."""

NOT_READABLE = "This has characters that can’t be read."
TWICE = "This was sent twice. Please send it once."
UNKNOWN = "There is no such field."


def answers_with(shape: type[Struct], *statuses: int, refuses: tuple[int, ...] = ()) -> Callable[[V], V]:
    """Mark a view with what it answers, and with the statuses of its refusals."""

    def mark(view: V) -> V:
        for status in statuses or (200,):
            view = document_response(cast(Any, shape), status)(view)
        return _refuses(view, *refuses)

    return mark


def takes_query(shape: type[S]) -> Callable[[Callable[Concatenate[S, P], Awaitable[Response]]], View[P]]:
    """Let a view have the query of the address as `shape`."""

    def decorate(view: Callable[Concatenate[S, P], Awaitable[Response]]) -> View[P]:
        @wraps(view)
        async def reading(*args: P.args, **kwargs: P.kwargs) -> Response:
            sent = {name: values[0] if len(values) == 1 else values for name, values in request.args.lists()}
            return await view(read(shape, sent, strict=False), *args, **kwargs)

        return _refuses(document_querystring(cast(Any, shape))(reading), 422)

    return decorate


def takes_body(shape: type[S]) -> Callable[[Callable[[S], Awaitable[Response]]], View[[]]]:
    """Let a view have the JSON of the request as `shape`, and tell a repeat under its Idempotency-Key the same."""

    def decorate(view: Callable[[S], Awaitable[Response]]) -> View[[]]:
        @wraps(view)
        async def reading() -> Response:
            return await _once(read(shape, await _json()), view)

        marked = document_headers(cast(Any, RepeatHeaders))(document_request(cast(Any, shape))(reading))
        return _refuses(marked, 400, 413, 415, 422)

    return decorate


def answer(told: Struct, status: int = 200, location: str = "") -> Response:
    """Answer in JSON; `location` is the address of what was made."""
    return _reply(StoredResponse(status, location, msgspec.json.encode(told).decode()))


def shared(told: Struct) -> Response:
    """Answer what is the same for everybody: caches keep it, and ask each time whether it is still so."""
    return _shared(msgspec.json.encode(told))


def _shared(body: bytes) -> Response:
    response = Response(body, content_type=JSON)
    response.headers["Cache-Control"] = "public, no-cache"
    return response


async def cached_json(body: bytes) -> Response:
    """Answer with JSON that is the same for everybody and does not come from the catalog."""
    response = _shared(body)
    await response.add_etag()
    return await response.make_conditional(request)


def read(shape: type[S], sent: Mapping[str, Any], *, strict: bool = True) -> S:
    """Return what was sent as `shape`; raise WrongFields with a sentence for every field that is wrong.

    Text is read as the number or the yes or no that it stands for, unless `strict`.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    wrong = {name[:50]: UNKNOWN for name in sent if name not in fields}
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in sent:
            if field.required:
                wrong[name] = _sentence(field.type)
            continue
        try:
            values[field.name] = msgspec.convert(sent[name], field.type, strict=strict)
        except msgspec.ValidationError:
            wrong[name] = TWICE if isinstance(sent[name], list) and not strict else _sentence(field.type)
        else:
            if isinstance(sent[name], str) and not is_readable(sent[name]):
                wrong[name] = NOT_READABLE
    if wrong:
        raise WrongFields(wrong)
    return shape(**values)


def _sentence(kind: Any) -> str:
    """Return what the field's type says to who sends something else."""
    if sentence := next((one.extra["sentence"] for one in _metas(kind) if one.extra), ""):
        return str(sentence)
    return "This can’t be taken."


def _metas(kind: Any) -> list[Meta]:
    """Return what is noted at a type, at a part of a union, or at an alias inside."""
    found = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Meta)]
    return found + [meta for part in get_args(kind) for meta in _metas(part)]


async def _json() -> Mapping[str, Any]:
    """Return the JSON object that was sent."""
    body = await request.get_data(cache=False)
    if request.mimetype != JSON:
        abort(415, f"Send JSON, and say so: Content-Type: {JSON}. Nothing was changed.")
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        abort(400, "This is not JSON. Nothing was changed.")
    if not isinstance(sent, dict):
        abort(422, "Send a JSON object, such as {}. Nothing was changed.")
    return sent


async def _once(body: S, view: Callable[[S], Awaitable[Response]]) -> Response:
    """Let the view answer; under an Idempotency-Key once, and each repeat is told the same."""
    sent = request.headers.getlist(KEY)
    if not sent:
        return await view(body)
    if len(sent) > 1:
        raise WrongFields({KEY: TWICE})
    try:
        key = msgspec.convert(sent[0], IdempotencyKey)
    except msgspec.ValidationError:
        raise WrongFields({KEY: _sentence(IdempotencyKey)}) from None

    async def tell() -> StoredResponse:
        response = await view(body)
        return StoredResponse(response.status_code, response.location or "", await response.get_data(as_text=True))

    digest = hashlib.sha256(request.path.encode() + b"\n" + msgspec.json.encode(body)).hexdigest()
    ask = IdempotentRequest(auth.signed_in().user_id, key, digest)
    told, repeat = await idempotency.run_once(database(), ask, now(), tell)
    response = _reply(told)
    if repeat:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _reply(told: StoredResponse) -> Response:
    response = Response(told.body, told.status, content_type=JSON)
    if told.location:
        response.headers["Location"] = told.location
    return response


def _refuses(view: V, *statuses: int) -> V:
    setattr(view, PROBLEMS, {*getattr(view, PROBLEMS, ()), *statuses})
    return view
