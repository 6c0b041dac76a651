"""What a visitor can do about a section: a button, or the reason why there is none."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.domain import grades, permits, repeat_rules, requisite_rules, rules
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    AlreadyWaiting,
    ConsentRequired,
    CorequisiteMissing,
    Refused,
    RepeatLimit,
    TimeConflict,
    WaitlistFull,
)
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import Course, Registration, Section, SectionKey, Term
from quart_enroll.domain.permits import PermitStatus
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.i18n.language import Sentence, TermName, format_list_of, gettext
from quart_enroll.pages.student_state import StudentState

ASK_FIRST = {"ask": "y"}
"""The field of a button that asks for confirmation first."""


@dataclass(frozen=True, slots=True)
class Button:
    """A form of one button: its endpoint, its label and its hidden fields.

    `about` completes the label for screen readers. After the click, a button that is `in_place` only updates its own
    row of the page. One that is `in_plan` stands beside a planned course, for what the button that enrolls in the whole
    plan can't do.
    """

    endpoint: str
    label: str
    about: str
    fields: Mapping[str, str | Sequence[str]]
    strong: bool = True
    in_place: bool = False
    in_plan: bool = False

    @property
    def appearance(self) -> str:
        """Return a text that is equal for buttons that look and work the same; as a key, it takes little memory."""
        return repr((self.endpoint, self.label, self.about, self.fields, self.strong, self.in_place))


@dataclass(frozen=True, slots=True)
class Badge:
    """A few words about what a course or section is to the student; pages color it by its `kind`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class SectionActions:
    """What a visitor sees about a section.

    `state` is "enrolled", "waiting", "planned" or empty, and `status` says it in words. `conflicts` says that another
    of the student's courses meets at the same time, and `has_permit` that a permit sets rules aside; `request`
    says what has become of a request for consent. `reason` says why there is no button to enroll, or what to consider
    first. The secondary button is for later: an alert, or the plan.
    """

    section: Section
    state: str = ""
    status: str = ""
    reason: str = ""
    button: Button | None = None
    secondary_button: Button | None = None
    conflicts: bool = False
    has_permit: bool = False
    request: str = ""

    @property
    def appearance(self) -> tuple[Hashable, ...]:
        """Return a value that is equal for visitors who see the same."""
        buttons = (self.button and self.button.appearance, self.secondary_button and self.secondary_button.appearance)
        return self.state, self.status, self.conflicts, self.has_permit, self.request, self.reason, *buttons

    @property
    def badges(self) -> tuple[Badge, ...]:
        """What the student has in the section, and whether it conflicts."""
        own = (Badge(self.state, self.status),) if self.state else ()
        own = (*own, Badge("permit", gettext("Permit"))) if self.has_permit else own
        own = (*own, Badge("permit", self.request)) if self.request else own
        return (*own, conflict_badge()) if self.conflicts else own


def for_course(
    term: Term, course: Course, sections: Iterable[Section], state: StudentState, now: datetime
) -> list[SectionActions]:
    """Return what the visitor sees about each of the sections."""
    own = state.own_term(term)
    return [
        _with_permit(state.own_term(term, allowed), course, section, state, now, allowed)
        if (allowed := state.permitted(section))
        else _section_actions(own, course, section, state, now)
        for section in map(state.sees, sections)
    ]


def conflict_badge() -> Badge:
    """Return the badge of a section at the time of another course of the student."""
    return Badge("conflict", gettext("Conflict"))


def taken_badge(term: Term, course: Course, state: StudentState) -> Badge | None:
    """Return the badge of a course that the student took before, with the last term and the grade; otherwise None."""
    found = [one for one in state.taken or () if one.courseID == course.courseID and not one.is_equivalent]
    taken = [one for one in found if one.term.comes_before(term)]
    if not taken:
        return None
    last = max(taken, key=lambda one: one.term.order)
    name = TermName(last.term.term)
    if last.grade == grades.WITHDRAWN:
        return Badge("taken", gettext("Withdrawn in %(term)s", term=name))
    if last.grade:
        return Badge("taken", gettext("Taken in %(term)s, grade %(grade)s", term=name, grade=last.grade))
    return Badge("taken", gettext("Taken in %(term)s", term=name))


