"""The collection `user`: accounts. The collection `counter` has the last user_id."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pymongo import IndexModel, InsertOne, ReturnDocument, UpdateOne
from pymongo.collation import Collation
from pymongo.errors import BulkWriteError, DuplicateKeyError

from quart_enroll.db.client import DUPLICATE_KEY_CODE, Database, Document, Session, duplicate_key_fields, shuffle
from quart_enroll.domain import email_addresses, people_search
from quart_enroll.domain.email_settings import EmailKind, EmailSettings, timings_of
from quart_enroll.domain.errors import EmailTaken
from quart_enroll.domain.models import Credentials, Profile, User
from quart_enroll.domain.roles import STUDENT_ONLY, Role, read_roles
from quart_enroll.domain.student_attributes import (
    MAX_EARNED_CREDITS,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    StudentAttributes,
    StudentStatus,
)
from quart_enroll.i18n.timezones import known_timezone

CASE_INSENSITIVE = Collation(locale="en", strength=2)
"""Compares email addresses case-insensitively."""

PEOPLE_BY_NAME = (("last_name", 1), ("first_name", 1), ("user_id", 1))
PEOPLE_BY_EMAIL = (("email", 1), ("user_id", 1))
"""The orders of people in lists."""

INDEXES = [
    IndexModel("user_id", unique=True),
    # The first index finds every email address. The second makes them unique, but only among users with a role: two
    # accounts of the Flask site that share an address have none, and may stay.
    IndexModel("email", name="email_any_case", collation=CASE_INSENSITIVE),
    IndexModel(
        "email",
        name="email_unique",
        collation=CASE_INSENSITIVE,
        unique=True,
        partialFilterExpression={"role": {"$exists": True}},
    ),
    IndexModel([("roles", 1), *PEOPLE_BY_NAME], name="roles_name", collation=CASE_INSENSITIVE),
    # Even numbers need the collation of the queries: they could be texts.
    IndexModel([("is_student", 1), ("user_id", 1)], name="student_user_id", collation=CASE_INSENSITIVE),
    IndexModel([("is_student", 1), *PEOPLE_BY_NAME], name="student_name", collation=CASE_INSENSITIVE),
    IndexModel([("is_student", 1), *PEOPLE_BY_EMAIL], name="student_email", collation=CASE_INSENSITIVE),
    IndexModel("search_words"),
    IndexModel("advisors", sparse=True),
]

REPLACED_INDEXES = [IndexModel([*PEOPLE_BY_NAME], name="name", collation=CASE_INSENSITIVE)]
"""Indexes of older versions, which those with `is_student` have replaced."""

OLD_ROLES = ["student", "registrar"]
"""What the field `role` may be: the only role that users had before there were several.

