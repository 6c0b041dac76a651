"""The audit log: what staff changed, for whom and why."""

from functools import partial
from typing import TypeAlias

from quart import request

from quart_enroll.domain.actors import Override
from quart_enroll.domain.audit import ACTIONS, AuditEntry
from quart_enroll.forms.staff.logs import AuditLogForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.staff.listing import Column, Listing
from quart_enroll.pages.staff.logs import (
    LogResponse,
    about_text,
    actor_columns,
    log_page,
    person_columns,
    time_column,
)
from quart_enroll.services.staff import audit as audit_log
from quart_enroll.services.staff.named_entries import NamedEntry
from quart_enroll.state import catalog, database

Row: TypeAlias = NamedEntry[AuditEntry]


async def audit() -> LogResponse:
    titles = (await catalog()).titles
    listing: Listing[Row] = Listing(
        "audit",
        [
            time_column(),
            *actor_columns(),
            Column("action", Sentence("Action"), lambda row: ACTIONS.get(row.entry.action, row.entry.action)),
            Column("about", Sentence("About"), lambda row: about_text(row.entry.about, titles)),
            *person_columns(),
            Column("details", Sentence("Details"), _details, only_on_pages=True),
            Column("reason", Sentence("Reason"), lambda row: row.entry.reason, only_in_files=True),
            Column("overrides", Sentence("Overrides"), lambda row: ", ".join(row.entry.overrides), only_in_files=True),
            Column("changes", Sentence("Changes"), lambda row: "; ".join(_changes(row)), only_in_files=True),
        ],
    )
    form = AuditLogForm(request.args)
    return await log_page(
        "staff/audit.html", listing, form, partial(audit_log.page, database()), partial(audit_log.batches, database())
    )


def _details(row: Row) -> str:
    """Return the reason, the overrides and the changes, each on a line of its own."""
    overrides = [str(Override(one).label) if one in set(Override) else one for one in row.entry.overrides]
    lines = [row.entry.reason, gettext("Overrides: %(overrides)s", overrides=overrides) if overrides else ""]
    return "\n".join(filter(None, [*lines, *_changes(row)]))


def _changes(row: Row) -> list[str]:
    return [f"{change.field}: {change.old or '–'} → {change.new or '–'}" for change in row.entry.changes]
