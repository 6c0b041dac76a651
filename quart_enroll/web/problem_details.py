"""The API's error responses: problem details (RFC 9457), with the codes of the domain's errors."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct, json
from quart import Response, g, request

API_PREFIX = "/api/v1/"
"""The beginning of the API's paths."""

MEDIA_TYPE = "application/problem+json"


class WrongField(Struct, frozen=True):
    """An invalid field, and why it is invalid."""

    field: str
    detail: str


class DifferentField(Struct, frozen=True):
    """A field that someone else has changed since you read it: what you sent, and what is stored."""

    field: str
    yours: str
    current: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """The reason for an error, in words and as a stable code."""

    type: Annotated[str, Meta(description="The URL that explains this kind of problem.")]
    title: Annotated[str, Meta(description="The kind of problem in a few words.")]
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="What is wrong, for people.")]
    code: Annotated[str, Meta(description="What is wrong, for programs.", examples=["section_full"])]
    request_id: Annotated[str, Meta(description="Include it when you report the problem.")] = ""
    errors: Annotated[list[WrongField], Meta(description="The invalid fields.")] = []
    terms: Annotated[list[str], Meta(description="The existing terms, if yours is not one of them.")] = []
    courses: Annotated[
        list[str], Meta(description="The courses that would be dropped too, or that the number could mean.")
    ] = []
    differences: Annotated[
        list[DifferentField], Meta(description="The fields that someone else has changed since you read them.")
    ] = []


def is_api_request() -> bool:
    """Tell whether the request is for the API."""
    return request.path.startswith(API_PREFIX)


def problem_response(status: int, code: str, detail: str, **more: Sequence[Any]) -> Response:
    """Return the problem as a response; `more` are further fields of it."""
    problem = Problem(
        type=f"{API_PREFIX}docs#{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        request_id=g.get("request_id", ""),
        **{name: list(values) for name, values in more.items()},
    )
    response = Response(json.encode(problem), status, content_type=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = _challenge()
    return response


def _challenge() -> str:
    """Ask for a token, and programs also for a password: a browser would send it with every request, even for pages of
    other sites."""
    from_browser = "Sec-Fetch-Site" in request.headers or "Origin" in request.headers
    return 'Bearer realm="Quart Enroll"' + ("" if from_browser else ', Basic realm="Quart Enroll", charset="UTF-8"')