It is still written with every change of `roles`, so that processes of an older version, which may run beside this one
while the site is deployed, know who is a registrar, and so that the index above holds for the accounts of both.
"""

_ATTRIBUTE = {"bsonType": "string", "minLength": 1, "maxLength": MAX_VALUE_LENGTH}
_ATTRIBUTES = {"bsonType": "array", "uniqueItems": True, "maxItems": MAX_VALUES, "items": _ATTRIBUTE}

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "email", "first_name", "last_name", "password"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"], "minimum": 0},
        "email": {"bsonType": "string", "minLength": 3, "maxLength": 254},
        "first_name": {"bsonType": "string", "maxLength": 50},
        "last_name": {"bsonType": "string", "maxLength": 50},
        "password": {"bsonType": "string", "maxLength": 256},
        "password_changes": {"bsonType": ["int", "long"]},
        "role": {"enum": OLD_ROLES},
        "roles": {"bsonType": "array", "uniqueItems": True, "minItems": 1, "items": {"enum": [*Role]}},
        "subjects": {"bsonType": "array", "uniqueItems": True, "items": {"bsonType": "string", "maxLength": 50}},
        "advisors": {"bsonType": "array", "uniqueItems": True, "items": {"bsonType": ["int", "long"]}},
        "directory_opt_out": {"bsonType": "bool"},
        "signed_in_at": {"bsonType": "date"},
        "preferred_name": {"bsonType": "string", "maxLength": 50},
        "pronouns": {"bsonType": "string", "maxLength": 50},
        "language": {"bsonType": "string", "maxLength": 20},
        "timezone": {"bsonType": "string", "maxLength": 50},
        "email_settings": {
            "bsonType": "object",
            "properties": {kind: {"enum": [*timings_of(kind)]} for kind in EmailKind},
        },
        "email_unconfirmed": {"bsonType": "bool"},
        "attributes": {
            "bsonType": "object",
            "properties": {
                "programs": _ATTRIBUTES,
                "level": _ATTRIBUTE,
                "standing": _ATTRIBUTE,
                "cohorts": _ATTRIBUTES,
                "campus": _ATTRIBUTE,
                "earned_credits": {"bsonType": "number", "minimum": 0, "maximum": MAX_EARNED_CREDITS},
                "placements": _ATTRIBUTES,
                "status": {"enum": [*StudentStatus]},
            },
        },
        "is_student": {"bsonType": "bool"},
        "search_words": {"bsonType": "array", "items": {"bsonType": "string"}},
    },
}

USER_FIELDS = {
    "_id": 0,
    "user_id": 1,
    "email": 1,
    "first_name": 1,
    "last_name": 1,
    "role": 1,
    "roles": 1,
    "language": 1,
    "timezone": 1,
    "email_unconfirmed": 1,
    "subjects": 1,
    "advisors": 1,
    "directory_opt_out": 1,
    "preferred_name": 1,
    "pronouns": 1,
    "email_settings": 1,
    "attributes": 1,
}
"""The fields of a User: never the password, which only a sign-in needs."""

OPTIONAL_FIELDS = (
    *("language", "timezone", "email_unconfirmed", "subjects", "advisors", "directory_opt_out"),
    *("preferred_name", "pronouns", "email_settings", "attributes"),
)
"""The fields that are stored only if they have a value."""

CONFIRM_EMAIL: Document = {"$unset": {"email_unconfirmed": ""}}
"""Marks an email address as confirmed; users from imports, commands and the Flask site never have the field."""

HAS_ATTRIBUTES: Document = {"attributes": {"$exists": True}}
"""Matches students of whom the school has recorded attributes."""

ATTRIBUTE_FIELDS: Document = {"_id": 0, "user_id": 1, "attributes": 1}

CREDENTIALS_FIELDS = USER_FIELDS | {"password": 1, "password_changes": 1}

MAX_USER_ID_DIGITS = 18
"""Digits of a number that always fits into 64 bits."""

HAS_USER_ID = {"user_id": {"$gte": 0}}
"""Matches users with a proper user_id; `upgrade-db` lists the others."""

DERIVED_FROM = ("user_id", "email", "first_name", "last_name", "preferred_name", "role", "roles")
"""The fields from which `derived_fields` follow."""

ROWS_PER_REPAIR = 1000
"""Rows in memory at the same time while derived fields are stored: some 300 kB."""


async def find_credentials(db: Database, email: str) -> Credentials | None:
    """Return the user with this email address, in any spelling, and the password hash.

    If an old database has the address twice, the exact spelling decides, then the older account.
    """
    wanted = HAS_USER_ID | {"email": {"$in": email_addresses.spellings(email)}}
    found = db.user.find(wanted, CREDENTIALS_FIELDS, collation=CASE_INSENSITIVE).sort("user_id")
    # The collation also ignores some marks and signs, which would give one account a thousand spellings.
    canonical = email_addresses.canonical(email)
    rows = [row for row in await found.to_list(10) if email_addresses.canonical(row["email"]) == canonical]
    exact = [row for row in rows if row["email"] == email]
    return next(map(_to_credentials, exact or rows), None)


async def find(db: Database, user_id: int, session: Session | None = None) -> User | None:
    """Return the user, or None."""
    if user_id >= 10**MAX_USER_ID_DIGITS:  # a URL may have any number, but no row has
        return None
    row = await db.user.find_one({"user_id": user_id}, USER_FIELDS, session=session)
    return None if row is None else to_user(row)


async def find_attributes(db: Database, user_id: int, session: Session | None = None) -> StudentAttributes:
    """Return the student's attributes; an unknown student has none."""
    row: Document | None = await db.user.find_one({"user_id": user_id}, ATTRIBUTE_FIELDS, session=session)
    return StudentAttributes.read((row or {}).get("attributes"))


