"""The collection `share`: links that show a student's schedule or plan. Only their tokens' digests are stored.

MongoDB removes a link at `expires_at`, the end of the term.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.models import MAX_LABEL_LENGTH, MAX_TERM_NAME_LENGTH, SharedContent, SharedLink

INDEXES = [
    IndexModel([("user_id", 1), ("link_id", 1)], unique=True),
    IndexModel("term"),
    IndexModel("expires_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["_id", "link_id", "user_id", "term", "content", "label", "created_at", "expires_at"],
    "properties": {
        "_id": {"bsonType": "string", "minLength": 64, "maxLength": 64},
        "link_id": {"bsonType": "string", "minLength": 16},
        "user_id": {"bsonType": ["int", "long"]},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "content": {"enum": [*SharedContent]},
        "label": {"bsonType": "string", "maxLength": MAX_LABEL_LENGTH},
        "created_at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
    },
}


async def add(db: Database, link: SharedLink, digest: str, session: Session) -> None:
    """Add a link under the digest of its token."""
    await db.share.insert_one({"_id": digest} | asdict(link), session=session)


async def find_by_user(db: Database, user_id: int, now: datetime, session: Session | None = None) -> list[SharedLink]:
    """Return the user's links that have not expired, oldest first."""
    found = db.share.find({"user_id": user_id, "expires_at": {"$gt": now}}, session=session).sort("created_at")
    return [_to_link(row) async for row in found]


async def find(db: Database, digest: str, now: datetime) -> SharedLink | None:
    """Return the link whose token has this digest, or None if it has expired, was revoked or never existed."""
    row: Document | None = await db.share.find_one({"_id": digest, "expires_at": {"$gt": now}})
    return None if row is None else _to_link(row)


async def revoke(db: Database, user_id: int, link_id: str) -> bool:
    """Revoke the user's link; return False if there is none."""
    return bool((await db.share.delete_one({"user_id": user_id, "link_id": link_id})).deleted_count)


async def revoke_all(db: Database, user_id: int, session: Session | None) -> int:
    """Revoke all links of the user; return how many there were."""
    return int((await db.share.delete_many({"user_id": user_id}, session=session)).deleted_count)


def _to_link(row: Mapping[str, Any]) -> SharedLink:
    facts = {name: row[name] for name in SharedLink.__dataclass_fields__}
    return SharedLink(**facts | {"content": SharedContent(row["content"])})
