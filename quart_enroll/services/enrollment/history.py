"""The history of a student's seats, as it was recorded."""

from quart_enroll.db.client import Database
from quart_enroll.db.collections import events
from quart_enroll.domain.models import Event


async def page(db: Database, user_id: int, mark: str, max_events: int) -> tuple[list[Event], str]:
    """Return the student's events from the mark on, the latest first, and the mark of the next page.

    Without a mark, the page starts with the latest event. The next mark is empty on the last page. Raises ValueError
    for text that is no mark.
    """
    return await events.find_page(db, user_id, mark, max_events)
