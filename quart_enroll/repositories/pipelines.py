"""Aggregation pipelines: pure functions that return stages, `$match` first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

Stage: TypeAlias = dict[str, Any]

IF_THERE_IS_ONE: Stage = {"$unwind": {"path": "$section", "preserveNullAndEmptyArrays": True}}
"""A seat in a section that was deleted is still a seat: hidden, it would be lost at the next enrollment."""


def schedule(user_id: int, terms: Sequence[str]) -> list[Stage]:
    """Join a user with the user's enrollments of those terms and their courses, in the order of courseID.

    Each document has `enrollment`, its `section` if there is one and, as `result_2`, the course; the user's
    own fields stay behind.
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
        _section_of("$enrollment.term", "$enrollment.courseID", "$enrollment.section"),
        IF_THERE_IS_ONE,
        {"$sort": {"result_2.courseID": 1}},
        {"$project": {"_id": 0, "enrollment": 1, "section": 1, "result_2": 1}},
    ]


def positions(user_id: int) -> list[Stage]:
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


def together(wanted: Mapping[str, Stage]) -> list[Stage]:
    """Give one document with, for each collection, its rows that match; in a transaction too, unlike `$unionWith`."""
    lookups = ({"from": name, "pipeline": [{"$match": match}], "as": name} for name, match in wanted.items())
    return [{"$documents": [{}]}, *({"$lookup": lookup} for lookup in lookups)]


def _section_of(term: str, courseID: str, section: str) -> Stage:
    return {
        "$lookup": {
            "from": "section",
            "let": {"term": term, "courseID": courseID, "section": section},
            "pipeline": [{"$match": _same_section()}],
            "as": "section",
        }
    }


def _same_section() -> Stage:
    """Match a document of the section that the variables name; an index answers it."""
    return {"$expr": {"$and": [{"$eq": [f"${name}", f"$${name}"]} for name in ("term", "courseID", "section")]}}


def who(key: str, now: datetime) -> list[Stage]:
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
