"""Rosters: the students of a section, and dropping no-shows."""

from quart import Response, abort

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.staff.roster_schemas import (
    NoShowBody,
    NoShowResult,
    RosterPage,
    RosterQuery,
    RosterStudentSchema,
)
from quart_enroll.api.v1.staff.sections import open_section
from quart_enroll.domain import permissions
from quart_enroll.domain.models import SectionKey
from quart_enroll.services.staff import access, no_show
from quart_enroll.services.staff import roster as service
from quart_enroll.services.staff.roster import RosterRow, RosterStatus
from quart_enroll.state import database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.request import current_request

STATUS_ORDER = list(RosterStatus)
"""The order of the groups; each is sorted on its own."""


@responds_with(RosterPage, problems=(404,))
@takes_query(RosterQuery)
async def roster(query: RosterQuery) -> Response:
    """List the students of a section: enrolled, waiting in their order, withdrawn, and those who left.

    By default without those who opted out of the directory.
    """
    key = await _open_roster(query.key)
    rows = [
        row
        for row in await service.find(database(), key)
        if query.standing in ("", row.standing) and (query.opted_out or not row.student.directory_opt_out)
    ]
    page, next_cursor = cursors.paginate(sorted(rows, key=_sort_key), _sort_key, query.cursor, query.limit)
    return respond(RosterPage([RosterStudentSchema.of(row) for row in page], next_cursor))


@responds_with(NoShowResult, problems=(404, 409))
@takes_body(NoShowBody)
async def drop_no_shows(body: NoShowBody) -> Response:
    """Drop no-shows, until the census date.

    They lose their seats without a W, and each is notified. Their seats go to waiting students.
    """
    key = await _open_roster(body.key, to_manage=True)
    done = await no_show.drop(
        enrollment_context(), auth.signed_in(), key, dict.fromkeys(body.students), now(), preview=body.dry_run
    )
    return respond(NoShowResult.of(done, dry_run=body.dry_run))


async def _open_roster(key: SectionKey, *, to_manage: bool = False) -> SectionKey:
    """Return the section's stored key, and log that its roster is opened; abort with 404 outside the person's scope."""
    _, section = await open_section(key)
    staff = auth.signed_in()
    if to_manage and not permissions.can_manage_roster(staff, section.instructors):
        abort(404)
    await access.record_roster(database(), staff.user_id, section.key, current_request().route.endpoint, now())
    return section.key


def _sort_key(row: RosterRow) -> list[str]:
    """Return what sorts the rows, and stays the same while other students come and go."""
    rank = str(STATUS_ORDER.index(row.standing))
    match row.standing:
        case RosterStatus.WAITING:
            return [rank, f"{row.place:020}", str(row.student.user_id)]
        case RosterStatus.LEFT:
            return [rank, row.since.isoformat() if row.since else "", str(row.student.user_id)]
        case _:
            last_name, first_name, user_id = service.name_key(row)
            return [rank, last_name, first_name, str(user_id)]
