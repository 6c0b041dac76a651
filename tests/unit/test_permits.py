"""What permits set aside, and which of them a seat uses up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quart_enroll.domain import permissions, permits, rules
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Consent, Registration, Section, User
from quart_enroll.domain.permits import Permit, PermitStatus, RecordedPermit
from quart_enroll.domain.roles import Role
from tests.concurrency.school import FALL, NOW, course, section, term

MORNING = section("A", 1, "MWF 09:00 09:50")
OVERLAPPING = section("B", 1, "M 09:30 10:20")


def permit(wanted: Section = MORNING, *overrides: Override, number: str = "01", used_for: str = "") -> Permit:
    """Return a permit for the section, or for all of its course with an empty number."""
    return Permit("1", FALL, wanted.courseID, number, frozenset(overrides), NOW + timedelta(1), used_for)


def test_a_permit_counts_for_its_section_or_course_until_it_expires_or_is_used() -> None:
    full = Override.FULL
    assert permits.permitted([permit(MORNING, full)], MORNING, []) == {full}
    assert permits.permitted([permit(MORNING, full, number="")], replace(MORNING, section="02"), []) == {full}
    assert not permits.permitted([permit(MORNING, full)], replace(MORNING, section="02"), [])
    assert not permits.permitted([permit(MORNING, full, used_for="01")], MORNING, [])
    assert permits.in_effect([permit()], NOW)
    assert not permits.in_effect([permit()], NOW + timedelta(1))


def test_a_time_conflict_needs_a_permit_for_each_section() -> None:
    conflict = Override.TIME_CONFLICT
    own, other = permit(MORNING, conflict), permit(OVERLAPPING, conflict, used_for="01")
    assert permits.permitted([own], MORNING, [])
    assert not permits.permitted([own], MORNING, [OVERLAPPING])
    assert permits.permitted([own, other], MORNING, [OVERLAPPING])


def test_a_seat_uses_only_the_permits_that_it_needs() -> None:
    full, requisites = permit(MORNING, Override.FULL), permit(MORNING, Override.REQUISITES)
    both = permit(MORNING, Override.FULL, Override.REQUISITES)
    assert permits.choose([full, requisites], MORNING.key, [Override.REQUISITES], NOW) == (requisites,)
    assert permits.choose([both, full, requisites], MORNING.key, [Override.FULL, Override.REQUISITES], NOW) == (both,)
    assert permits.choose([full], MORNING.key, [], NOW) == ()


def test_an_eased_section_meets_exactly_the_rules_that_are_set_aside() -> None:
    full = replace(section("A", 1, "MWF 09:00 09:50"), seats_taken=1, consent=Consent.INSTRUCTOR)
    wanted = replace(course("A"), prerequisites=("C",), corequisites=("D",), requisite="E")
    taken = [Registration(course("B", 16), OVERLAPPING, "enrolled")]

    def refused(*overrides: Override) -> set[Override | None]:
        eased = permits.ease(term(), wanted, full, overrides)
        checks = [*rules.eligibility_checks(*eased, taken, []), (rules.Rule.SEAT, lambda: rules.check_seat(*eased[1:]))]
        return {one.override for one in rules.find_refusals(checks).values() if one}

    everything = refused()
    assert everything == {
        Override.FULL,
        Override.TIME_CONFLICT,
        Override.REQUISITES,
        Override.CONSENT,
        Override.CREDIT_LIMIT,
    }
    for one in everything:
        assert refused(one) == everything - {one}


def test_a_permit_never_lets_a_student_drop_what_another_course_needs() -> None:
    def refuse() -> None:
        raise _Needed

    with pytest.raises(_Needed):
        rules.check_all([(rules.Rule.DEPENDENTS, refuse)], permitted=[Override.REQUISITES])
    needed = rules.check_all([(rules.Rule.PREREQUISITES, refuse)], permitted=[Override.REQUISITES])
    assert needed == {Override.REQUISITES}


class _Needed(Refused):
    override = Override.REQUISITES

    def __init__(self) -> None:
        Exception.__init__(self)


@pytest.mark.parametrize(
    ("status", "used_for", "later", "state"),
    [
        (PermitStatus.GRANTED, "", 0, permits.IN_EFFECT),
        (PermitStatus.GRANTED, "", 1, permits.EXPIRED),
        (PermitStatus.GRANTED, "01", 1, permits.USED),
        (PermitStatus.REVOKED, "", 0, permits.REVOKED),
    ],
)
def test_staff_read_what_has_become_of_a_permit(status: PermitStatus, used_for: str, later: int, state: object) -> None:
    record = RecordedPermit(permit(used_for=used_for), 1, status, NOW, 9, "Asked")
    assert record.state(NOW + timedelta(later)) == state
    assert record.is_usable(NOW) == (state in (permits.IN_EFFECT, permits.EXPIRED))


def test_only_registrars_permit_more_than_what_concerns_the_section() -> None:
    assert Override.CREDIT_LIMIT in permits.grantable({Role.REGISTRAR}, consent=True)
    assert Override.CREDIT_LIMIT not in permits.grantable({Role.INSTRUCTOR, Role.SCHEDULER}, consent=True)
    assert Override.CLOSED_TERM not in permits.grantable({Role.REGISTRAR}, consent=True)
    assert Override.CONSENT not in permits.grantable({Role.REGISTRAR}, consent=False)


def test_the_department_s_consent_is_not_the_instructor_s_to_give() -> None:
    instructor = User(7, "ivan@school.example", "Ivan", "Ivanov", frozenset({Role.INSTRUCTOR}))
    scheduler = User(8, "sara@school.example", "Sara", "Sands", frozenset({Role.SCHEDULER}), subjects=("MATH",))
    own = replace(MORNING, instructors=(7,), consent=Consent.INSTRUCTOR)
    for consent, by_instructor, by_scheduler in [
        (Consent.INSTRUCTOR, True, True),
        (Consent.DEPARTMENT, False, True),
        (Consent.NONE, False, False),
    ]:
        wanted = replace(own, consent=consent)
        assert permissions.can_consent(instructor, "MATH", wanted) == by_instructor
        assert permissions.can_consent(scheduler, "MATH", wanted) == by_scheduler
        assert not permissions.can_consent(scheduler, "ART", wanted)
