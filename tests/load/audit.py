"""Compare the students who were told that they have a seat with those who have one."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Seat = tuple[int, str]


def contradictions(reported: Iterable[dict[str, Any]], seated: set[Seat]) -> list[str]:
    """Return a sentence for each student for whom the last response about a course is not true.

    If the last change got no response, either may be true.
    """
    last: dict[Seat, str] = {}
    for row in sorted(reported, key=lambda row: row["at"]):
        last[row["user_id"], row["courseID"]] = row["told"]
    problems = [
        f"Student {user_id} was told to be enrolled in {courseID}, and has no seat."
        for (user_id, courseID), word in last.items()
        if word == "enrolled" and (user_id, courseID) not in seated
    ]
    return problems + [
        f"Student {user_id} was told that {courseID} was dropped, and still has the seat."
        for (user_id, courseID), word in last.items()
        if word == "gone" and (user_id, courseID) in seated
    ]


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what all processes of the crowd have recorded."""
    for notes in folder.glob("told-*.jsonl"):
        for line in notes.read_text().splitlines():
            yield json.loads(line)
