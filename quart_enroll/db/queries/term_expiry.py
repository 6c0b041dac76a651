"""When MongoDB removes what students keep only until a term is over: plans, alerts and shared links."""

from datetime import datetime

from quart_enroll.db.client import Database, Session


async def set_expiry(db: Database, term: str, expires_at: datetime, session: Session) -> None:
    """Let everything that students keep for the term expire at that moment."""
    for collection in (db.plan, db.saved_plan, db.alert, db.share):
        await collection.update_many({"term": term}, {"$set": {"expires_at": expires_at}}, session=session)