async def find_many(db: Database, user_ids: Collection[int], session: Session | None = None) -> dict[int, User]:
    """Return those of the users who exist, by user_id."""
    found = db.user.find({"user_id": {"$in": list(user_ids)}}, USER_FIELDS, session=session)
    return {row["user_id"]: to_user(row) async for row in found}


async def find_by_emails(db: Database, emails: Collection[str], session: Session | None = None) -> dict[str, User]:
    """Return the users with these email addresses, in any spelling, by the canonical spelling.

    If an old database has an address twice, this returns the older account.
    """
    spellings = [spelling for email in emails for spelling in email_addresses.spellings(email)]
    wanted = HAS_USER_ID | {"email": {"$in": spellings}}
    found = db.user.find(wanted, USER_FIELDS, collation=CASE_INSENSITIVE, session=session)
    rows = sorted(await found.to_list(None), key=lambda row: -int(row["user_id"]))
    return {email_addresses.canonical(row["email"]): to_user(row) for row in rows}


async def find_names(db: Database, user_ids: Collection[int]) -> dict[int, str]:
    """Return the full names of these users by user_id, without those who no longer have an account."""
    return {user_id: user.full_name for user_id, user in (await find_many(db, user_ids)).items()}


async def has_another_registrar(db: Database, user_id: int, session: Session) -> bool:
    """Return whether there is another registrar; two transactions that check this at the same time conflict."""
    await hold_registrars(db, session)
    other = {"roles": Role.REGISTRAR, "user_id": {"$ne": user_id}}
    return bool(await db.user.find_one(other, {"_id": 1}, collation=CASE_INSENSITIVE, session=session))


async def find_registrars(db: Database, session: Session | None = None) -> set[int]:
    """Return the user_ids of all registrars."""
    found = db.user.find({"roles": Role.REGISTRAR}, {"user_id": 1}, collation=CASE_INSENSITIVE, session=session)
    return {row["user_id"] async for row in found}


async def find_schedulers(db: Database, subject: str, session: Session) -> set[int]:
    """Return the user_ids of the schedulers of the subject."""
    wanted = {"roles": Role.SCHEDULER, "subjects": subject}
    found = db.user.find(wanted, {"user_id": 1}, collation=CASE_INSENSITIVE, session=session)
    return {row["user_id"] async for row in found}


async def hold_registrars(db: Database, session: Session) -> None:
    """Make this transaction conflict with others that check how many registrars there are."""
    await db.counter.update_one({"_id": "registrar"}, {"$inc": {"value": 1}}, upsert=True, session=session)


async def find_credentials_by_id(db: Database, user_id: int) -> Credentials | None:
    """Return the user with the password hash, or None."""
    row = await db.user.find_one({"user_id": user_id}, CREDENTIALS_FIELDS)
    return None if row is None else _to_credentials(row)


async def count_students(db: Database) -> int:
    """Return the number of students, including those whose row has no roles yet."""
    return int(await db.user.count_documents(HAS_USER_ID | {"roles": {"$in": [Role.STUDENT, None]}}))


