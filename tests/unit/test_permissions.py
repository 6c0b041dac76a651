"""What staff may see and change."""

from dataclasses import replace

import pytest

from quart_enroll.domain import permissions
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import Role
from tests.support.people import ADA, ARON, BOB, IVAN, RITA, SAMI, UMA

ADVISEE = replace(ADA, advisors=(ARON.user_id,))
EVERYBODY = (ADA, BOB, IVAN, ARON, SAMI, RITA, UMA)


def admitted(check: object, *arguments: object) -> list[str]:
    return [person.first_name for person in EVERYBODY if check(person, *arguments)]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("student", "readers", "actors"),
    [(ADVISEE, ["Aron", "Rita", "Uma"], ["Aron", "Rita"]), (BOB, ["Rita", "Uma"], ["Rita"])],
)
def test_a_students_record_is_for_the_advisor_the_registrar_and_the_auditor(
    student: User, readers: list[str], actors: list[str]
) -> None:
    assert admitted(permissions.can_read_student, student) == readers
    assert admitted(permissions.can_act_for, student) == actors


@pytest.mark.parametrize(
    ("subject", "instructors", "readers", "editors"),
    [
        ("Computing", (IVAN.user_id,), ["Ivan", "Sami", "Rita", "Uma"], ["Sami", "Rita"]),
        ("Computing", (), ["Sami", "Rita", "Uma"], ["Sami", "Rita"]),
        ("Music", (IVAN.user_id,), ["Ivan", "Rita", "Uma"], ["Rita"]),
        ("Music", (BOB.user_id,), ["Rita", "Uma"], ["Rita"]),
    ],
)
def test_a_section_can_be_read_and_changed_by_those_in_its_scope(
    subject: str, instructors: tuple[int, ...], readers: list[str], editors: list[str]
) -> None:
    assert admitted(permissions.can_read_section, subject, instructors) == readers
    assert admitted(permissions.can_change_section, subject) == editors


def test_only_registrars_manage_people() -> None:
    assert admitted(permissions.can_manage_people) == ["Rita"]


def test_scope_alone_permits_nothing_without_the_role() -> None:
    former = [replace(person, roles=frozenset({Role.STUDENT})) for person in (ARON, SAMI, IVAN)]
    assert not permissions.can_read_student(former[0], ADVISEE)
    assert not permissions.can_change_section(former[1], "Computing")
    assert not permissions.can_read_section(former[2], "Music", (IVAN.user_id,))
