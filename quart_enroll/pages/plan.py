"""The student's plan for a term: what is in the way of it, and one button that enrolls in all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import AlreadyEnrolled, Refused
from quart_enroll.domain.models import Course, PlannedSection, Section, Term
from quart_enroll.forms.enrollment import DropForm, EnrollForm, TermForm
from quart_enroll.i18n.language import TermName, format_list_of, gettext, ngettext, plural
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.catalog.section_actions import Button, Choice, in_words
from quart_enroll.pages.enrollment.enrollment import done
from quart_enroll.pages.refusals import flash_refusal, malformed, row_address
from quart_enroll.pages.student_state import Standing
from quart_enroll.pages.term_window import window
from quart_enroll.services.enrollment import plan as rules
from quart_enroll.services.enrollment.candidates import Offering
from quart_enroll.services.enrollment.enroll_plan import Outcome, enroll_plan
from quart_enroll.state import catalog, change_limiter, database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render

INSTEAD = ("waitlist_join", "enrollment_swap", "alert_ask", "alert_end")
"""What is offered where the one button for all can do nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """A planned course: what is in the way, and what can be done `instead` of the one button for all."""

    course: Course
    choice: Choice
    troubles: Sequence[str]
    because: str
    remove: Button
    up: Button | None
    instead: Sequence[Button]

    @property
    def counts(self) -> bool:
        """Tell whether the student does not have it yet."""
        return self.choice.state != "enrolled"


async def plan() -> bytes:
    user, moment, offered = auth.signed_in(), now(), await catalog()
    choice = [term for term in offered.active_terms(moment) if moment < term.add_deadline]
    term = await _term(user.user_id, choice, moment)
    if term is None:
        return render("plan.html", plan=True, term=None, rows=[], lost=[], terms=[])
    mine = await student_state.in_term(user, term, offered)
    planned = await rules.planned_sections(database(), user.user_id, term.term)
    found = [(one, offering) for one in planned if (offering := _offering(term, one, offered))]
    rows = _rows(term, found, mine, moment)
    return render(
        "plan.html",
        plan=True,
        term=term,
        terms=[str(one) for one in choice],
        window=window(term, moment),
        rows=rows,
        lost=[_lost(one, offered) for one in planned if not _offering(term, one, offered)],
        wanted=sum(row.counts for row in rows),
        credits_summary=_credits_summary(
            enrolled=sum(one.course.credits for one in mine.enrolled),
            planned=sum(row.course.credits for row in rows if row.counts),
            limit=term.max_credits,
        ),
    )


async def add() -> ResponseReturnValue:
    form = await EnrollForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    try:
        wish = (await catalog()).resolve(wish)
        added = await rules.add(enrollment_context(), auth.signed_in().user_id, wish, now())
    except Refused as refusal:
        return await flash_refusal(refusal, row_address(wish, url_for("plan")))
    where, term = in_words(added.offering.course.title, added.offering.key.section), TermName(added.offering.term.term)
    if added.is_new:
        await flash(gettext("Added to your plan for %(term)s: %(where)s.", where=where, term=term), "success")
    else:
        await flash(gettext("Already in your plan for %(term)s: %(where)s.", where=where, term=term), "info")
    return redirect(row_address(wish, url_for("plan", term=added.offering.term.term)), 303)


async def remove() -> ResponseReturnValue:
    form = await DropForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    try:
        wish = (await catalog()).resolve(wish)
        course, term = await rules.remove(database(), auth.signed_in().user_id, wish, now())
    except Refused as refusal:
        return await flash_refusal(refusal, row_address(wish, url_for("plan")))
    gone = gettext("Removed from your plan for %(term)s: %(title)s.", title=course.title, term=TermName(term.term))
    await flash(gone, "success")
    return redirect(row_address(wish, url_for("plan", term=term.term)), 303)


async def move_up() -> ResponseReturnValue:
    form = await DropForm.from_request()
    if not form.validate():
        return await malformed(form)
    try:
        wish = (await catalog()).resolve(form.wish())
        _, term = await rules.move_up(enrollment_context(), auth.signed_in().user_id, wish, now())
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("plan"))
    return redirect(url_for("plan", term=term.term), 303)


async def enroll() -> ResponseReturnValue:
    form = await TermForm.from_request()
    if not form.validate():
        return await malformed(form)
    named = form.term.data or ""
    try:
        term, outcomes = await enroll_plan(
            enrollment_context(), auth.signed_in().user_id, named, now(), await catalog()
        )
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("plan"))
    change_limiter().charge(auth.signed_in().user_id, len(outcomes))  # each was as much work as a button of its own
    await _tell(term, outcomes)
    return redirect(url_for("plan", term=term.term), 303)


