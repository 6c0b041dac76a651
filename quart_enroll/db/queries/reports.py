"""What the dashboard's reports read: counts by section, by second and by reason, and the students concerned.

All are limited to a term, and those of events to a period. An index answers each; the groups of numbers and of user_ids
come as few documents, because reading a document costs the process more than counting it costs MongoDB.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from quart_enroll.db.client import Database, Document
from quart_enroll.db.collections.users import CASE_INSENSITIVE
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.roles import Role

GETTING_A_SEAT = ("enroll", "swap", "join")
"""The actions of a student who wants a seat, or a place on a waitlist."""

COUNTED_ACTIONS = (*GETTING_A_SEAT, "promote", "drop", "withdraw")
"""The actions in the curve of an opening."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events of a term from `begins` until just before `ends`, about some courses or all."""

    term: str
    begins: datetime
    ends: datetime
    courseIDs: Sequence[str] | None = None

    @property
    def match(self) -> Document:
        """The filter for MongoDB."""
        of_courses = {} if self.courseIDs is None else {"courseID": {"$in": list(self.courseIDs)}}
        return {"term": self.term, "at": {"$gte": self.begins, "$lt": self.ends}} | of_courses


class EventCount(NamedTuple):
    """How many events there were in a part of a period, by action and by whether they were refused."""

    part: int
    action: str
    refused: bool
    number: int


class ReasonCount(NamedTuple):
    """How often students were refused for a reason, and how many students."""

    reason: str
    attempts: int
    students: int


class RefusedStudent(NamedTuple):
    """What a student tried in vain: how often, the reasons and the courses."""

    user_id: int
    attempts: int
    reasons: tuple[str, ...]
    courseIDs: tuple[str, ...]


async def count_alerts(db: Database, term: str) -> dict[SectionKey, int]:
    """Return the number of alerts for each section of the term that has any."""
    return await _count_by_section(db, "alert", term)


async def count_plans(db: Database, term: str) -> dict[SectionKey, int]:
    """Return the number of plans with each section of the term that is in any."""
    return await _count_by_section(db, "plan", term)


async def _count_by_section(db: Database, collection: str, term: str) -> dict[SectionKey, int]:
    stages: list[Document] = [
        {"$match": {"term": term}},
        {"$group": {"_id": {"courseID": "$courseID", "section": "$section"}, "number": {"$sum": 1}}},
    ]
    rows: list[Document] = await db[collection].aggregate(stages).to_list(None)
    return {SectionKey(term, **row["_id"]): row["number"] for row in rows}


async def find_planners(db: Database, term: str) -> dict[SectionKey, list[int]]:
    """Return the user_ids of the students who plan each section of the term."""
    stages: list[Document] = [
        {"$match": {"term": term}},
        {"$group": {"_id": {"courseID": "$courseID", "section": "$section"}, "user_ids": {"$push": "$user_id"}}},
    ]
    rows: list[Document] = await db.plan.aggregate(stages).to_list(None)
    return {SectionKey(term, **row["_id"]): row["user_ids"] for row in rows}


async def count_events(db: Database, wanted: EventFilter, part_seconds: int) -> list[EventCount]:
    """Count the events in each part of the period of that length; the parts are numbered from 0.

    Identical refusals count once, in the part with the first of them.
    """
    elapsed = {"$subtract": ["$at", wanted.begins]}
    key: Document = {
        "part": {"$floor": {"$divide": [elapsed, part_seconds * 1000]}},
        "action": "$action",
        "refused": {"$ne": ["$result", "ok"]},
    }
    match = wanted.match | {"action": {"$in": list(COUNTED_ACTIONS)}}
    stages: list[Document] = [{"$match": match}, {"$group": {"_id": key, "number": {"$sum": 1}}}]
    rows: list[Document] = await db.event.aggregate(stages).to_list(None)
    return [
        EventCount(int(one["_id"]["part"]), one["_id"]["action"], one["_id"]["refused"], one["number"]) for one in rows
    ]


