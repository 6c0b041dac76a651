"""The collection `login`: one row for each sign-in that has not ended."""

from datetime import datetime

from pymongo import IndexModel

from quart_enroll.models import Login, User
from quart_enroll.mongo import Database
from quart_enroll.repositories import pipelines
from quart_enroll.repositories.users import to_user

INDEXES = [IndexModel("user_id"), IndexModel("expires_at", expireAfterSeconds=0)]

SCHEMA = {
    "bsonType": "object",
    "required": ["_id", "user_id", "created_at", "expires_at"],
    "properties": {
        "_id": {"bsonType": "string", "minLength": 32},
        "user_id": {"bsonType": ["int", "long"]},
        "created_at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
        "remembered": {"bsonType": "bool"},
    },
}


async def add(db: Database, login: Login, *, created_at: datetime, remembered: bool) -> None:
    """Store a new sign-in."""
    await db.login.insert_one(
        {
            "_id": login.identity,
            "user_id": login.user.user_id,
            "created_at": created_at,
            "expires_at": login.expires_at,
            "remembered": remembered,
        }
    )


async def find_user(db: Database, identity: str, now: datetime) -> tuple[User, bool] | None:
    """Return whose sign-in this is and whether notices wait for them; None when it has ended or never was."""
    async for document in db.login.aggregate(pipelines.who(identity, now)):
        return to_user(document["user"]), bool(document["notices"])
    return None


async def end(db: Database, identity: str) -> None:
    """End the sign-in; nothing happens when it has ended already."""
    await db.login.delete_one({"_id": identity})
