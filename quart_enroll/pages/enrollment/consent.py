"""The page on which a student requests the consent that a section needs, sees the answer, and withdraws the request."""

from quart import abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Course, Section, SectionKey, SectionRequest, Term
from quart_enroll.domain.permits import PermitStatus
from quart_enroll.forms.consent import ConsentForm
from quart_enroll.forms.enrollment import PlannedSectionForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages import student_state
from quart_enroll.pages.form_views import flash_refusal, section_form
from quart_enroll.services.staff import consent as service
from quart_enroll.state import catalog, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.templating import render


async def consent() -> ResponseReturnValue:
    term, course, section = await _find_section()
    back = course_url(section.key)
    is_sent = request.method == "POST" and "ask" not in request.args  # a button opens the page with a POST
    form = await ConsentForm.from_request() if is_sent else ConsentForm()
    if is_sent and form.validate():
        user_id = auth.signed_in().user_id
        try:
            await service.request(enrollment_context(), user_id, section.key, form.message.data or "", now())
        except Refused as refusal:
            return await flash_refusal(refusal, back)
        user_cache().invalidate(user_id)
        await flash(gettext("Consent requested. We’ll notify you of the decision."), "success")
        return redirect(back, 303)
    state = await student_state.load(auth.signed_in(), term, await catalog())
    asked = state.consent_requests.get(section.key)
    is_open = asked is not None and asked.status is PermitStatus.REQUESTED
    facts = {"term": term, "course": course, "section": section, "asked": asked, "is_open": is_open, "back": back}
    page = render("consent.html", form=form, **facts)
    return (page, 422) if form.errors else page


async def _find_section() -> tuple[Term, Course, Section]:
    """Return the section that the URL names; abort with 404 unless students can request consent for it."""
    offered, number = await catalog(), request.args.get("section", "")
    term = next((one for one in offered.terms if one.term == request.args.get("term")), None) or abort(404)
    course = offered.find(request.args.get("courseID", "")) or abort(404)
    section = offered.find_section(course.courseID, term.term, number)
    if section is None or not section.needs_consent or not section.is_listed:
        abort(404)
    return term, course, section


def course_url(key: SectionKey) -> str:
    """Return the URL of the course in the term of the section."""
    return url_for("course", courseID=key.courseID, term=key.term)


def _to_course(_: Refused, requested: SectionRequest) -> str:
    return course_url(SectionKey(requested.term, requested.courseID, requested.section))


@section_form(PlannedSectionForm, refused_to=_to_course)
async def withdraw(_form: PlannedSectionForm, requested: SectionRequest) -> ResponseReturnValue:
    user_id, key = auth.signed_in().user_id, SectionKey(requested.term, requested.courseID, requested.section)
    if await service.withdraw(enrollment_context(), user_id, key, now()):
        await flash(gettext("Request withdrawn."), "success")
    else:
        await flash(gettext("This request has already been decided or withdrawn. No changes were made."), "info")
    user_cache().invalidate(user_id)
    return redirect(course_url(key), 303)
