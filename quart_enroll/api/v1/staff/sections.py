"""Sections: the list, one of them, and how they are added, edited and canceled."""

from dataclasses import replace
from typing import NamedTuple

from msgspec import UNSET
from quart import Response, abort, url_for

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.staff.rows import check_row, given
from quart_enroll.api.v1.staff.section_schemas import (
    CancelSectionBody,
    EditSectionBody,
    NewSectionBody,
    SectionCancellation,
    SectionEdit,
    SectionKeyQuery,
    StaffSectionPage,
    StaffSectionQuery,
    StaffSectionSchema,
)
from quart_enroll.domain import permissions
from quart_enroll.domain import terms as domain_terms
from quart_enroll.domain.errors import (
    Difference,
    SectionEditConflict,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
    WrongFields,
)
from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Course, Section, SectionKey, SectionStatus
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.staff.sections import SectionForm
from quart_enroll.services.staff import cancellation
from quart_enroll.services.staff import sections as service
from quart_enroll.services.staff.catalog_edits import audit_change
from quart_enroll.state import catalog, database, enrollment_context, now
from quart_enroll.web import auth


class OfferedSection(NamedTuple):
    """A section with its course."""

    course: Course
    section: Section


@responds_with(StaffSectionPage, problems=(404, 409))
@takes_query(StaffSectionQuery)
async def staff_sections(query: StaffSectionQuery) -> Response:
    """List the sections of a term.

    Returns the sections that you may see and that match every filter.
    """
    offered, staff = await catalog(), auth.signed_in()
    term = domain_terms.find(query.term, offered.terms, now()) if query.term else offered.current_term(now())
    found = [OfferedSection(*one) for one in (await service.find_offered(database(), term.term) if term else [])]
    wanted = [
        one
        for one in found
        if permissions.can_read_section(staff, one.course.subject, one.section.instructors) and _is_wanted(one, query)
    ]
    page, next_cursor = cursors.paginate(
        wanted, lambda one: [one.section.courseID, one.section.section], query.cursor, query.limit
    )
    return respond(StaffSectionPage([StaffSectionSchema.of(*one) for one in page], next_cursor))


@responds_with(StaffSectionSchema, problems=(404,))
@takes_query(SectionKeyQuery)
async def staff_section(query: SectionKeyQuery) -> Response:
    """Get a section."""
    return respond(StaffSectionSchema.of(*await open_section(query.key)))


@responds_with(StaffSectionSchema, 201, problems=(404, 409))
@takes_body(NewSectionBody)
async def add_section(body: NewSectionBody) -> Response:
    """Add a section."""
    course = (await catalog()).find(body.courseID)
    if course is None:
        raise UnknownCourse(body.courseID)
    staff = auth.signed_in()
    if not permissions.can_change_section(staff, course.subject):
        raise WrongFields({"courseID": "You can only add sections to courses of your subjects."})
    row = check_row(SectionRow, given(body))
    wanted = replace(await _read(row), courseID=course.courseID)
    key = await service.create(enrollment_context(), staff.user_id, wanted, now())
    location = url_for("v1_staff_section", term=key.term, courseID=key.courseID, section=key.section)
    return respond(StaffSectionSchema.of(*await open_section(key)), 201, location)


@responds_with(SectionEdit, problems=(404, 409))
@takes_body(EditSectionBody)
async def edit_section(body: EditSectionBody) -> Response:
    """Edit a section.

    If someone else has changed it since the `revision`, nothing is stored, and the problem lists the `differences`.
    """
    course, section = await open_section(body.key, to_change=True)
    cells = SectionForm.values_of(section, []) | given(body, "dry_run")
    wanted = await _read(check_row(SectionRow, cells, without=("revision",)))
    if body.instructors is UNSET:
        wanted = replace(wanted, instructors=section.instructors)
    wanted = replace(wanted, revision=body.revision)
    try:
        effects = await service.edit(
            enrollment_context(), auth.signed_in().user_id, wanted, now(), preview=body.dry_run
        )
    except SectionEditConflict as refusal:
        raise SectionEditConflict(refusal.current, _differences(wanted, refusal.current)) from refusal
    return respond(SectionEdit.of(course, effects, dry_run=body.dry_run))


@responds_with(SectionCancellation, problems=(404, 409))
@takes_body(CancelSectionBody)
async def cancel_section(body: CancelSectionBody) -> Response:
    """Cancel a section.

    Its students lose their places and are told which other sections fit. Its number can't be used again in the term.
    """
    course, section = await open_section(body.key)
    if not permissions.can_change_section(auth.signed_in(), course.subject):
        abort(404)
    if body.dry_run:
        lost = await cancellation.preview(database(), section.key, now())
    else:
        lost = await cancellation.cancel(
            enrollment_context(), auth.signed_in().user_id, section.key, body.revision, body.reason, now()
        )
    return respond(SectionCancellation.of(lost, dry_run=body.dry_run))


async def open_section(key: SectionKey, *, to_change: bool = False) -> OfferedSection:
    """Return the section; abort with 404 if it is outside the person's scope, or was canceled and is `to_change`."""
    try:
        _, course, section = await service.find(database(), key)
    except (UnknownTerm, UnknownCourse, UnknownSection):
        abort(404)
    staff = auth.signed_in()
    if to_change:
        can_change = permissions.can_change_section(staff, course.subject)
        is_open = can_change and section.status is not SectionStatus.CANCELLED
    else:
        is_open = permissions.can_read_section(staff, course.subject, section.instructors)
    if not is_open:
        abort(404)
    return OfferedSection(course, section)


async def _read(row: SectionRow) -> Section:
    """Return the section of a valid row; raise WrongFields for instructors without an account."""
    return replace(row.read(), instructors=await service.find_instructors(database(), row.read_instructors()))


def _differences(wanted: Section, current: Section) -> list[Difference]:
    changes = map(audit_change, service.differences(wanted, current))
    return [Difference(one.field, one.old, one.new) for one in changes]


def _is_wanted(one: OfferedSection, query: StaffSectionQuery) -> bool:
    course, section = one
    text = fold(f"{section.courseID}-{section.section} {course.title} {section.instructor} {section.room}")
    has_seats = {
        "open": section.open_seats > 0,
        "full": section.seats_taken >= section.capacity,
        "waiting": section.waiting > 0,
    }
    return (
        has_seats.get(query.seats, True)
        and query.subject in ("", course.subject)
        and query.status in ("", section.status)
        and (not query.courseID or query.courseID == section.courseID)
        and all(word in text for word in fold(query.q).split())
    )
