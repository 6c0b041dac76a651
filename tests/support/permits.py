"""Permits for tests."""

from datetime import timedelta

from bson import ObjectId

from quart_enroll.db.client import Database
from tests.support.people import ADA, FALL_MORNING, RITA

PERMIT_ID = "65a000000000000000000002"
"""The key of ada's permit."""

REQUEST_ID = "65a000000000000000000003"
"""The key of ada's request for consent."""

NUMBER = "4K7M2PXW9TRC"
"""A permission number for the only section of PHP 202."""


async def permit_ada(db: Database) -> None:
    """Grant ada a permit for the only section of PHP 202, even if it is full, as rita would have done before."""
    row = {
        "_id": ObjectId(PERMIT_ID),
        "user_id": ADA.user_id,
        "term": "Fall 2026",
        "courseID": "3333",
        "section": "01",
        "overrides": ["full"],
        "status": "granted",
        "at": FALL_MORNING,
        "author": RITA.user_id,
        "reason": "=Graduates in spring",
    }
    await db.permit.insert_one(row)


async def ada_requests_consent(db: Database) -> None:
    """Let the only section of PHP 202 require its instructor's consent, and ada request it, as she would have done."""
    await db.section.update_one({"courseID": "3333"}, {"$set": {"consent": "instructor", "status": "active"}})
    row = {
        "_id": ObjectId(REQUEST_ID),
        "user_id": ADA.user_id,
        "term": "Fall 2026",
        "courseID": "3333",
        "section": "01",
        "overrides": ["consent"],
        "status": "requested",
        "at": FALL_MORNING,
        "author": ADA.user_id,
        "reason": "",
        "by_registrar": False,
        "message": "=Graduates in spring",
    }
    await db.permit.insert_one(row)


async def number_for_php(db: Database) -> None:
    """Create NUMBER, with which a student may enroll even if the section is full, as rita would have done before."""
    row = {
        "term": "Fall 2026",
        "courseID": "3333",
        "section": "01",
        "code": NUMBER,
        "overrides": ["full"],
        "expires_at": FALL_MORNING + timedelta(30),
        "at": FALL_MORNING,
        "author": RITA.user_id,
        "reason": "=Graduates in spring",
        "by_registrar": True,
    }
    await db.permission_number.insert_one(row)
    await db.section.update_one({"courseID": "3333"}, {"$set": {"accepts_numbers": True}})
