"""What a student does on registration day, and what the site has told the student in the end."""

from collections import Counter
from dataclasses import dataclass, field

from tests.failure.school import FALL, Rows
from tests.support.crowd import Crowd, Student

HAS_SEAT, WAITS, HAS_NOTHING = "has a seat", "waits or has a seat", "has nothing"


@dataclass
class Told:
    """What each student was told last of each course; `refused` counts the other answers."""

    last: dict[tuple[int, str], str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def broken(self, rows: Rows) -> list[str]:
        """Return each promise that the rows do not keep."""
        seated = {(row["user_id"], row["courseID"]) for row in rows["enrollment"] if row["status"] == "enrolled"}
        waiting = {(row["user_id"], row["courseID"]) for row in rows["waitlist"]}
        kept = {
            HAS_SEAT: lambda who: who in seated,
            WAITS: lambda who: who in seated or who in waiting,  # the seat may have come since
            HAS_NOTHING: lambda who: who not in seated and who not in waiting,
        }
        return [f"student {who} {what}: not so" for who, what in self.last.items() if not kept[what](who)]


async def register(crowd: Crowd, student: Student, courseID: str, told: Told) -> None:
    """Ask for a seat; where there is none, for a place in line; and every third student gives the seat back."""
    who = (student.user_id, courseID)
    wish = {"courseID": courseID, "term": FALL}
    answer = await crowd.post(student, "/enrollment", **wish)
    if answer.code == "section_full":
        answer = await crowd.post(student, "/waitlist", **wish)
        if answer.code in ("waitlist_full", "already_waiting"):
            told.refused[answer.code] += 1
        known = {"": WAITS, "already_waiting": WAITS, "already_enrolled": HAS_SEAT, "waitlist_full": HAS_NOTHING}
    else:
        known = {"": HAS_SEAT, "already_waiting": WAITS, "already_enrolled": HAS_SEAT}
    told.last[who] = known[answer.code]
    if told.last[who] == HAS_SEAT and student.user_id % 3 == 0:
        answer = await crowd.post(student, "/enrollment/drop", **wish)
        assert answer.code in ("", "not_enrolled"), answer
        told.last[who] = HAS_NOTHING
