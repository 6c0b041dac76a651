"""The collection `user`: accounts. The collection `counter` has the last user_id."""

import re
import unicodedata
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pymongo import IndexModel, InsertOne, ReturnDocument, UpdateOne
from pymongo.collation import Collation
from pymongo.errors import BulkWriteError, DuplicateKeyError

from quart_enroll.db.client import DUPLICATE_KEY_CODE, Database, Document, Session, duplicate_key_fields, shuffle
from quart_enroll.domain import email_addresses, folding
from quart_enroll.domain.errors import EmailTaken
from quart_enroll.domain.models import Credentials, Profile, User
from quart_enroll.domain.roles import STUDENT_ONLY, Role, read_roles

CASE_INSENSITIVE = Collation(locale="en", strength=2)
"""Compares email addresses case-insensitively."""

PEOPLE_BY_NAME = (("last_name", 1), ("first_name", 1), ("user_id", 1))
"""The order of people in lists."""

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
    IndexModel([*PEOPLE_BY_NAME], name="name", collation=CASE_INSENSITIVE),
    IndexModel([("roles", 1), *PEOPLE_BY_NAME], name="roles_name", collation=CASE_INSENSITIVE),
    IndexModel("advisors", sparse=True),
]

OLD_ROLES = ["student", "registrar"]
"""What the field `role` may be: the only role that users had before there were several.

It is still written with every change of `roles`, so that processes of an older version, which may run beside this one
while the site is deployed, know who is a registrar, and so that the index above holds for the accounts of both.
"""

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
        "language": {"bsonType": "string", "maxLength": 20},
        "email_unconfirmed": {"bsonType": "bool"},
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
    "email_unconfirmed": 1,
    "subjects": 1,
    "advisors": 1,
    "directory_opt_out": 1,
}
"""The fields of a User: never the password, which only a sign-in needs."""

OPTIONAL_FIELDS = ("language", "email_unconfirmed", "subjects", "advisors", "directory_opt_out")
"""The fields that are stored only if they have a value."""

CONFIRM_EMAIL: Document = {"$unset": {"email_unconfirmed": ""}}
"""Marks an email address as confirmed; users from imports, commands and the Flask site never have the field."""

CREDENTIALS_FIELDS = USER_FIELDS | {"password": 1, "password_changes": 1}

STUDENTS_PER_BATCH = 500
"""Students that an export holds at a time."""

MAX_WORD_LENGTH = 100
"""Longest search word, in characters after folding: a single ﷺ becomes eighteen, and a pattern has a limit."""

MAX_USER_ID_DIGITS = 18
"""Digits of a number that always fits into 64 bits."""

HAS_USER_ID = {"user_id": {"$type": "number", "$gte": 0}}
"""Matches users with a proper user_id; `upgrade-db` lists the others."""


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


async def find_many(db: Database, user_ids: Collection[int], session: Session | None = None) -> dict[int, User]:
    """Return those of the users who exist, by user_id."""
    found = db.user.find({"user_id": {"$in": list(user_ids)}}, USER_FIELDS, session=session)
    return {row["user_id"]: to_user(row) async for row in found}


async def find_by_emails(db: Database, emails: Collection[str], session: Session | None = None) -> dict[str, User]:
    """Return the users with these email addresses, in any spelling, by the canonical spelling."""
    spellings = [spelling for email in emails for spelling in email_addresses.spellings(email)]
    wanted = HAS_USER_ID | {"email": {"$in": spellings}}
    found = db.user.find(wanted, USER_FIELDS, collation=CASE_INSENSITIVE, session=session)
    return {email_addresses.canonical(row["email"]): to_user(row) async for row in found}


async def find_names(db: Database, user_ids: Collection[int]) -> dict[int, str]:
    """Return the full names of these users by user_id, without those who have no account any more."""
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


async def hold_registrars(db: Database, session: Session) -> None:
    """Make this transaction conflict with others that check how many registrars there are."""
    await db.counter.update_one({"_id": "registrar"}, {"$inc": {"value": 1}}, upsert=True, session=session)


async def find_credentials_by_id(db: Database, user_id: int) -> Credentials | None:
    """Return the user with the password hash, or None."""
    row = await db.user.find_one({"user_id": user_id}, CREDENTIALS_FIELDS)
    return None if row is None else _to_credentials(row)


async def count_students(db: Database, words: Sequence[str] = (), advisor: int | None = None) -> int:
    """Return the number of students who match all these words, as `student_filter` does.

    This reads every student: 40 ms for 20,000, and no longer than DATABASE_TIMEOUT.
    """
    return int(await db.user.count_documents(student_filter(words, advisor)))


async def find_students(
    db: Database,
    words: Sequence[str] = (),
    *,
    skip: int = 0,
    limit: int = 0,
    advisor: int | None = None,
    sort: str = "user_id",
    descending: bool = False,
) -> list[User]:
    """Return these students, sorted by a field: at most `limit` after the first `skip`; all of them for 0.

    This reads every student up to the last one returned.
    """
    order = {sort: -1 if descending else 1} | {"user_id": 1}
    found = db.user.find(student_filter(words, advisor), USER_FIELDS).sort([*order.items()]).skip(skip).limit(limit)
    return [to_user(row) async for row in found]


