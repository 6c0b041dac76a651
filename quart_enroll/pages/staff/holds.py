"""The list of holds, and the pages on which the registrar places one on a student and lifts it."""

from datetime import datetime

from quart import Response, abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import AccountGone
from quart_enroll.domain.roles import Role
from quart_enroll.forms.staff.holds import HoldListForm, LiftHoldForm, PlaceHoldForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.paging import page_url
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, export, requested_format
from quart_enroll.pages.staff.student_columns import student_columns
from quart_enroll.services.staff import hold_types, named_entries, named_holds
from quart_enroll.services.staff import holds as service
from quart_enroll.services.staff.named_holds import NamedHold
from quart_enroll.state import database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.records import open_record

MENU_ENTRY = "staff_students"


def _listing(moment: datetime) -> Listing[NamedHold]:
    """Return the list with the states at that moment; files are written after the request."""
    return Listing(
        "holds",
        [
            *student_columns(),
            Column("type", Sentence("Type"), lambda row: row.record.hold.type),
            Column("office", Sentence("Office"), lambda row: row.record.hold.office),
            Column("reason", Sentence("Reason"), lambda row: row.record.hold.reason),
            Column("state", Sentence("State"), lambda row: row.record.state(moment)),
            Column("placed_at", Sentence("Placed"), lambda row: row.record.placed_at),
            Column("placed_by", Sentence("Placed by"), lambda row: row.placed_by_name),
            Column("begins_at", Sentence("From"), lambda row: row.record.hold.begins_at, only_in_files=True),
            Column("ends_at", Sentence("Until"), lambda row: row.record.hold.ends_at, is_end=True),
            Column("lifted_at", Sentence("Lifted"), lambda row: row.record.lifted_at),
            Column("lifted_by", Sentence("Lifted by"), lambda row: row.lifted_by_name, only_in_files=True),
            Column("lift_reason", Sentence("Why lifted"), lambda row: row.record.lift_reason, only_in_files=True),
        ],
    )


async def holds() -> RenderedPage | tuple[RenderedPage, int] | Response:
    form, listing = HoldListForm(request.args), _listing(now())
    form.offer_types(await hold_types.find_all(database()))
    form.validate()
    user_id = None
    if form.person.data and not form.person.errors:
        user_id = await named_entries.find_person(database(), form.person.data)
        if user_id is None:
            form.person.errors = [gettext("No account has this email or ID.")]
    can_change = Role.REGISTRAR in auth.signed_in().roles
    facts = {"form": form, "listing": listing, "page_url": page_url, "can_change": can_change}
    if form.errors:
        return render_staff("staff/holds.html", MENU_ENTRY, rows=[], earlier="", **facts), 422
    wanted = form.wanted(user_id)
    if requested_format():
        batches = service.batches(database(), wanted)
        return await export(listing, named_entries.named_batches(database(), batches, named_holds.add_names))
    try:
        found, earlier = await service.find_page(database(), wanted, request.args.get("before", ""), ROWS_PER_PAGE)
    except ValueError:
        abort(404)
    rows = await named_holds.add_names(database(), found)
    return render_staff("staff/holds.html", MENU_ENTRY, rows=rows, earlier=earlier, **facts)


async def place(user_id: int) -> ResponseReturnValue:
    student, types = await open_record(user_id), await hold_types.find_all(database())
    form = await PlaceHoldForm.from_request()
    form.offer_types(types)
    if request.method == "POST" and form.validate():
        try:
            await service.place(enrollment_context(), auth.signed_in().user_id, user_id, form.hold(types), now())
        except AccountGone:
            abort(404)
        user_cache().invalidate(user_id)
        await flash(gettext("The hold is placed. %(name)s will be notified.", name=student.full_name), "success")
        return redirect(url_for("staff_student", user_id=user_id, _anchor="holds"), 303)
    page = render_staff("staff/hold_place.html", MENU_ENTRY, student=student, form=form, types=types)
    return (page, 422) if form.errors else page


async def lift(user_id: int) -> ResponseReturnValue:
    student = await open_record(user_id)
    found = await service.find(database(), user_id, request.args.get("hold", "")) or abort(404)
    if found.lifted_at is not None:
        await flash(gettext("This hold is already lifted."), "info")
        return redirect(url_for("staff_student", user_id=user_id, _anchor="holds"), 303)
    form = await LiftHoldForm.from_request()
    if request.method == "POST" and form.validate():
        staff_id, reason = auth.signed_in().user_id, form.reason.data or ""
        await service.lift(enrollment_context(), staff_id, user_id, found.hold_id, reason, now())
        user_cache().invalidate(user_id)
        await flash(gettext("The hold is lifted. %(name)s will be notified.", name=student.full_name), "success")
        return redirect(url_for("staff_student", user_id=user_id, _anchor="holds"), 303)
    page = render_staff("staff/hold_lift.html", MENU_ENTRY, student=student, form=form, hold=found.hold)
    return (page, 422) if form.errors else page