def is_user_id(text: str) -> bool:
    """Tell whether the text is a number that an account could have."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_USER_ID_DIGITS


async def find_by_id_or_email(db: Database, text: str) -> User | None:
    """Return the user with this user_id or email address, in any spelling."""
    if is_user_id(text):
        return await find(db, int(text))
    found = await find_credentials(db, text)
    return None if found is None else found.user


async def add(db: Database, user: User, password: str) -> None:
    """Add a user with the password hash.

    Raises EmailTaken if the email address is in use, whatever its case, and UserIdTaken if the user_id is.
    """
    try:
        await db.user.insert_one(to_row(user) | {"password": password})
    except DuplicateKeyError as error:
        raise EmailTaken if "email" in duplicate_key_fields(error) else UserIdTaken(user.user_id) from error


async def find_owners(
    db: Database, user_ids: Collection[int], emails: Collection[str], session: Session | None = None
) -> list[User]:
    """Return the users with one of these user_ids, or with one of these email addresses in any spelling.

    There may be thousands of them, so slow work runs in a thread.
    """
    by_id = db.user.find({"user_id": {"$in": list(user_ids)}}, USER_FIELDS, session=session)
    spellings = await asyncio.to_thread(_spellings, emails)
    wanted = HAS_USER_ID | {"email": {"$in": spellings}}
    by_email = db.user.find(wanted, USER_FIELDS, collation=CASE_INSENSITIVE, session=session)
    rows = {row["user_id"]: row for found in (by_id, by_email) for row in await found.to_list(None)}
    return await asyncio.to_thread(lambda: [to_user(rows[user_id]) for user_id in sorted(rows)])


def _spellings(emails: Collection[str]) -> list[str]:
    return list({spelling for email in emails for spelling in email_addresses.spellings(email)})


async def put_all(db: Database, new: Sequence[Credentials], changed: Sequence[User], session: Session) -> None:
    """Add new users with their password hashes, and update existing ones; raise EmailTaken."""
    if writes := await asyncio.to_thread(_writes, new, changed):
        try:
            await db.user.bulk_write(writes, session=session)
        except BulkWriteError as error:
            if any(failure["code"] == DUPLICATE_KEY_CODE for failure in error.details["writeErrors"]):
                raise EmailTaken from error  # two spellings that are equal only in the database's collation
            raise


def _writes(new: Sequence[Credentials], changed: Sequence[User]) -> list[InsertOne[Document] | UpdateOne]:
    updates = [UpdateOne({"user_id": user.user_id}, _put(user)) for user in changed]
    return [*updates, *shuffle([InsertOne(to_row(one.user) | {"password": one.password}) for one in new])]


async def last_user_id(db: Database) -> int:
    """Return the user_id that was used last."""
    counter: Document | None = await db.counter.find_one({"_id": "user_id"})
    return 0 if counter is None else int(counter["value"])


async def next_user_id(db: Database) -> int:
    """Return an unused user_id; none is ever returned twice."""
    return (await next_user_ids(db, 1)).start


async def next_user_ids(db: Database, number: int) -> range:
    """Return that many unused user_ids; none is ever returned twice."""
    while True:
        counter: Document | None = await db.counter.find_one_and_update(
            {"_id": "user_id"}, {"$inc": {"value": number}}, return_document=ReturnDocument.AFTER
        )
        if counter is not None:
            return range(int(counter["value"]) - number + 1, int(counter["value"]) + 1)
        await raise_user_id_counter(db)


async def raise_user_id_counter(db: Database, at_least: int = 0) -> bool:
    """Raise the counter to the highest user_id so far, or to `at_least`; return whether it was lower.

    Deleted users count too: their numbers are still in the history, and in the audit log if staff removed them.
    """
    value = at_least
    for collection in (db.user, db.event, db.audit):
        highest = await collection.find_one(HAS_USER_ID, {"user_id": 1}, sort=[("user_id", -1)])
        value = max(value, 0 if highest is None else int(highest["user_id"]))
    result = await db.counter.update_one({"_id": "user_id"}, {"$max": {"value": value}}, upsert=True)
    return bool(result.modified_count or result.upserted_id)


async def set_language(db: Database, user_id: int, language: str) -> None:
    """Set the user's language."""
    await db.user.update_one({"user_id": user_id}, {"$set": {"language": language}})


