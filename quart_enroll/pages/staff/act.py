"""Act for a student, and check the student's eligibility for a section."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from quart import abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import permissions
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import SectionKey, User
from quart_enroll.domain.roles import Role
from quart_enroll.domain.rules import Rule
from quart_enroll.forms.staff.students import ActForm, SectionChoiceForm
from quart_enroll.i18n.language import Sentence, TermName, Value, gettext
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.student_state import load_snapshot
from quart_enroll.services.enrollment import staff_changes
from quart_enroll.services.enrollment.staff_changes import StaffAction, StaffChange
from quart_enroll.state import catalog, database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.records import open_record

MENU_ENTRY = "staff_students"

QUESTIONS = {
    StaffAction.ENROLL: Sentence("Enroll %(name)s in %(title)s, section %(section)s, for %(term)s?"),
    StaffAction.DROP: Sentence("Drop %(name)s from %(title)s, section %(section)s, for %(term)s?"),
    StaffAction.WITHDRAW: Sentence("Withdraw %(name)s from %(title)s, section %(section)s, for %(term)s?"),
    StaffAction.SWAP: Sentence("Swap %(name)s into %(title)s, section %(section)s, for %(term)s?"),
    StaffAction.JOIN: Sentence("Add %(name)s to the waitlist for %(title)s, section %(section)s, for %(term)s?"),
    StaffAction.LEAVE: Sentence("Remove %(name)s from the waitlist for %(title)s, section %(section)s, for %(term)s?"),
    StaffAction.REORDER: Sentence(
        "Change %(name)s’s position on the waitlist for %(title)s, section %(section)s, for %(term)s?"
    ),
}


class AppliedRule(NamedTuple):
    """How a rule applies: the refusal that the student sees, or None if the rule is met, and its override."""

    label: str
    refusal: str
    override: Override | None


async def why(user_id: int) -> ResponseReturnValue:
    student, offered = await open_record(user_id), await catalog()
    form = SectionChoiceForm(request.args)
    form.offer_terms(offered.terms, offered.current_term(now()))
    rules: list[AppliedRule] = []
    error = ""
    if "courseID" in request.args and form.validate():
        key = SectionKey(form.term.data or "", form.courseID.data or "", form.section.data or "")
        try:
            change = StaffChange(StaffAction.ENROLL, key)
            rules = _applied(await staff_changes.find_rules(database(), user_id, change, now()))
        except Refused as refusal:
            error = refusal.text
    can_act = permissions.can_act_for(auth.signed_in(), student)
    snapshot = await load_snapshot(user_id)
    page = render_staff(
        "staff/why.html",
        MENU_ENTRY,
        student=student,
        form=form,
        rules=rules,
        error=error,
        can_act=can_act,
        swappable=[
            (one.key.courseID, title_of(offered, one.key.courseID))
            for one in snapshot.seats
            if one.key.term == form.term.data and one.shown_status == "enrolled"
        ],
    )
    return (page, 422) if form.errors or error else page


async def act(user_id: int) -> ResponseReturnValue:
    """Ask for the reason and the overrides that the change needs; then make the change."""
    student = await open_record(user_id)
    if not permissions.can_act_for(auth.signed_in(), student):
        abort(404)
    change, form = _requested_change(), await ActForm.from_request()
    try:
        rules = _applied(await staff_changes.find_rules(database(), user_id, change, now()))
    except Refused as refusal:
        return await _back(student, refusal.text, "warning")
    if request.method == "POST" and form.validate():
        try:
            await _make(student, change, form, now())
        except Refused as refusal:
            form.form_errors = [gettext("Not possible: %(because)s", because=refusal.message)]
        else:
            done = gettext("Done. %(name)s will be notified.", name=student.full_name)
            if change.action is not StaffAction.REORDER:
                done += " " + gettext("You can undo it in the history below.")
            return await _back(student, done, "success")
    page = await _act_page(student, change, form, rules)
    return (page, 422) if form.errors else page


async def _make(student: User, change: StaffChange, form: ActForm, now: datetime) -> None:
    staff = auth.signed_in()
    role = permissions.acting_role(staff, Role.ADVISOR)
    actor = Actor(staff.user_id, form.reason.data or "", form.chosen_overrides, role)
    changed = StaffChange(change.action, change.key, change.dropped, form.position.data or 1)
    await staff_changes.make(enrollment_context(), actor, student.user_id, changed, now)


def _requested_change() -> StaffChange:
    """Return the change that the URL names; abort with 404 if it names none."""
    given = request.args
    if given.get("action") not in list(StaffAction):
        abort(404)
    key = SectionKey(given.get("term", ""), given.get("courseID", ""), given.get("section", ""))
    return StaffChange(StaffAction(given["action"]), key, given.get("dropped", ""))


async def _act_page(student: User, change: StaffChange, form: ActForm, rules: list[AppliedRule]) -> RenderedPage:
    where: dict[str, Value] = {
        "name": student.full_name,
        "title": title_of(await catalog(), change.key.courseID),
        "section": change.key.section,
        "term": TermName(change.key.term),
    }
    blocking_rules = [rule for rule in rules if rule.refusal]
    return render_staff(
        "staff/act.html",
        MENU_ENTRY,
        student=student,
        question=QUESTIONS[change.action] % where,
        form=form,
        blocking_rules=blocking_rules,
        overrides=list(dict.fromkeys(rule.override for rule in blocking_rules if rule.override)),
        is_possible=all(rule.override for rule in blocking_rules),
        is_reorder=change.action is StaffAction.REORDER,
    )


def title_of(offered: Catalog, courseID: str) -> str:
    """Return the title of the course; for a deleted one its courseID."""
    course = offered.find(courseID)
    return course.title if course else courseID


def _applied(found: Mapping[Rule, Refused | None]) -> list[AppliedRule]:
    return [
        AppliedRule(str(rule.value), refusal.text if refusal else "", refusal.override if refusal else None)
        for rule, refusal in found.items()
    ]


async def _back(student: User, sentence: str, category: str) -> ResponseReturnValue:
    await flash(sentence, category)
    return redirect(url_for("staff_student", user_id=student.user_id), 303)
