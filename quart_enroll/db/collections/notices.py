"""The collection `notice`: what students are told on their next page and by email; it is also the outbox.

A notice with `next_try_at` waits to be emailed. A process that sends it replaces that field by `sending_at`, and then
adds `sent_at` or `failed_at`, or sets `next_try_at` again. With `sending_at` alone, the process has died, and nobody
knows whether the email was sent. A notice that no longer says anything new has `replaced_at`, and is neither shown nor
emailed. One with `digest_at` waits for the student's daily digest (`db.queries.digests`), and one whose student has
turned off such emails has `turned_off_at`.

Some notices are only emailed. One about a forgotten password has the email address from the form, which may have no
account, and is removed after an hour. One about a new email has that address, and is removed after a day. One about a
removed account, or a changed email, has the address that the account had. MongoDB removes every notice at `forget_at`;
the history stays in `event`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import users
from quart_enroll.db.collections.sections import announced_values
from quart_enroll.db.queries import message_codec
from quart_enroll.domain.email_settings import CONFIRMED_ACTIONS
from quart_enroll.domain.models import Credentials, Notice, SectionKey, User

INDEXES = [
    IndexModel([("user_id", 1), ("seen", 1)]),
    IndexModel("next_try_at", partialFilterExpression={"next_try_at": {"$exists": True}}),
    IndexModel("digest_at", partialFilterExpression={"digest_at": {"$exists": True}}),
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
        "language": {"bsonType": "string", "maxLength": 20},
        "forget_at": {"bsonType": "date"},
        "tries": {"bsonType": ["int", "long"], "minimum": 0},
        "next_try_at": {"bsonType": "date"},
        "digest_at": {"bsonType": "date"},
        "turned_off_at": {"bsonType": "date"},
        "sending_at": {"bsonType": "date"},
        "sent_at": {"bsonType": "date"},
        "failed_at": {"bsonType": "date"},
        "failed_because": {"bsonType": "string"},
        "replaced_at": {"bsonType": "date"},
        "before": {"bsonType": "object"},
    },
}


NO_USER = 0
"""The user_id of notices to an email address."""

TO_FORMER_USERS = ("account_removed", "email_changed")
"""Notices to an address that no longer has an account."""

TO_NEW_ADDRESSES = ("new_email",)
"""Notices to a user's new address; if it already has an account, the owner of that account gets another text."""

NOTICE_LIFETIME = timedelta(days=366)
"""How long a notice is stored, whether it was seen or not."""

EMAIL_LIFETIME = timedelta(days=30)
"""How long a copy of an email by staff is stored for each recipient; the audit log keeps the text."""

MAX_NOTICES_PER_PAGE = 20
"""Notices on one page; the others are shown on the next one."""


UNDELIVERED: Document = {
    "seen": False,
    "$or": [{"next_try_at": {"$exists": True}}, {"digest_at": {"$exists": True}}],
}
"""Matches notices that were neither shown nor emailed."""


@dataclass(frozen=True, slots=True)
class PendingEmail:
    """A notice to be emailed, after `tries` attempts; `to` is None if there is no such account."""

    notice_id: str
    notice: Notice
    to: Credentials | None
    tries: int
    key: Any
    next_try_at: datetime


class UndeliveredChange(NamedTuple):
    """A notice that its student has neither seen nor been emailed, and the stored values of the section before it."""

    key: Any
    user_id: int
    section: SectionKey
    before: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SentNotice:
    """A notice, with when its email was accepted by the mail server, failed, or was skipped because it is off."""

    notice: Notice
    sent_at: datetime | None
    failed_at: datetime | None
    turned_off_at: datetime | None


async def add(db: Database, notice: Notice, session: Session | None) -> None:
    """Add a notice to be shown and emailed."""
    outbox = {"seen": False, "tries": 0, "next_try_at": notice.at}
    await db.notice.insert_one(to_row(notice) | outbox, session=session)


async def add_email_only(
    db: Database,
    notice: Notice,
    session: Session | None = None,
    *,
    email: str | None = None,
    language: str = "",
    forget_at: datetime | None = None,
) -> None:
    """Add a notice that is only emailed: to its user, or to the address `email`."""
    outbox = {"seen": True, "tries": 0, "next_try_at": notice.at}
    recipient = {"email": email, "language": language, "forget_at": forget_at} if email is not None else {}
    await db.notice.insert_one(to_row(notice) | outbox | recipient, session=session)


async def add_all(
    db: Database, notices: Sequence[Notice], session: Session | None, *, email_only: bool = False
) -> None:
    """Add several notices to be shown and emailed; or with `email_only`, only emailed, and soon forgotten."""
    rows = [to_row(notice) | {"seen": email_only, "tries": 0, "next_try_at": notice.at} for notice in notices]
    if email_only:
        rows = [row | {"forget_at": row["at"] + EMAIL_LIFETIME} for row in rows]
    if rows:
        await db.notice.insert_many(rows, session=session)


async def find_undelivered_changes(
    db: Database, user_ids: Collection[int], keys: Collection[SectionKey], session: Session
) -> list[UndeliveredChange]:
    """Return the notices about changes of these sections that these students have neither seen nor been emailed."""
    if not user_ids:
        return []
    wanted = {"user_id": {"$in": list(user_ids)}, "action": "moved", "before": {"$exists": True}}
    rows = await db.notice.find(wanted | UNDELIVERED, session=session).to_list(None)
    found = [UndeliveredChange(row["_id"], row["user_id"], to_notice(row).key, row["before"]) for row in rows]
    return [one for one in found if one.section in keys]


