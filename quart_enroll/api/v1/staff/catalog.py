"""Terms and courses: the lists, one of them, and how they are added and edited."""

from quart import Response, abort, url_for

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.schemas import CoursePage, CourseSchema
from quart_enroll.api.v1.staff.catalog_schemas import (
    CourseEdit,
    CourseKeyQuery,
    EditCourseBody,
    EditTermBody,
    NewCourseBody,
    NewTermBody,
    StaffCourseQuery,
    StaffTermList,
    StaffTermSchema,
    TermEdit,
    TermQuery,
)
from quart_enroll.api.v1.staff.rows import check_row, given
from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Course, Term
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.forms.imports.terms import TermRow
from quart_enroll.forms.staff.catalog import CourseForm, TermForm
from quart_enroll.services.staff import catalog_edits
from quart_enroll.state import database, now
from quart_enroll.web import auth


@responds_with(StaffTermList)
async def staff_terms() -> Response:
    """List all terms."""
    found = await catalog_edits.find_terms(database())
    return respond(StaffTermList([StaffTermSchema.of(term) for term in found]))


@responds_with(StaffTermSchema, problems=(404,))
@takes_query(TermQuery)
async def staff_term(query: TermQuery) -> Response:
    """Get a term."""
    return respond(StaffTermSchema.of(await _find_term(query.term)))


@responds_with(StaffTermSchema, 201, problems=(409,))
@takes_body(NewTermBody)
async def add_term(body: NewTermBody) -> Response:
    """Add a term."""
    term = check_row(TermRow, given(body)).read()
    await catalog_edits.add_term(database(), auth.signed_in().user_id, term, now())
    return respond(StaffTermSchema.of(term), 201, url_for("v1_staff_term", term=term.term))


@responds_with(TermEdit, problems=(404, 409))
@takes_body(EditTermBody)
async def edit_term(body: EditTermBody) -> Response:
    """Edit a term.

    A later deadline can give seats to students who are waiting; `gained` lists them.
    """
    cells = TermForm.values_of(await _find_term(body.term))
    term = check_row(TermRow, cells | given(body, "dry_run")).read()
    result = await catalog_edits.edit_term(database(), auth.signed_in().user_id, term, now(), preview=body.dry_run)
    return respond(TermEdit.of(term, result, dry_run=body.dry_run))


@responds_with(CoursePage)
@takes_query(StaffCourseQuery)
async def staff_courses(query: StaffCourseQuery) -> Response:
    """List all courses, or those that match every filter."""
    found = [one for one in await catalog_edits.find_courses(database()) if _is_wanted(one, query)]
    page, next_cursor = cursors.paginate(found, lambda course: [course.courseID], query.cursor, query.limit)
    return respond(CoursePage([CourseSchema.of(course) for course in page], next_cursor))


@responds_with(CourseSchema, problems=(404,))
@takes_query(CourseKeyQuery)
async def staff_course(query: CourseKeyQuery) -> Response:
    """Get a course as it is stored."""
    return respond(CourseSchema.of(await _find_course(query.courseID)))


@responds_with(CourseSchema, 201, problems=(409,))
@takes_body(NewCourseBody)
async def add_course(body: NewCourseBody) -> Response:
    """Add a course."""
    course = check_row(CourseRow, given(body)).course()
    await catalog_edits.add_course(database(), auth.signed_in().user_id, course, now())
    return respond(CourseSchema.of(course), 201, url_for("v1_staff_course", courseID=course.courseID))


@responds_with(CourseEdit, problems=(404, 409))
@takes_body(EditCourseBody)
async def edit_course(body: EditCourseBody) -> Response:
    """Edit a course.

    Fewer prerequisites can give seats to students who are waiting; `gained` lists them.
    """
    cells = CourseForm.values_of(await _find_course(body.courseID))
    course = check_row(CourseRow, cells | given(body, "dry_run")).course()
    result = await catalog_edits.edit_course(database(), auth.signed_in().user_id, course, now(), preview=body.dry_run)
    return respond(CourseEdit.of(course, result, dry_run=body.dry_run))


async def _find_term(name: str) -> Term:
    return await catalog_edits.find_term(database(), name) or abort(404)


async def _find_course(courseID: str) -> Course:
    return await catalog_edits.find_course(database(), courseID) or abort(404)


def _is_wanted(course: Course, query: StaffCourseQuery) -> bool:
    text = fold(f"{course.courseID} {course.title} {course.description}")
    return query.subject in ("", course.subject) and all(word in text for word in fold(query.q).split())
