"""The collection `section`: seats, and the end of each section's waitlist."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from pymongo import IndexModel, ReturnDocument, UpdateOne

from quart_enroll.db.client import Database, Document, Session, shuffle
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, Meeting, Section, SectionKey
from quart_enroll.i18n.language import DAYS

INDEXES = [
    IndexModel([("term", 1), ("courseID", 1), ("section", 1)], unique=True),
    IndexModel("courseID"),
    IndexModel("waiting"),
]

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)

COUNTER_SCHEMA = {"bsonType": ["int", "long"], "minimum": 0}

SCHEMA = {
    "bsonType": "object",
    "required": [
        "term",
        "courseID",
        "section",
        "capacity",
        "seats_taken",
        "waitlist_capacity",
        "waiting",
        "queue_tail",
        "meetings",
    ],
    "properties": {
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "capacity": COUNTER_SCHEMA,
        "seats_taken": COUNTER_SCHEMA,
        "waitlist_capacity": COUNTER_SCHEMA,
        "waiting": COUNTER_SCHEMA,
        "queue_tail": COUNTER_SCHEMA,
        "meetings": {
            "bsonType": "array",
            "items": {
                "bsonType": "object",
                "required": ["days", "start", "end"],
                "properties": {
                    "days": {"bsonType": "string", "pattern": "^M?T?W?R?F?S?U?$", "minLength": 1},
                    "start": {"bsonType": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"},
                    "end": {"bsonType": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"},
                },
            },
        },
        "instructor": {"bsonType": "string", "maxLength": 100},
        "room": {"bsonType": "string", "maxLength": 50},
    },
}


HAS_KEY = {name: {"$type": "string"} for name in ("term", "courseID", "section")}
"""Sections that can be found at all; `check-seats` lists the others."""


VALID_COUNTER = {"$gte": 0}
"""A counter that says something: a number, not below nothing."""


async def find(db: Database, key: SectionKey, session: Session | None = None) -> Section | None:
    """Return the section, or None when there is none of that name."""
    document = await db.section.find_one(_named(key), session=session)
    return None if document is None else to_section(document)


async def find_all(db: Database, terms: Sequence[str], courseID: str | None = None) -> list[Section]:
    """Return the sections of those terms, of one course or of all, in the order of term, courseID and number."""
    wanted = HAS_KEY | {"term": {"$in": list(terms)}} | ({} if courseID is None else {"courseID": courseID})
    found = db.section.find(wanted).sort([("term", 1), ("courseID", 1), ("section", 1)])
    return [to_section(document) async for document in found]


async def find_keys(db: Database) -> list[SectionKey]:
    """Return what names each section of all terms, in order."""
    found = db.section.find(HAS_KEY, dict.fromkeys(HAS_KEY, 1)).sort([("term", 1), ("courseID", 1), ("section", 1)])
    return [SectionKey(*(row[name] for name in HAS_KEY)) async for row in found]


async def find_by_id(db: Database, terms: Sequence[str]) -> dict[Any, Section]:
    """Return the sections of those terms by their `_id`, in the order of term, courseID and number."""
    found = db.section.find(HAS_KEY | {"term": {"$in": list(terms)}}).sort(
        [("term", 1), ("courseID", 1), ("section", 1)]
    )
    return {document["_id"]: to_section(document) async for document in found}


async def find_changed(db: Database, rows: Collection[Any]) -> dict[Any, Section]:
    """Return the sections with these `_id`s, each under its own."""
    found = db.section.find(HAS_KEY | {"_id": {"$in": list(rows)}})
    return {document["_id"]: to_section(document) async for document in found}


async def find_promotable(db: Database, session: Session | None) -> list[SectionKey]:
    """Return the sections with an open seat and a line."""
    unsettled = {"waiting": {"$gt": 0}, "$expr": {"$lt": ["$seats_taken", "$capacity"]}}
    found = db.section.find(unsettled, session=session)
    # What is not NAMED is left out here, not in the question: that would offer MongoDB a worse index.
    return [to_section(row).key async for row in found if all(isinstance(row.get(name), str) for name in HAS_KEY)]


async def find_with_waitlist(db: Database) -> list[SectionKey]:
    """Return the sections with a line."""
    found = db.section.find({"waiting": {"$gt": 0}})
    return [to_section(row).key async for row in found if all(isinstance(row.get(name), str) for name in HAS_KEY)]


async def take_seat(db: Database, key: SectionKey, session: Session | None) -> bool:
    """Take a seat if there is one; return whether there was. Where nobody knows how many are taken, all are."""
    result = await db.section.update_one(*_taken(key, 1), session=session)
    return result.modified_count == 1


async def take_seats(db: Database, numbers: Mapping[SectionKey, int], session: Session | None) -> None:
    """Take this number of seats in each section, all of which the transaction has seen open.

    Raises RuntimeError if they are not: then the transaction must not be committed.
    """
    writes = [UpdateOne(*_taken(key, number)) for key, number in sorted(numbers.items())]
    result = await db.section.bulk_write(writes, session=session)
    if result.modified_count != len(writes):
        raise RuntimeError("A seat that was open in this transaction is gone.")


async def release_seat(db: Database, key: SectionKey, session: Session | None) -> None:
    """Free a seat that somebody had; a count that is too low already stays, and `check-seats` tells of it."""
    await db.section.update_one(
        _named(key) | {"seats_taken": {"$gt": 0}}, {"$inc": {"seats_taken": -1}}, session=session
    )


async def join_waitlist(db: Database, key: SectionKey, session: Session | None, number: int = 1) -> int | None:
    """Take so many places at the end of the waitlist and return the last, or None when there are not as many left.

    Places only ever grow; who has the smaller one joined first. Where nobody knows the end, the waitlist is full.
    """
    enough = {"$lte": [{"$add": ["$waiting", number]}, "$waitlist_capacity"]}
    room = {"waiting": VALID_COUNTER, "queue_tail": VALID_COUNTER, "$expr": enough}
    after: Document | None = await db.section.find_one_and_update(
        _named(key) | room,
        {"$inc": {"waiting": number, "queue_tail": number}},
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    return None if after is None else int(after["queue_tail"])


async def leave_waitlist(db: Database, key: SectionKey, session: Session | None) -> None:
    """Count one less who waits; a count that is too low already stays, and `check-seats` tells of it."""
    await db.section.update_one(_named(key) | {"waiting": {"$gt": 0}}, {"$inc": {"waiting": -1}}, session=session)


async def count_alert(db: Database, key: SectionKey, session: Session | None) -> bool:
    """Count one more who asked to be told of a seat; return False, and count nothing, when one is open."""
    full = {"$expr": {"$gte": ["$seats_taken", "$capacity"]}}
    result = await db.section.update_one(_named(key) | full, {"$inc": {"alerts": 1}}, session=session)
    return result.modified_count == 1


async def put_all(db: Database, sections: Sequence[Section], session: Session | None = None) -> tuple[int, int]:
    """Store each section under its name; return how many were added and how many changed.

    Seats taken and waitlists stay as they are.
    """
    writes = [_put(section) for section in sections]
    result = await db.section.bulk_write(shuffle(writes), session=session)
    return result.upserted_count, result.modified_count


def to_section(document: Mapping[str, Any]) -> Section:
    """Read a stored section; what it lacks is nothing: no seats, no meetings. `check-seats` lists such a row.

    Where a counter is lost, every seat is taken and every place in the line: a guess could overbook the section.
    """
    capacity, waitlist_capacity = to_int(document.get("capacity")), to_int(document.get("waitlist_capacity"))
    return Section(
        term=document["term"],
        courseID=document["courseID"],
        section=document["section"],
        capacity=capacity,
        seats_taken=to_int(document["seats_taken"]) if is_valid_counter(document.get("seats_taken")) else capacity,
        waitlist_capacity=waitlist_capacity,
        waiting=to_int(document["waiting"]) if is_valid_counter(document.get("waiting")) else waitlist_capacity,
        meetings=_meetings(document.get("meetings")),
        instructor=str(document.get("instructor") or ""),
        room=str(document.get("room") or ""),
    )


def match_with_courses(keys: Iterable[SectionKey]) -> dict[str, Document]:
    """Match these sections with their courses; and other sections that have a term, a course and a number of them.

    One index finds them all. Who asks takes those that are wanted.
    """
    parts = {name: {"$in": sorted({getattr(key, name) for key in keys})} for name in ("term", "courseID", "section")}
    return {"section": parts, "course": {"courseID": parts["courseID"]}}


def to_int(stored: Any) -> int:
    """Return a stored number as a whole one, and 0 for what is none."""
    return int(stored) if isinstance(stored, int | float) and isfinite(stored) else 0


def is_valid_counter(counter: Any) -> bool:
    """Tell whether a stored counter says something; see KNOWN."""
    return isinstance(counter, int | float) and counter >= 0


def _meetings(stored: Any) -> tuple[Meeting, ...]:
    meetings = [one for one in stored if isinstance(one, Mapping)] if isinstance(stored, list) else []
    parts: list[list[Any]] = [[one.get(name) for name in ("days", "start", "end")] for one in meetings]
    found = [Meeting(*part) for part in parts if all(isinstance(cell, str) for cell in part)]
    return tuple(one for one in found if _can_be(one))


def _can_be(meeting: Meeting) -> bool:
    clock = _CLOCK.fullmatch(meeting.start) and _CLOCK.fullmatch(meeting.end) and meeting.start < meeting.end
    return bool(clock and meeting.days and set(meeting.days) <= set(DAYS))


def _put(section: Section) -> UpdateOne:
    given = {
        "capacity": section.capacity,
        "waitlist_capacity": section.waitlist_capacity,
        "meetings": [{"days": m.days, "start": m.start, "end": m.end} for m in section.meetings],
        "instructor": section.instructor,
        "room": section.room,
    }
    nobody_yet = {"seats_taken": 0, "waiting": 0, "queue_tail": 0}
    return UpdateOne(_named(section.key), {"$set": given, "$setOnInsert": nobody_yet}, upsert=True)


def _taken(key: SectionKey, number: int) -> tuple[Document, Document]:
    room = {"seats_taken": VALID_COUNTER, "$expr": {"$lte": [{"$add": ["$seats_taken", number]}, "$capacity"]}}
    return _named(key) | room, {"$inc": {"seats_taken": number}}


def _named(key: SectionKey) -> Document:
    return {"term": key.term, "courseID": key.courseID, "section": key.section}
