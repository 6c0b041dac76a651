"""What a visitor can do about each section now: the one button that fits, or the reason why there is none."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.domain import rules
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    AlreadyWaiting,
    CorequisiteMissing,
    Refused,
    TimeConflict,
    WaitlistFull,
)
from quart_enroll.domain.models import Course, Registration, Section, SectionKey, Term
from quart_enroll.i18n.language import format_list_of, gettext
from quart_enroll.pages.student_state import Standing

ASKS = {"ask": "y"}
"""What a button sends to be asked first whether that is meant."""


@dataclass(frozen=True, slots=True)
class Button:
    """A form of one button: where it goes, what it says (and `about` what, for who does not see the page), what
    it sends. One that changes nothing but its own line stays `in_place`."""

    endpoint: str
    label: str
    about: str
    fields: dict[str, str]
    strong: bool = True
    in_place: bool = False

    @property
    def look(self) -> tuple[Hashable, ...]:
        """What two buttons that look and do the same have in common."""
        return self.endpoint, self.label, self.about, *self.fields.items(), self.strong, self.in_place


@dataclass(frozen=True, slots=True)
class Choice:
    """A section as one visitor sees it: where the student stands (`state` is enrolled, waiting, planned or nothing,
    `words` tells it), what is in the way (`reason`), and the `button` for what can be done, and `aside` a quiet one
    for what comes later."""

    section: Section
    state: str = ""
    words: str = ""
    reason: str = ""
    button: Button | None = None
    aside: Button | None = None

    @property
    def look(self) -> tuple[Hashable, ...]:
        """What two choices about the section have in common when they look the same."""
        return self.state, self.words, self.reason, self.button and self.button.look, self.aside and self.aside.look


def of_course(term: Term, course: Course, sections: Iterable[Section], mine: Standing, now: datetime) -> list[Choice]:
    """Return what the visitor can do about each of the course's sections."""
    return [_choice(term, course, section, mine, now) for section in sections]


def swaps(term: Term, course: Course, choice: Choice, mine: Standing, now: datetime) -> list[Registration]:
    """Return the student's other courses in whose stead the section would fit, but for that of the choice's button."""
    section = choice.section
    offered = choice.button.fields if choice.button else {}
    if not term.is_open(now) or not _has_room(section, mine) or mine.place(section.key) or _lacks(term, course, mine):
        return []
    others = [] if any(one.section.key == section.key for one in mine.enrolled) else mine.enrolled
    return [
        one
        for one in others
        if one.courseID not in (course.courseID, offered.get("drop"), offered.get("drop_if_enrolled"))
        and _can_go(term, course, section, mine, one)
    ]


def drop_button(term: Term, course: Course, waiting: int, now: datetime) -> Button | None:
    """Return what gives back a seat, while that can be done; where it can't be undone, it asks before."""
    if now >= term.withdraw_deadline:
        return None
    label, about = gettext("Drop"), course.title
    if now >= term.drop_deadline:
        label, about = gettext("Withdraw"), gettext("from %(title)s", title=course.title)
    asks = ASKS if waiting or now >= term.drop_deadline else {}
    fields = {"courseID": course.courseID, "term": term.term} | asks
    return Button("enrollment_drop", label, about, fields, strong=False)


def leave_button(key: SectionKey, title: str) -> Button:
    """Return what takes a student out of a line."""
    fields = {"courseID": key.courseID, "term": key.term} | ASKS
    return Button(
        "waitlist_leave", gettext("Leave waitlist"), gettext("for %(title)s", title=title), fields, strong=False
    )


def plan_button(course: Course, key: SectionKey, mine: Standing, *, strong: bool = False) -> Button:
    """Return what puts a section into the plan, or takes it out."""
    this = f": {in_words(course.title, key.section)}"
    if key in mine.planned:
        fields = {"courseID": key.courseID, "term": key.term}
        return Button("plan_remove", gettext("Remove from plan"), this, fields, strong=False, in_place=True)
    return Button("plan_add", gettext("Add to plan"), this, _named(key), strong, in_place=True)


def alert_button(title: str, key: SectionKey, *, asked: bool) -> Button:
    """Return what asks to be told of a seat, or ends that."""
    if asked:
        of_this = gettext("for %(title)s, section %(section)s", title=title, section=key.section)
        return Button("alert_end", gettext("Remove alert"), of_this, _named(key), strong=False, in_place=True)
    in_this = gettext("in %(title)s, section %(section)s", title=title, section=key.section)
    return Button("alert_ask", gettext("Notify me if a seat opens"), in_this, _named(key), strong=False, in_place=True)


def _choice(term: Term, course: Course, section: Section, mine: Standing, now: datetime) -> Choice:
    if any(one.section.key == section.key for one in mine.enrolled):
        return Choice(section, "enrolled", gettext("Enrolled"), button=drop_button(term, course, section.waiting, now))
    if place := mine.place(section.key):
        because = str(place.waiting.skipped_because or "")
        words = waiting_in_words(place.position, place.of)
        return Choice(section, "waiting", words, because, leave_button(section.key, course.title))
    if not term.is_open(now):
        return _before(course, section, mine) if mine.signed_in and now < term.opens_at else Choice(section)
    aside = _aside(course, section, mine)
    try:
        if mine.taken is not None:
            rules.check_prerequisites(course, term, mine.taken)
        gone = _in_the_way(term, course, section, mine)
        if missing := _missing(term, course, section, mine, gone):
            button = None if gone else _together_button(course, section, missing.names)
            return Choice(section, reason=missing.text, button=button, aside=aside)
        return Choice(section, button=_button(course, section, mine, gone), aside=aside)
    except Refused as refusal:
        return Choice(section, reason=refusal.text, aside=aside)


