"""The collection `schedule`: each student's guard in a term, which every change of theirs writes first."""

from pymongo import IndexModel, ReturnDocument

from quart_enroll.mongo import Database, Document, Session

INDEXES = [IndexModel([("user_id", 1), ("term", 1)], unique=True)]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "term", "credits", "version"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "term": {"bsonType": "string"},
        "credits": {"bsonType": "number", "minimum": 0},
        "version": {"bsonType": ["int", "long"]},
    },
}


async def guard(db: Database, user_id: int, term: str, session: Session | None) -> None:
    """Let no other change of this student in this term go on beside this one: one of the two runs again."""
    await db.schedule.find_one_and_update(
        {"user_id": user_id, "term": term},
        {"$inc": {"version": 1}, "$setOnInsert": {"credits": 0}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=session,
    )


async def add_credits(db: Database, user_id: int, term: str, number: int | float, session: Session | None) -> None:
    """Count `number` credits more, or less when it is negative, of the courses that the student has."""
    # Rounded, because tenths don't add up: 1.0 + 1.3 - 1.0 - 1.3 is less than nothing.
    total = {"$round": [{"$add": ["$credits", number]}, 2]}
    await db.schedule.update_one(
        {"user_id": user_id, "term": term}, [{"$set": {"credits": {"$max": [0, total]}}}], session=session
    )


async def credits_of(db: Database, user_id: int) -> dict[str, int | float]:
    """Return the credits of the student's courses in each term."""
    found: list[Document] = await db.schedule.find({"user_id": user_id}).to_list(None)
    return {row["term"]: row["credits"] for row in found}
