"""The page of a course: description, requisites, and its sections in a term."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import escape
from quart import abort, request, url_for

from quart_enroll.domain import requisite_parser, requisite_rules, requisites, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import NoTerms, NotTaught, UnknownCourse
from quart_enroll.domain.models import Course, SectionStatus, Term
from quart_enroll.domain.requisites import Concurrently, Leaf, Permission, WithGrade
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.waitlist_odds import PastFill
from quart_enroll.i18n.language import TermName, gettext, ngettext
from quart_enroll.pages import hold_banner, student_state
from quart_enroll.pages.catalog import own_week, section_actions
from quart_enroll.pages.catalog.course_rows import section_parts
from quart_enroll.pages.catalog.section_actions import swappable_courses
from quart_enroll.pages.live_url import live_url
from quart_enroll.pages.student_state import StudentState
from quart_enroll.pages.term_window import closed_window
from quart_enroll.state import catalog, now, past_catalog, waitlist_odds
from quart_enroll.web import auth
from quart_enroll.web.templating import is_overridden, render, render_frame, render_shared_parts


@dataclass(frozen=True, slots=True)
class NeededCourse:
    """A prerequisite or corequisite, and a `note` about what exactly is needed.

    `is_taken` says whether the student has taken it accordingly; it is None for visitors. A prerequisite that isn't a
    course has only a title.
    """

    courseID: str
    title: str
    is_taken: bool | None
    note: str = ""


MINUTES_IN_WORDS, HOURS_IN_WORDS = 120, 48
"""From how many minutes on a time is said in hours, and from how many hours on in days."""

TEXTS = ("title", "heading", "details", "live_url", "rows_url")
"""The gaps for what the page says about the course itself."""


async def course(courseID: str) -> bytes:
    moment = now()
    offered = await catalog()
    found = offered.find(courseID)
    if found is None:
        abort(404, UnknownCourse(courseID[:20]).text)
    courseID = found.courseID
    taught = [term for term in offered.active_terms(moment) if offered.sections_of(courseID, term)]
    user = auth.user()
    snapshot = await student_state.load_snapshot(user.user_id) if user else None
    past = _past_term(snapshot, offered, moment)
    if past:
        offered = await past_catalog(past.term)
        taught.append(past)
    term, not_taught = _term(offered, found, [past] if past else offered.active_terms(moment), moment)
    state = await student_state.load(user, term, offered, snapshot) if term else StudentState()
    sections = offered.sections_of(courseID, term) if term else []
    offers = section_actions.for_course(term, found, sections, state, moment) if term else []
    choices = [(one, swappable_courses(term, found, one, state, moment)) for one in offers] if term else []
    facts: dict[str, Any] = {
        "course": found,
        "term": term,
        "terms": tuple(str(one) for one in taught),
        "not_taught": not_taught if taught else "",
        "prerequisites": tuple(_prerequisite(name, offered, term, state) for name in found.prerequisites),
        "past_fill": _past_fill(waitlist_odds().find_fill(term.term, courseID)) if term else "",
        "corequisites": tuple(_corequisite(name, offered, term, found, state) for name in found.corequisites),
        "requisite": _requisite(offered, term, found, state),
        "taken": section_actions.taken_badge(term, found, state) if term else None,
    }
    window = closed_window(term, moment, snapshot) if term else None
    is_open = user is not None and term is not None and moment < term.add_deadline
    has_numbers = is_open and any(one.accepts_numbers and one.status is not SectionStatus.CANCELLED for one in sections)
    number_url = url_for("permission_number", courseID=courseID, term=term) if has_numbers else ""
    more = {"courses": True, "window": window, "choices": choices, "number_url": number_url}
    if is_overridden("course.html"):
        own = hold_banner.variables(snapshot)
        return render("course.html", **facts, **more, fingerprint=state.fingerprint, **own)
    gaps: dict[str, Sequence[bytes]] = {
        **_texts(found, term, facts),
        "sections": [part for choice, others in choices for part in section_parts(found, choice, others)],
        **({"fingerprint": [state.fingerprint.encode()]} if state.fingerprint else {}),
        **(window.gaps if window else {}),
        **({"number_url": [escape(number_url).encode()]} if number_url else {}),
        **(holds := hold_banner.gaps(snapshot)),
        **(week := own_week.gaps(snapshot, term, offered, moment) if term else {}),
    }
    shown = bool(choices), bool(state.fingerprint), bool(holds), has_numbers, bool(week)
    key = term is None, facts["not_taught"], window, *shown
    return render_frame("course.html", key, gaps, lambda: facts | more)


def _texts(course: Course, term: Term | None, facts: Mapping[str, Any]) -> dict[str, Sequence[bytes]]:
    """Return what the page says about the course itself."""
    names = ("terms", "prerequisites", "requisite", "corequisites", "taken", "past_fill")
    terms, *about = (facts[name] for name in names)

    def render_texts(macros: Any) -> Iterator[str]:
        yield macros.title(course, term).strip()
        yield macros.heading(course, term, terms)
        yield macros.details(course, term, *about)
        yield live_url([str(term)], [course.courseID]).decode()
        yield escape(url_for("course", courseID=course.courseID, term=term))

    texts = render_shared_parts("macros/course.html", (course, term, terms, *about), render_texts)
    return {name: [text] for name, text in zip(TEXTS, texts, strict=True)}


def _past_fill(fill: PastFill | None) -> str:
    """Return in words when the first section of a course was full in a past term; empty if none was."""
    if fill is None:
        return ""
    minutes = round(fill.after / timedelta(minutes=1))
    after = (
        ngettext("%(number)s minute", "%(number)s minutes", max(1, minutes))
        if minutes < MINUTES_IN_WORDS
        else ngettext("%(number)s hour", "%(number)s hours", round(minutes / 60))
        if minutes < HOURS_IN_WORDS * 60
        else ngettext("%(number)s day", "%(number)s days", round(minutes / (24 * 60)))
    )
    return gettext(
        "In %(term)s, the first section filled up %(after)s after enrollment opened.",
        term=TermName(fill.term),
        after=after,
    )


def _past_term(snapshot: StudentSnapshot | None, offered: Catalog, moment: datetime) -> Term | None:
    """Return the past term that the URL names, if the student has been registered in it."""
    wanted = request.args.get("term", "")
    past = student_state.past_terms(snapshot, offered, moment) if wanted else []
    return next((term for term in past if term.term == wanted), None)


def _term(offered: Catalog, found: Course, among: Sequence[Term], moment: datetime) -> tuple[Term | None, str]:
    """Return the term that the URL names, or the first one that offers the course.

    If there is none although the URL names one, the text says why.
    """
    wanted = request.args.get("term", "")
    try:
        return terms.choose(found, among, offered.terms_of(found.courseID), wanted, moment), ""
    except NotTaught as refusal:
        return None, refusal.text if wanted else ""
    except NoTerms:
        return None, ""


def _prerequisite(leaf: Leaf, offered: Catalog, term: Term | None, state: StudentState) -> NeededCourse:
    courseIDs, is_taken, note = requisites.courses_in(leaf), None, ""
    if state.taken is not None and term is not None and leaf != Permission():
        taken = requisite_rules.taken_before(term, courseIDs, state.taken)
        beside = {one.courseID for one in state.enrolled}
        is_taken = requisite_rules.meets(leaf, taken, beside, state.attributes)
    if not courseIDs:
        return NeededCourse("", str(requisites.named(leaf, {})), is_taken)
    match leaf:
        case Concurrently():
            note = gettext("(may be taken in the same term)")
        case WithGrade(_, grade):
            note = gettext("(with a grade of %(grade)s or better)", grade=grade)
    return NeededCourse(courseIDs[0], _title(courseIDs[0], offered), is_taken, note)


def _requisite(
    offered: Catalog, term: Term | None, course: Course, state: StudentState
) -> tuple[str | NeededCourse, ...]:
    """Return the prerequisites with alternatives as courses and the text between them."""
    both, either = gettext("and"), gettext("or")
    return tuple(
        requisites.pieces(
            requisite_parser.stored(course.requisite),
            lambda leaf: _prerequisite(leaf, offered, term, state),
            f" {both} ",
            f" {either} ",
        )
    )


def _corequisite(
    courseID: str, offered: Catalog, term: Term | None, course: Course, state: StudentState
) -> NeededCourse:
    is_taken = None
    if state.taken is not None and term is not None:
        is_taken = courseID not in requisite_rules.missing_corequisites(course, term, state.enrolled, state.taken)
    return NeededCourse(courseID, _title(courseID, offered), is_taken)


def _title(courseID: str, offered: Catalog) -> str:
    course = offered.find(courseID)
    return course.title if course else courseID
