"""The rules in front of a real mongod: each module has a database of its own, empty for each test."""

from collections.abc import AsyncIterator

import pytest

from quart_enroll.db import client
from quart_enroll.db.client import Database
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.concurrency.school import prepare
from tests.support.processes import with_database


@pytest.fixture(scope="module")
def database_uri(mongod: str, request: pytest.FixtureRequest) -> str:
    return with_database(mongod, f"enroll_{request.module.__name__.rsplit('.', 1)[-1]}")


@pytest.fixture
async def db(database_uri: str) -> AsyncIterator[Database]:
    """A database with indexes and validators and without a row."""
    async with client.open_database(database_uri, 20) as db:
        await prepare(db)
        yield db
        await db.client.drop_database(db.name)


@pytest.fixture
def context(db: Database) -> EnrollmentContext:
    """The locks and the batch queue of one process."""
    return EnrollmentContext(db)
