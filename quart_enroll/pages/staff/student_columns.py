"""The columns that say whom a row of a list is about."""

from typing import Protocol, TypeVar

from quart import url_for

from quart_enroll.i18n.language import Sentence
from quart_enroll.pages.staff.listing import Column

DELETED = Sentence("Deleted account")


class _Record(Protocol):
    @property
    def user_id(self) -> int: ...


class _AboutStudent(Protocol):
    @property
    def record(self) -> _Record: ...
    @property
    def student_name(self) -> str: ...


R = TypeVar("R", bound=_AboutStudent)


def student_columns() -> list[Column[R]]:
    """Return the columns with the student's name, which leads to the student's record, and ID."""
    return [
        Column(
            "student",
            Sentence("Student"),
            lambda row: row.student_name or DELETED,
            url=lambda row: url_for("staff_student", user_id=row.record.user_id) if row.student_name else "",
        ),
        Column("user_id", Sentence("ID"), lambda row: str(row.record.user_id)),
    ]
