"""The rows of one user in every collection that has any: to hand them out, and to remove them."""

from collections.abc import AsyncGenerator

from quart_enroll.db.client import Database, Document, Session, assert_transactions

BATCH_SIZE = 250
"""Rows in memory at a time: some 60 kB."""

EXPORTED_FIELDS = {
    "user": {"_id": 0, "password": 0},
    "login": {"_id": 0},
    "token": {"_id": 0},
    "answer": {"_id": 0, "holder": 0},
    "enrollment": {"_id": 0},
    "waitlist": {"_id": 0},
    "schedule": {"_id": 0},
    "event": {"_id": 0, "day": 0, "actor": 0},  # who dropped the seat is private to that student
    "notice": {"_id": 0},
    "plan": {"_id": 0},
    "alert": {"_id": 0},
    "feed": {"_id": 0, "token": 0},
}
"""The collections that know of users, and what of their rows stays inside: secrets, the database's own keys."""

KEPT_COLLECTIONS = ("event",)
"""What stays when a user is removed: a history of seats, under a number that leads to nobody."""


SORT_ORDERS = {"event": [("at", -1), ("_id", -1)]}
"""The order of rows that may be too many to sort: an index has it. Other collections come newest first."""


async def export_rows(db: Database, user_id: int) -> AsyncGenerator[tuple[str, list[Document]], None]:
    """Yield the rows about the user as they are at this moment, one batch of one collection at a time.

    Each collection comes at least once, if only with an empty batch. Raises one of mongo.AWAY or mongo.REFUSED, also if
    the rows are read so slowly that the snapshot expires, after some five minutes.
    """
    assert_transactions(db)  # where there are none, nothing can be read as of one moment either
    async with await db.client.start_session(snapshot=True) as session:
        for name, shown in EXPORTED_FIELDS.items():
            order = SORT_ORDERS.get(name, [("_id", -1)])
            cursor = db[name].find({"user_id": user_id}, shown, session=session, batch_size=BATCH_SIZE).sort(order)
            try:
                yield name, await cursor.to_list(BATCH_SIZE)
                while rows := await cursor.to_list(BATCH_SIZE):
                    yield name, rows
            finally:
                await cursor.close()


async def remove(db: Database, user_id: int, session: Session | None) -> None:
    """Remove the user and all that is stored about them, except what is KEPT and schedules that were closed."""
    for name in EXPORTED_FIELDS:
        if name not in KEPT_COLLECTIONS:
            await db[name].delete_many({"user_id": user_id, "closed_at": {"$exists": False}}, session=session)
