"""The site with mongomock, for fast tests that need neither transactions nor collations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import pytest
from mongomock_motor import AsyncMongoMockClient

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections.terms import to_row
from tests.support.people import COURSES, SECTIONS, TERMS, Browser, Clock, config


@pytest.fixture
async def anyone() -> AsyncIterator[Browser]:
    """The browser of a visitor."""
    app = create_app(config(mongo_uri="mongodb://mock.example"), open_database=_mock, clock=Clock())
    async with app.test_app():
        yield Browser(app.test_client())


@asynccontextmanager
async def _mock(_uri: str, _timeout: float, **_: object) -> AsyncIterator[Database]:
    db = AsyncMongoMockClient(tz_aware=True)["FLASK_Enrollment"]
    await db.course.insert_many([asdict(course) for course in COURSES])
    await db.term.insert_many([to_row(term) for term in TERMS])
    await db.section.insert_many([asdict(section) for section in SECTIONS])
    yield db
