"""Aggregation pipelines: pure functions that return stages, with `$match` first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from quart_enroll.db import section_keys

Stage: TypeAlias = dict[str, Any]


def waitlist_positions(user_id: int) -> list[Stage]:
    """Compute the student's `position` among the students `of` each section's waitlist on which the student is."""
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


def multi_find(filters: Mapping[str, Stage], fields: Mapping[str, Stage]) -> list[Stage]:
    """Return one document with the matching rows of each collection. Unlike `$unionWith`, it works in a transaction."""
    stages = {name: [{"$match": match}] for name, match in filters.items()}
    for name, wanted in fields.items():
        stages[name].append({"$project": wanted})
    lookups = ({"from": name, "pipeline": pipeline, "as": name} for name, pipeline in stages.items())
    return [{"$documents": [{}]}, *({"$lookup": lookup} for lookup in lookups)]


def latest_changes(user_ids: Sequence[int], newest_first: Stage, among: int, at_most: int) -> list[Stage]:
    """Return one document for each student, with up to `at_most` events that aren't refusals, `among` the latest."""
    latest: list[Stage] = [{"$match": {"at": {"$type": "date"}}}, {"$sort": newest_first}, {"$limit": among}]
    changes = [*latest, {"$match": {"result": "ok"}}, {"$limit": at_most}]
    joined = {"from": "event", "localField": "user_id", "foreignField": "user_id", "pipeline": changes, "as": "changes"}
    return [{"$documents": [{"user_id": user_id} for user_id in user_ids]}, {"$lookup": joined}]


def _same_section() -> Stage:
    """Match the rows of the section in the variables; an index answers it."""
    return {"$expr": {"$and": [{"$eq": [f"${name}", f"$${name}"]} for name in section_keys.KEY_FIELDS]}}


def live_logins(keys: Sequence[str]) -> list[Stage]:
    """Join each of these sign-ins with its `user`, without the password, and one unseen notice, if any."""
    return [
        {"$match": {"_id": {"$in": list(keys)}, "expires_at": {"$type": "date"}}},
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
    """Join a token that has not expired with its `user`, without the password."""
    return [
        {"$match": {"_id": digest, "expires_at": {"$gt": now}}},
        {"$lookup": {"from": "user", "localField": "user_id", "foreignField": "user_id", "as": "user"}},
        {"$unwind": "$user"},
        {"$project": {"user.password": 0}},
    ]


def own_changes(term: str, after: datetime, until: datetime, actions: Sequence[str]) -> list[Stage]:
    """Compute, for each student who changed their own seats in that period, when they did so first and last."""
    wanted = {"term": term, "at": {"$gt": after, "$lte": until}, "result": "ok", "action": {"$in": list(actions)}}
    return [
        {"$match": wanted},
        {"$match": {"$expr": {"$eq": ["$actor", "$user_id"]}, "acted_as": None}},
        {"$group": {"_id": "$user_id", "since": {"$min": "$at"}, "until": {"$max": "$at"}}},
    ]
