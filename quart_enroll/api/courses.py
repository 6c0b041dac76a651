"""The catalog as JSON, with the URLs and fields of the Flask site."""

from typing import Any, cast

from quart import Response, jsonify, redirect, url_for

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import UnknownCourse
from quart_enroll.domain.models import Course
from quart_enroll.fastpath.response_cache import cache_public
from quart_enroll.state import catalog, now

API_VERSION = "v1"
"""The root of the newer API, unless a course has that number."""

COURSE_FIELDS = ("courseID", "title", "description", "credits", "term")
"""The fields of a course on the Flask site."""


async def api(idx: str | None = None) -> Response | tuple[Response, int]:
    """Return all courses sorted by courseID, or one of them: by its index in that order, or by its courseID."""
    offered = await catalog()
    cache_public(now(), offered)
    if idx is None:
        return jsonify([_serialize(course) for course in offered.courses])
    course = _find(offered, idx)
    if course is None and idx == API_VERSION:
        return cast(Response, redirect(url_for("v1_docs")))
    if course is None:
        refusal = UnknownCourse(idx[:20])
        return jsonify(error=refusal.code, message=refusal.text), 404
    return jsonify(_serialize(course))


def _serialize(course: Course) -> dict[str, Any]:
    return {name: getattr(course, name) for name in COURSE_FIELDS}


def _find(offered: Catalog, idx: str) -> Course | None:
    courses = offered.courses
    if idx.isascii() and idx.isdigit() and len(idx) < 10 and int(idx) < len(courses):
        return courses[int(idx)]
    return offered.find(idx)
