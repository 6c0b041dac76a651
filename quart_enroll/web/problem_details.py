"""How the API says no: problems of RFC 9457, with the codes that errors.py has for the pages too."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct, json
from quart import Response, g, request

API = "/api/v1/"
"""Where the API lives; what lies elsewhere answers as pages do."""

MEDIA_TYPE = "application/problem+json"


class WrongField(Struct, frozen=True):
    """A field that can't be taken, and why."""

    field: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why not: in words, and as a code that stays."""

    type: Annotated[str, Meta(description="Where the kind of problem is explained.")]
    title: Annotated[str, Meta(description="The kind of problem in a few words.")]
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="What is wrong here, for people.")]
    code: Annotated[str, Meta(description="What is wrong, for programs.", examples=["section_full"])]
    request_id: Annotated[str, Meta(description="Name it when you write to us about this.")] = ""
    errors: Annotated[list[WrongField], Meta(description="The fields that can’t be taken.")] = []
    terms: Annotated[list[str], Meta(description="The terms that there are, when yours is none of them.")] = []
    courses: Annotated[
        list[str], Meta(description="The courseIDs that would be dropped too, or that the number may mean.")
    ] = []


def wanted() -> bool:
    """Tell whether the request is one of the API."""
    return request.path.startswith(API)


def answer(status: int, code: str, detail: str, **more: Sequence[Any]) -> Response:
    """Return the problem as the API tells it; `more` are further fields of it."""
    problem = Problem(
        type=f"{API}docs#{code}",
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
    """Ask for a token, and programs for a password too: a browser that was asked would send it with every request,
    those of foreign pages included."""
    from_browser = "Sec-Fetch-Site" in request.headers or "Origin" in request.headers
    return 'Bearer realm="Quart Enroll"' + ("" if from_browser else ', Basic realm="Quart Enroll", charset="UTF-8"')
