"""The catalog as JSON, as the Flask site gives it."""

from typing import Any

from quart import Response, jsonify

from quart_enroll.context import database
from quart_enroll.errors import UnknownCourse
from quart_enroll.models import Course
from quart_enroll.repositories import courses

FIELDS = ("courseID", "title", "description", "credits", "term")
"""What the Flask site tells of a course."""


async def api(idx: str | None = None) -> Response | tuple[Response, int]:
    """Answer with all courses in the order of courseID, or with one: by its place in that order, or its courseID."""
    catalog = await courses.find_all(database())
    if idx is None:
        return jsonify([_told(course) for course in catalog])
    course = _pick(catalog, idx)
    if course is None:
        refusal = UnknownCourse(idx[:20])
        return jsonify(error=refusal.code, message=refusal.sentence), 404
    return jsonify(_told(course))


def _told(course: Course) -> dict[str, Any]:
    return {name: getattr(course, name) for name in FIELDS}


def _pick(catalog: list[Course], idx: str) -> Course | None:
    if idx.isascii() and idx.isdigit() and len(idx) < 10 and int(idx) < len(catalog):
        return catalog[int(idx)]
    return next((course for course in catalog if course.courseID == idx), None)
