"""Aggregation pipelines: pure functions that return stages, `$match` first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

Stage: TypeAlias = dict[str, Any]


def schedule(user_id: int, terms: Sequence[str]) -> list[Stage]:
    """Join a user with the user's enrollments of those terms and their courses, in the order of courseID.

    Each document has `term` and, as `result_2`, the course; the user's own fields stay behind.
    """
    return [
        {"$match": {"user_id": user_id}},
        {
            "$lookup": {
                "from": "enrollment",
                "localField": "user_id",
                "foreignField": "user_id",
                "as": "enrollment",
            }
        },
        {"$unwind": "$enrollment"},
        {"$match": {"enrollment.term": {"$in": list(terms)}}},
        {
            "$lookup": {
                "from": "course",
                "localField": "enrollment.courseID",
                "foreignField": "courseID",
                "as": "result_2",
            }
        },
        {"$unwind": "$result_2"},
        {"$sort": {"result_2.courseID": 1}},
        {"$project": {"_id": 0, "term": "$enrollment.term", "result_2": 1}},
    ]


def who(identity: str, now: datetime) -> list[Stage]:
    """Join a live sign-in with its user; the password hash stays behind."""
    return [
        {"$match": {"_id": identity, "expires_at": {"$gt": now}}},
        {"$lookup": {"from": "user", "localField": "user_id", "foreignField": "user_id", "as": "user"}},
        {"$unwind": "$user"},
        {"$replaceRoot": {"newRoot": "$user"}},
        {"$project": {"_id": 0, "password": 0}},
    ]