async def find_students_after(
    db: Database, words: Sequence[str], after: int | None, *, advisor: int | None, limit: int, include_opted_out: bool
) -> list[User]:
    """Return at most `limit` of these students in the order of user_id, from the one that follows `after` on."""
    wanted = student_filter(words, advisor) | _listed(include_opted_out=include_opted_out)
    later: Document = {} if after is None else {"user_id": {"$gt": after}}
    found = db.user.find(wanted | later, USER_FIELDS).sort("user_id").limit(limit)
    return [to_user(row) async for row in found]


async def student_batches(
    db: Database, words: Sequence[str], advisor: int | None, *, include_opted_out: bool
) -> AsyncGenerator[list[User], None]:
    """Yield all these students in batches, in the order of user_id; by default without those who opted out."""
    wanted = student_filter(words, advisor) | _listed(include_opted_out=include_opted_out)
    found = db.user.find(wanted, USER_FIELDS).sort("user_id")
    while rows := await found.to_list(STUDENTS_PER_BATCH):
        yield [to_user(row) for row in rows]


def _listed(*, include_opted_out: bool) -> Document:
    return {} if include_opted_out else {"directory_opt_out": {"$ne": True}}


async def find_by_id_or_email(db: Database, text: str) -> User | None:
    """Return the user with this user_id or email address, in any spelling."""
    if text.isascii() and text.isdigit() and len(text) <= MAX_USER_ID_DIGITS:
        return await find(db, int(text))
    found = await find_credentials(db, text)
    return None if found is None else found.user


def student_filter(words: Sequence[str], advisor: int | None = None) -> Document:
    """Return a filter for the students who match all these words, ignoring case, accents and apostrophes.

    With an `advisor`, only for that person's advisees.
    """
    students: Document = HAS_USER_ID | {"roles": {"$in": [Role.STUDENT, None]}} | words_filter(words)
    return students if advisor is None else students | {"advisors": advisor}


def words_filter(words: Sequence[str]) -> Document:
    """Return a filter for the people who match all these words; an empty one if there are none."""
    filters = [_word_filter(word, plain) for word in words if (plain := folding.plain(word))]
    return {"$and": filters} if filters else {}


def _word_filter(word: str, plain: str) -> Document:
    """Return a filter for students with the word in a name or the email address, or as their user_id."""
    # Scripts like Hangul and Devanagari lose more than accents by folding, so the word is also searched as typed.
    typed = "" if word.isascii() else f"|{re.escape(unicodedata.normalize('NFC', word))}"
    like = {"$regex": folding.pattern(plain[:MAX_WORD_LENGTH]) + typed}
    # Nearly all email addresses are ASCII, and a pattern for ASCII alone takes half the time.
    in_email = {"$regex": re.escape(word), "$options": "i"} if word.isascii() else like
    either: list[Document] = [{"last_name": like}, {"first_name": like}, {"email": in_email}]
    if plain.isascii() and plain.isdigit() and len(plain) <= MAX_USER_ID_DIGITS:
        either.append({"user_id": int(plain)})
    return {"$or": either}


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
    """Return the users with one of these user_ids, or with one of these email addresses in any spelling."""
    by_id = db.user.find({"user_id": {"$in": list(user_ids)}}, USER_FIELDS, session=session)
    spellings = list({spelling for email in emails for spelling in email_addresses.spellings(email)})
    wanted = HAS_USER_ID | {"email": {"$in": spellings}}
    by_email = db.user.find(wanted, USER_FIELDS, collation=CASE_INSENSITIVE, session=session)
    rows = {row["user_id"]: row for found in (by_id, by_email) for row in await found.to_list(None)}
    return [to_user(rows[user_id]) for user_id in sorted(rows)]


async def put_all(db: Database, new: Sequence[Credentials], changed: Sequence[User], session: Session) -> None:
    """Add new users with their password hashes, and update existing ones; raise EmailTaken."""
    writes: list[InsertOne[Document] | UpdateOne] = [
        UpdateOne({"user_id": user.user_id}, _put(user)) for user in changed
    ]
    writes += shuffle([InsertOne(to_row(one.user) | {"password": one.password}) for one in new])
    if writes:
        try:
            await db.user.bulk_write(writes, session=session)
        except BulkWriteError as error:
            if any(failure["code"] == DUPLICATE_KEY_CODE for failure in error.details["writeErrors"]):
                raise EmailTaken from error  # two spellings that are equal only in the database's collation
            raise


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
    """Set the user's roles, subjects and advisors, and whether they keep out of the directory."""
    fields = {"roles": sorted(profile.roles), "subjects": [*profile.subjects], "advisors": [*profile.advisors]}
    fields |= {"role": profile.role, "directory_opt_out": profile.directory_opt_out}
    change = {"$set": {name: value for name, value in fields.items() if value}}
    change["$unset"] = {name: "" for name, value in fields.items() if not value}
    await db.user.update_one({"user_id": user_id}, change, session=session)


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
        email_unconfirmed=bool(row.get("email_unconfirmed")),
        subjects=tuple(row.get("subjects") or ()),
        advisors=tuple(row.get("advisors") or ()),
        directory_opt_out=bool(row.get("directory_opt_out")),
    )


def to_row(user: User) -> Document:
    """Return the user as a row, without OPTIONAL_FIELDS that are empty."""
    lists = {"roles": sorted(user.roles), "subjects": [*user.subjects], "advisors": [*user.advisors]}
    values = asdict(user) | lists | {"role": user.role}
    return {name: value for name, value in values.items() if value or name not in OPTIONAL_FIELDS}


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
