"""The catalog: terms, courses, sections."""

from collections.abc import Sequence

from msgspec import UNSET
from quart import Response

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.exchange import answers_with, shared, takes_query
from quart_enroll.api.v1.shapes import (
    Course,
    CourseQuery,
    Courses,
    Section,
    SectionQuery,
    Sections,
    Term,
    Terms,
)
from quart_enroll.domain import terms as calendar
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import UnknownCourse
from quart_enroll.domain.models import Section as KnownSection
from quart_enroll.domain.search import has_words
from quart_enroll.fastpath.response_cache import cache_public
from quart_enroll.state import catalog, now


@answers_with(Terms)
async def terms() -> Response:
    """List the terms.

    Those in which something can still be done.
    """
    offered = await _offered()
    return shared(Terms([Term.of(term) for term in offered.active_terms(now())]))


@answers_with(Courses, refuses=(404,))
@takes_query(CourseQuery)
async def courses(query: CourseQuery) -> Response:
    """List courses.

    All of the catalog, or those that fit every filter. `open_seats` looks at the sections of `term`, or of all terms.
    """
    offered = await _offered()
    sections = _taught(offered, query.term)
    taught = {one.courseID for one in sections}
    with_seats = {one.courseID for one in sections if one.open_seats}
    found = [
        one
        for one in offered.courses
        if (not query.term or one.courseID in taught)
        and (not query.subject or one.subject.casefold() == query.subject.casefold())
        and (query.credits is UNSET or one.credits == query.credits)
        and (query.open_seats is UNSET or (one.courseID in with_seats) == query.open_seats)
        and has_words(one, query.q)
    ]
    shown, cursor = cursors.page(found, lambda one: [one.courseID], query.cursor, query.limit)
    return shared(Courses([Course.of(one) for one in shown], cursor))


@answers_with(Course, refuses=(404, 409))
async def course(courseID: str) -> Response:
    """Show a course."""
    found = (await _offered()).find_by_text(courseID)
    if found is None:
        raise UnknownCourse(courseID[:20])
    return shared(Course.of(found))


@answers_with(Sections, refuses=(404, 409))
@takes_query(SectionQuery)
async def sections(query: SectionQuery) -> Response:
    """List sections and their open seats.

    Of one term or all, of one course or all.
    """
    offered = await _offered()
    courseID = UNSET if query.courseID is UNSET else offered.resolve_courseID(query.courseID)
    found = [
        one
        for one in _taught(offered, query.term)
        if (courseID is UNSET or one.courseID == courseID)
        and (query.open_seats is UNSET or bool(one.open_seats) == query.open_seats)
    ]
    shown, cursor = cursors.page(found, lambda one: [one.term, one.courseID, one.section], query.cursor, query.limit)
    return shared(Sections([Section.of(one) for one in shown], cursor))


async def _offered() -> Catalog:
    offered = await catalog()
    cache_public(now(), offered)
    return offered


def _taught(offered: Catalog, term: str) -> Sequence[KnownSection]:
    """Return the sections of the term that is meant, of all terms when none is."""
    if not term:
        return offered.sections
    meant = calendar.find(term, offered.active_terms(now()), now())
    return [one for one in offered.sections if one.term == meant.term]