async def set_timezone(db: Database, user_id: int, timezone: str) -> None:
    """Set the user's own time zone; an empty one means the school's."""
    change = {"$set": {"timezone": timezone}} if timezone else {"$unset": {"timezone": ""}}
    await db.user.update_one({"user_id": user_id}, change)


async def set_email_settings(
    db: Database, user_id: int, settings: EmailSettings, session: Session | None = None
) -> None:
    """Set which emails the user wants."""
    chosen = settings.chosen
    change = {"$set": {"email_settings": chosen}} if chosen else {"$unset": {"email_settings": ""}}
    await db.user.update_one({"user_id": user_id}, change, session=session)


async def set_preferred_name(db: Database, user: User, session: Session) -> None:
    """Set the preferred name and the pronouns to those of `user`; empty ones are removed."""
    fields = {"preferred_name": user.preferred_name, "pronouns": user.pronouns}
    change: Document = {"$set": {name: value for name, value in fields.items() if value} | derived_fields(user)}
    change["$unset"] = {name: "" for name, value in fields.items() if not value}
    await db.user.update_one({"user_id": user.user_id}, change, session=session)


async def record_sign_in(
    db: Database, credentials: Credentials, now: datetime, language: str, session: Session
) -> tuple[datetime | None, str]:
    """Record that the user signs in; return when they did so before, if ever, and their language.

    A user without a language gets the one given. Raises CredentialsChanged if the user was deleted, or the password
    changed, since the credentials were read.
    """
    user_id = credentials.user.user_id
    # Always later than before: an update that changes nothing would not conflict with other transactions.
    later = {"$max": [now, {"$add": ["$signed_in_at", 1]}]}
    before: Document | None = await db.user.find_one_and_update(
        {"user_id": user_id, "password_changes": credentials.changes or None},  # missing before the first change
        [{"$set": {"signed_in_at": later, "language": {"$ifNull": ["$language", language]}}}],
        {"_id": 0, "signed_in_at": 1, "language": 1},
        session=session,
    )
    if before is None:
        raise CredentialsChanged(user_id)
    return before.get("signed_in_at"), str(before.get("language") or language)


async def replace_hash(db: Database, credentials: Credentials, new: str) -> Credentials:
    """Store another hash of the same password, unless the password was changed; return the latest known credentials."""
    result = await db.user.update_one(_unchanged(credentials), {"$set": {"password": new}})
    return replace(credentials, password=new) if result.matched_count else credentials


async def replace_password(
    db: Database, credentials: Credentials, new: str, session: Session, *, by_link: bool = False
) -> Credentials | None:
    """Store the hash of another password; return the new credentials, or None if the password was changed meanwhile.

    With `by_link`, this also confirms the email address, because the link was sent to it.
    """
    change: Document = {"$set": {"password": new}, "$inc": {"password_changes": 1}}
    user = credentials.user
    if by_link:
        change |= CONFIRM_EMAIL
        user = replace(user, email_unconfirmed=False)
    result = await db.user.update_one(_unchanged(credentials), change, session=session)
    return Credentials(user, new, credentials.changes + 1) if result.matched_count else None


async def set_profile(db: Database, user_id: int, profile: Profile, session: Session) -> None:
    """Set the user's profile."""
    fields = {"roles": sorted(profile.roles), "subjects": [*profile.subjects], "advisors": [*profile.advisors]}
    fields |= {"role": profile.role, "directory_opt_out": profile.directory_opt_out}
    fields |= {"attributes": profile.attributes.stored}
    is_student = Role.STUDENT in profile.roles
    change = {"$set": {name: value for name, value in fields.items() if value} | {"is_student": is_student}}
    change["$unset"] = {name: "" for name, value in fields.items() if not value}
    await db.user.update_one({"user_id": user_id}, change, session=session)


