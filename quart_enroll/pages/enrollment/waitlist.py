"""Joining a section's waitlist, and leaving it."""

from quart import flash, redirect, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.models import SectionRequest
from quart_enroll.forms.enrollment import DropForm, WaitlistForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.catalog.section_actions import section_name
from quart_enroll.pages.enrollment.confirm import before_leaving
from quart_enroll.pages.form_views import row_url, section_form, to_alternatives, to_schedule
from quart_enroll.services.enrollment import waitlist
from quart_enroll.services.enrollment.seat_actions import Joined
from quart_enroll.state import catalog, enrollment_context, now
from quart_enroll.web import auth


@section_form(WaitlistForm, refused_to=to_alternatives)
async def join(form: WaitlistForm, requested: SectionRequest) -> ResponseReturnValue:
    dropped, offered = form.dropped_course(), await catalog()
    if dropped:
        dropped = offered.resolve_courseID(dropped)
    joined = await waitlist.join(enrollment_context(), auth.signed_in().user_id, requested, now(), dropped, offered)
    await _flash_joined(joined, is_swap=bool(dropped))
    return redirect(row_url(requested, url_for("enrollment", term=joined.offering.term.term)), 303)


@section_form(DropForm, refused_to=to_schedule)
async def leave(form: DropForm, requested: SectionRequest) -> ResponseReturnValue:
    if form.ask.data:
        return await before_leaving(requested)
    left = await waitlist.leave(enrollment_context(), auth.signed_in().user_id, requested, now())
    course = (await catalog()).find(left.courseID)
    title = course.title if course else left.courseID
    await flash(gettext("You left the waitlist for %(title)s.", title=title), "success")
    return redirect(row_url(requested, url_for("enrollment", term=left.term)), 303)


async def _flash_joined(joined: Joined, *, is_swap: bool) -> None:
    where = section_name(joined.offering.course.title, joined.offering.key.section)
    if joined.position is None and not joined.by_swap_cycle:  # then the next page shows a notice
        if is_swap:
            await flash(gettext("A seat was open, so we swapped you into %(where)s.", where=where), "success")
        else:
            await flash(gettext("A seat was open, so you’re enrolled in %(where)s.", where=where), "success")
    elif joined.position is not None:
        message = gettext(
            "You’re on the waitlist for %(where)s: %(position)s of %(of)s.",
            where=where,
            position=joined.position,
            of=joined.waitlist_size,
        )
        await flash(message, "success")
