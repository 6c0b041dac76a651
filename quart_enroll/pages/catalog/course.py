"""One course: what it teaches, what it needs, and all its sections in a term."""

from dataclasses import dataclass
from datetime import datetime

from quart import abort, request

from quart_enroll.domain import rules, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import NoTerms, NotTaught, UnknownCourse
from quart_enroll.domain.models import Course, Term
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.student_state import Standing
from quart_enroll.pages.term_window import window
from quart_enroll.state import catalog, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render


@dataclass(frozen=True, slots=True)
class Needed:
    """A course that another one needs; `had` tells whether the student has taken it, None of a visitor."""

    courseID: str
    title: str
    had: bool | None


async def course(courseID: str) -> bytes:
    moment = now()
    offered = await catalog()
    found = offered.find(courseID)
    if found is None:
        abort(404, UnknownCourse(courseID[:20]).text)
    courseID = found.courseID
    taught = [term for term in offered.active_terms(moment) if offered.sections_of(courseID, term)]
    term, not_taught = _term(offered, found, moment)
    mine = await student_state.in_term(auth.user(), term, offered) if term else Standing()
    sections = offered.sections_of(courseID, term) if term else []
    shown = section_actions.of_course(term, found, sections, mine, moment) if term else []
    return render(
        "course.html",
        courses=True,
        course=found,
        term=term,
        sign=mine.sign,
        terms=[str(one) for one in taught],
        not_taught=not_taught if taught else "",
        choices=[(one, section_actions.swaps(term, found, one, mine, moment)) for one in shown] if term else [],
        window=window(term, moment) if term else None,
        prerequisites=[_needed(name, offered, term, mine) for name in found.prerequisites],
        corequisites=[_along(name, offered, term, found, mine) for name in found.corequisites],
    )


def _term(offered: Catalog, found: Course, moment: datetime) -> tuple[Term | None, str]:
    """Return the term that the address names, else the first in which the course is taught; when there is none, and one
    was named, what to say of that."""
    wanted = request.args.get("term", "")
    try:
        return terms.choose(found, offered.active_terms(moment), offered.terms_of(found.courseID), wanted, moment), ""
    except NotTaught as refusal:
        return None, refusal.text if wanted else ""
    except NoTerms:
        return None, ""


def _needed(courseID: str, offered: Catalog, term: Term | None, mine: Standing) -> Needed:
    had = None
    if mine.taken is not None and term is not None:
        had = any(name == courseID and when.comes_before(term) for name, when in mine.taken)
    return Needed(courseID, _title(courseID, offered), had)


def _along(courseID: str, offered: Catalog, term: Term | None, course: Course, mine: Standing) -> Needed:
    had = None
    if mine.taken is not None and term is not None:
        had = courseID not in rules.missing_corequisites(course, term, mine.enrolled, mine.taken)
    return Needed(courseID, _title(courseID, offered), had)


def _title(courseID: str, offered: Catalog) -> str:
    course = offered.find(courseID)
    return course.title if course else courseID
