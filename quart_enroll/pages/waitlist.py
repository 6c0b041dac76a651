"""Joining the line for a section, and leaving it."""

from quart import flash, redirect, url_for
from quart.typing import ResponseReturnValue
from quart_auth import login_required

from quart_enroll import auth
from quart_enroll.context import database, now
from quart_enroll.errors import Refused
from quart_enroll.forms.enrollment import DropForm, WaitlistForm
from quart_enroll.pages.refusals import after, malformed, told
from quart_enroll.repositories import courses
from quart_enroll.services import waitlist


@login_required
async def join() -> ResponseReturnValue:
    form = await WaitlistForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    try:
        joined = await waitlist.join(database(), auth.signed_in().user_id, wish, now(), form.given_up())
    except Refused as refusal:
        return await told(refusal, after(refusal, wish))
    where = f"{joined.offer.course.title}, section {joined.offer.key.section}"
    if joined.position is None and not joined.by_ring:  # of a ring, the notice on the next page tells
        done = "swapped into" if form.given_up() else "are enrolled in"
        await flash(f"A seat was open: you {done} {where}.", "success")
    elif joined.position is not None:
        await flash(f"You are waiting for a seat in {where}: {joined.position} of {joined.of}.", "success")
    return redirect(url_for("enrollment"), 303)


@login_required
async def leave() -> ResponseReturnValue:
    form = await DropForm.from_request()
    if not form.validate():
        return await malformed(form)
    try:
        left = await waitlist.leave(database(), auth.signed_in().user_id, form.wish(), now())
    except Refused as refusal:
        return await told(refusal, url_for("enrollment"))
    course = await courses.find(database(), left.courseID)
    await flash(f"You left the waitlist of {course.title if course else left.courseID}.", "success")
    return redirect(url_for("enrollment"), 303)
