"""What staff may see and change, by role and scope.

Routes say which roles they admit (`web/route.py`). For anything outside an
admitted person's scope, pages respond with 404.
"""

from collections.abc import Collection

from quart_enroll.domain.models import Consent, Section, User
from quart_enroll.domain.permission_numbers import PermissionNumber
from quart_enroll.domain.permits import RecordedPermit
from quart_enroll.domain.roles import Role
from quart_enroll.domain.stored_import import ENROLLMENTS


def can_read_all_students(staff: User) -> bool:
    """Return whether the person sees the record of every student."""
    return not staff.roles.isdisjoint((Role.REGISTRAR, Role.AUDITOR))


def can_read_student(staff: User, student: User) -> bool:
    """Return whether the person sees the student's record."""
    return can_read_all_students(staff) or _advises(staff, student)


def can_act_for(staff: User, student: User) -> bool:
    """Return whether the person may enroll and drop for the student."""
    return Role.REGISTRAR in staff.roles or _advises(staff, student)


def acting_role(staff: User, role: Role) -> Role:
    """Return the role in which the person acts for a student: the registrar's, or else the one that lets them."""
    return Role.REGISTRAR if Role.REGISTRAR in staff.roles else role


def can_act_for_some(staff: User) -> bool:
    """Return whether there may be students for whom the person may act."""
    return not staff.roles.isdisjoint((Role.REGISTRAR, Role.ADVISOR))


def can_open_import(staff: User, author: int, kind: str) -> bool:
    """Return whether the person sees an import; others than registrars see only their own changes for students."""
    return Role.REGISTRAR in staff.roles or (kind == ENROLLMENTS and author == staff.user_id)


def can_view_as(staff: User, student: User) -> bool:
    """Return whether the person may see the site as the student sees it."""
    return Role.STUDENT in student.roles and can_act_for(staff, student)


def can_read_section(staff: User, subject: str, instructors: Collection[int]) -> bool:
    """Return whether the person sees everything about a section, and its roster.

    `subject` is that of its course, `instructors` are their user_ids.
    """
    is_instructor = Role.INSTRUCTOR in staff.roles and staff.user_id in instructors
    return Role.AUDITOR in staff.roles or is_instructor or can_change_section(staff, subject)


def can_change_section(staff: User, subject: str) -> bool:
    """Return whether the person may change the sections of the subject's courses."""
    return Role.REGISTRAR in staff.roles or (Role.SCHEDULER in staff.roles and subject in staff.subjects)


def can_manage_roster(staff: User, instructors: Collection[int]) -> bool:
    """Return whether the person may email a section's students and drop no-shows."""
    return Role.REGISTRAR in staff.roles or (Role.INSTRUCTOR in staff.roles and staff.user_id in instructors)


def can_grant_permits(staff: User, subject: str, instructors: Collection[int]) -> bool:
    """Return whether the person may grant permits for a section, and revoke those that no registrar granted."""
    is_instructor = Role.INSTRUCTOR in staff.roles and staff.user_id in instructors
    return is_instructor or can_change_section(staff, subject)


def can_consent(staff: User, subject: str, section: Section) -> bool:
    """Return whether the person may give consent to enroll in the section; False for one that needs none.

    That of the department isn't the instructor's to give.
    """
    match section.consent:
        case Consent.INSTRUCTOR:
            return can_grant_permits(staff, subject, section.instructors)
        case Consent.DEPARTMENT:
            return can_change_section(staff, subject)
    return False


def decides_requests(staff: User, subject: str, section: Section) -> bool:
    """Return whether requests for consent are the person's to decide, not only as a stand-in for an instructor."""
    is_instructors = section.consent is Consent.INSTRUCTOR and bool(section.instructors)
    return can_consent(staff, subject, section) and (not is_instructors or staff.user_id in section.instructors)


def can_revoke(staff: User, granted: RecordedPermit | PermissionNumber) -> bool:
    """Return whether the person may revoke the permit or number, given that they may grant permits there."""
    return Role.REGISTRAR in staff.roles or not granted.by_registrar


def can_manage_people(staff: User) -> bool:
    """Return whether the person may set roles, subjects and advisors."""
    return Role.REGISTRAR in staff.roles


def _advises(staff: User, student: User) -> bool:
    return Role.ADVISOR in staff.roles and staff.user_id in student.advisors
