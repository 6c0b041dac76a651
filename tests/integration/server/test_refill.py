"""Each test of the site begins with the same school, whatever the last one left behind."""

from quart_enroll.db.client import Database
from tests.support import school
from tests.support.people import ADA, TERMS


async def rows(db: Database) -> dict[str, list[object]]:
    return {name: await db[name].find().sort("_id").to_list(None) for name in await db.list_collection_names()}


async def test_rows_of_the_last_test_are_gone_and_the_schools_are_back(db: Database) -> None:
    expected = await rows(db)
    await db.user.delete_one({"user_id": ADA.user_id})
    async with await db.client.start_session() as session, session.start_transaction():
        await db.section.update_many({}, {"$inc": {"seats_taken": 1}}, session=session)
    await db.plan.insert_one({"user_id": ADA.user_id}, bypass_document_validation=True)
    await school.refill(db, TERMS)
    assert await rows(db) == expected


async def test_a_new_collection_is_emptied_too(db: Database) -> None:
    expected = await rows(db)
    await db.unexpected.insert_one({"_id": 1})
    await school.refill(db, TERMS)
    assert await rows(db) == expected | {"unexpected": []}
    await db.unexpected.drop()


async def test_other_terms_replace_those_of_the_last_test(db: Database) -> None:
    await school.refill(db, TERMS[:1])
    assert await db.term.count_documents({}) == 1
    await school.refill(db, TERMS)
    assert await db.term.count_documents({}) == len(TERMS)
