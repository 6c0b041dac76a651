"""Imports of files: the list, and the steps of one: its file, its columns, what it would do, and its outcome."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import IO, TypeAlias

from quart import Response, abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import permissions
from quart_enroll.domain.actors import Override
from quart_enroll.domain.roles import Role
from quart_enroll.domain.stored_import import (
    ABOUT_STUDENTS,
    APPOINTMENTS,
    HOLDS,
    MATCHABLE_STATES,
    PENDING_STATES,
    FileColumn,
    ImportState,
    Outcome,
    StoredImport,
)
from quart_enroll.forms.imports import matching
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.forms.staff.imports import KIND_NAMES, BeginForm, ColumnsForm, UploadForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.paging import page_of, page_url, requested_page
from quart_enroll.pages.staff import bulk_appointments
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, export, requested_format
from quart_enroll.pages.staff.sections import in_batches
from quart_enroll.services.staff import bulk_appointments as bulk_appointments_service
from quart_enroll.services.staff import hold_types
from quart_enroll.services.staff import imports as service
from quart_enroll.state import catalog, database, import_wakeup, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

HERE = "staff_imports"

SHOWN_ROWS = 50
"""Rows of each kind that the preview shows; the file has all of them."""

STATE_NAMES = {
    ImportState.UPLOADED: Sentence("Columns not matched yet"),
    ImportState.CHECKING: Sentence("Checking"),
    ImportState.CHECKED: Sentence("Ready to import"),
    ImportState.REFUSED: Sentence("Can’t be imported"),
    ImportState.RUNNING: Sentence("Importing"),
    ImportState.DONE: Sentence("Imported"),
    ImportState.FAILED: Sentence("Failed"),
}

OUTCOME_NAMES = {
    "added": Sentence("Added"),
    "changed": Sentence("Changed"),
    "unchanged": Sentence("Unchanged"),
    "refused": Sentence("Refused"),
    "gained": Sentence("Gets a seat"),
}

ListedImport: TypeAlias = tuple[StoredImport, str]

LISTING: Listing[ListedImport] = Listing(
    "imports",
    [
        Column("file", Sentence("File"), lambda row: row[0].filename, url=lambda row: _url(row[0].import_id)),
        Column("kind", Sentence("Contents"), lambda row: KIND_NAMES[row[0].kind]),
        Column("at", Sentence("Time"), lambda row: row[0].at),
        Column("author", Sentence("Done by"), lambda row: row[1]),
        Column("state", Sentence("Result"), lambda row: _outcome(row[0])),
    ],
)

_ROW: Column[Outcome] = Column("row", Sentence("Row"), lambda row: row.number or None)

OUTCOMES: Listing[Outcome] = Listing(
    "import",
    [
        _ROW,
        Column("what", Sentence("Result"), lambda row: OUTCOME_NAMES[row.what]),
        Column("column", Sentence("Column"), lambda row: row.column),
        Column("text", Sentence("Details"), lambda row: row.text),
    ],
)

STUDENT_OUTCOMES: Listing[Outcome] = Listing(
    "import", [_ROW, Column("student", Sentence("Student"), lambda row: row.student), *OUTCOMES.columns[1:]]
)
"""The outcomes of rows that are about students."""


async def imports() -> RenderedPage | Response:
    found = await service.find_latest(database())
    if requested_format():
        return await export(LISTING, in_batches(found))
    page = page_of(found, requested_page(len(found), ROWS_PER_PAGE), ROWS_PER_PAGE)
    return render_staff("staff/imports.html", HERE, listing=LISTING, page=page, page_url=page_url)


async def new_import() -> ResponseReturnValue:
    wanted = request.args.get("kind", "")
    form = await UploadForm.from_request(kind=wanted)
    form.leave_out(await _unused_kinds() - {wanted})
    if request.method != "POST":
        return _upload_page(form)
    if not form.validate():
        return _upload_page(form), 422
    filename, file, kind = form.file.data.filename, form.file.data.stream, str(form.kind.data)
    try:
        found = await asyncio.to_thread(_read_columns, kind, filename, file)
    except UnreadableFile as unreadable:
        form.file.errors = [str(one) for one in unreadable.sentences]
        return _upload_page(form), 422
    import_id = await service.upload(
        database(),
        auth.signed_in().user_id,
        kind,
        filename,
        file,
        now(),
        found=found,
        reason=form.reason.data or "",
        overrides=form.chosen_overrides,
    )
    return redirect(url_for("staff_import_columns", import_id=import_id), 303)


async def columns() -> ResponseReturnValue:
    stored = await _requested()
    if stored.state not in MATCHABLE_STATES:
        return redirect(_url(stored.import_id), 303)
    form = await ColumnsForm.for_import(stored)
    if request.method != "POST":
        return _columns_page(stored, form)
    if not form.check(stored):
        return _columns_page(stored, form), 422
    await service.choose_columns(database(), stored.import_id, form.chosen(stored.found))
    import_wakeup().call()
    return redirect(_url(stored.import_id), 303)


async def one_import() -> ResponseReturnValue:
    stored = await _requested()
    staff_id = auth.signed_in().user_id
    if request.method == "POST":
        if not _can_begin(stored):
            abort(403)
        form = await BeginForm.from_request()
        if form.validate() and await service.begin(
            database(), stored.import_id, staff_id, form.checks.data or 0, now()
        ):
            import_wakeup().call()
        elif (await _requested()).state is ImportState.CHECKED:
            await flash(
                gettext(
                    "The file has been checked again in the meantime. Review the new preview before you import it."
                ),
                "warning",
            )
        return redirect(_url(stored.import_id), 303)
    if requested_format():
        return await _file(stored)
    if stored.state is ImportState.UPLOADED:
        return redirect(url_for("staff_import_columns", import_id=stored.import_id))
    found = await bulk_appointments_service.find_by_import(database(), stored.import_id)
    preview: Mapping[str, Sequence[Outcome]] = {}
    assignment: dict[str, object] = {"assignment": found, "slots": ()}
    if stored.state in MATCHABLE_STATES:
        preview = await service.find_preview(database(), stored.import_id, SHOWN_ROWS)
        assignment |= await bulk_appointments.shown(found) if found else {}
    elif stored.kind in ABOUT_STUDENTS:
        preview = {"refused": await service.find_refused(database(), stored.import_id, SHOWN_ROWS)}
    return _import_page(stored, preview, assignment)


async def _unused_kinds() -> set[str]:
    """Return the kinds of files for rules that the school doesn't use."""
    has_holds = bool(await hold_types.find_all(database()))
    has_appointments = any(term.open_enrollment_at for term in (await catalog()).terms)
    return {kind for kind, is_used in ((HOLDS, has_holds), (APPOINTMENTS, has_appointments)) if not is_used}


