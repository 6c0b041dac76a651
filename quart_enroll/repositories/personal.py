"""The rows of one user in every collection that has any: to hand them out, and to remove them."""

from pymongo import DESCENDING

from quart_enroll.mongo import Database, Document, Session

HANDED_OUT = {
    "user": {"_id": 0, "password": 0},
    "login": {"_id": 0},
    "token": {"_id": 0},
    "answer": {"_id": 0, "holder": 0},
    "enrollment": {"_id": 0},
    "waitlist": {"_id": 0},
    "schedule": {"_id": 0},
    "event": {"_id": 0, "actor": 0},  # who gave the seat back that somebody got is that one's business
    "notice": {"_id": 0},
    "plan": {"_id": 0},
    "alert": {"_id": 0},
    "feed": {"_id": 0, "token": 0},
}
"""The collections that know of users, and what of their rows stays inside: secrets, the database's own keys."""

KEPT = ("event",)
"""What stays when a user is removed: a history of seats, under a number that leads to nobody."""


async def read(db: Database, user_id: int) -> dict[str, list[Document]]:
    """Return all that is stored about the user, by collection, the newest rows first."""
    return {
        name: await db[name].find({"user_id": user_id}, shown).sort("_id", DESCENDING).to_list(None)
        for name, shown in HANDED_OUT.items()
    }


async def remove(db: Database, user_id: int, session: Session | None) -> None:
    """Remove the user and all that is stored about them, except what is KEPT and schedules that were closed."""
    for name in HANDED_OUT:
        if name not in KEPT:
            await db[name].delete_many({"user_id": user_id, "closed_at": {"$exists": False}}, session=session)