async def set_email(db: Database, user: User, email: str, session: Session) -> None:
    """Replace the user's email address with a confirmed one; raise EmailTaken if another account has it."""
    owners = await find_owners(db, [], [email], session)
    if any(owner.user_id != user.user_id for owner in owners):
        raise EmailTaken
    changed = replace(user, email=email)
    try:
        await db.user.update_one(
            {"user_id": user.user_id},
            {"$set": {"email": email} | derived_fields(changed)} | CONFIRM_EMAIL,
            session=session,
        )
    except DuplicateKeyError as error:
        raise EmailTaken from error


async def confirm_email(db: Database, user_id: int, email: str) -> None:
    """Confirm the email address, if the user still has it."""
    await db.user.update_one({"user_id": user_id, "email": email}, CONFIRM_EMAIL)


def to_user(row: Mapping[str, Any]) -> User:
    """Read a stored user; without roles, it is a student."""
    return User(
        user_id=int(row["user_id"]),
        email=str(row.get("email") or ""),
        first_name=str(row.get("first_name") or ""),
        last_name=str(row.get("last_name") or ""),
        roles=read_roles(row.get("roles") or [row.get("role")]) or STUDENT_ONLY,
        language=str(row.get("language") or ""),
        timezone=known_timezone(row.get("timezone")),
        email_unconfirmed=bool(row.get("email_unconfirmed")),
        subjects=tuple(row.get("subjects") or ()),
        advisors=tuple(row.get("advisors") or ()),
        directory_opt_out=bool(row.get("directory_opt_out")),
        preferred_name=str(row.get("preferred_name") or ""),
        pronouns=str(row.get("pronouns") or ""),
        email_settings=EmailSettings.read(row.get("email_settings")),
        attributes=StudentAttributes.read(row.get("attributes")),
    )


def to_row(user: User) -> Document:
    """Return the user as a row, without OPTIONAL_FIELDS that are empty."""
    lists = {"roles": sorted(user.roles), "subjects": [*user.subjects], "advisors": [*user.advisors]}
    values = asdict(user) | lists | {"role": user.role, "email_settings": user.email_settings.chosen}
    values["attributes"] = user.attributes.stored
    row = {name: value for name, value in values.items() if value or name not in OPTIONAL_FIELDS}
    return row | derived_fields(user)


def derived_fields(user: User) -> Document:
    """Return the fields with which lists of people are counted, sorted and searched by indexes alone."""
    return {"is_student": Role.STUDENT in user.roles, "search_words": people_search.words_of(user)}


async def store_derived_fields(db: Database, *, of_all: bool = False) -> int:
    """Store the derived fields of rows that lack them, because an older version wrote them; return how many changed.

    With `of_all`, also those that no longer fit the rest of their rows; that reads every row.
    """
    changed = 0
    wanted = HAS_USER_ID if of_all else HAS_USER_ID | {"is_student": None}
    found = db.user.find(wanted, [*DERIVED_FROM, "is_student", "search_words"])
    while rows := await found.to_list(ROWS_PER_REPAIR):
        writes = [
            UpdateOne({"_id": row["_id"]} | {name: row.get(name) for name in DERIVED_FROM}, {"$set": fields})
            for row, fields in ((row, derived_fields(to_user(row))) for row in rows)
            if any(row.get(name) != value for name, value in fields.items())
        ]
        if writes:
            changed += (await db.user.bulk_write(writes, ordered=False)).modified_count
    return changed


def _to_credentials(row: Mapping[str, Any]) -> Credentials:
    password, changes = row.get("password", ""), row.get("password_changes", 0)
    return Credentials(to_user(row), str(password), int(changes))


def _put(user: User) -> Document:
    row = to_row(user)
    return {"$set": row, "$unset": dict.fromkeys((name for name in OPTIONAL_FIELDS if name not in row), "")}


def _unchanged(credentials: Credentials) -> Document:
    return {"user_id": credentials.user.user_id, "password": credentials.password}


class CredentialsChanged(Exception):
    """The user was deleted, or the password changed, since the credentials were read."""


class UserIdTaken(Exception):
    """The user_id belongs to another user: the counter is too low."""
