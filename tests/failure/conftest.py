"""A database of its own for each test, in which killed processes leave nothing behind."""

from collections.abc import AsyncIterator

import pytest

from quart_enroll.db.client import Database, open_database


@pytest.fixture
async def db(fresh_uri: str) -> AsyncIterator[Database]:
    async with open_database(fresh_uri, 20) as db:
        yield db
        # An unfinished transaction of a killed process would delay dropping the database by a minute.
        await db.client.admin.command("killAllSessions", [])
