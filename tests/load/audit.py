"""Compare the students who were told of a seat with those who have one."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Seat = tuple[int, str]


def lost(told: Iterable[dict[str, Any]], seated: set[Seat]) -> list[str]:
    """Return a sentence for each student who was last told something about a course that is not so.

    Where the last word is that something was asked, no answer came, and either may be true.
    """
    last: dict[Seat, str] = {}
    for row in sorted(told, key=lambda row: row["at"]):
        last[row["user_id"], row["courseID"]] = row["told"]
    found = [
        f"Student {user_id} was told to be enrolled in {courseID}, and has no seat."
        for (user_id, courseID), word in last.items()
        if word == "enrolled" and (user_id, courseID) not in seated
    ]
    return found + [
        f"Student {user_id} was told that {courseID} was dropped, and still has the seat."
        for (user_id, courseID), word in last.items()
        if word == "gone" and (user_id, courseID) in seated
    ]


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Give what all processes of the crowd have noted."""
    for notes in folder.glob("told-*.jsonl"):
        for line in notes.read_text().splitlines():
            yield json.loads(line)
