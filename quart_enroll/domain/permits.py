"""Permits: staff set named rules aside for one student in a course or a section. A permit takes no seat."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import inf

from quart_enroll.domain import rules
from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import Consent, Course, Section, SectionKey, Term
from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence

PERMIT_OVERRIDES = tuple(one for one in Override if one not in (Override.CLOSED_TERM, Override.SECTION_CLOSED))
"""What a permit by the registrar may set aside."""

SECTION_OVERRIDES = (
    Override.FULL,
    Override.REQUISITES,
    Override.RESTRICTION,
    Override.REPEAT,
    Override.CONSENT,
    Override.TIME_CONFLICT,
    Override.RESERVED_SEATS,
)
"""What a permit by the section's instructor or scheduler may set aside."""


def grantable(roles: Collection[Role], *, consent: bool) -> tuple[Override, ...]:
    """Return what people with these roles may set aside by a permit; `consent` if they may give it there."""
    found = PERMIT_OVERRIDES if Role.REGISTRAR in roles else SECTION_OVERRIDES
    return tuple(one for one in found if consent or one is not Override.CONSENT)


MAX_TEXT_LENGTH = 200
"""The maximum number of characters in a reason."""

MAX_MESSAGE_LENGTH = 500
"""The maximum number of characters in the message of a student who requests consent."""

GIVES_CONSENT = frozenset({Override.CONSENT})
"""What a permit that gives nothing but consent sets aside."""


class PermitStatus(StrEnum):
    """What has become of a permit. The values never change, because permits are stored with them.

    Students request only consent.
    """

    GRANTED = "granted"
    REVOKED = "revoked"
    REQUESTED = "requested"
    DECLINED = "declined"


IN_EFFECT = Sentence("In effect")
USED = Sentence("Used")
EXPIRED = Sentence("Expired")
REVOKED = Sentence("Revoked")
REQUESTED = Sentence("Requested")
DECLINED = Sentence("Declined")


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit for a course in a term, or for one `section` of it, which sets the `overrides` aside.

    It sets nothing aside from `expires_at` on, nor a second time while the student has the seat that it was `used_for`,
    the number of its section.
    """

    permit_id: str
    term: str
    courseID: str
    section: str
    overrides: frozenset[Override]
    expires_at: datetime | None = None
    used_for: str = ""

    def covers(self, key: SectionKey) -> bool:
        """Return whether the permit is for this section, possibly among others."""
        return (self.term, self.courseID) == (key.term, key.courseID) and self.section in ("", key.section)

    def is_in_effect(self, now: datetime) -> bool:
        """Return whether the permit hasn't expired."""
        return self.expires_at is None or now < self.expires_at

    def is_usable(self, now: datetime) -> bool:
        """Return whether the permit is in effect and not used."""
        return not self.used_for and self.is_in_effect(now)


@dataclass(frozen=True, slots=True)
class RecordedPermit:
    """A permit on a student's record, with its author, date and reason; one `by_registrar` is left to registrars.

    The student who requests one is its author, and may have left a `message`, until staff decide about it.
    """

    permit: Permit
    user_id: int
    status: PermitStatus
    at: datetime
    author: int
    reason: str
    by_registrar: bool = True
    message: str = ""

    def state(self, now: datetime) -> Sentence:
        """Return the state of the permit in the words of staff."""
        if self.status is not PermitStatus.GRANTED:
            return _STATES[self.status]
        if self.permit.used_for:
            return USED
        return IN_EFFECT if self.permit.is_in_effect(now) else EXPIRED

    @property
    def key(self) -> SectionKey:
        """The section that the permit is for; its number is empty for a whole course."""
        return SectionKey(self.permit.term, self.permit.courseID, self.permit.section)

    def is_usable(self, now: datetime) -> bool:
        """Return whether the student may use the permit."""
        return self.status is PermitStatus.GRANTED and self.permit.is_usable(now)


_STATES = {
    PermitStatus.REVOKED: REVOKED,
    PermitStatus.REQUESTED: REQUESTED,
    PermitStatus.DECLINED: DECLINED,
}


def in_effect(permits: Iterable[Permit], now: datetime) -> list[Permit]:
    """Return the permits that haven't expired."""
    return [one for one in permits if one.is_in_effect(now)]


def permitted(permits: Collection[Permit], section: Section, enrolled: Iterable[Section]) -> frozenset[Override]:
    """Return what permits that are in effect set aside for the section, besides those in which the student is enrolled.

    A time conflict is allowed only if there is a permit for each of the two sections; the other one may be used.
    """
    usable = [one for one in permits if one.covers(section.key) and not one.used_for]
    found = frozenset[Override]().union(*(one.overrides for one in usable))
    if Override.TIME_CONFLICT not in found:
        return found
    conflicting = [one.key for one in enrolled if rules.overlap(section, one)]
    if all(_allows_conflict(permits, key) for key in conflicting):
        return found
    return found - {Override.TIME_CONFLICT}


def _allows_conflict(permits: Iterable[Permit], key: SectionKey) -> bool:
    return any(Override.TIME_CONFLICT in one.overrides and one.covers(key) for one in permits)


def ease(term: Term, course: Course, section: Section, overrides: Collection[Override]) -> tuple[Term, Course, Section]:
    """Return the term, the course and the section as they would be if the rules that are set aside were met."""
    if Override.RESERVED_SEATS in overrides and section.free_seats:
        section = replace(section, pools=())
    if Override.FULL in overrides and not section.free_seats:
        section = replace(section, capacity=section.seats_taken + 1, pools=())
    if Override.TIME_CONFLICT in overrides:
        section = replace(section, meetings=())
    if Override.REQUISITES in overrides:
        course = replace(course, prerequisites=(), corequisites=(), requisite="")
    if Override.RESTRICTION in overrides:
        course, section = replace(course, restriction=""), replace(section, restriction="")
    if Override.REPEAT in overrides:
        course = replace(course, max_attempts=0)
    if Override.CONSENT in overrides:
        section = replace(section, consent=Consent.NONE)
    if Override.CREDIT_LIMIT in overrides:
        term = replace(term, max_credits=inf)
    return term, course, section


def choose(
    permits: Iterable[Permit], key: SectionKey, needed: Collection[Override], now: datetime
) -> tuple[Permit, ...]:
    """Return the permits that a seat in the section uses up, given what must be set aside for it."""
    chosen: list[Permit] = []
    missing = set(needed)
    for one in permits if missing else ():
        if one.covers(key) and one.is_usable(now) and not missing.isdisjoint(one.overrides):
            missing -= one.overrides
            chosen.append(one)
    return tuple(chosen)


def granted_in(permits: Iterable[RecordedPermit], term: str, now: datetime) -> tuple[Permit, ...]:
    """Return those of the permits for the term that are in effect, used ones included."""
    granted = (one.permit for one in permits if one.status is PermitStatus.GRANTED)
    return tuple(one for one in granted if one.term == term and one.is_in_effect(now))


def consent_requests(permits: Iterable[RecordedPermit], term: str) -> dict[SectionKey, RecordedPermit]:
    """Return the latest of the student's open or declined requests for each section in the term."""
    asked = (one for one in permits if one.status in (PermitStatus.REQUESTED, PermitStatus.DECLINED))
    return {one.key: one for one in asked if one.permit.term == term}


def describe(overrides: Collection[Override]) -> list[Sentence]:
    """Return what is set aside in the words of staff, in the order of the rules."""
    return [one.label for one in Override if one in overrides]
