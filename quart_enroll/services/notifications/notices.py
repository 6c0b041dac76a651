"""Notices that a student sees at the top of the next page."""

from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices, sections
from quart_enroll.domain.models import Notice, SectionKey
from quart_enroll.domain.student_attributes import StudentAttributes


async def find_unseen(db: Database, user_id: int) -> list[Notice]:
    """Return the user's notices that were not shown yet, without marking them."""
    return await notices.find_unseen(db, user_id)


async def take_unseen(db: Database, user_id: int) -> list[Notice]:
    """Return the user's notices that were not shown yet, and mark them as shown."""
    return await notices.take_unseen(db, user_id)


async def has_open_seats(db: Database, key: SectionKey, attributes: StudentAttributes) -> bool:
    """Tell whether a seat is open to the student now; a section that no longer exists counts as open."""
    section = await sections.find(db, key)
    return section is None or bool(section.seen_by(attributes).open_seats)