async def replace_undelivered(
    db: Database, undelivered: Sequence[UndeliveredChange], at: datetime, session: Session
) -> None:
    """Neither show nor email these notices, because a later one says everything."""
    if undelivered:
        wanted = {
            "user_id": {"$in": [one.user_id for one in undelivered]},
            "_id": {"$in": [one.key for one in undelivered]},
        }
        change = {"$set": {"seen": True, "replaced_at": at}, "$unset": {"next_try_at": "", "digest_at": ""}}
        await db.notice.update_many(wanted | UNDELIVERED, change, session=session)


async def add_undone(db: Database, notices: Sequence[Notice], session: Session) -> None:
    """Store notices of changes that were undone before their students knew of them; they are not shown or emailed."""
    if notices:
        rows = [to_row(notice) | {"seen": True, "replaced_at": notice.at} for notice in notices]
        await db.notice.insert_many(rows, session=session)


async def find_unseen(db: Database, user_id: int) -> list[Notice]:
    """Return at most MAX_NOTICES_PER_PAGE unseen notices, oldest first, which stay unseen."""
    found = db.notice.find({"user_id": user_id, "seen": False}).sort("at").limit(MAX_NOTICES_PER_PAGE)
    return [to_notice(row) async for row in found]


async def take_unseen(db: Database, user_id: int) -> list[Notice]:
    """Return at most MAX_NOTICES_PER_PAGE unseen notices, oldest first, and mark them as seen."""
    taken: list[Notice] = []
    while len(taken) < MAX_NOTICES_PER_PAGE:
        row: Document | None = await db.notice.find_one_and_update(
            {"user_id": user_id, "seen": False}, {"$set": {"seen": True}}, sort=[("at", 1)]
        )
        if row is None:
            break
        taken.append(to_notice(row))
    return taken


async def find_latest(db: Database, user_id: int, at_most: int) -> list[SentNotice]:
    """Return the user's latest notices about seats, the latest first."""
    wanted = {"user_id": user_id, "courseID": {"$gt": ""}, "action": {"$nin": list(CONFIRMED_ACTIONS)}}
    found = db.notice.find(wanted).sort([("at", -1)]).limit(at_most)
    moments = ("sent_at", "failed_at", "turned_off_at")
    return [SentNotice(to_notice(row), *map(row.get, moments)) async for row in found]


async def find_due(db: Database, since: datetime, until: datetime) -> PendingEmail | None:
    """Return the notice whose email was due first, from `since` to `until`; None if there is none."""
    due = {"next_try_at": {"$gte": since, "$lte": until}}
    row = await db.notice.find_one(due, sort=[("next_try_at", 1)])
    if row is None:
        return None
    return PendingEmail(
        notice_id=str(row["_id"]),
        notice=to_notice(row),
        to=await _find_recipient(db, row),
        tries=row.get("tries", 0),
        key=row["_id"],
        next_try_at=row["next_try_at"],
    )


async def _find_recipient(db: Database, row: Mapping[str, Any]) -> Credentials | None:
    email = row.get("email")
    if not email:
        return await users.find_credentials_by_id(db, row["user_id"])
    if row["action"] in TO_FORMER_USERS:
        return Credentials(User(NO_USER, email, "", "", language=row.get("language", "")), "")
    owner = await users.find_credentials(db, email)
    return await _find_at_new_address(db, row) if owner is None and row["action"] in TO_NEW_ADDRESSES else owner


async def _find_at_new_address(db: Database, row: Mapping[str, Any]) -> Credentials | None:
    found = await users.find_credentials_by_id(db, row["user_id"])
    return found and replace(found, user=replace(found.user, email=row["email"], email_unconfirmed=True))


async def claim(db: Database, email: PendingEmail, at: datetime) -> bool:
    """Reserve the email for sending; return False if another process was faster."""
    result = await db.notice.update_one(
        {"_id": email.key, "next_try_at": email.next_try_at},
        {"$set": {"sending_at": at}, "$inc": {"tries": 1}, "$unset": {"next_try_at": ""}},
    )
    return bool(result.modified_count)


async def mark_sent(db: Database, email: PendingEmail, at: datetime) -> None:
    """Record that the mail server accepted the email."""
    await db.notice.update_one({"_id": email.key}, {"$set": {"sent_at": at}})


async def postpone(db: Database, email: PendingEmail, next_try_at: datetime) -> None:
    """Schedule another attempt."""
    change = {"$set": {"next_try_at": next_try_at}, "$unset": {"sending_at": ""}}
    await db.notice.update_one({"_id": email.key}, change)


async def mark_turned_off(db: Database, email: PendingEmail, at: datetime) -> None:
    """Record that the email is not sent because the student has turned off such emails."""
    change = {"$set": {"turned_off_at": at}, "$unset": {"next_try_at": ""}}
    await db.notice.update_one({"_id": email.key, "next_try_at": email.next_try_at}, change)


async def mark_failed(db: Database, email: PendingEmail, at: datetime, reason: str) -> None:
    """Record that the email is not sent, and why."""
    await db.notice.update_one({"_id": email.key}, {"$set": {"failed_at": at, "failed_because": reason}})


def to_notice(row: Mapping[str, Any]) -> Notice:
    """Read a stored notice."""
    values = {one.name: row.get(one.name, "") for one in fields(Notice) if one.name != "before"}
    return Notice(**values | {"because": message_codec.decode(values["because"])})


def to_row(notice: Notice) -> Document:
    """Return the notice as a row, without what is known about its email."""
    values = {one.name: getattr(notice, one.name) for one in fields(Notice) if one.name != "before"}
    if notice.before is not None:
        values["before"] = announced_values(notice.before)
    if not notice.text:
        del values["subject"], values["text"]
    return values | {"because": message_codec.encode(notice.because), "forget_at": notice.at + NOTICE_LIFETIME}
