"""The form filled in by its address, and all that can be done about the sections of its course."""

from collections.abc import Sequence
from datetime import datetime

from quart import request

from quart_enroll import auth
from quart_enroll.context import catalog, now
from quart_enroll.errors import AmbiguousCourse, NotTaught, UnknownCourse, UnknownTerm
from quart_enroll.forms.enrollment import EnrollForm
from quart_enroll.language import gettext
from quart_enroll.models import Course, Held, Term
from quart_enroll.pages import choices, standing
from quart_enroll.pages.choices import Choice
from quart_enroll.pages.windows import window
from quart_enroll.rendering import render
from quart_enroll.services import terms
from quart_enroll.services.catalog import Catalog


async def enrollment_form() -> bytes:
    form = EnrollForm.from_query()
    if request.args:
        form.validate()
    return await page(form)


async def page(form: EnrollForm) -> bytes:
    """Return the page with what was filled in, and beside it what is wrong with that."""
    moment = now()
    offered = await catalog()
    course = _course(form, offered)
    term = _term(form, offered, course, moment) if course else None
    form.offer(offered.coming(moment), term, offered.sections_of(course.courseID, term) if course and term else [])
    return render(
        "enrollment_form.html",
        title=gettext("Enroll in %(title)s", title=course.title) if course else gettext("Enroll in a course"),
        form=form,
        course=course,
        term=term,
        choices=await _choices(offered, course, term, moment) if course and term else [],
        window=window(term, moment) if term else None,
    )


def _course(form: EnrollForm, offered: Catalog) -> Course | None:
    """Return the course that the request means, and put its number into the form; when there is none the form says
    so."""
    text = form.wish().courseID
    if not text or form.courseID.errors:
        return None
    try:
        course = offered.find_meant(text)
        if course is None:
            raise UnknownCourse(text)
    except (AmbiguousCourse, UnknownCourse) as refusal:
        form.courseID.errors = [refusal.sentence]
        return None
    form.courseID.data = course.courseID
    return course


def _term(form: EnrollForm, offered: Catalog, course: Course, moment: datetime) -> Term | None:
    """Return the term that the request means; when there is none the form says so."""
    if form.term.errors:
        return None
    try:
        return terms.choose(course, offered.coming(moment), offered.terms_of(course.courseID), form.wish().term, moment)
    except (NotTaught, UnknownTerm) as refusal:
        form.term.errors = [refusal.sentence]
        return None


async def _choices(
    offered: Catalog, course: Course, term: Term, moment: datetime
) -> list[tuple[Choice, Sequence[Held]]]:
    """Return each section with its button, and the student's courses that could be swapped for it."""
    mine = await standing.in_term(auth.user(), term, offered)
    sections = offered.sections_of(course.courseID, term)
    shown = choices.of_course(term, course, sections, mine, moment)
    return [(one, choices.swaps(term, course, one, mine, moment)) for one in shown]
