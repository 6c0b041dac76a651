"""The student's schedule, and the way onto it."""

from typing import Any

from quart import flash, redirect, request, url_for
from quart_auth import login_required
from werkzeug import Response

from quart_enroll import auth
from quart_enroll.context import database, now
from quart_enroll.errors import AlreadyEnrolled, Refused
from quart_enroll.forms.enrollment import EnrollForm
from quart_enroll.models import ScheduledCourse
from quart_enroll.rendering import render
from quart_enroll.repositories import enrollments
from quart_enroll.services import catalog, terms
from quart_enroll.services import enrollment as rules


@login_required
async def enrollment() -> str | Response:
    return await _enroll() if request.method == "POST" else await _schedule()


async def enrollment_form() -> str:
    form = EnrollForm.from_query()
    offered = await catalog.load(database(), now().date())
    course = offered.find(form.wish().courseID)
    if request.args and form.validate() and course is None:
        form.courseID.errors = [f"There is no course {form.courseID.data} in the catalog."]
    form.offer(offered.terms)
    return render("enrollment_form.html", title="Enroll in a course", form=form, course=course)


async def _schedule() -> str:
    coming = [str(term) for term in terms.ahead(now().date())]
    classes = await enrollments.schedule(database(), auth.signed_in().user_id, coming)
    by_term = {term: [row for row in classes if row.enrolled_term == term] for term in coming}
    schedule = [(term, rows, _credits(rows)) for term, rows in by_term.items() if rows]
    return render("enrollment.html", enrollment=True, classes=classes, schedule=schedule)


async def _enroll() -> Response:
    form = await EnrollForm.from_request()
    if not form.validate():
        return redirect(url_for("enrollment_form", **_kept(form)), 303)
    try:
        placed = await rules.enroll(database(), auth.signed_in().user_id, form.wish(), now())
    except Refused as refusal:
        await flash(refusal.sentence, "warning" if isinstance(refusal, AlreadyEnrolled) else "danger")
        return redirect(url_for("courses"), 303)
    await flash(f"You are enrolled in {placed.title} for {placed.enrolled_term}.", "success")
    return redirect(url_for("enrollment"), 303)


def _kept(form: EnrollForm) -> dict[str, Any]:
    """Return what was sent, as much as an address can hold; the form page says what is wrong with it."""
    wish = form.wish()
    return {"courseID": wish.courseID[:100], "term": wish.term[:100]}


def _credits(rows: list[ScheduledCourse]) -> int | float:
    return sum(row.credits for row in rows)
