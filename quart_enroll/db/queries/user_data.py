"""All rows about one user, to be exported or removed."""

from collections.abc import AsyncGenerator

from quart_enroll.db import cursors
from quart_enroll.db.client import Database, Document, Session, assert_transactions

EXPORT_BATCH_SIZE = 250
"""Rows in memory at the same time: some 60 kB."""

EXPORTED_FIELDS = {
    "user": {"_id": 0, "password": 0, "is_student": 0, "search_words": 0},
    "login": {"_id": 0},
    "token": {"_id": 0},
    "answer": {"_id": 0, "holder": 0},
    "enrollment": {"_id": 0},
    "waitlist": {"_id": 0},
    "schedule": {"_id": 0},
    "event": {"_id": 0, "day": 0, "actor": 0},  # a student who dropped the seat stays private
    "notice": {"_id": 0},
    "plan": {"_id": 0},
    "saved_plan": {"_id": 0},
    "alert": {"_id": 0},
    "feed": {"_id": 0, "token": 0},
    "share": {"_id": 0},
    "hold": {"_id": 0, "placed_by": 0, "lifted_by": 0, "lift_reason": 0},
    "permit": {"_id": 0, "author": 0, "reason": 0},
    "appointment": {"_id": 0, "author": 0},
    "appointment_rank": {"_id": 0},
    "removal": {"_id": 0},
    "summary": {"_id": 0},
    "email_change": {"_id": 0},
    "audit": {"_id": 0, "reason": 0},  # only staff see it; what the student may read is in the history
    "access": {"_id": 0, "minute": 0},
}
"""The collections with rows about users, and the fields that are not exported: secrets and internal keys."""

LOGS = ("event", "audit", "access")

RETAINED_COLLECTIONS = (*LOGS, "appointment_rank")
"""Collections whose rows stay when a user is removed: what happened, under a number that identifies nobody."""


SORT_ORDERS = dict.fromkeys(LOGS, cursors.LATEST_FIRST)
"""The order of collections with too many rows to sort without an index. Others are sorted from new to old."""


async def export_rows(db: Database, user_id: int) -> AsyncGenerator[tuple[str, list[Document]], None]:
    """Yield the rows about the user, all as of this moment, in batches from one collection each.

    Each collection is yielded at least once, possibly with an empty batch. Raises one of client.DATABASE_UNAVAILABLE or
    client.DATABASE_REFUSED, also if the rows are read so slowly that the snapshot expires, after some five minutes.
    """
    assert_transactions(db)  # without transactions there are no snapshots either
    async with await db.client.start_session(snapshot=True) as session:
        for name, fields in EXPORTED_FIELDS.items():
            order = SORT_ORDERS.get(name, [("_id", -1)])
            cursor = (
                db[name].find({"user_id": user_id}, fields, session=session, batch_size=EXPORT_BATCH_SIZE).sort(order)
            )
            try:
                yield name, await cursor.to_list(EXPORT_BATCH_SIZE)
                while rows := await cursor.to_list(EXPORT_BATCH_SIZE):
                    yield name, rows
            finally:
                await cursor.close()


async def remove(db: Database, user_id: int, session: Session | None, *, keeps_courses: bool = False) -> None:
    """Remove the user and all rows about them, except RETAINED_COLLECTIONS and closed schedules.

    With `keeps_courses`, their rows in `enrollment` stay too.
    """
    retained = {*RETAINED_COLLECTIONS, "enrollment"} if keeps_courses else {*RETAINED_COLLECTIONS}
    for name in EXPORTED_FIELDS:
        if name not in retained:
            await db[name].delete_many({"user_id": user_id, "closed_at": {"$exists": False}}, session=session)