def course_badges(choices: Sequence[SectionActions], taken: Badge | None) -> tuple[Badge, ...]:
    """Return what the closed row of a course shows: what the student has in it, or that all its sections conflict."""
    own = dict.fromkeys(Badge(one.state, one.status) for one in choices if one.state)
    if not own and choices and all(one.conflicts for one in choices):
        own = {conflict_badge(): None}
    return (*own, taken) if taken else tuple(own)


def swappable_courses(
    term: Term, course: Course, choice: SectionActions, state: StudentState, now: datetime
) -> list[Registration]:
    """Return the student's other courses that the section could replace, without the one that its button replaces."""
    allowed = state.permitted(choice.section)
    term, course, section = permits.ease(state.own_term(term, allowed), course, choice.section, allowed)
    button_fields = choice.button.fields if choice.button else {}
    if (
        not term.is_open(now)
        or not _has_room(section, state)
        or state.waitlist_position(section.key)
        or _lacks_prerequisites(term, course, state)
        or not _has_attempts_left(term, course, state)
        or HoldBlock.SWAP in state.blocked
        or not state.attributes.is_active
    ):
        return []
    others = [] if any(one.section.key == section.key for one in state.enrolled) else state.enrolled
    return [
        one
        for one in others
        if one.courseID not in (course.courseID, button_fields.get("drop"), button_fields.get("drop_if_enrolled"))
        and _can_replace(term, course, section, state, one)
    ]


def drop_button(term: Term, course: Course, waiting: int, now: datetime) -> Button | None:
    """Return the button that drops the course, or None after the deadline.

    It asks for confirmation if the seat would go to another student, or if the course would stay with a W.
    """
    if now >= term.withdraw_deadline:
        return None
    label, about = gettext("Drop"), course.title
    if now >= term.drop_deadline:
        label, about = gettext("Withdraw"), gettext("from %(title)s", title=course.title)
    asks = ASK_FIRST if waiting or now >= term.drop_deadline else {}
    fields = {"courseID": course.courseID, "term": term.term} | asks
    return Button("enrollment_drop", label, about, fields, strong=False)


def leave_button(key: SectionKey, title: str) -> Button:
    """Return the button that leaves the waitlist."""
    fields = {"courseID": key.courseID, "term": key.term} | ASK_FIRST
    return Button(
        "waitlist_leave", gettext("Leave waitlist"), gettext("for %(title)s", title=title), fields, strong=False
    )


def plan_button(course: Course, key: SectionKey, state: StudentState, *, strong: bool = False) -> Button:
    """Return the button that adds the section to the plan, or removes it."""
    this = f": {section_name(course.title, key.section)}"
    if key in state.planned:
        label, fields = gettext("Remove from plan"), section_fields(key)
        return Button("plan_remove", label, this, fields, strong=False, in_place=True)
    return Button("plan_add", gettext("Add to plan"), this, section_fields(key), strong, in_place=True)


def consent_button(course: Course, key: SectionKey) -> Button:
    """Return the button that opens the student's request for consent."""
    of_this = gettext("for %(title)s, section %(section)s", title=course.title, section=key.section)
    return Button("consent", gettext("Request consent"), of_this, section_fields(key) | ASK_FIRST, in_plan=True)


def alert_button(title: str, key: SectionKey, *, is_set: bool) -> Button:
    """Return the button that sets an alert for the section, or removes it."""
    if is_set:
        of_this = gettext("for %(title)s, section %(section)s", title=title, section=key.section)
        return Button(
            "alert_end",
            gettext("Remove alert"),
            of_this,
            section_fields(key),
            strong=False,
            in_place=True,
            in_plan=True,
        )
    in_this = gettext("in %(title)s, section %(section)s", title=title, section=key.section)
    return Button(
        "alert_ask",
        gettext("Notify me if a seat opens"),
        in_this,
        section_fields(key),
        strong=False,
        in_place=True,
        in_plan=True,
    )


