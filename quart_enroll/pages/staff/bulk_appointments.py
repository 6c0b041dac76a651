"""The page that assigns appointments to many students, and the one about such an assignment.

The changes are made by an import, whose page is the preview.
"""

import asyncio

from quart import Response, abort, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import bulk_appointments
from quart_enroll.domain.bulk_appointments import BulkAssignment, PlacedStudent, Ranking, Slot
from quart_enroll.domain.errors import WrongFields
from quart_enroll.domain.models import Term
from quart_enroll.forms.imports.ranks import RankRow
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.forms.imports.validation import check_rows, read_rows
from quart_enroll.forms.staff.bulk_appointments import BulkAppointmentsForm
from quart_enroll.i18n.language import ClockTime, Sentence, format_value
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import Column, Listing, export, requested_format
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.staff import bulk_appointments as service
from quart_enroll.services.staff import catalog_edits
from quart_enroll.state import database, import_wakeup, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

HERE = "staff_terms"

MAX_SHOWN_PROBLEMS = 5
"""Wrong rows of a file that the form names."""

ORDER: Listing[PlacedStudent] = Listing(
    "order",
    [
        Column("place", Sentence("Place"), lambda row: row.place),
        Column("user_id", Sentence("ID"), lambda row: str(row.student.user_id)),
        Column("rank", Sentence("Rank"), lambda row: row.student.rank),
        Column("sha256", Sentence("SHA-256"), lambda row: row.digest),
        Column("slot", Sentence("Slot"), lambda row: row.slot),
        Column("starts_at", Sentence("Begins"), lambda row: row.appointment.starts_at),
    ],
)


def _slot_listing(assignment: BulkAssignment) -> Listing[Slot]:
    rules = assignment.rules

    def rank(value: float) -> str:
        if rules.ranking is Ranking.LEVEL:
            return rules.levels[int(value) - 1] if value <= len(rules.levels) else str(Sentence("Others"))
        return f"{value:g}"

    def ranks(slot: Slot) -> str:
        first, last = rank(slot.first_rank), rank(slot.last_rank)
        return first if first == last else f"{first} – {last}"

    return Listing(
        "slots",
        [
            Column("slot", Sentence("Slot"), lambda row: row.number),
            Column("starts_at", Sentence("Begins"), lambda row: row.starts_at),
            Column("students", Sentence("Students"), lambda row: row.students),
            Column("rank", rules.ranking.label, ranks),
        ],
    )


LISTING: Listing[BulkAssignment] = Listing(
    "bulk-assignments",
    [
        Column(
            "begun_at",
            Sentence("Assigned"),
            lambda row: row.begun_at,
            url=lambda row: url_for("staff_bulk_assignment", assignment=row.assignment_id),
        ),
        Column("ranking", Sentence("Ranked by"), lambda row: row.rules.ranking.label),
        Column("restriction", Sentence("Which students"), lambda row: row.rules.restriction),
        Column("students", Sentence("Students"), lambda row: row.students),
    ],
)
"""The bulk assignments of a term."""


async def assign() -> ResponseReturnValue:
    """Show the form; or store the assignment, and lead to its preview."""
    term = await catalog_edits.find_term(database(), request.args.get("term", "")) or abort(404)
    form = await BulkAppointmentsForm.from_request()
    if request.method != "POST":
        return _form_page(form, term)
    import_id = await _prepare(form, term) if form.validate() else None
    if import_id is None:
        return _form_page(form, term), 422
    import_wakeup().call()
    return redirect(url_for("staff_import", import_id=import_id), 303)


async def _prepare(form: BulkAppointmentsForm, term: Term) -> str | None:
    """Return the import of the new assignment; None, with errors in the form, if there can't be one."""
    rules = form.rules(term)
    if rules is None:
        return None
    try:
        ranks = await _read_ranks(form) if form.is_by_file else None
        filename = form.file.data.filename if form.is_by_file else ""
        return await service.prepare(
            database(), auth.signed_in().user_id, term, rules, now(), ranks=ranks, filename=filename
        )
    except UnreadableFile as unreadable:
        form.file.errors = [str(one) for one in unreadable.sentences]
    except WrongFields as refusal:
        for name, text in refusal.fields.items():
            form[name].errors = [text]
    return None


async def _read_ranks(form: BulkAppointmentsForm) -> dict[int, int | float]:
    """Return the ranks of the file by user_id; raise UnreadableFile if any row is wrong."""
    rows = await asyncio.to_thread(read_rows, RankRow, form.file.data.filename, form.file.data.stream)
    try:
        checked = await asyncio.to_thread(check_rows, RankRow, rows, lambda number, row: row.read(number))
        return await service.find_ranks(database(), checked)
    except InvalidRows as invalid:
        raise UnreadableFile(*map(rows.describe, invalid.problems[:MAX_SHOWN_PROBLEMS])) from invalid


def _form_page(form: BulkAppointmentsForm, term: Term) -> RenderedPage:
    return render_staff("staff/bulk_appointments.html", HERE, form=form, term=term)


async def assignment() -> RenderedPage | Response:
    """Show how an assignment was made, and its slots; or return its order as a file."""
    found = await service.find(database(), request.args.get("assignment", "")) or abort(404)
    term = await catalog_edits.find_term(database(), found.rules.term) or abort(404)
    if requested_format():
        return await export(ORDER, service.batches(database(), found, term))
    return render_staff("staff/bulk_assignment.html", HERE, term=term, order=ORDER, **await shown(found))


async def shown(found: BulkAssignment) -> dict[str, object]:
    """Return what templates show of an assignment: nothing if the term is gone."""
    term = await catalog_edits.find_term(database(), found.rules.term)
    if term is None:
        return {}
    slots = bulk_appointments.slots(await service.place(database(), found, term))
    return {"facts": _facts(found), "slots": slots, "slot_listing": _slot_listing(found)}


def _facts(found: BulkAssignment) -> list[tuple[Sentence, str]]:
    """Return the settings that an assignment has, in words."""
    rules, ranked_by = found.rules, [str(found.rules.ranking.label), *found.rules.levels]
    facts = [
        (Sentence("Students"), format_value(found.students)),
        (Sentence("Which students"), rules.restriction),
        (Sentence("Ranked by"), "; ".join(filter(None, [*ranked_by, found.filename]))),
        (Sentence("Students per slot"), format_value(rules.slot_size)),
        (Sentence("Minutes between slots"), format_value(rules.interval_minutes)),
        (Sentence("Latest start of a slot"), str(ClockTime(f"{rules.last_start:%H:%M}")) if rules.last_start else ""),
        (Sentence("Length of an appointment in minutes"), format_value(rules.duration_minutes or "")),
        (Sentence("Credit limit"), "" if rules.max_credits is None else format_value(rules.max_credits)),
        (Sentence("Seed"), rules.seed),
    ]
    return [(label, text) for label, text in facts if text]
