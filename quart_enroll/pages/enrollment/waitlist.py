"""Joining the line for a section, and leaving it."""

from quart import flash, redirect, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import Refused
from quart_enroll.forms.enrollment import DropForm, WaitlistForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.catalog.section_actions import in_words
from quart_enroll.pages.enrollment.confirm import before_leaving
from quart_enroll.pages.refusals import after, flash_refusal, malformed
from quart_enroll.services.enrollment import waitlist
from quart_enroll.state import catalog, enrollment_context, now
from quart_enroll.web import auth


async def join() -> ResponseReturnValue:
    form = await WaitlistForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish, given_up = form.wish(), form.given_up()
    try:
        offered = await catalog()
        wish, given_up = offered.resolve(wish), offered.resolve_courseID(given_up) if given_up else None
        joined = await waitlist.join(enrollment_context(), auth.signed_in().user_id, wish, now(), given_up)
    except Refused as refusal:
        return await flash_refusal(refusal, after(refusal, wish))
    where = in_words(joined.offering.course.title, joined.offering.key.section)
    if joined.position is None and not joined.by_swap_cycle:  # of a ring, the notice on the next page tells
        if given_up:
            await flash(gettext("A seat was open, so we swapped you into %(where)s.", where=where), "success")
        else:
            await flash(gettext("A seat was open, so you’re enrolled in %(where)s.", where=where), "success")
    elif joined.position is not None:
        waits = gettext(
            "You’re on the waitlist for %(where)s: %(position)s of %(of)s.",
            where=where,
            position=joined.position,
            of=joined.waitlist_size,
        )
        await flash(waits, "success")
    return redirect(url_for("enrollment"), 303)


async def leave() -> ResponseReturnValue:
    form = await DropForm.from_request()
    if not form.validate():
        return await malformed(form)
    offered = await catalog()
    try:
        wish = offered.resolve(form.wish())
        if form.ask.data:
            return await before_leaving(wish)
        left = await waitlist.leave(enrollment_context(), auth.signed_in().user_id, wish, now())
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("enrollment"))
    course = offered.find(left.courseID)
    title = course.title if course else left.courseID
    await flash(gettext("You left the waitlist for %(title)s.", title=title), "success")
    return redirect(url_for("enrollment"), 303)
