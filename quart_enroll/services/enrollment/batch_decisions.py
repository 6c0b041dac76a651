"""Decide on the requests of a batch in turn, by the same rules as if each had come alone. Nothing here is written."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from quart_enroll.domain import rules
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.errors import AlreadyEnrolled, AlreadyWaiting, Refused, SectionFull, WaitlistFull
from quart_enroll.domain.holds import HoldBlock
from quart_enroll.domain.models import PlannedSection, Registration, Section, SectionKey
from quart_enroll.services.enrollment.candidates import Candidate, Offering, check_can_enroll
from quart_enroll.services.enrollment.plan_order import group_by_needs
from quart_enroll.services.enrollment.plan_refit import Group, choose_sections, needed_in_plan
from quart_enroll.services.enrollment.seat_changes import Enrolled, is_left_for


class Choice(Enum):
    """Which of the sections a student wants."""

    FIRST = "the first that is not full"
    ALL = "all or none"
    EACH = "each that is possible, courses that need each other together or not at all"


@dataclass(frozen=True, slots=True)
class SeatRequest:
    """A student who wants seats, or with `join_waitlist` else a place on the waitlist of the only section.

    A permit to exceed the capacity gives the seat, also in place of a waitlist entry.

    `alternatives` are the planned sections of these that may be replaced by others.
    """

    user_id: int
    choice: Choice
    keys: Sequence[SectionKey]
    now: datetime
    join_waitlist: bool = False
    alternatives: Sequence[PlannedSection] = ()


@dataclass(frozen=True, slots=True)
class Waitlisted:
    """A new waitlist entry; `position` counts from 1."""

    offering: Offering
    position: int


NO_ALTERNATIVES: Mapping[SectionKey, Sequence[Section]] = {}

SeatResult: TypeAlias = Enrolled | Waitlisted | Refused


@dataclass(frozen=True, slots=True)
class Decision:
    """What the student gets in a section.

    `candidate` holds the facts behind a seat, a waitlist entry or a full section. Courses that are refused together
    share the refusal, and only one of their decisions `is_recorded`. A seat may be `instead_of` the planned section,
    and the student's permits have set the `overrides` aside for it. It belongs to the `pool`, as
    `Candidate.find_pool` returns it.
    """

    key: SectionKey
    result: SeatResult
    candidate: Candidate | None = None
    is_recorded: bool = True
    instead_of: SectionKey | None = None
    overrides: frozenset[Override] = NO_OVERRIDES
    pool: str | None = None

    @property
    def may_unblock(self) -> bool:
        """Whether the student waits for a course that requires this one: then a promotion may follow."""
        seat = self.candidate if isinstance(self.result, Enrolled) else None
        return seat is not None and seat.may_unblock(self.key.courseID)


class BatchJudge:
    """Decides on one student after the other, and counts the seats and waitlist places that it has given."""

    def __init__(self) -> None:
        self._seats_given: defaultdict[SectionKey, Counter[str]] = defaultdict(Counter)
        self._places_given: Counter[SectionKey] = Counter()

    def decide(
        self,
        request: SeatRequest,
        candidates: Sequence[Candidate | Refused],
        accepted: Mapping[SectionKey, Sequence[Section]] = NO_ALTERNATIVES,
    ) -> list[Decision]:
        """Return what the student gets; `candidates` belong to the keys of the request.

        `accepted` has the sections that the student accepts, best first, by the planned ones that have alternatives.
        """
        groups = [[(key, self._now(one)) for key, one in group] for group in _groups(request, candidates)]
        if accepted:
            left = {key: [self.remaining(one) for one in sections] for key, sections in accepted.items()}
            chosen = choose_sections(groups, left, request.now)
            groups = [[(key, _with_section(one, chosen.get(key))) for key, one in group] for group in groups]
        added: list[Registration] = []
        decisions: list[Decision] = []
        for group in groups:
            decided = self._decide_group(request, group, added)
            if request.choice is not Choice.FIRST:
                decisions += decided
            elif not isinstance((decisions := decided)[0].result, SectionFull):
                break
        return decisions

    def remaining(self, section: Section) -> Section:
        """Return the section as it is after the decisions so far."""
        section = section.with_seats_taken(self._seats_given[section.key])
        places = self._places_given[section.key]
        return replace(section, waiting=section.waiting + places) if places else section

    def _now(self, candidate: Candidate | Refused) -> Candidate | Refused:
        """Return the candidate for the section as it is after the decisions so far."""
        if isinstance(candidate, Refused):
            return candidate
        return candidate.with_section(self.remaining(candidate.offering.section))

    def _decide_group(self, request: SeatRequest, group: Group, added: list[Registration]) -> list[Decision]:
        """Decide on sections that are taken together or not at all; `added` are the seats given to this student."""
        wanted: dict[SectionKey, Candidate] = {}
        for key, one in group:
            if isinstance(one, Refused):
                return _refuse(group, key, one)
            wanted[key] = replace(one, registrations=[*one.registrations, *added])
        missing = {key: one for key, one in wanted.items() if not one.is_enrolled} or dict([*wanted.items()][:1])
        courseIDs = [one.offering.course.courseID for one in missing.values()] if len(group) > 1 else []
        new: list[Registration] = []
        permitted: dict[SectionKey, frozenset[Override]] = {}
        for key, one in missing.items():
            if new:
                missing[key] = one = replace(one, registrations=[*one.registrations, *new])
            try:
                permitted[key] = _check(request, one, courseIDs)
            except Refused as refusal:
                return _refuse(group, key, refusal)
            new.append(Registration(one.offering.course, one.offering.section, "enrolled"))
        for key, one in missing.items():
            if one.offering.section.open_seats:
                continue
            if one.seat_override in one.permitted(request.now):
                permitted[key] |= {one.seat_override}
            elif request.join_waitlist:
                return [self._wait(one)]
            else:
                return _refuse_full(group, key, one)
        seat_pools = {key: self._give(one, permitted[key]) for key, one in missing.items()}
        added += new
        return [
            _seat(key, missing[key], permitted[key], seat_pools[key])
            if key in missing
            else Decision(key, AlreadyEnrolled(one.offering.course.title, one.offering.term.term))
            for key, one in wanted.items()
        ]

    def _give(self, candidate: Candidate, overrides: frozenset[Override]) -> str | None:
        """Count the seat that the candidate gets, and return its pool."""
        key, pool = candidate.offering.key, None if Override.FULL in overrides else candidate.find_pool(overrides)
        self._seats_given[key][pool or ""] += 1
        for entry in candidate.waitlist_entries:
            self._places_given[entry.key] -= is_left_for(key, entry)
        return pool

    def _wait(self, candidate: Candidate) -> Decision:
        key, section = candidate.offering.key, candidate.offering.section
        if section.waiting >= section.waitlist_capacity:
            return Decision(key, WaitlistFull(candidate.offering.course.title, section.section))
        self._places_given[key] += 1
        return Decision(key, Waitlisted(candidate.offering, section.waiting + 1), candidate)


def _groups(request: SeatRequest, candidates: Sequence[Candidate | Refused]) -> Iterable[Group]:
    """Return the sections in the order in which to take them, those that are taken together in one group."""
    pairs = list(zip(request.keys, candidates, strict=True))
    match request.choice:
        case Choice.FIRST:
            return [[pair] for pair in pairs]
        case Choice.ALL:
            return [pairs]
    by_course = {key.courseID: (key, candidate) for key, candidate in pairs}
    needs = {
        courseID: needed_in_plan(one, by_course) if isinstance(one, Candidate) else []
        for courseID, (_, one) in by_course.items()
    }
    return [[by_course[courseID] for courseID in group] for group in group_by_needs(needs)]


def _with_section(candidate: Candidate | Refused, section: Section | None) -> Candidate | Refused:
    """Return the candidate for the section, if one was chosen in place of its own."""
    if section is None or isinstance(candidate, Refused):
        return candidate
    return candidate.with_section(section)


def _seat(planned: SectionKey, candidate: Candidate, overrides: frozenset[Override], pool: str | None) -> Decision:
    key, enrolled = candidate.offering.key, Enrolled(candidate.offering)
    instead_of = planned if planned != key else None
    return Decision(key, enrolled, candidate, instead_of=instead_of, overrides=overrides, pool=pool)


def _check(request: SeatRequest, candidate: Candidate, courseIDs: Sequence[str]) -> frozenset[Override]:
    """Raise the first reason against the seat, or the waitlist entry without one; return what permits set aside."""
    offering, together_with, change = candidate.offering, courseIDs, HoldBlock.ENROLL
    if request.join_waitlist:
        if candidate.waitlist_entry is not None:
            raise AlreadyWaiting(offering.course.title, candidate.waitlist_entry.key.section)
        if not candidate.has_seat(request.now):
            together_with, change = candidate.waitlisted_courses, HoldBlock.WAITLIST
    return check_can_enroll(candidate, request.now, together_with, change=change)


def _refuse(group: Group, about: SectionKey, refusal: Refused) -> list[Decision]:
    return [Decision(key, refusal, is_recorded=refusal.is_recorded and key == about) for key, _ in group]


def _refuse_full(group: Group, about: SectionKey, candidate: Candidate) -> list[Decision]:
    refusal = rules.full_refusal(candidate.offering.course, candidate.offering.section)
    return [Decision(key, refusal, candidate, is_recorded=key == about) for key, _ in group]
