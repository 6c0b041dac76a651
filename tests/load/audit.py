"""Compare the outcomes that the site reported to students with the seats in the database."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Seat = tuple[int, str]


def find_discrepancies(records: Iterable[dict[str, Any]], seated: set[Seat]) -> list[str]:
    """Return a sentence for each student whose last reported outcome for a course contradicts the database.

    After a last outcome of "requested", no response arrived, so the student may or may not have the seat.
    """
    last: dict[Seat, str] = {}
    for row in sorted(records, key=lambda row: row["at"]):
        last[row["user_id"], row["courseID"]] = row["outcome"]
    sentences = [
        f"Student {user_id} was told to be enrolled in {courseID}, and has no seat."
        for (user_id, courseID), outcome in last.items()
        if outcome == "enrolled" and (user_id, courseID) not in seated
    ]
    return sentences + [
        f"Student {user_id} was told that {courseID} was dropped, and still has the seat."
        for (user_id, courseID), outcome in last.items()
        if outcome == "dropped" and (user_id, courseID) in seated
    ]


def read(folder: Path, kind: str = "outcomes") -> Iterator[dict[str, Any]]:
    """Yield the outcomes, or other records, of all Locust processes."""
    for notes in folder.glob(f"{kind}-*.jsonl"):
        for line in notes.read_text().splitlines():
            yield json.loads(line)
