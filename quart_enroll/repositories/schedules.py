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
    change = [{"$set": {"credits": more_credits(number)}}]
    await db.schedule.update_one({"user_id": user_id, "term": term}, change, session=session)


def more_credits(number: int | float) -> Document:
    """Return the expression for `number` credits more than are counted; what is no number counts as none."""
    counted = {"$cond": [{"$isNumber": "$credits"}, "$credits", 0]}
    # Rounded, because tenths don't add up: 1.0 + 1.3 - 1.0 - 1.3 is less than nothing.
    return {"$max": [0, {"$round": [{"$add": [counted, number]}, 2]}]}


async def credits_of(db: Database, user_id: int) -> dict[str, int | float]:
    """Return the credits of the student's courses in each term."""
    found: list[Document] = await db.schedule.find({"user_id": user_id}).to_list(None)
    return {row["term"]: row["credits"] for row in found}
