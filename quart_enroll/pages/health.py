"""Health checks: whether the process is alive, and whether it can serve requests."""

import asyncio

from quart_enroll.db import client
from quart_enroll.state import database, schema

READY_TIMEOUT_SECONDS = 2


async def healthz() -> dict[str, str]:
    return {"status": "alive"}


async def readyz() -> tuple[dict[str, str], int]:
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            await client.ping(database())
            if problem := await schema().find_problem():
                return {"status": problem}, 503
    except (TimeoutError, *client.DATABASE_UNAVAILABLE):
        return {"status": "the database does not answer"}, 503
    except client.DATABASE_REFUSED:
        return {"status": "the database refused the request"}, 503
    return {"status": "ready"}, 200
