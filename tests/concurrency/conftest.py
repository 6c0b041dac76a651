"""Tests on a real mongod: each module has a database of its own, empty for each test."""

from collections.abc import AsyncIterator

import pytest

from quart_enroll.db import client
from quart_enroll.db.client import Database
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.support import school


@pytest.fixture
async def db(module_uri: str) -> AsyncIterator[Database]:
    """A database with indexes and validators and without a row."""
    async with client.open_database(module_uri, 20) as db:
        await school.empty(db)
        yield db


@pytest.fixture
def context(db: Database) -> EnrollmentContext:
    """The locks and the batch queue of one process."""
    return EnrollmentContext(db)