def _section_actions(
    term: Term, course: Course, section: Section, state: StudentState, now: datetime
) -> SectionActions:
    if any(one.section.key == section.key for one in state.enrolled):
        hold = state.blocked.get(HoldBlock.DROP)
        button = None if hold else drop_button(term, course, section.waiting, now)
        return SectionActions(section, "enrolled", gettext("Enrolled"), hold_reason(hold), button)
    if position := state.waitlist_position(section.key):
        reason = str(position.entry.skipped_because or "")
        status = waitlist_status(position.position, position.length)
        button = leave_button(section.key, course.title) if now < term.withdraw_deadline else None
        return SectionActions(section, "waiting", status, reason, button)
    if not term.is_open(now):
        can_plan = state.signed_in and now < term.opens_at
        return _before_opening(course, section, state) if can_plan else SectionActions(section)
    own = _before_seat(section, state, _secondary_button(course, section, state))
    try:
        if state.signed_in:
            rules.check_restrictions(course, section, state.attributes)
            rules.check_status(course, section)
            rules.check_consent(course, section)
        if warning := _check_repeats(term, course, state):
            own = replace(own, reason=str(warning))
        _check_prerequisites(term, course, section, state)
        dropped = _conflicting_course(term, course, section, state)
        if dropped:
            _check_prerequisites(term, course, section, state, dropped)
        if hold := state.blocked.get(_change(section, dropped)):
            return replace(own, reason=hold_reason(hold))
        if not state.attributes.is_active:
            return replace(own, reason=status_reason(state.attributes))
        if missing := _missing_corequisites(term, course, section, state, dropped):
            button = None if dropped else _enroll_together_button(course, section, missing.names)
            return replace(own, reason=missing.text, button=button)
        return replace(own, button=_button(course, section, state, dropped))
    except ConsentRequired:  # the section says so itself
        return _with_request(own, course, state)
    except Refused as refusal:
        return replace(own, reason=refusal.text)


def _with_permit(
    term: Term, course: Course, section: Section, state: StudentState, now: datetime, allowed: frozenset[Override]
) -> SectionActions:
    """Return what a student whose permits set rules aside for the section can do.

    With a permit for a section without an open seat, a student on its waitlist may enroll.
    """
    waitlisted = state.waitlist_position(section.key)
    gives_seat = (Override.RESERVED_SEATS if section.free_seats else Override.FULL) in allowed
    others = [one for one in state.waitlisted if one is not waitlisted] if gives_seat else state.waitlisted
    eased = permits.ease(term, course, section, allowed)
    found = _section_actions(*eased, replace(state, waitlisted=others), now)
    found = replace(found, section=section, has_permit=True)
    if waitlisted is None or waitlisted in others or not term.is_open(now):
        return found
    status, leave = waitlist_status(waitlisted.position, waitlisted.length), leave_button(section.key, course.title)
    return replace(found, state="waiting", status=status, secondary_button=leave)


def hold_reason(hold: Hold | None) -> str:
    """Return in a few words that the hold is the reason, because the page has a banner about it; empty for none."""
    return gettext("Hold: %(office)s", office=hold.office) if hold else ""


def status_reason(attributes: StudentAttributes) -> str:
    """Return in a few words that the student's status is the reason, because the page has a banner about it."""
    return gettext("Status: %(status)s", status=attributes.status.label)


def _change(section: Section, dropped: Registration | None) -> HoldBlock:
    """Return what the button would do; it would drop the course `dropped`."""
    if not section.open_seats:
        return HoldBlock.WAITLIST
    return HoldBlock.SWAP if dropped else HoldBlock.ENROLL


def _before_opening(course: Course, section: Section, state: StudentState) -> SectionActions:
    """Return what a student can do before the term opens: plan the section, and request the consent that it needs."""
    own = _before_seat(section, state)
    planning = plan_button(course, section.key, state, strong=not own.state)
    if section.needs_consent and not any(one.courseID == course.courseID for one in state.enrolled):
        return _with_request(replace(own, secondary_button=planning), course, state)
    return replace(own, secondary_button=planning) if own.state else replace(own, button=planning)


