"""The collection `notice`: what a student must be told; the outbox of the e-mails too.

A notice waits for its e-mail while it has `next_try_at`. Who wants to send it takes that away and writes
`sending_at`; then comes `sent_at`, or `failed_at`, or `next_try_at` again. One with `sending_at` alone was
sent by a process that died meanwhile, or nobody knows.

Letters are notices for e-mail alone. One for who has forgotten the password has the address that somebody typed,
whether it has an account or not, and is gone after an hour. MongoDB removes every notice at `forget_at`; what happened
to the seat stays in `event`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import users
from quart_enroll.db.queries import message_codec
from quart_enroll.domain.models import Credentials, Notice

INDEXES = [
    IndexModel([("user_id", 1), ("seen", 1)]),
    IndexModel("next_try_at", partialFilterExpression={"next_try_at": {"$exists": True}}),
    IndexModel("forget_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["at", "user_id", "action", "courseID", "title", "term", "section", "seen"],
    "properties": {
        "at": {"bsonType": "date"},
        "user_id": {"bsonType": ["int", "long"]},
        "seen": {"bsonType": "bool"},
        "email": {"bsonType": "string", "maxLength": 254},
        "forget_at": {"bsonType": "date"},
        "tries": {"bsonType": ["int", "long"], "minimum": 0},
        "next_try_at": {"bsonType": "date"},
        "sending_at": {"bsonType": "date"},
        "sent_at": {"bsonType": "date"},
        "failed_at": {"bsonType": "date"},
        "failed_because": {"bsonType": "string"},
    },
}


NOTICE_LIFETIME = timedelta(days=366)
"""How long a notice is stored, seen or not."""

MAX_NOTICES_PER_PAGE = 20
"""Most notices on one page; the next page shows the next ones."""


@dataclass(frozen=True, slots=True)
class PendingEmail:
    """A notice that waits for its e-mail; `to` is None when there is no such account, `tries` are those before."""

    number: str
    notice: Notice
    to: Credentials | None
    tries: int
    key: Any
    next_try_at: datetime


async def add(db: Database, notice: Notice, session: Session | None) -> None:
    """Store a notice that nobody has seen and that no e-mail has told."""
    outbox = {"seen": False, "tries": 0, "next_try_at": notice.at}
    await db.notice.insert_one(_row(notice) | outbox, session=session)


async def add_email_only(
    db: Database,
    notice: Notice,
    session: Session | None = None,
    *,
    email: str | None = None,
    forget_at: datetime | None = None,
) -> None:
    """Store a notice for e-mail alone: to its user, or to who has the address `email`."""
    outbox = {"seen": True, "tries": 0, "next_try_at": notice.at}
    asked = {"email": email, "forget_at": forget_at} if email is not None else {}
    await db.notice.insert_one(_row(notice) | outbox | asked, session=session)


async def add_all(db: Database, stories: Sequence[Notice], session: Session | None) -> None:
    """Store several notices that nobody has seen and that no e-mail has told."""
    rows = [_row(notice) | {"seen": False, "tries": 0, "next_try_at": notice.at} for notice in stories]
    if rows:
        await db.notice.insert_many(rows, session=session)


async def take_unseen(db: Database, user_id: int) -> list[Notice]:
    """Return at most MAX_NOTICES_PER_PAGE unseen notices of the student, oldest first; each is returned only once."""
    taken: list[Notice] = []
    while len(taken) < MAX_NOTICES_PER_PAGE:
        document: Document | None = await db.notice.find_one_and_update(
            {"user_id": user_id, "seen": False}, {"$set": {"seen": True}}, sort=[("at", 1)]
        )
        if document is None:
            break
        taken.append(to_notice(document))
    return taken


async def find_due(db: Database, since: datetime, until: datetime) -> PendingEmail | None:
    """Return the notice whose e-mail has been due longest, of those due from `since` to `until`."""
    due = {"next_try_at": {"$gte": since, "$lte": until}}
    document = await db.notice.find_one(due, sort=[("next_try_at", 1)])
    if document is None:
        return None
    if email := document.get("email"):
        to = await users.find_credentials(db, email)
    else:
        to = await users.find_credentials_by_id(db, document["user_id"])
    return PendingEmail(
        number=str(document["_id"]),
        notice=to_notice(document),
        to=to,
        tries=document.get("tries", 0),
        key=document["_id"],
        next_try_at=document["next_try_at"],
    )


async def claim(db: Database, outgoing: PendingEmail, at: datetime) -> bool:
    """Take the notice out of what is due, before the mail server hears of it; return False if another one did."""
    result = await db.notice.update_one(
        {"_id": outgoing.key, "next_try_at": outgoing.next_try_at},
        {"$set": {"sending_at": at}, "$inc": {"tries": 1}, "$unset": {"next_try_at": ""}},
    )
    return bool(result.modified_count)


async def mark_sent(db: Database, outgoing: PendingEmail, at: datetime) -> None:
    """Write that the mail server accepted the e-mail."""
    await db.notice.update_one({"_id": outgoing.key}, {"$set": {"sent_at": at}})


async def postpone(db: Database, outgoing: PendingEmail, next_try_at: datetime) -> None:
    """Let the notice be due again."""
    change = {"$set": {"next_try_at": next_try_at}, "$unset": {"sending_at": ""}}
    await db.notice.update_one({"_id": outgoing.key}, change)


async def mark_failed(db: Database, outgoing: PendingEmail, at: datetime, because: str) -> None:
    """Write that no e-mail will tell this."""
    await db.notice.update_one({"_id": outgoing.key}, {"$set": {"failed_at": at, "failed_because": because}})


def to_notice(document: Mapping[str, Any]) -> Notice:
    """Read a stored notice."""
    facts = {one.name: document.get(one.name, "") for one in fields(Notice)}
    return Notice(**facts | {"because": message_codec.decode(facts["because"])})


def _row(notice: Notice) -> Document:
    facts = {one.name: getattr(notice, one.name) for one in fields(Notice)}
    return facts | {"because": message_codec.encode(notice.because), "forget_at": notice.at + NOTICE_LIFETIME}