def _import_page(
    stored: StoredImport, preview: Mapping[str, Sequence[Outcome]], assignment: Mapping[str, object]
) -> RenderedPage:
    return render_staff(
        "staff/import.html",
        HERE,
        stored=stored,
        kind=KIND_NAMES[stored.kind],
        state=STATE_NAMES[stored.state],
        is_pending=stored.state in PENDING_STATES,
        can_match=stored.state in MATCHABLE_STATES,
        is_registrar=Role.REGISTRAR in auth.signed_in().roles,
        is_about_students=stored.kind in ABOUT_STUDENTS,
        overrides=[one.label for one in Override if one in stored.overrides],
        can_begin=_can_begin(stored),
        changes=stored.preview.added + stored.preview.changed,
        preview=preview,
        listing=_outcomes(stored),
        **assignment,
    )


def _can_begin(stored: StoredImport) -> bool:
    """Return whether the person may run the import: only its author saw what it would do to the author's students."""
    return stored.kind not in ABOUT_STUDENTS or stored.author == auth.signed_in().user_id


def _outcomes(stored: StoredImport) -> Listing[Outcome]:
    return STUDENT_OUTCOMES if stored.kind in ABOUT_STUDENTS else OUTCOMES


async def _file(stored: StoredImport) -> Response:
    return await export(_outcomes(stored), service.outcomes(database(), stored))


async def _requested() -> StoredImport:
    stored = await service.find(database(), request.args.get("import_id", ""))
    if stored is None or not permissions.can_open_import(auth.signed_in(), stored.author, stored.kind):
        abort(404)
    return stored


def _read_columns(kind: str, filename: str, file: IO[bytes]) -> Sequence[FileColumn]:
    form = ROW_FORMS[kind]
    return matching.propose(form, matching.read_file(form, filename, file))


def _upload_page(form: UploadForm) -> RenderedPage:
    return render_staff("staff/import_new.html", HERE, form=form)


def _columns_page(stored: StoredImport, form: ColumnsForm) -> RenderedPage:
    return render_staff("staff/import_columns.html", HERE, stored=stored, form=form, kind=KIND_NAMES[stored.kind])


def _url(import_id: str) -> str:
    return url_for("staff_import", import_id=import_id)


def _outcome(stored: StoredImport) -> str:
    name = str(STATE_NAMES[stored.state])
    if stored.state is not ImportState.DONE:
        return name
    return gettext(
        "%(state)s: %(added)s added, %(changed)s changed", state=name, added=stored.added, changed=stored.changed
    )
