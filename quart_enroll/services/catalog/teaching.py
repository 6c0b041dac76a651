"""What instructors taught, in all terms."""

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import SectionKey

MAX_TAUGHT_SECTIONS = 500
"""Sections of one name that are looked at: "Staff" may be the instructor of thousands."""


async def find_taught(db: Database, instructor: str) -> list[SectionKey]:
    """Return the keys of sections whose instructor has exactly this name, without those that students don't see."""
    return await sections.find_taught(db, instructor, MAX_TAUGHT_SECTIONS)
