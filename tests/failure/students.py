"""Students who enroll on registration day and record the last response of the site."""

from collections import Counter
from dataclasses import dataclass, field

from tests.failure.school import FALL, Rows
from tests.support.student_crowd import Crowd, Student

HAS_SEAT, WAITS, HAS_NOTHING = "has a seat", "waits or has a seat", "has nothing"

OUTCOMES = {
    "already_waiting": WAITS,
    "already_enrolled": HAS_SEAT,
    "section_closed": HAS_NOTHING,
    "not_taught": HAS_NOTHING,  # the only section was canceled
    "unknown_section": HAS_NOTHING,  # it was canceled in this very moment
}
"""What refusals of a seat say about the student."""


@dataclass
class LastResponses:
    """The last outcome that the site reported to each student for each course; `refused` counts refusals."""

    last: dict[tuple[int, str], str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def contradictions(self, rows: Rows) -> list[str]:
        """Return each reported outcome that contradicts the rows; a canceled section no longer has students."""
        seated = {(row["user_id"], row["courseID"]) for row in rows["enrollment"] if row["status"] == "enrolled"}
        waiting = {(row["user_id"], row["courseID"]) for row in rows["waitlist"]}
        lost = {(row["user_id"], row["courseID"]) for row in rows["event"] if row["action"] == "cancelled"}
        is_true = {
            HAS_SEAT: lambda key: key in seated or key in lost,
            WAITS: lambda key: key in seated or key in waiting or key in lost,  # possibly promoted since
            HAS_NOTHING: lambda key: key not in seated and key not in waiting,
        }
        return [f"student {key} {outcome}: not so" for key, outcome in self.last.items() if not is_true[outcome](key)]


async def register(crowd: Crowd, student: Student, courseID: str, last_responses: LastResponses) -> None:
    """Enroll, or join the waitlist if the section is full; every third student drops the seat again.

    Staff may close the section meanwhile.
    """
    key = (student.user_id, courseID)
    form = {"courseID": courseID, "term": FALL}
    response = await crowd.post(student, "/enrollment", **form)
    if response.code == "section_full":
        response = await crowd.post(student, "/waitlist", **form)
        if response.code in ("waitlist_full", "already_waiting"):
            last_responses.refused[response.code] += 1
        outcomes = OUTCOMES | {"": WAITS, "waitlist_full": HAS_NOTHING}
    else:
        outcomes = OUTCOMES | {"": HAS_SEAT}
    last_responses.last[key] = outcomes[response.code]
    if last_responses.last[key] == HAS_SEAT and student.user_id % 3 == 0:
        response = await crowd.post(student, "/enrollment/drop", **form)
        assert response.code in ("", "not_enrolled"), response
        last_responses.last[key] = HAS_NOTHING
