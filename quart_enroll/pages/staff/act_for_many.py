"""Act for many students: a list and a change. Its preview, progress and outcome are those of an import."""

import asyncio
from io import BytesIO

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.stored_import import ENROLLMENTS
from quart_enroll.forms.imports import student_lists
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.forms.staff.students import ManyStudentsForm
from quart_enroll.pages.staff.act import MENU_ENTRY
from quart_enroll.pages.staff.imports import LISTING
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.services.staff import imports, sections
from quart_enroll.state import catalog, database, import_wakeup, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage


async def act_for_many() -> ResponseReturnValue:
    """Show the form, with the students who are `selected` in a roster if it sends them; or have the list checked."""
    form = await ManyStudentsForm.from_request()
    offered = await catalog()
    form.offer_terms(offered.terms, offered.current_term(now()))
    if request.method != "POST":
        return await _page(form)
    sent = await request.form
    if "roster" in sent:
        form.students.data = "\n".join(sent.getlist("selected"))
        return await _page(form)
    if not form.validate() or not await _check_section(form):
        return await _page(form), 422
    try:
        students = await _students(form)
    except UnreadableFile as unreadable:
        form.file.errors = [str(one) for one in unreadable.sentences]
        return await _page(form), 422
    staff_id, rows = auth.signed_in().user_id, student_lists.rows_file(students, form.row)
    import_id = await imports.upload(
        database(),
        staff_id,
        ENROLLMENTS,
        form.file.data.filename if form.has_file else f"{form.courseID.data}-{form.section.data}, {form.term.data}",
        BytesIO(rows),
        now(),
        columns={},
        reason=form.reason.data or "",
        overrides=form.chosen_overrides,
    )
    import_wakeup().call()
    return redirect(url_for("staff_import", import_id=import_id), 303)


async def _students(form: ManyStudentsForm) -> list[str]:
    """Return the students of the list or the file; raise UnreadableFile."""
    if not form.has_file:
        return student_lists.read_text(form.students.data or "")
    return await asyncio.to_thread(student_lists.read_file, form.file.data.filename, form.file.data.stream)


async def _check_section(form: ManyStudentsForm) -> bool:
    """Return whether there is such a section; otherwise the form says so."""
    try:
        await sections.find(
            database(), SectionKey(form.term.data or "", form.courseID.data or "", form.section.data or "")
        )
    except Refused as refusal:
        form.section.errors = [refusal.text]
    return not form.errors


async def _page(form: ManyStudentsForm) -> RenderedPage:
    begun = await imports.find_latest(database(), auth.signed_in().user_id)
    return render_staff("staff/act_for_many.html", MENU_ENTRY, form=form, listing=LISTING, begun=begun)
