"""The page on which a student enters a permission number for a course."""

from quart import abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import (
    OwnPermit,
    PermissionNumberExpired,
    PermissionNumberRevoked,
    PermissionNumberUsed,
    PleaseWait,
    UnknownPermissionNumber,
)
from quart_enroll.domain.models import Course, Term
from quart_enroll.domain.permission_numbers import PermissionNumber
from quart_enroll.forms.permission_number import PermissionNumberForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.form_errors import please_wait, show_beside
from quart_enroll.pages.student_state import load_snapshot
from quart_enroll.services.accounts import attempt_limits
from quart_enroll.services.staff import permission_numbers
from quart_enroll.state import catalog, database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.templating import render

REFUSALS = (
    UnknownPermissionNumber,
    PermissionNumberUsed,
    PermissionNumberRevoked,
    PermissionNumberExpired,
    OwnPermit,
)


async def permission_number() -> ResponseReturnValue:
    offered = await catalog()
    course = offered.find(request.args.get("courseID", "")) or abort(404)
    term = next((one for one in offered.terms if one.term == request.args.get("term")), None) or abort(404)
    back = url_for("course", courseID=course.courseID, term=term)

    def page(form: PermissionNumberForm) -> bytes:
        return render("permission_number.html", form=form, course=course, term=term, back=back)

    form = await PermissionNumberForm.from_request()
    if request.method != "POST":
        return page(form)
    if not form.validate():
        return page(form), 422
    try:
        used = await _use(form, course, term)
    except PleaseWait as refusal:
        return await please_wait(refusal, form, "permission_number.html", page)
    except REFUSALS as refusal:
        show_beside(form.code, refusal)
        return page(form), 422
    await flash(await _outcome(course, used), "success")
    return redirect(back, 303)


async def _use(form: PermissionNumberForm, course: Course, term: Term) -> PermissionNumber:
    user_id, moment = auth.signed_in().user_id, now()
    await attempt_limits.count_permission_number(database(), user_id, moment)
    facts = term.term, course.courseID, form.code.data or "", moment
    used = await permission_numbers.use(enrollment_context(), user_id, *facts)
    user_cache().invalidate(user_id)
    return used


async def _outcome(course: Course, used: PermissionNumber) -> str:
    """Return what the number has given the student: a waiting student may have gotten the seat at once."""
    snapshot = await load_snapshot(auth.signed_in().user_id)
    if any(one.key == used.key and one.status == "enrolled" for one in snapshot.seats):
        return gettext(
            "You used your permit for %(title)s, section %(section)s, and are now enrolled.",
            title=course.title,
            section=used.key.section,
        )
    return gettext(
        "You have a permit to enroll in %(title)s, section %(section)s. It doesn’t hold a seat: you still need to "
        "enroll.",
        title=course.title,
        section=used.key.section,
    )