def _with_request(own: SectionActions, course: Course, state: StudentState) -> SectionActions:
    """Add the button to request consent for the section, or what has become of the request."""
    key = own.section.key
    found, button = state.consent_requests.get(key), consent_button(course, key)
    if found is None:
        return replace(own, button=button)
    if found.status is PermitStatus.REQUESTED:
        viewing = replace(button, label=gettext("View request"), strong=False)
        return replace(own, request=gettext("Consent requested"), button=viewing)
    return replace(own, request=gettext("Consent declined"), button=replace(button, strong=False))


def _before_seat(section: Section, state: StudentState, secondary: Button | None = None) -> SectionActions:
    """Return what the student sees without having a seat in the section or waiting for one: the plan, conflicts."""
    conflicts, has_course = _conflicts(section, state), any(one.courseID == section.courseID for one in state.enrolled)
    if section.key in state.planned and not has_course:
        status = gettext("Planned")
        return SectionActions(section, "planned", status, secondary_button=secondary, conflicts=conflicts)
    return SectionActions(section, secondary_button=secondary, conflicts=conflicts)


def _conflicts(section: Section, state: StudentState) -> bool:
    """Return whether another course of the student meets at the same time."""
    return any(one.courseID != section.courseID and rules.overlap(section, one.section) for one in state.enrolled)


def _secondary_button(course: Course, section: Section, state: StudentState) -> Button | None:
    """Return the button that sets an alert for a full section, or plans one with a seat; None for visitors."""
    if not state.signed_in:
        return None
    if not section.open_seats:
        return alert_button(course.title, section.key, is_set=section.key in state.alerts)
    has_it = any(one.courseID == course.courseID for one in state.enrolled)
    return None if has_it else plan_button(course, section.key, state)


def _conflicting_course(term: Term, course: Course, section: Section, state: StudentState) -> Registration | None:
    """Return the course that a swap would drop, or None if there is no conflict.

    Raises the reason if dropping one course would not be enough.
    """
    try:
        rules.check_fits(term, course, section, state.enrolled)
    except (AlreadyEnrolled, TimeConflict):
        conflicts = [
            one for one in state.enrolled if one.courseID == course.courseID or rules.overlap(section, one.section)
        ]
        if len(conflicts) > 1:
            raise
        rules.check_fits(term, course, section, [one for one in state.enrolled if one not in conflicts])
        if conflicts[0].courseID != course.courseID:
            requisite_rules.check_dependents(
                conflicts[0], term, state.enrolled, state.taken or (), attributes=state.attributes
            )
            staying = [one for one in state.enrolled if one is not conflicts[0]]
            if conflicts[0].courseID in requisite_rules.missing_corequisites(course, term, staying, state.taken or ()):
                raise
        return conflicts[0]
    return None


def _can_replace(term: Term, course: Course, section: Section, state: StudentState, one: Registration) -> bool:
    """Return whether the student may swap that course for the section."""
    if requisite_rules.dependent_courses(one.courseID, term, state.enrolled, state.taken or (), state.attributes):
        return False
    staying = [other for other in state.enrolled if other is not one]
    return (
        rules.fits(term, course, section, staying, state.attributes)
        and not _missing_corequisites(term, course, section, state, one)
        and not requisite_rules.missing_prerequisites(
            course, term, state.taken or (), staying, _waitlisted(section, state), state.attributes
        )
    )


def _check_repeats(term: Term, course: Course, state: StudentState) -> Sentence | None:
    """Return the warning about another attempt, or raise RepeatLimit; another section of a course isn't an attempt."""
    if state.taken is None or any(one.courseID == course.courseID for one in state.enrolled):
        return None
    repeat_rules.check(course, term, state.taken)
    return repeat_rules.warning(course, term, state.taken)


def _has_attempts_left(term: Term, course: Course, state: StudentState) -> bool:
    try:
        _check_repeats(term, course, state)
    except RepeatLimit:
        return False
    return True


def _check_prerequisites(
    term: Term, course: Course, section: Section, state: StudentState, dropped: Registration | None = None
) -> None:
    """Raise PrerequisiteMissing if the student lacks prerequisites, without the course `dropped`."""
    if state.taken is not None:
        staying = (one for one in state.enrolled if one is not dropped)
        beside = _waitlisted(section, state)
        requisite_rules.check_prerequisites(course, term, state.taken, staying, beside, state.attributes)


