"""The enrollment appointments of a term, with the form that assigns one, and the page that removes one."""

from quart import Response, abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import moments
from quart_enroll.domain.appointments import RecordedAppointment
from quart_enroll.domain.errors import AccountGone, WrongFields
from quart_enroll.domain.models import Term
from quart_enroll.domain.roles import Role
from quart_enroll.forms.staff.appointments import AppointmentForm, AppointmentListForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.paging import Page, last_page, page_url, requested_page
from quart_enroll.pages.staff import bulk_appointments
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, export, requested_format
from quart_enroll.pages.staff.student_columns import student_columns
from quart_enroll.services.staff import access, catalog_edits, named_entries, named_records
from quart_enroll.services.staff import appointments as service
from quart_enroll.services.staff import bulk_appointments as bulk_service
from quart_enroll.services.staff.named_records import NamedRecord
from quart_enroll.state import catalog, database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.request import current_request

HERE = "staff_terms"


def remove_url(row: NamedRecord[RecordedAppointment]) -> str:
    """Return the URL of the page that removes the appointment."""
    return url_for("staff_appointment_remove", term=row.record.appointment.term, user_id=row.record.user_id)


def _listing(term: Term, *, can_change: bool) -> Listing[NamedRecord[RecordedAppointment]]:
    return Listing(
        f"appointments-{term.term}",
        [
            *student_columns(),
            Column("starts_at", Sentence("Begins"), lambda row: row.record.appointment.starts_at),
            Column("ends_at", Sentence("Ends"), lambda row: row.record.appointment.ends_at, is_end=True),
            Column("max_credits", Sentence("Credit limit"), lambda row: row.record.appointment.max_credits),
            Column("author", Sentence("Assigned by"), lambda row: row.author_name),
            Column("at", Sentence("Assigned"), lambda row: row.record.at, only_in_files=True),
            Column(
                "remove",
                Sentence("Action"),
                lambda row: Sentence("Remove") if can_change else "",
                url=lambda row: remove_url(row) if can_change else "",
                only_on_pages=True,
            ),
        ],
    )


async def appointments() -> ResponseReturnValue | RenderedPage | Response:
    offered, can_change = await catalog(), Role.REGISTRAR in auth.signed_in().roles
    filters = AppointmentListForm(request.args)
    term = filters.choose_term(offered.terms, offered.current_term(now())) or abort(404)
    form = await AppointmentForm.from_request()
    if request.method == "POST" and form.validate() and await _assign(form, term):
        return redirect(url_for("staff_appointments", term=term.term), 303)
    user_id = await _find_person(filters) if filters.validate() and filters.person.data else None
    listing, errors = _listing(term, can_change=can_change), form.errors or filters.errors
    if requested_format() and not errors:
        batches = service.batches(database(), term.term, user_id)
        return await export(listing, named_entries.named_batches(database(), batches, named_records.add_names))
    page = render_staff(
        "staff/appointments.html",
        HERE,
        term=term,
        form=form,
        filter_form=filters,
        open_enrollment=_open_enrollment(term),
        listing=listing,
        page=await _page(term, None if filters.errors else user_id),
        page_url=page_url,
        can_change=can_change,
        bulk_assignments=await bulk_service.find_begun(database(), term.term),
        bulk_listing=bulk_appointments.LISTING,
    )
    return (page, 422) if errors else page


def _open_enrollment(term: Term) -> str:
    """Return in a sentence who may enroll without an appointment, and when."""
    if term.open_enrollment_at:
        return gettext(
            "Until open enrollment begins on %(opens)s, only students with an appointment may enroll.",
            opens=moments.localized_moment(term, term.open_enrollment_at),
        )
    return gettext("Students without an appointment may enroll as soon as enrollment opens.")


async def _page(term: Term, user_id: int | None) -> Page[NamedRecord[RecordedAppointment]]:
    total = await service.count(database(), term.term, user_id)
    number = requested_page(total, ROWS_PER_PAGE)
    found = await service.find_page(database(), term.term, (number - 1) * ROWS_PER_PAGE, ROWS_PER_PAGE, user_id)
    rows = await named_records.add_names(database(), found)
    return Page(rows, number, last_page(total, ROWS_PER_PAGE), total)


async def _find_person(filters: AppointmentListForm) -> int | None:
    """Return the user_id of the person whom the filter names; None, with an error, if there is none."""
    user_id = await named_entries.find_person(database(), filters.person.data or "")
    if user_id is None:
        filters.person.errors = [gettext("No account has this email or ID.")]
    return user_id


async def _assign(form: AppointmentForm, term: Term) -> bool:
    """Assign the appointment, or return False with errors in the form."""
    user_id = await named_entries.find_person(database(), form.student.data or "")
    appointment = form.appointment(term)
    if appointment is None:
        return False
    try:
        if user_id is None:
            raise AccountGone
        await service.assign(enrollment_context(), auth.signed_in().user_id, user_id, appointment, now())
    except AccountGone:
        form.student.errors = [gettext("No account has this email or ID.")]
        return False
    except WrongFields as refusal:
        for name, text in refusal.fields.items():
            form[name].errors = [text]
        return False
    user_cache().invalidate(user_id)
    await flash(gettext("The appointment is assigned. The student will be notified."), "success")
    return True


async def remove() -> ResponseReturnValue:
    staff_id = auth.signed_in().user_id
    user_id = await named_entries.find_person(database(), request.args.get("user_id", "")) or abort(404)
    term = await catalog_edits.find_term(database(), request.args.get("term", "")) or abort(404)
    back = url_for("staff_appointments", term=term.term)
    if request.method == "POST":
        if await service.remove(enrollment_context(), staff_id, user_id, term.term, now()):
            user_cache().invalidate(user_id)
            await flash(gettext("The appointment is removed. The student will be notified."), "success")
        else:
            await flash(gettext("The student has no appointment for this term. Nothing was changed."), "info")
        return redirect(back, 303)
    found = await service.find(database(), user_id, term.term) or abort(404)
    await access.record_student(database(), staff_id, user_id, current_request().route.endpoint, now())
    [named] = await named_records.add_names(database(), [found])
    begins = moments.moment_text(term, found.appointment.starts_at)
    return render_staff("staff/appointment_remove.html", HERE, named=named, term=term, begins=begins, back=back)
