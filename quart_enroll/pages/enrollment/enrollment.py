"""Taking a seat, giving one back, swapping; each ends on a page that says what is."""

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    AmbiguousCourse,
    CorequisiteMissing,
    CorequisitesWouldGo,
    Refused,
    SectionFull,
)
from quart_enroll.forms.enrollment import DropForm, EnrollForm, SwapForm
from quart_enroll.i18n.language import TermName, format_list_of, gettext, ngettext
from quart_enroll.pages.enrollment import enrollment_form, schedule
from quart_enroll.pages.enrollment.confirm import before_drop, before_swap, is_withdrawal
from quart_enroll.pages.refusals import after, flash_refusal, form_address, malformed
from quart_enroll.services.enrollment import enroll as rules
from quart_enroll.services.enrollment.enroll import Dropped
from quart_enroll.services.enrollment.enroll_together import enroll_with_corequisites
from quart_enroll.services.enrollment.seat_changes import Enrolled
from quart_enroll.state import catalog, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.page_of_origin import meant
from quart_enroll.web.request import wants_json
from quart_enroll.web.templating import render


async def enrollment() -> ResponseReturnValue:
    return await _enroll() if request.method == "POST" else await schedule.page(auth.signed_in())


async def drop() -> ResponseReturnValue:
    form = await DropForm.from_request()
    if not form.validate():
        return await malformed(form)
    sure = form.with_corequisites.data
    try:
        offered = await catalog()
        wish = meant(offered.resolve(form.wish()), offered)
        if form.ask.data:
            return await before_drop(wish)
        gone = await rules.drop(enrollment_context(), auth.signed_in().user_id, wish, now(), with_corequisites=sure)
    except CorequisitesWouldGo as refusal:
        if wants_json():
            raise
        withdraws = is_withdrawal(wish, offered)
        return render("drop.html", enrollment=True, wish=wish, sentence=refusal.text, withdraws=withdraws)
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("enrollment"))
    await flash(_gone(gone), "success")
    return redirect(url_for("enrollment"), 303)


async def swap() -> ResponseReturnValue:
    form = await SwapForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    try:
        offered = await catalog()
        wish, given_up = offered.resolve(wish), offered.resolve_courseID(form.drop.data or "")
        if form.ask.data and (question := await before_swap(wish, given_up)):
            return question
        placed = await rules.swap(enrollment_context(), auth.signed_in().user_id, given_up, wish, now())
    except Refused as refusal:
        return await flash_refusal(refusal, after(refusal, wish))
    swapped = gettext(
        "Swap complete: you’re now enrolled in %(title)s, section %(section)s.",
        title=placed.offering.course.title,
        section=placed.offering.key.section,
    )
    await flash(f"{swapped}{_left(placed)}", "success")
    return redirect(url_for("enrollment"), 303)


async def _enroll() -> ResponseReturnValue:
    form = await EnrollForm.from_request()
    if not form.validate():
        return await malformed(form) if wants_json() else (await enrollment_form.page(form), 422)
    wish, offered = form.wish(), await catalog()
    settled: list[Enrolled | AlreadyEnrolled]
    try:
        wish = meant(offered.resolve(wish), offered)
        if form.with_corequisites.data:
            settled = await enroll_with_corequisites(enrollment_context(), auth.signed_in().user_id, wish, now())
        else:
            settled = [await rules.enroll(enrollment_context(), auth.signed_in().user_id, wish, now(), offered)]
    except AmbiguousCourse:
        if wants_json():
            raise
        return await enrollment_form.page(form), 422  # it lists the choices
    except (SectionFull, CorequisiteMissing) as refusal:
        return await flash_refusal(refusal, form_address(wish))
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("courses"))
    for one in settled:
        if isinstance(one, Enrolled):
            await flash(done(one), "success")
        else:
            await flash(one.text, "info")
    return redirect(url_for("enrollment"), 303)


def done(placed: Enrolled) -> str:
    """Return what to tell a student who got a seat."""
    title, term = placed.offering.course.title, TermName(placed.offering.term.term)
    return gettext("You’re enrolled in %(title)s for %(term)s.", title=title, term=term) + _left(placed)


def _left(placed: Enrolled) -> str:
    if not placed.left_waitlist:
        return ""
    return " " + gettext("You’re no longer on the waitlist for section %(section)s.", section=placed.left_waitlist)


def _gone(gone: Dropped) -> str:
    titles, term = format_list_of([course.title for course in gone.courses]), TermName(gone.term)
    if gone.action == "drop":
        return gettext("You dropped %(titles)s for %(term)s.", titles=titles, term=term)
    return ngettext(
        "You withdrew from %(titles)s for %(term)s. It stays on your schedule with a W.",
        "You withdrew from %(titles)s for %(term)s. They stay on your schedule with a W.",
        len(gone.courses),
        titles=titles,
        term=term,
    )
