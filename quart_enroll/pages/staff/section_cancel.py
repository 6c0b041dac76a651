"""Cancels a section, after a preview of the students who lose a place and the sections that fit them."""

from typing import NamedTuple

from quart import abort, flash, redirect, request
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import SectionEditConflict, TermEnded
from quart_enroll.forms.staff.sections import CancelForm
from quart_enroll.i18n.language import gettext, plural
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.section import HERE, OpenedSection, open_section
from quart_enroll.pages.staff.sections import section_url
from quart_enroll.services.staff import cancellation
from quart_enroll.services.staff import sections as service
from quart_enroll.state import database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage


class LosingStudent(NamedTuple):
    """A student who loses a place, and the numbers of the sections that fit."""

    name: str
    is_waiting: bool
    alternatives: tuple[str, ...]


async def cancel() -> ResponseReturnValue:
    opened = await open_section()
    if not opened.can_change:
        abort(404)
    key = opened.section.key
    form = await CancelForm.from_request(revision=str(opened.section.revision))
    try:
        if request.method != "POST":
            return await _page(opened, form)
        if not form.validate():
            return await _page(opened, form), 422
        lost = await cancellation.cancel(
            enrollment_context(),
            auth.signed_in().user_id,
            key,
            form.seen_revision,
            form.reason.data or "",
            now(),
        )
    except TermEnded as refusal:
        await flash(refusal.text, refusal.severity)
        return redirect(section_url(key), 303)
    except SectionEditConflict as refusal:
        form.revision.data = str(refusal.current.revision)
        form.form_errors = [gettext("Someone else has changed this section. Check it again before you cancel it.")]
        return await _page(opened, form), refusal.status
    told = plural("%(number)s student was notified.", "%(number)s students were notified.", len(lost))
    await flash(" ".join([gettext("Section canceled."), *([str(told)] if lost else [])]), "success")
    return redirect(section_url(key), 303)


async def _page(opened: OpenedSection, form: CancelForm) -> RenderedPage:
    students = await cancellation.preview(database(), opened.section.key, now())
    names = await service.find_names(database(), [one.user_id for one in students])
    losing = [LosingStudent(names[one.user_id], one.is_waiting, one.alternatives) for one in students]
    return render_staff(
        "staff/section_cancel.html",
        HERE,
        opened=opened,
        section=opened.section,
        form=form,
        enrolled=[one for one in losing if not one.is_waiting],
        waiting=[one for one in losing if one.is_waiting],
        max_in_one_step=cancellation.MAX_STUDENTS_IN_TRANSACTION,
    )
