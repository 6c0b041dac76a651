"""The catalog as JSON, as the Flask site gives it."""

from typing import Any

from quart import Response, jsonify

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import UnknownCourse
from quart_enroll.domain.models import Course
from quart_enroll.fastpath.response_cache import cache_public
from quart_enroll.state import catalog, now

FIELDS = ("courseID", "title", "description", "credits", "term")
"""What the Flask site tells of a course."""


async def api(idx: str | None = None) -> Response | tuple[Response, int]:
    """Answer with all courses in the order of courseID, or with one: by its place in that order, or its courseID."""
    offered = await catalog()
    taught = offered.courses
    cache_public(now(), offered)
    if idx is None:
        return jsonify([_told(course) for course in taught])
    course = _pick(offered, idx)
    if course is None:
        refusal = UnknownCourse(idx[:20])
        return jsonify(error=refusal.code, message=refusal.text), 404
    return jsonify(_told(course))


def _told(course: Course) -> dict[str, Any]:
    return {name: getattr(course, name) for name in FIELDS}


def _pick(offered: Catalog, idx: str) -> Course | None:
    taught = offered.courses
    if idx.isascii() and idx.isdigit() and len(idx) < 10 and int(idx) < len(taught):
        return taught[int(idx)]
    return offered.find(idx)
