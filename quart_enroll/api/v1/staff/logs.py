"""The audit log, which has every change by staff, and the access log, which has the records that they opened."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from quart import Response

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_query
from quart_enroll.api.v1.staff.log_schemas import (
    AccessEntrySchema,
    AccessPage,
    AccessQuery,
    AuditEntrySchema,
    AuditPage,
    AuditQuery,
)
from quart_enroll.db.client import Database
from quart_enroll.domain.audit import LogFilter
from quart_enroll.services.staff import access, audit
from quart_enroll.state import database

R = TypeVar("R")
FindPage = Callable[[Database, LogFilter, str, int], Awaitable[tuple[Sequence[R], str]]]


@responds_with(AuditPage)
@takes_query(AuditQuery)
async def audit_log(query: AuditQuery) -> Response:
    """List the changes that staff made."""
    found, next_cursor = await _page(audit.page, query, query.wanted(query.action))
    return respond(AuditPage([AuditEntrySchema.of(one) for one in found], next_cursor))


@responds_with(AccessPage)
@takes_query(AccessQuery)
async def access_log(query: AccessQuery) -> Response:
    """List who opened whose record."""
    found, next_cursor = await _page(access.page, query, query.wanted())
    return respond(AccessPage([AccessEntrySchema.of(one) for one in found], next_cursor))


async def _page(find_page: FindPage[R], query: AccessQuery, wanted: LogFilter) -> tuple[Sequence[R], str | None]:
    """Return a page of a log, and the cursor of the next one."""
    after = cursors.decode(query.cursor, str) if query.cursor else ""
    try:
        found, mark = await find_page(database(), wanted, after, query.limit)
    except ValueError:
        cursors.refuse()
    return found, cursors.encode(mark) if mark else None
