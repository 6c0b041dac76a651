"""The collection `answer`: requests with an Idempotency-Key, and the responses to them.

A row is added before the change, and the response afterwards. A row without a response belongs to the process named in
`holder`, which is still working on the request, or has died.
"""

from dataclasses import dataclass
from datetime import datetime

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.models import StoredResponse

INDEXES = [
    IndexModel([("user_id", 1), ("key", 1)], unique=True),
    IndexModel("expires_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "key", "digest", "holder", "at", "expires_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "key": {"bsonType": "string", "minLength": 1, "maxLength": 255},
        "digest": {"bsonType": "string", "minLength": 64, "maxLength": 64},
        "holder": {"bsonType": "string"},
        "at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
        "status": {"bsonType": ["int", "long"]},
        "location": {"bsonType": "string"},
        "body": {"bsonType": "string"},
    },
}


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """An earlier request with the same key; `answer` is None as long as there is no response."""

    digest: str
    holder: str
    at: datetime
    expires_at: datetime
    answer: StoredResponse | None


async def begin(
    db: Database, user_id: int, key: str, *, digest: str, holder: str, at: datetime, expires_at: datetime
) -> bool:
    """Record that the request has begun; return False if an earlier request has the same key."""
    begun = {"digest": digest, "holder": holder, "at": at, "expires_at": expires_at}
    try:
        await db.answer.insert_one({"user_id": user_id, "key": key} | begun)
    except DuplicateKeyError:
        return False
    return True


async def add_answered(
    db: Database,
    user_id: int,
    key: str,
    answer: StoredResponse,
    *,
    at: datetime,
    expires_at: datetime,
    session: Session,
) -> None:
    """Record a request with its response in the change's own transaction; raise AlreadyMade if it was made before."""
    response = {"status": answer.status, "location": answer.location, "body": answer.body}
    made = {"digest": key, "holder": "", "at": at, "expires_at": expires_at} | response
    try:
        await db.answer.insert_one({"user_id": user_id, "key": key} | made, session=session)
    except DuplicateKeyError:
        raise AlreadyMade from None


async def find(db: Database, user_id: int, key: str) -> RequestRecord | None:
    """Return the request that has this key, or None."""
    row: Document | None = await db.answer.find_one({"user_id": user_id, "key": key})
    if row is None:
        return None
    answer = StoredResponse(row["status"], row["location"], row["body"]) if "status" in row else None
    return RequestRecord(row["digest"], row["holder"], row["at"], row["expires_at"], answer)


async def finish(db: Database, user_id: int, key: str, holder: str, answer: StoredResponse) -> None:
    """Store the response, unless another process has taken over the request."""
    response = {"status": answer.status, "location": answer.location, "body": answer.body}
    await db.answer.update_one(_own_request(user_id, key, holder), {"$set": response})


async def remove(db: Database, user_id: int, key: str, holder: str) -> None:
    """Make the key available again, unless another process has taken over the request."""
    await db.answer.delete_one(_own_request(user_id, key, holder))


def _own_request(user_id: int, key: str, holder: str) -> Document:
    return {"user_id": user_id, "key": key, "holder": holder}


class AlreadyMade(Exception):
    """The request was made before; its transaction has ended."""
