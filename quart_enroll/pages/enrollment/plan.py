"""The student's plan for a term: its problems, and one button that enrolls in everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import AlreadyEnrolled, Refused
from quart_enroll.domain.models import Course, PlannedSection, Section, SectionRequest, Term
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.forms.enrollment import DropForm, EnrollForm, TermForm
from quart_enroll.i18n.language import TermName, gettext, ngettext, plural
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.catalog.section_actions import Button, SectionActions, section_name
from quart_enroll.pages.enrollment.enrollment import enrolled_message
from quart_enroll.pages.form_views import (
    flash_refusal,
    row_url,
    section_form,
    to_page,
    to_row_or_page,
    valid_form,
)
from quart_enroll.pages.student_state import StudentState
from quart_enroll.pages.term_window import closed_window
from quart_enroll.services.enrollment import plan as service
from quart_enroll.services.enrollment.candidates import Offering
from quart_enroll.services.enrollment.enroll_plan import Outcome, enroll_plan
from quart_enroll.state import catalog, change_limiter, database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A planned course: the problems to expect, the refusal of the last try, and buttons for other ways to get it."""

    course: Course
    choice: SectionActions
    problems: Sequence[str]
    last_refusal: str
    remove_button: Button
    move_up_button: Button | None
    alternatives: Sequence[Button]

    @property
    def is_pending(self) -> bool:
        """Return whether the student is not enrolled yet."""
        return self.choice.state != "enrolled"


async def plan() -> bytes:
    user, moment, offered = auth.signed_in(), now(), await catalog()
    choice = [term for term in offered.active_terms(moment) if moment < term.add_deadline]
    snapshot = await student_state.load_snapshot(user.user_id)
    term = _term(snapshot, choice, moment)
    if term is None:
        return render("plan.html", plan=True, term=None, rows=[], lost=[], terms=[])
    state = await student_state.load(user, term, offered, snapshot)
    planned = [one for one in snapshot.plan if one.key.term == term.term]
    found = [(one, offering) for one in planned if (offering := _find_offering(term, one, offered))]
    rows = _rows(term, found, state, moment)
    return render(
        "plan.html",
        plan=True,
        term=term,
        terms=[str(one) for one in choice],
        window=closed_window(term, moment),
        rows=rows,
        lost=[_lost_course(one, offered) for one in planned if not _find_offering(term, one, offered)],
        wanted=sum(row.is_pending for row in rows),
        credits_summary=_credits_summary(
            enrolled=sum(one.course.credits for one in state.enrolled),
            planned=sum(row.course.credits for row in rows if row.is_pending),
            limit=term.max_credits,
        ),
    )


@section_form(EnrollForm, refused_to=to_row_or_page("plan"))
async def add(_form: EnrollForm, requested: SectionRequest) -> ResponseReturnValue:
    added = await service.add(enrollment_context(), auth.signed_in().user_id, requested, now())
    where, term = (
        section_name(added.offering.course.title, added.offering.key.section),
        TermName(added.offering.term.term),
    )
    if added.is_new:
        await flash(gettext("Added to your plan for %(term)s: %(where)s.", where=where, term=term), "success")
    else:
        await flash(gettext("Already in your plan for %(term)s: %(where)s.", where=where, term=term), "info")
    return redirect(row_url(requested, url_for("plan", term=added.offering.term.term)), 303)


@section_form(DropForm, refused_to=to_row_or_page("plan"))
async def remove(_form: DropForm, requested: SectionRequest) -> ResponseReturnValue:
    course, term = await service.remove(database(), auth.signed_in().user_id, requested, now())
    message = gettext("Removed from your plan for %(term)s: %(title)s.", title=course.title, term=TermName(term.term))
    await flash(message, "success")
    return redirect(row_url(requested, url_for("plan", term=term.term)), 303)


@section_form(DropForm, refused_to=to_page("plan"))
async def move_up(_form: DropForm, requested: SectionRequest) -> ResponseReturnValue:
    _, term = await service.move_up(enrollment_context(), auth.signed_in().user_id, requested, now())
    return redirect(url_for("plan", term=term.term), 303)