def _before(course: Course, section: Section, mine: Standing) -> Choice:
    """Return what a student can do before the term opens: plan."""
    if section.key in mine.planned:
        return Choice(section, "planned", gettext("In your plan"), aside=plan_button(course, section.key, mine))
    return Choice(section, button=plan_button(course, section.key, mine, strong=True))


def _aside(course: Course, section: Section, mine: Standing) -> Button | None:
    """Return what a student can do besides: hear of a seat where there is none, plan what could be taken."""
    if not mine.signed_in:
        return None
    if not section.open_seats:
        return alert_button(course.title, section.key, asked=section.key in mine.alerts)
    has_it = any(one.courseID == course.courseID for one in mine.enrolled)
    return None if has_it else plan_button(course, section.key, mine)


def _in_the_way(term: Term, course: Course, section: Section, mine: Standing) -> Registration | None:
    """Return the course that must go to make room, or None; raise the reason when that would not be enough."""
    try:
        rules.check_fits(term, course, section, mine.enrolled)
    except (AlreadyEnrolled, TimeConflict):
        clashes = [
            one for one in mine.enrolled if one.courseID == course.courseID or rules.overlap(section, one.section)
        ]
        if len(clashes) > 1:
            raise
        rules.check_fits(term, course, section, [one for one in mine.enrolled if one not in clashes])
        if clashes[0].courseID != course.courseID:
            rules.check_dependents(clashes[0], term, mine.enrolled, mine.taken or ())
            staying = [one for one in mine.enrolled if one is not clashes[0]]
            if clashes[0].courseID in rules.missing_corequisites(course, term, staying, mine.taken or ()):
                raise
        return clashes[0]
    return None


def _can_go(term: Term, course: Course, section: Section, mine: Standing, one: Registration) -> bool:
    """Tell whether the student may give up that course for the section."""
    if rules.dependent_courses(one.courseID, term, mine.enrolled, mine.taken or ()):
        return False
    staying = [other for other in mine.enrolled if other is not one]
    return rules.fits(term, course, section, staying) and not _missing(term, course, section, mine, one)


def _missing(
    term: Term, course: Course, section: Section, mine: Standing, gone: Registration | None
) -> CorequisiteMissing | None:
    """Return the refusal for what must be taken together with the course, once what is `gone` is given up.

    In a full section the student can wait for both.
    """
    if mine.taken is None or (gone and gone.courseID == course.courseID):
        return None
    staying = [one for one in mine.enrolled if one is not gone]
    waits = () if section.open_seats else [place.waiting.key.courseID for place in mine.places]
    try:
        rules.check_corequisites(course, term, staying, mine.taken, waits)
    except CorequisiteMissing as refusal:
        return refusal
    return None


def _together_button(course: Course, section: Section, names: Sequence[str]) -> Button | None:
    """Return what enrolls in the course and in those that must be taken together with it."""
    if not section.open_seats:
        return None
    fields = {"courseID": course.courseID, "term": section.term, "section": section.section, "with_corequisites": "y"}
    label = gettext("Enroll with %(titles)s", titles=format_list_of(names))
    return Button("enrollment", label, f": {in_words(course.title, section.section)}", fields)


def _button(course: Course, section: Section, mine: Standing, gone: Registration | None) -> Button:
    if not _has_room(section, mine):
        waiting = mine.waits_for(course.courseID)
        raise AlreadyWaiting(course.title, waiting) if waiting else WaitlistFull(course.title, section.section)
    where = {"term": section.term, "section": section.section}
    this = in_words(course.title, section.section)
    if not section.open_seats:
        linked = {"drop_if_enrolled": gone.courseID} if gone else {}
        fields = {"courseID": course.courseID, **where, **linked}
        if gone:
            label = gettext("Join waitlist, replacing %(title)s", title=gone.course.title)
            return Button("waitlist_join", label, f": {this}", fields, strong=False)
        of_this = gettext("for %(title)s, section %(section)s", title=course.title, section=section.section)
        return Button("waitlist_join", gettext("Join waitlist"), of_this, fields, strong=False)
    if gone:
        fields = {"drop": gone.courseID, "add": course.courseID, **where, "ask": "y"}
        label = gettext("Swap %(title)s for this", title=gone.course.title)
        return Button("enrollment_swap", label, this, fields, strong=False)
    in_this = gettext("in %(title)s, section %(section)s", title=course.title, section=section.section)
    return Button("enrollment", gettext("Enroll"), in_this, {"courseID": course.courseID, **where})


def in_words(title: str, section: str) -> str:
    """Return what a section is called."""
    return gettext("%(title)s, section %(section)s", title=title, section=section)


def waiting_in_words(position: int, of: int) -> str:
    """Return where somebody waits."""
    return gettext("Waitlisted, %(position)s of %(of)s", position=position, of=of)


def _named(key: SectionKey) -> dict[str, str]:
    return {"courseID": key.courseID, "term": key.term, "section": key.section}


def _lacks(term: Term, course: Course, mine: Standing) -> bool:
    """Tell whether the student has not taken what the course needs: then nothing that is given back helps."""
    return bool(rules.missing_prerequisites(course, term, mine.taken or ()))


def _has_room(section: Section, mine: Standing) -> bool:
    """Tell whether there is a seat, or a place in the line for who does not wait for the course yet."""
    can_wait = section.waiting < section.waitlist_capacity and not mine.waits_for(section.courseID)
    return bool(section.open_seats or can_wait)
