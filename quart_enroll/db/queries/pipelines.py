"""Aggregation pipelines: pure functions that return stages, `$match` first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

Stage: TypeAlias = dict[str, Any]


def waitlist_positions(user_id: int) -> list[Stage]:
    """Count, for each section that a student waits for, who waits and who does not wait longer than the student."""
    line = {
        "$lookup": {
            "from": "waitlist",
            "let": {"term": "$term", "courseID": "$courseID", "section": "$section"},
            "pipeline": [{"$match": _same_section()}, {"$project": {"_id": 0, "place": 1}}],
            "as": "line",
        }
    }
    ahead = {"$filter": {"input": "$line.place", "cond": {"$lte": ["$$this", "$place"]}}}
    return [
        {"$match": {"user_id": user_id}},
        line,
        {
            "$project": {
                "_id": 0,
                "term": 1,
                "courseID": 1,
                "section": 1,
                "position": {"$size": ahead},
                "of": {"$size": "$line"},
            }
        },
    ]


def multi_find(wanted: Mapping[str, Stage]) -> list[Stage]:
    """Give one document with, for each collection, its rows that match; in a transaction too, unlike `$unionWith`."""
    lookups = ({"from": name, "pipeline": [{"$match": match}], "as": name} for name, match in wanted.items())
    return [{"$documents": [{}]}, *({"$lookup": lookup} for lookup in lookups)]


def _same_section() -> Stage:
    """Match a document of the section that the variables name; an index answers it."""
    return {"$expr": {"$and": [{"$eq": [f"${name}", f"$${name}"]} for name in ("term", "courseID", "section")]}}


def live_login(key: str, now: datetime) -> list[Stage]:
    """Add to a live sign-in its `user`, without the password, and one unseen notice if there is any."""
    return [
        {"$match": {"_id": key, "expires_at": {"$gt": now}}},
        {"$lookup": {"from": "user", "localField": "user_id", "foreignField": "user_id", "as": "user"}},
        {"$unwind": "$user"},
        {
            "$lookup": {
                "from": "notice",
                "localField": "user_id",
                "foreignField": "user_id",
                "pipeline": [{"$match": {"seen": False}}, {"$limit": 1}, {"$project": {"_id": 1}}],
                "as": "notices",
            }
        },
        {"$project": {"user.password": 0}},
    ]


def token_owner(digest: str, now: datetime) -> list[Stage]:
    """Join a token that has not ended with its `user`, without the password."""
    return [
        {"$match": {"_id": digest, "expires_at": {"$gt": now}}},
        {"$lookup": {"from": "user", "localField": "user_id", "foreignField": "user_id", "as": "user"}},
        {"$unwind": "$user"},
        {"$project": {"user.password": 0}},
    ]
