"""The schedule page, and the buttons that enroll, drop and swap."""

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
from quart_enroll.domain.models import SectionRequest
from quart_enroll.forms.enrollment import DropForm, EnrollForm, SwapForm
from quart_enroll.i18n.language import TermName, format_list_of, gettext, ngettext
from quart_enroll.pages.enrollment import enrollment_form, schedule
from quart_enroll.pages.enrollment.confirm import before_drop, before_swap, is_withdrawal
from quart_enroll.pages.form_views import (
    flash_refusal,
    form_url,
    malformed,
    row_url,
    section_form,
    to_alternatives,
    to_schedule,
)
from quart_enroll.services.enrollment import enroll as service
from quart_enroll.services.enrollment.enroll_together import enroll_with_corequisites
from quart_enroll.services.enrollment.seat_actions import Dropped
from quart_enroll.services.enrollment.seat_changes import Enrolled
from quart_enroll.state import catalog, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.page_of_origin import url_of_list, with_page_term
from quart_enroll.web.request import wants_json
from quart_enroll.web.templating import render


async def enrollment() -> ResponseReturnValue:
    return await _enroll() if request.method == "POST" else await schedule.page(auth.signed_in())


@section_form(DropForm, refused_to=to_schedule)
async def drop(form: DropForm, requested: SectionRequest) -> ResponseReturnValue:
    offered = await catalog()
    requested = with_page_term(requested, offered)
    if form.ask.data:
        return await before_drop(requested)
    with_corequisites = form.with_corequisites.data
    try:
        dropped = await service.drop(
            enrollment_context(), auth.signed_in().user_id, requested, now(), with_corequisites=with_corequisites
        )
    except CorequisitesWouldGo as refusal:
        if wants_json():
            raise
        withdraws = is_withdrawal(requested, offered)
        return render(
            "drop.html",
            enrollment=True,
            requested=requested,
            sentence=refusal.text,
            withdraws=withdraws,
            back=url_of_list() or None,
            row_url=to_schedule(refusal, requested),
        )
    await flash(_dropped_message(dropped), "success")
    return redirect(row_url(requested, url_for("enrollment", term=dropped.term)), 303)


@section_form(SwapForm, refused_to=to_alternatives)
async def swap(form: SwapForm, requested: SectionRequest) -> ResponseReturnValue:
    offered = await catalog()
    dropped = offered.resolve_courseID(form.drop.data or "")
    if form.ask.data and (question := await before_swap(requested, dropped)):
        return question
    placed = await service.swap(enrollment_context(), auth.signed_in().user_id, dropped, requested, now(), offered)
    swapped = gettext(
        "Swap complete: you’re now enrolled in %(title)s, section %(section)s.",
        title=placed.offering.course.title,
        section=placed.offering.key.section,
    )
    await flash(f"{swapped}{_left_waitlist_message(placed)}", "success")
    return redirect(row_url(requested, url_for("enrollment", term=placed.offering.term.term)), 303)


async def _enroll() -> ResponseReturnValue:
    form = await EnrollForm.from_request()
    if not form.validate():
        return await malformed(form) if wants_json() else (await enrollment_form.page(form), 422)
    requested, offered = form.section_request(), await catalog()
    user_id = auth.signed_in().user_id
    outcomes: list[Enrolled | AlreadyEnrolled]
    try:
        requested = with_page_term(offered.resolve(requested), offered)
        if form.with_corequisites.data:
            outcomes = await enroll_with_corequisites(enrollment_context(), user_id, requested, now())
        else:
            outcomes = [await service.enroll(enrollment_context(), user_id, requested, now(), offered)]
    except AmbiguousCourse:
        if wants_json():
            raise
        return await enrollment_form.page(form), 422  # it lists the choices
    except (SectionFull, CorequisiteMissing) as refusal:
        return await flash_refusal(refusal, row_url(requested, form_url(requested)))
    except Refused as refusal:
        return await flash_refusal(refusal, row_url(requested, url_for("courses")))
    for one in outcomes:
        if isinstance(one, Enrolled):
            await flash(enrolled_message(one), "success")
        else:
            await flash(one.text, "info")
    changed = outcomes[-1]
    term = changed.offering.term.term if isinstance(changed, Enrolled) else changed.term
    return redirect(row_url(requested, url_for("enrollment", term=term)), 303)


def enrolled_message(placed: Enrolled) -> str:
    """Return the message for a student who got a seat."""
    title, term = placed.offering.course.title, TermName(placed.offering.term.term)
    return gettext("You’re enrolled in %(title)s for %(term)s.", title=title, term=term) + _left_waitlist_message(
        placed
    )


def _left_waitlist_message(placed: Enrolled) -> str:
    if not placed.left_waitlist:
        return ""
    return " " + gettext("You’re no longer on the waitlist for section %(section)s.", section=placed.left_waitlist)


def _dropped_message(dropped: Dropped) -> str:
    titles, term = format_list_of([course.title for course in dropped.courses]), TermName(dropped.term)
    if dropped.action == "drop":
        return gettext("You dropped %(titles)s for %(term)s.", titles=titles, term=term)
    return ngettext(
        "You withdrew from %(titles)s for %(term)s. It stays on your schedule with a W.",
        "You withdrew from %(titles)s for %(term)s. They stay on your schedule with a W.",
        len(dropped.courses),
        titles=titles,
        term=term,
    )
