"""The roles of people at a school. One person may have several."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from quart_enroll.i18n.language import Sentence


class Role(StrEnum):
    """A role, under its stored name."""

    STUDENT = "student"
    INSTRUCTOR = "instructor"
    ADVISOR = "advisor"
    SCHEDULER = "scheduler"
    REGISTRAR = "registrar"
    AUDITOR = "auditor"


STUDENT_ONLY = frozenset({Role.STUDENT})
"""The roles of most people, and of all who register."""

STAFF_ROLES = frozenset(Role) - STUDENT_ONLY
"""The roles of people who work for the school."""

ROLE_NAMES: Mapping[Role, Sentence] = {
    Role.STUDENT: Sentence("Student"),
    Role.INSTRUCTOR: Sentence("Instructor"),
    Role.ADVISOR: Sentence("Advisor"),
    Role.SCHEDULER: Sentence("Scheduler"),
    Role.REGISTRAR: Sentence("Registrar"),
    Role.AUDITOR: Sentence("Auditor"),
}

ROLE_PERMISSIONS: Mapping[Role, Sentence] = {
    Role.STUDENT: Sentence("Enrolls in courses."),
    Role.INSTRUCTOR: Sentence("Sees the rosters of their own sections, emails the students, and drops no-shows."),
    Role.ADVISOR: Sentence("Sees the records of their own advisees and acts for them."),
    Role.SCHEDULER: Sentence("Changes the sections of their subjects and sees the rosters."),
    Role.REGISTRAR: Sentence("Sees and changes everything."),
    Role.AUDITOR: Sentence("Sees everything but changes nothing."),
}
"""What people with each role may do; domain/permissions.py enforces it."""


def in_order(roles: Iterable[Role]) -> list[Role]:
    """Return the roles in the order in which pages list them."""
    wanted = set(roles)
    return [role for role in Role if role in wanted]


def read_roles(names: Iterable[object]) -> frozenset[Role]:
    """Return the roles with these stored names; unknown names are ignored."""
    return frozenset(role for role in Role if role in names)


def single_role(roles: Collection[Role]) -> str:
    """Return the role for programs that expect only one: registrar, or else student."""
    return str(Role.REGISTRAR if Role.REGISTRAR in roles else Role.STUDENT)
