"""The enrollment form, filled in from the URL, and the options for every section of its course."""

from collections.abc import Sequence
from datetime import datetime

from quart import request

from quart_enroll.domain import terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import AmbiguousCourse, NotTaught, UnknownCourse, UnknownTerm
from quart_enroll.domain.models import Course, Registration, Term
from quart_enroll.forms.enrollment import EnrollForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.catalog.section_actions import SectionActions
from quart_enroll.pages.term_window import closed_window
from quart_enroll.state import catalog, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render


async def enrollment_form() -> bytes:
    form = EnrollForm.from_query()
    if request.args:
        form.validate()
    return await page(form)


async def page(form: EnrollForm) -> bytes:
    """Return the page of the form with its errors."""
    moment = now()
    offered = await catalog()
    course = _course(form, offered)
    term = _term(form, offered, course, moment) if course else None
    form.set_choices(
        offered.active_terms(moment), term, offered.sections_of(course.courseID, term) if course and term else []
    )
    return render(
        "enrollment_form.html",
        title=gettext("Enroll in %(title)s", title=str(course.heading)) if course else gettext("Enroll in a course"),
        form=form,
        course=course,
        term=term,
        choices=await _choices(offered, course, term, moment) if course and term else [],
        window=closed_window(term, moment) if term else None,
    )


def _course(form: EnrollForm, offered: Catalog) -> Course | None:
    """Return the requested course, and put its number into the form; if there is none, the form gets an error."""
    text = form.section_request().courseID
    if not text or form.courseID.errors:
        return None
    try:
        course = offered.find_by_text(text)
        if course is None:
            raise UnknownCourse(text)
    except (AmbiguousCourse, UnknownCourse) as refusal:
        form.courseID.errors = [refusal.text]
        return None
    form.courseID.data = course.courseID
    return course


def _term(form: EnrollForm, offered: Catalog, course: Course, moment: datetime) -> Term | None:
    """Return the requested term; if there is none, the form gets an error."""
    if form.term.errors:
        return None
    try:
        return terms.choose(
            course, offered.active_terms(moment), offered.terms_of(course.courseID), form.section_request().term, moment
        )
    except (NotTaught, UnknownTerm) as refusal:
        form.term.errors = [refusal.text]
        return None


async def _choices(
    offered: Catalog, course: Course, term: Term, moment: datetime
) -> list[tuple[SectionActions, Sequence[Registration]]]:
    """Return each section with its actions, and the student's courses that it could replace."""
    state = await student_state.load(auth.user(), term, offered)
    sections = offered.sections_of(course.courseID, term)
    shown = section_actions.for_course(term, course, sections, state, moment)
    return [(one, section_actions.swappable_courses(term, course, one, state, moment)) for one in shown]
