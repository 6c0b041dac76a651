"""What students do on registration day, and what the site last told them."""

from collections import Counter
from dataclasses import dataclass, field

from tests.failure.school import FALL, Rows
from tests.support.crowd import Crowd, Student

HAS_SEAT, WAITS, HAS_NOTHING = "has a seat", "waits or has a seat", "has nothing"


@dataclass
class LastResponses:
    """What each student was told last about each course; `refused` counts refusals."""

    last: dict[tuple[int, str], str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def broken_promises(self, rows: Rows) -> list[str]:
        """Return each promise that the rows don't keep."""
        seated = {(row["user_id"], row["courseID"]) for row in rows["enrollment"] if row["status"] == "enrolled"}
        waiting = {(row["user_id"], row["courseID"]) for row in rows["waitlist"]}
        is_kept_by_status = {
            HAS_SEAT: lambda key: key in seated,
            WAITS: lambda key: key in seated or key in waiting,  # the seat may have come since
            HAS_NOTHING: lambda key: key not in seated and key not in waiting,
        }
        return [f"student {key} {what}: not so" for key, what in self.last.items() if not is_kept_by_status[what](key)]


async def register(crowd: Crowd, student: Student, courseID: str, responses: LastResponses) -> None:
    """Enroll, or join the waitlist if the section is full; every third student drops the seat again."""
    key = (student.user_id, courseID)
    form = {"courseID": courseID, "term": FALL}
    answer = await crowd.post(student, "/enrollment", **form)
    if answer.code == "section_full":
        answer = await crowd.post(student, "/waitlist", **form)
        if answer.code in ("waitlist_full", "already_waiting"):
            responses.refused[answer.code] += 1
        known = {"": WAITS, "already_waiting": WAITS, "already_enrolled": HAS_SEAT, "waitlist_full": HAS_NOTHING}
    else:
        known = {"": HAS_SEAT, "already_waiting": WAITS, "already_enrolled": HAS_SEAT}
    responses.last[key] = known[answer.code]
    if responses.last[key] == HAS_SEAT and student.user_id % 3 == 0:
        answer = await crowd.post(student, "/enrollment/drop", **form)
        assert answer.code in ("", "not_enrolled"), answer
        responses.last[key] = HAS_NOTHING
