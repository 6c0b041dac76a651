"""The audit log: what staff changed, for whom and why."""

from collections.abc import Mapping
from functools import partial
from typing import TypeAlias

from quart import request

from quart_enroll.domain.audit import ACTIONS, About, AuditEntry
from quart_enroll.forms.staff.logs import AuditLogForm
from quart_enroll.i18n.language import Sentence, TermName, Value
from quart_enroll.pages.staff.listing import Column, Listing
from quart_enroll.pages.staff.logs import LogResponse, actor_columns, log_page, person_columns, time_column
from quart_enroll.services.staff import audit as audit_log
from quart_enroll.services.staff.named_entries import NamedEntry
from quart_enroll.state import catalog, database

Row: TypeAlias = NamedEntry[AuditEntry]


async def audit() -> LogResponse:
    titles = {course.courseID: course.title for course in (await catalog()).courses}
    listing: Listing[Row] = Listing(
        "audit",
        [
            time_column(),
            *actor_columns(),
            Column("action", Sentence("Action"), lambda row: ACTIONS.get(row.entry.action, row.entry.action)),
            Column("about", Sentence("About"), lambda row: _about(row.entry.about, titles)),
            *person_columns(),
            Column("reason", Sentence("Reason"), lambda row: row.entry.reason),
            Column("overrides", Sentence("Overrides"), lambda row: ", ".join(row.entry.overrides)),
            Column("changes", Sentence("Changes"), _changes),
        ],
    )
    form = AuditLogForm(request.args)
    return await log_page(
        "staff/audit.html", listing, form, partial(audit_log.page, database()), partial(audit_log.batches, database())
    )


def _about(about: About, titles: Mapping[str, str]) -> str | Sentence:
    where: dict[str, Value] = {
        "title": titles.get(about.courseID, about.courseID),
        "section": about.section,
        "term": TermName(about.term),
    }
    if about.section:
        return Sentence("%(title)s, section %(section)s, %(term)s", **where)
    return about.name or titles.get(about.courseID, about.courseID) or str(TermName(about.term))


def _changes(row: Row) -> str:
    return "; ".join(f"{change.field}: {change.old or '–'} → {change.new or '–'}" for change in row.entry.changes)