def _waitlisted(section: Section, state: StudentState) -> Sequence[str]:
    """Return the courses that count as if the student had them: for a full section, those with a waitlist entry."""
    return () if section.open_seats else [one.entry.key.courseID for one in state.waitlisted]


def _missing_corequisites(
    term: Term, course: Course, section: Section, state: StudentState, dropped: Registration | None
) -> CorequisiteMissing | None:
    """Return the refusal for missing corequisites, once the student has dropped the course `dropped`.

    For a full section, it is enough to be waitlisted for the corequisites.
    """
    if state.taken is None or (dropped and dropped.courseID == course.courseID):
        return None
    staying = [one for one in state.enrolled if one is not dropped]
    try:
        requisite_rules.check_corequisites(course, term, staying, state.taken, _waitlisted(section, state))
    except CorequisiteMissing as refusal:
        return refusal
    return None


def _enroll_together_button(course: Course, section: Section, names: Sequence[str]) -> Button | None:
    """Return the button that enrolls in the course and its corequisites; None for a full section."""
    if not section.open_seats:
        return None
    fields = {"courseID": course.courseID, "term": section.term, "section": section.section, "with_corequisites": "y"}
    label = gettext("Enroll with %(titles)s", titles=format_list_of(names))
    return Button("enrollment", label, f": {section_name(course.title, section.section)}", fields)


def _button(course: Course, section: Section, state: StudentState, dropped: Registration | None) -> Button:
    if not _has_room(section, state):
        waitlisted = state.waitlisted_section(course.courseID)
        raise AlreadyWaiting(course.title, waitlisted) if waitlisted else WaitlistFull(course.title, section.section)
    where = {"term": section.term, "section": section.section}
    this = section_name(course.title, section.section)
    if not section.open_seats:
        linked = {"drop_if_enrolled": dropped.courseID} if dropped else {}
        fields = {"courseID": course.courseID, **where, **linked}
        if dropped:
            label = gettext("Join waitlist, replacing %(title)s", title=dropped.course.title)
            return Button("waitlist_join", label, f": {this}", fields, strong=False, in_plan=True)
        of_this = gettext("for %(title)s, section %(section)s", title=course.title, section=section.section)
        return Button("waitlist_join", gettext("Join waitlist"), of_this, fields, strong=False, in_plan=True)
    if dropped:
        fields = {"drop": dropped.courseID, "add": course.courseID, **where, "ask": "y"}
        label = gettext("Swap %(title)s for this", title=dropped.course.title)
        return Button("enrollment_swap", label, this, fields, strong=False, in_plan=True)
    in_this = gettext("in %(title)s, section %(section)s", title=course.title, section=section.section)
    return Button("enrollment", gettext("Enroll"), in_this, {"courseID": course.courseID, **where})


def section_name(title: str, section: str) -> str:
    """Return the name of a section."""
    return gettext("%(title)s, section %(section)s", title=title, section=section)


def waitlist_status(position: int, length: int) -> str:
    """Return a waitlist position in words."""
    return gettext("Waitlisted, %(position)s of %(of)s", position=position, of=length)


def section_fields(key: SectionKey) -> dict[str, str]:
    """Return the fields of a button that name the section."""
    return {"courseID": key.courseID, "term": key.term, "section": key.section}


def _lacks_prerequisites(term: Term, course: Course, state: StudentState) -> bool:
    """Return whether prerequisites are missing: then dropping another course doesn't help."""
    waitlisted = [one.entry.key.courseID for one in state.waitlisted]
    facts = state.taken or (), state.enrolled, waitlisted, state.attributes
    return bool(requisite_rules.missing_prerequisites(course, term, *facts))


def _has_room(section: Section, state: StudentState) -> bool:
    """Return whether there is an open seat, or room on the waitlist for a student who is not on one for the course."""
    can_wait = section.waiting < section.waitlist_capacity and not state.waitlisted_section(section.courseID)
    return bool(section.open_seats or can_wait)