async def count_reasons(db: Database, wanted: EventFilter) -> list[ReasonCount]:
    """Count the refusals by reason, the most frequent first."""
    stages: list[Document] = [
        {"$match": _refused(wanted)},
        {
            "$group": {
                "_id": {"reason": "$result", "user_id": "$user_id"},
                "attempts": {"$sum": {"$ifNull": ["$count", 1]}},
            }
        },
        {"$group": {"_id": "$_id.reason", "attempts": {"$sum": "$attempts"}, "students": {"$sum": 1}}},
        {"$sort": {"attempts": -1, "_id": 1}},
    ]
    rows: list[Document] = await db.event.aggregate(stages).to_list(None)
    return [ReasonCount(row["_id"], row["attempts"], row["students"]) for row in rows]


async def find_unserved(db: Database, wanted: EventFilter) -> list[RefusedStudent]:
    """Return the students who were refused in the period and have no seat in the term, those who tried most first."""
    tried = await _user_ids(db, "event", _refused(wanted))
    if not tried:
        return []
    seated = await _user_ids(db, "enrollment", _of(wanted.term, tried) | {"status": "enrolled"})
    unserved = sorted(tried - seated)
    if not unserved:
        return []
    stages: list[Document] = [
        {"$match": {"user_id": {"$in": unserved}} | _refused(wanted)},
        {
            "$group": {
                "_id": "$user_id",
                "attempts": {"$sum": {"$ifNull": ["$count", 1]}},
                "reasons": {"$addToSet": "$result"},
                "courseIDs": {"$addToSet": "$courseID"},
            }
        },
        {"$sort": {"attempts": -1, "_id": 1}},
    ]
    rows: list[Document] = await db.event.aggregate(stages).to_list(None)
    return [
        RefusedStudent(row["_id"], row["attempts"], tuple(sorted(row["reasons"])), tuple(sorted(row["courseIDs"])))
        for row in rows
    ]


async def count_waiting(db: Database, term: str, user_ids: Collection[int]) -> dict[int, int]:
    """Return on how many waitlists of the term each of these students is, if on any."""
    stages: list[Document] = [
        {"$match": _of(term, user_ids)},
        {"$group": {"_id": "$user_id", "number": {"$sum": 1}}},
    ]
    return {row["_id"]: row["number"] async for row in db.waitlist.aggregate(stages)}


async def find_credits(db: Database, term: str) -> dict[int, int | float]:
    """Return the credits of every student in the term; 0 for those who have never had a seat in it."""
    is_student = {"roles": str(Role.STUDENT)}
    push: list[Document] = [
        {"$match": is_student},
        {"$group": {"_id": None, "user_ids": {"$push": "$user_id"}}},
    ]
    [students] = await db.user.aggregate(push, collation=CASE_INSENSITIVE).to_list(1) or [{"user_ids": []}]
    stages: list[Document] = [
        {"$match": {"term": term, "closed_at": {"$exists": False}}},
        {"$group": {"_id": "$credits", "user_ids": {"$push": "$user_id"}}},
    ]
    credits: dict[int, int | float] = dict.fromkeys(students["user_ids"], 0)
    async for row in db.schedule.aggregate(stages):
        credits.update((one, row["_id"]) for one in row["user_ids"] if one in credits)
    return credits


async def _user_ids(db: Database, collection: str, match: Mapping[str, Any]) -> set[int]:
    """Return the user_ids of the matching rows, all in one document."""
    stages: list[Document] = [
        {"$match": match},
        {"$group": {"_id": "$user_id"}},
        {"$group": {"_id": None, "user_ids": {"$push": "$_id"}}},
    ]
    [found] = await db[collection].aggregate(stages).to_list(1) or [{"user_ids": []}]
    return set(found["user_ids"])


def _refused(wanted: EventFilter) -> Document:
    return wanted.match | {"result": {"$ne": "ok"}, "action": {"$in": list(GETTING_A_SEAT)}}


def _of(term: str, user_ids: Collection[int]) -> Document:
    return {"user_id": {"$in": list(user_ids)}, "term": term}