@valid_form(TermForm)
async def enroll(form: TermForm) -> ResponseReturnValue:
    user_id = auth.signed_in().user_id
    try:
        term, outcomes = await enroll_plan(enrollment_context(), user_id, form.term.data or "", now(), await catalog())
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("plan"))
    change_limiter().charge(user_id, len(outcomes))  # each was as much work as a click of its own
    await _flash_outcomes(term, outcomes)
    return redirect(url_for("plan", term=term.term), 303)


async def _flash_outcomes(term: Term, outcomes: Sequence[Outcome]) -> None:
    """Flash the outcome of each course; the plan itself shows why courses were refused."""
    if not outcomes:
        await flash(gettext("Your plan for %(term)s is empty.", term=TermName(term.term)), "info")
    for outcome in outcomes:
        if outcome.enrolled:
            await flash(enrolled_message(outcome.enrolled), "success")
        elif isinstance(outcome.refusal, AlreadyEnrolled):
            await flash(outcome.refusal.text, "info")
    refused = [one for one in outcomes if one.refusal and not isinstance(one.refusal, AlreadyEnrolled)]
    if refused:
        left = ngettext(
            "We couldn’t enroll you in %(number)s course; see why below.",
            "We couldn’t enroll you in %(number)s courses; see why below.",
            len(refused),
        )
        await flash(left, "warning")


def _term(snapshot: StudentSnapshot, choice: Sequence[Term], moment: datetime) -> Term | None:
    """Return the term that the URL names; otherwise the first term with a plan, or else the next to open."""
    if wanted := request.args.get("term", ""):
        return terms.find(wanted, choice, moment)
    if not choice:
        return None
    has = {one.key.term for one in snapshot.plan}
    planned = [term for term in choice if term.term in has]
    return [*planned, *(term for term in choice if moment < term.opens_at), *choice][0]


def _find_offering(term: Term, planned: PlannedSection, offered: Catalog) -> Offering | None:
    """Return the planned section, or None if the school no longer offers it."""
    course = offered.find(planned.key.courseID)
    sections: Sequence[Section] = offered.sections_of(planned.key.courseID, term)
    section = next((one for one in sections if one.key == planned.key), None)
    return Offering(term, course, section) if course and section else None


def _rows(
    term: Term, found: Sequence[tuple[PlannedSection, Offering]], state: StudentState, moment: datetime
) -> list[PlanRow]:
    all_problems = service.find_problems(term, [offering for _, offering in found], state.enrolled, state.taken or ())
    rows = []
    for (planned, offering), found_problems in zip(found, all_problems, strict=True):
        [choice] = section_actions.for_course(term, offering.course, [offering.section], state, moment)
        problems = [str(problem) for problem in found_problems]
        last_refusal = str(planned.because or "") if choice.state != "enrolled" else ""
        rows.append(
            PlanRow(
                offering.course,
                choice,
                problems,
                last_refusal if last_refusal not in " ".join(problems) else "",
                _remove_button(planned, offering.course),
                _move_up_button(planned, offering, found),
                [one for one in (choice.button, choice.secondary_button) if one and one.in_plan],
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


def _remove_button(planned: PlannedSection, course: Course | None) -> Button:
    title = course.title if course else planned.key.courseID
    fields = {"courseID": planned.key.courseID, "term": planned.key.term}
    return Button(
        "plan_remove", gettext("Remove"), gettext("%(title)s from your plan", title=title), fields, strong=False
    )


def _move_up_button(
    planned: PlannedSection, offering: Offering, found: Sequence[tuple[PlannedSection, Offering]]
) -> Button | None:
    if planned is found[0][0]:
        return None
    fields = {"courseID": planned.key.courseID, "term": planned.key.term}
    return Button("plan_up", gettext("Move up"), f": {offering.course.title}", fields, strong=False)


def _lost_course(planned: PlannedSection, offered: Catalog) -> tuple[str, Button]:
    """Return the title of a course that is no longer offered, and the button that removes it from the plan."""
    course = offered.find(planned.key.courseID)
    return course.title if course else planned.key.courseID, _remove_button(planned, course)
