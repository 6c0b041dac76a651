"""Checks whether the database has the indexes and validators that this version needs."""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

from quart_enroll.db import schema as stored
from quart_enroll.db.client import DATABASE_REFUSED, DATABASE_UNAVAILABLE, STANDALONE_MESSAGE, Database, is_standalone
from quart_enroll.db.collections import (
    access,
    alerts,
    appointment_ranks,
    appointments,
    attempt_limits,
    audit,
    bulk_assignments,
    calendar_tokens,
    courses,
    email_changes,
    enrollments,
    events,
    hold_types,
    holds,
    idempotency,
    import_parts,
    imports,
    logins,
    notices,
    permission_numbers,
    permits,
    plans,
    removals,
    saved_plans,
    schedules,
    sections,
    shared_links,
    summaries,
    terms,
    tokens,
    users,
    waitlist,
)
from quart_enroll.db.schema import Difference, Index, Upgrades

COLLECTION_MODULES: dict[str, Any] = {
    "course": courses,
    "user": users,
    "enrollment": enrollments,
    "login": logins,
    "token": tokens,
    "answer": idempotency,
    "term": terms,
    "section": sections,
    "schedule": schedules,
    "waitlist": waitlist,
    "import": imports,
    "import_part": import_parts,
    "event": events,
    "notice": notices,
    "attempt": attempt_limits,
    "plan": plans,
    "saved_plan": saved_plans,
    "alert": alerts,
    "feed": calendar_tokens,
    "share": shared_links,
    "audit": audit,
    "access": access,
    "removal": removals,
    "summary": summaries,
    "email_change": email_changes,
    "hold": holds,
    "permit": permits,
    "appointment": appointments,
    "appointment_rank": appointment_ranks,
    "bulk_assignment": bulk_assignments,
    "permission_number": permission_numbers,
    "hold_type": hold_types,
}
"""The modules with the indexes and the schema of each collection."""

RECHECK_SECONDS = 10.0
"""Seconds for which a result of the check is reused, however often probes ask."""

MUST_UPGRADE = "the database is not up to date: run `upgrade-db`"

logger = logging.getLogger(__name__)


def version() -> str:
    """Return a fingerprint of all indexes and validators that this version needs."""
    wanted = {
        name: ([index.document for index in repository.INDEXES], repository.SCHEMA)
        for name, repository in COLLECTION_MODULES.items()
    }
    return sha256(json.dumps(wanted, sort_keys=True, default=str).encode()).hexdigest()[:16]


async def problems(db: Database) -> list[str]:
    """Return a sentence for each index and validator that is missing or differs, with its consequence."""
    found = await stored.find_differences(db, COLLECTION_MODULES)
    return [_sentence(one) for one in _relevant(found, await stored.read_upgrades(db))]


class SchemaCheck:
    """Finds what keeps the database from serving this version, and logs it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = asyncio.Lock()
        self._checked_at = -RECHECK_SECONDS
        self._problem = ""

    async def check_at_start(self) -> None:
        """Check once, so that the log names what is missing even if nothing probes; ignore an unavailable database."""
        with suppress(*DATABASE_UNAVAILABLE, DATABASE_REFUSED):
            await self.find_problem()

    async def find_problem(self) -> str:
        """Return what operators must do about the database, at most RECHECK_SECONDS old; empty if it is ready.

        It is ready if it has transactions and every index and validator. Changes by a newer version don't count,
        because this version serves until it is replaced. Neither do indexes that `upgrade-db` could not create because
        of existing rows, since running it again won't help, or that a newer version has replaced.
        """
        async with self._lock:
            if time.monotonic() - self._checked_at >= RECHECK_SECONDS:
                await self._check()
                self._checked_at = time.monotonic()
            return self._problem

    async def _check(self) -> None:
        found = await stored.find_differences(self._db, COLLECTION_MODULES)
        if found:
            upgrades = await stored.read_upgrades(self._db)
            found = [one for one in _relevant(found, upgrades) if _name(one) not in upgrades.absent]
        if is_standalone(self._db):
            problem, event, facts = STANDALONE_MESSAGE, STANDALONE_MESSAGE, {}
        elif found:
            problem, event, facts = MUST_UPGRADE, "upgrade-db must run", {"lacking": " ".join(map(_name, found))}
        else:
            problem, event, facts = "", "", {}
        if problem and problem != self._problem:
            logger.error(event, extra=facts)
        self._problem = problem


def _relevant(found: Sequence[Difference], upgrades: Upgrades) -> list[Difference]:
    """Leave out validators that another version has changed since this one's `upgrade-db` ran."""
    superseded = version() in upgrades.versions[:-1]
    return [one for one in found if not (superseded and one.index is None and one.differs)]


def _name(difference: Difference) -> str:
    return f"{difference.collection}.{difference.index.name if difference.index else 'validator'}"


def _sentence(difference: Difference) -> str:
    index, differs = difference.index, difference.differs
    if index is None and differs:
        return f"{difference.collection}: the validator is not the one this version needs. Run `upgrade-db`."
    if index is None:
        return f"{difference.collection}: there is no validator. Run `upgrade-db`."
    state = "has other options" if differs else "is missing"
    remedy = "Drop it, then run `upgrade-db`." if differs else "Run `upgrade-db`."
    return f"{difference.collection}: the index {index.name} {state}, so {_consequence(index)}. {remedy}"


def _consequence(index: Index) -> str:
    keys = " and ".join(filter(None, [", ".join(index.keys[:-1]), index.keys[-1]]))
    if index.unique:
        return f"two rows can have the same {keys}"
    return "expired rows are not removed" if index.expires else f"queries by {keys} read every row"
