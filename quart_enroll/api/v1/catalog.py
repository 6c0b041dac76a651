"""The catalog: terms, courses and sections."""

from collections.abc import Sequence

from msgspec import UNSET
from quart import Response

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond_publicly, responds_with, takes_query
from quart_enroll.api.v1.schemas import (
    CoursePage,
    CourseQuery,
    CourseSchema,
    SectionPage,
    SectionQuery,
    SectionSchema,
    TermList,
    TermSchema,
)
from quart_enroll.domain import terms as domain_terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import UnknownCourse
from quart_enroll.domain.models import Section, Term
from quart_enroll.domain.search import Search, search
from quart_enroll.fastpath.response_cache import cache_public
from quart_enroll.state import catalog, now


@responds_with(TermList)
async def terms() -> Response:
    """List the terms that are not over."""
    offered = await _cacheable_catalog()
    return respond_publicly(TermList([TermSchema.of(term) for term in offered.active_terms(now())]))


@responds_with(CoursePage, problems=(404,))
@takes_query(CourseQuery)
async def courses(query: CourseQuery) -> Response:
    """List courses.

    Returns the whole catalog, or the courses that match every filter. `open_seats` looks at the sections in `term`, or
    in all terms.
    """
    offered = await _cacheable_catalog()
    filters = Search(
        words=query.q,
        subject=query.subject,
        credits="" if query.credits is UNSET else f"{query.credits:g}",
        open=query.open_seats is True,
    )
    found = search(offered, _term(offered, query.term) if query.term else None, filters)
    if query.open_seats is False:
        found = [one for one in found if not any(section.open_seats for section in one.sections)]
    courses = sorted((one.course for one in found), key=lambda course: course.courseID)  # as cursors need it
    page, next_cursor = cursors.paginate(courses, lambda course: [course.courseID], query.cursor, query.limit)
    return respond_publicly(CoursePage([CourseSchema.of(course) for course in page], next_cursor))


@responds_with(CourseSchema, problems=(404, 409))
async def course(courseID: str) -> Response:
    """Get a course."""
    found = (await _cacheable_catalog()).find_by_text(courseID)
    if found is None:
        raise UnknownCourse(courseID[:20])
    return respond_publicly(CourseSchema.of(found))


@responds_with(SectionPage, problems=(404, 409))
@takes_query(SectionQuery)
async def sections(query: SectionQuery) -> Response:
    """List sections with their open seats.

    Returns the sections of all courses in all terms, or those that match every filter.
    """
    offered = await _cacheable_catalog()
    courseID = UNSET if query.courseID is UNSET else offered.resolve_courseID(query.courseID)
    found = [
        section
        for section in _sections_in(offered, query.term)
        if (courseID is UNSET or section.courseID == courseID)
        and (query.open_seats is UNSET or bool(section.open_seats) == query.open_seats)
    ]
    page, next_cursor = cursors.paginate(
        found, lambda section: [section.term, section.courseID, section.section], query.cursor, query.limit
    )
    return respond_publicly(SectionPage([SectionSchema.of(section) for section in page], next_cursor))


async def _cacheable_catalog() -> Catalog:
    """Return the catalog, and declare that the response depends on nothing else."""
    offered = await catalog()
    cache_public(now(), offered)
    return offered


def _term(offered: Catalog, name: str) -> Term:
    """Return the term that the name means; raise UnknownTerm."""
    return domain_terms.find(name, offered.active_terms(now()), now())


def _sections_in(offered: Catalog, term_name: str) -> Sequence[Section]:
    """Return the sections in the term that the name means, or in all terms without a name; raise UnknownTerm."""
    if not term_name:
        return offered.sections
    term = _term(offered, term_name)
    return [section for section in offered.sections if section.term == term.term]
