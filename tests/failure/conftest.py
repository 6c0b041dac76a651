"""A database of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from quart_enroll.db.client import Database, open_database


@pytest.fixture
async def db(fresh_uri: str) -> AsyncIterator[Database]:
    async with open_database(fresh_uri, 20) as db:
        yield db
