"""The page of an instructor: what they teach now, and what they taught before."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from quart import abort

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Course, Section, SectionKey, Term
from quart_enroll.i18n.language import gettext
from quart_enroll.pages import student_state
from quart_enroll.services.catalog import teaching
from quart_enroll.state import catalog, database, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render

MAX_LISTED_SECTIONS = 100
"""Current sections on the page: "Staff" may be the instructor of thousands, which a search finds."""


@dataclass(frozen=True, slots=True)
class TaughtSection:
    """A section that the instructor teaches in a term that isn't over."""

    course: Course
    section: Section


@dataclass(frozen=True, slots=True)
class TaughtTerm:
    """A past term, and the courses that the instructor taught in it, in the order of their numbers.

    Its courses have pages only for students who were registered in it.
    """

    term: str
    courses: Sequence[Course]
    has_pages: bool


async def instructor(name: str) -> bytes:
    offered, moment = await catalog(), now()
    coming = {term.term: term.order for term in offered.active_terms(moment)}
    current = [one for one in offered.sections if one.instructor == name and one.is_listed and one.term in coming]
    current.sort(key=lambda one: (coming[one.term], one.key))
    del current[MAX_LISTED_SECTIONS:]
    past = [key for key in await teaching.find_taught(database(), name) if key.term not in coming]
    user = auth.user()
    if user:
        current = [one.seen_by(user.attributes) for one in current]
    snapshot = await student_state.load_snapshot(user.user_id) if user and past else None
    own_terms = {term.term for term in student_state.past_terms(snapshot, offered, moment)}
    if not current and not past:
        abort(404, gettext("We couldn’t find an instructor with this name."))
    return render(
        "instructor.html",
        courses=True,
        name=name,
        current=[TaughtSection(course, one) for one in current if (course := offered.find(one.courseID))],
        past=_by_term(past, offered, own_terms),
    )


def _by_term(past: Iterable[SectionKey], offered: Catalog, own_terms: Collection[str]) -> list[TaughtTerm]:
    """Return the past terms, the latest first; courses that are no longer in the catalog are left out."""
    known: dict[str, Term] = {term.term: term for term in offered.terms}
    courses = defaultdict[str, dict[str, Course]](dict)
    for key in sorted(past):
        if key.term in known and (course := offered.find(key.courseID)):
            courses[key.term][key.courseID] = course
    names = sorted(courses, key=lambda name: known[name].order, reverse=True)
    return [TaughtTerm(name, list(courses[name].values()), name in own_terms) for name in names]
