"""The collection `user`, and the counter that numbers its people."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pymongo import IndexModel, InsertOne, ReturnDocument, UpdateOne
from pymongo.collation import Collation
from pymongo.errors import BulkWriteError, DuplicateKeyError

from quart_enroll.db.client import DUPLICATE_KEY_CODE, Database, Document, Session, duplicate_key_fields, shuffle
from quart_enroll.domain import email_addresses, folding
from quart_enroll.domain.errors import EmailTaken
from quart_enroll.domain.models import Credentials, User

CASE_INSENSITIVE = Collation(locale="en", strength=2)
"""Compares e-mail addresses without regard to capitals."""

INDEXES = [
    IndexModel("user_id", unique=True),
    # Every address is found through the first of these two. The second keeps them apart, but only among
    # users with a role: two accounts of the Flask site that share an address have none, and may stay.
    IndexModel("email", name="email_any_case", collation=CASE_INSENSITIVE),
    IndexModel(
        "email",
        name="email_unique",
        collation=CASE_INSENSITIVE,
        unique=True,
        partialFilterExpression={"role": {"$exists": True}},
    ),
]

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
        "role": {"enum": ["student", "registrar"]},
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
    "language": 1,
    "email_unconfirmed": 1,
}
"""The fields that leave the database: never the password, unless a sign-in asks for it."""

CONFIRM_EMAIL: Document = {"$unset": {"email_unconfirmed": ""}}
"""Makes an address confirmed; users from imports, commands and the Flask site never had the field."""

CREDENTIALS_FIELDS = USER_FIELDS | {"password": 1, "password_changes": 1}

MAX_WORD_LENGTH = 100
"""Letters of a word that students are searched for; a sign like ﷺ becomes eighteen, too many of them for a pattern."""

MAX_USER_ID_DIGITS = 18
"""Digits of a number that the database can hold whatever they are."""

HAS_USER_ID = {"user_id": {"$type": "number", "$gte": 0}}
"""Users as they should be; `upgrade-db` lists those whose user_id is something else."""


async def find_credentials(db: Database, email: str) -> Credentials | None:
    """Return who signs in with this address, in whatever spelling, and the hash of the password.

    Where an old database has the address twice, the exact spelling decides, then the older account.
    """
    wanted = HAS_USER_ID | {"email": {"$in": email_addresses.spellings(email)}}
    found = db.user.find(wanted, CREDENTIALS_FIELDS, collation=CASE_INSENSITIVE).sort("user_id")
    # The database overlooks more than capitals: marks and signs that would give one account a thousand spellings.
    same = email_addresses.canonical(email)
    documents = [
        document for document in await found.to_list(10) if email_addresses.canonical(document["email"]) == same
    ]
    exact = [document for document in documents if document["email"] == email]
    for document in exact or documents:
        return _to_credentials(document)
    return None


async def find(db: Database, user_id: int, session: Session | None = None) -> User | None:
    """Return the user of that number, or None."""
    document = await db.user.find_one({"user_id": user_id}, USER_FIELDS, session=session)
    return None if document is None else to_user(document)


async def has_another_registrar(db: Database, user_id: int, session: Session | None) -> bool:
    """Tell whether somebody else is a registrar; of two transactions that ask at once one runs again."""
    await db.counter.update_one({"_id": "registrar"}, {"$inc": {"value": 1}}, upsert=True, session=session)
    return bool(await db.user.find_one({"role": "registrar", "user_id": {"$ne": user_id}}, session=session))


async def find_credentials_by_id(db: Database, user_id: int) -> Credentials | None:
    """Return the user of that number and the hash of the password."""
    document = await db.user.find_one({"user_id": user_id}, CREDENTIALS_FIELDS)
    return None if document is None else _to_credentials(document)


async def count_students(db: Database, words: Sequence[str] = ()) -> int:
    """Return how many students there are, or have all these words in name, address or number.

    This looks at every student: 40 ms for 20,000, and like any question no longer than DATABASE_TIMEOUT.
    """
    return int(await db.user.count_documents(student_filter(words)))


async def find_students(db: Database, words: Sequence[str] = (), *, skip: int = 0, most: int = 0) -> list[User]:
    """Return these students in the order of their numbers: past the first ones, `most` at most, all of them for 0.

    It looks at all up to the last one that is shown, at most as many as `count_students`.
    """
    found = db.user.find(student_filter(words), USER_FIELDS).sort("user_id").skip(skip).limit(most)
    return [to_user(document) async for document in found]


def student_filter(words: Sequence[str]) -> Document:
    """Return the filter of the students who have all these words, whatever their case, accents and apostrophes."""
    everybody: Document = HAS_USER_ID | {"role": {"$ne": "registrar"}}
    filters = [_word_filter(word, plain) for word in words if (plain := folding.plain(word))]
    return everybody | {"$and": filters} if filters else everybody


def _word_filter(word: str, plain: str) -> Document:
    """Return the filter of students with the word in a name or the address, or as their number."""
    # Scripts like Hangul and Devanagari lose more than accents in a plain word, so they are found as they are typed.
    typed = "" if word.isascii() else f"|{re.escape(unicodedata.normalize('NFC', word))}"
    like = {"$regex": folding.pattern(plain[:MAX_WORD_LENGTH]) + typed}
    # Nearly all addresses are ASCII, and a regular expression for that alone takes half the time.
    in_email = {"$regex": re.escape(word), "$options": "i"} if word.isascii() else like
    either: list[Document] = [{"last_name": like}, {"first_name": like}, {"email": in_email}]
    if plain.isascii() and plain.isdigit() and len(plain) <= MAX_USER_ID_DIGITS:
        either.append({"user_id": int(plain)})
    return {"$or": either}


async def add(db: Database, user: User, password: str) -> None:
    """Store a new user with the hash of the password.

    Raises EmailTaken when the address is in use whatever its case, NumberTaken when the user_id is.
    """
    try:
        await db.user.insert_one(to_row(user) | {"password": password})
    except DuplicateKeyError as error:
        raise EmailTaken if "email" in duplicate_key_fields(error) else UserIdTaken(user.user_id) from error


async def find_all(db: Database, session: Session) -> list[User]:
    """Return everybody who has an account."""
    return [to_user(document) async for document in db.user.find(HAS_USER_ID, USER_FIELDS, session=session)]


async def put_all(db: Database, new: Sequence[Credentials], changed: Sequence[User], session: Session) -> None:
    """Store new users with the hashes of their passwords, and other facts about users that are known."""
    writes: list[InsertOne[Document] | UpdateOne] = [
        UpdateOne({"user_id": user.user_id}, _put(user)) for user in changed
    ]
    writes += shuffle([InsertOne(to_row(one.user) | {"password": one.password}) for one in new])
    if writes:
        try:
            await db.user.bulk_write(writes, session=session)
        except BulkWriteError as error:
            if any(failure["code"] == DUPLICATE_KEY_CODE for failure in error.details["writeErrors"]):
                raise EmailTaken from error  # two spellings that only the database sees as one
            raise


async def next_user_id(db: Database) -> int:
    """Hand out a user_id; no number is ever handed out twice."""
    while True:
        counter: Document | None = await db.counter.find_one_and_update(
            {"_id": "user_id"}, {"$inc": {"value": 1}}, return_document=ReturnDocument.AFTER
        )
        if counter is not None:
            return int(counter["value"])
        await raise_user_id_counter(db)


async def raise_user_id_counter(db: Database, at_least: int = 0) -> bool:
    """Bring the counter up to the highest user_id there is or was, or `at_least`; return whether it was behind.

    Of users who were removed, the history still knows the numbers.
    """
    value = at_least
    for collection in (db.user, db.event):
        highest = await collection.find_one(HAS_USER_ID, {"user_id": 1}, sort=[("user_id", -1)])
        value = max(value, 0 if highest is None else int(highest["user_id"]))
    result = await db.counter.update_one({"_id": "user_id"}, {"$max": {"value": value}}, upsert=True)
    return bool(result.modified_count or result.upserted_id)


async def set_language(db: Database, user_id: int, language: str) -> None:
    """Let the user read in this language from now on."""
    await db.user.update_one({"user_id": user_id}, {"$set": {"language": language}})


async def record_sign_in(
    db: Database, found: Credentials, now: datetime, language: str, session: Session
) -> tuple[datetime | None, str]:
    """Write that the user signs in; return when that was the last time, and the user's language.

    That is the one in which they sign in, for who has none yet.

    Raises Gone when there is no such user, or another password than the one that was found.
    """
    user_id = found.user.user_id
    # Always later than last time: an update that changes nothing would not conflict with other transactions.
    later = {"$max": [now, {"$add": ["$signed_in_at", 1]}]}
    before: Document | None = await db.user.find_one_and_update(
        {"user_id": user_id, "password_changes": found.changes or None},  # none is written before the first
        [{"$set": {"signed_in_at": later, "language": {"$ifNull": ["$language", language]}}}],
        {"_id": 0, "signed_in_at": 1, "language": 1},
        session=session,
    )
    if before is None:
        raise CredentialsChanged(user_id)
    return before.get("signed_in_at"), str(before.get("language") or language)


async def replace_hash(db: Database, found: Credentials, new: str) -> Credentials:
    """Store another hash of the same password, unless it was changed meanwhile; return what is known by then."""
    result = await db.user.update_one(_unchanged(found), {"$set": {"password": new}})
    return replace(found, password=new) if result.matched_count else found


async def replace_password(
    db: Database, found: Credentials, new: str, session: Session, *, by_link: bool = False
) -> Credentials | None:
    """Store the hash of another password, and return what is stored; None if the password was changed meanwhile.

    With `by_link`, this also confirms the address, because the link was sent to it.
    """
    change: Document = {"$set": {"password": new}, "$inc": {"password_changes": 1}}
    user = found.user
    if by_link:
        change |= CONFIRM_EMAIL
        user = replace(user, email_unconfirmed=False)
    result = await db.user.update_one(_unchanged(found), change, session=session)
    return Credentials(user, new, found.changes + 1) if result.matched_count else None


async def confirm_email(db: Database, user_id: int, email: str) -> None:
    """Confirm the address, if the user still has it."""
    await db.user.update_one({"user_id": user_id, "email": email}, CONFIRM_EMAIL)


def to_user(document: Mapping[str, Any]) -> User:
    """Read a stored user; one without a role is a student."""
    return User(
        user_id=int(document["user_id"]),
        email=str(document.get("email") or ""),
        first_name=str(document.get("first_name") or ""),
        last_name=str(document.get("last_name") or ""),
        role=str(document.get("role", "student")),
        language=str(document.get("language") or ""),
        email_unconfirmed=bool(document.get("email_unconfirmed")),
    )


def to_row(user: User) -> Document:
    """Return the user as a row; no language and a confirmed address are stored as missing fields."""
    return {name: fact for name, fact in asdict(user).items() if fact or name not in ("language", "email_unconfirmed")}


def _to_credentials(document: Mapping[str, Any]) -> Credentials:
    password, changes = document.get("password", ""), document.get("password_changes", 0)
    return Credentials(to_user(document), str(password), int(changes))


def _put(user: User) -> Document:
    change: Document = {"$set": to_row(user)}
    return change if user.email_unconfirmed else change | CONFIRM_EMAIL


def _unchanged(found: Credentials) -> Document:
    return {"user_id": found.user.user_id, "password": found.password}


class CredentialsChanged(Exception):
    """There is no such user any more, or the password is another one."""


class UserIdTaken(Exception):
    """The user_id belongs to somebody else: the counter is behind the users."""