async def _tell(term: Term, outcomes: Sequence[Outcome]) -> None:
    """Say what came of each; why something was refused stands beside it in the plan, where there is room."""
    if not outcomes:
        await flash(gettext("Your plan for %(term)s is empty.", term=TermName(term.term)), "info")
    for outcome in outcomes:
        if outcome.enrolled:
            await flash(done(outcome.enrolled), "success")
        elif isinstance(outcome.refusal, AlreadyEnrolled):
            await flash(outcome.refusal.text, "info")
    stay = [one for one in outcomes if one.refusal and not isinstance(one.refusal, AlreadyEnrolled)]
    if stay:
        left = ngettext(
            "We couldn’t enroll you in %(number)s course; see why below.",
            "We couldn’t enroll you in %(number)s courses; see why below.",
            len(stay),
        )
        await flash(left, "warning")
    if open_ones := [one for one in outcomes if not one.is_final]:
        offered = await catalog()
        titles = [course.title for one in open_ones if (course := offered.find(one.key.courseID))]
        late = gettext(
            "We ran out of time before %(titles)s. Press the button again to continue.", titles=format_list_of(titles)
        )
        await flash(late, "warning")


async def _term(user_id: int, choice: Sequence[Term], moment: datetime) -> Term | None:
    """Return the term of the address; without one the first that has a plan, else the next to open."""
    if wanted := request.args.get("term", ""):
        return terms.find(wanted, choice, moment)
    if not choice:
        return None
    has = await rules.planned_terms(database(), user_id)
    planned = [term for term in choice if term.term in has]
    return [*planned, *(term for term in choice if moment < term.opens_at), *choice][0]


def _offering(term: Term, planned: PlannedSection, offered: Catalog) -> Offering | None:
    """Return what is planned, unless the school offers it no more."""
    course = offered.find(planned.key.courseID)
    sections: Sequence[Section] = offered.sections_of(planned.key.courseID, term)
    section = next((one for one in sections if one.key == planned.key), None)
    return Offering(term, course, section) if course and section else None


def _rows(term: Term, found: Sequence[tuple[PlannedSection, Offering]], mine: Standing, moment: datetime) -> list[Row]:
    against = rules.find_problems(term, [offering for _, offering in found], mine.enrolled, mine.taken or ())
    rows = []
    for (planned, offering), troubles in zip(found, against, strict=True):
        [choice] = section_actions.of_course(term, offering.course, [offering.section], mine, moment)
        said = [str(trouble) for trouble in troubles]
        because = str(planned.because or "") if choice.state != "enrolled" else ""
        rows.append(
            Row(
                offering.course,
                choice,
                said,
                because if because not in " ".join(said) else "",
                _remove(planned, offering.course),
                _up(planned, offering, found),
                [one for one in (choice.button, choice.aside) if one and one.endpoint in INSTEAD],
            )
        )
    return rows


def _credits_summary(*, enrolled: float, planned: float, limit: float) -> str:
    """Return how many credits the student has and plans, and by how many they exceed the limit."""
    over = round(enrolled + planned - limit, 2)
    if not planned:
        return gettext("%(number)s of %(limit)s credits", number=enrolled, limit=limit)
    if not enrolled and over <= 0:
        return gettext("%(planned)s of %(limit)s credits planned", planned=planned, limit=limit)
    total = plural("%(number)s credit planned", "%(number)s credits planned", planned)
    if enrolled:
        total = plural(
            "%(number)s credit enrolled, %(planned)s planned",
            "%(number)s credits enrolled, %(planned)s planned",
            enrolled,
            planned=planned,
        )
    if over > 0:
        return gettext("%(credits)s, %(over)s over the limit", credits=total, over=over)
    return gettext("%(credits)s (limit %(limit)s)", credits=total, limit=limit)


def _remove(planned: PlannedSection, course: Course | None) -> Button:
    title = course.title if course else planned.key.courseID
    fields = {"courseID": planned.key.courseID, "term": planned.key.term}
    return Button(
        "plan_remove", gettext("Remove"), gettext("%(title)s from your plan", title=title), fields, strong=False
    )


def _up(planned: PlannedSection, offering: Offering, found: Sequence[tuple[PlannedSection, Offering]]) -> Button | None:
    if planned is found[0][0]:
        return None
    fields = {"courseID": planned.key.courseID, "term": planned.key.term}
    return Button("plan_up", gettext("Move up"), f": {offering.course.title}", fields, strong=False)


def _lost(planned: PlannedSection, offered: Catalog) -> tuple[str, Button]:
    """Return the title of what is not offered any more, and what takes it out of the plan."""
    course = offered.find(planned.key.courseID)
    return course.title if course else planned.key.courseID, _remove(planned, course)
