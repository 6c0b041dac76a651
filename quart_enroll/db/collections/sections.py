"""The collection `section`: the offered sections, with counters of their seats and waitlists."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import lru_cache
from math import isfinite
from typing import Any

from pymongo import IndexModel, ReturnDocument, UpdateOne

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session, shuffle
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, Consent, Meeting, Section, SectionKey, SectionStatus
from quart_enroll.domain.pools import MAX_NAME_LENGTH, Pool
from quart_enroll.domain.section_edits import ANNOUNCED_FIELDS
from quart_enroll.i18n.language import DAYS

INDEXES = [
    IndexModel([("term", 1), ("courseID", 1), ("section", 1)], unique=True),
    IndexModel("courseID"),
    IndexModel("waiting"),
    IndexModel("instructors"),
    # Most recently stored first. Sections without an instructor's name are never looked for by it.
    IndexModel([("instructor", 1), ("_id", -1)], partialFilterExpression={"instructor": {"$gt": ""}}),
]

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)

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
        "instructors": {"bsonType": "array", "items": {"bsonType": ["int", "long"]}},
        "status": {"enum": [str(one) for one in SectionStatus]},
        "revision": COUNTER_SCHEMA,
        "restriction": {"bsonType": "string", "maxLength": 1000},
        "consent": {"enum": [str(one) for one in Consent]},
        "accepts_numbers": {"bsonType": "bool"},
        "pools": {
            "bsonType": "array",
            "items": {
                "bsonType": "object",
                "required": ["name", "restriction", "seats", "taken"],
                "properties": {
                    "name": {"bsonType": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH},
                    "restriction": {"bsonType": "string", "minLength": 1, "maxLength": 1000},
                    "seats": COUNTER_SCHEMA,
                    "taken": COUNTER_SCHEMA,
                    "release": {"bsonType": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2})?$"},
                    "is_released": {"bsonType": "bool"},
                },
            },
        },
    },
}


_STATUSES = {str(one): one for one in SectionStatus}

_CONSENTS = {str(one): one for one in Consent}

_OPTIONAL_FIELDS = ("restriction", "consent", "pools")
"""Fields that are stored only where they say something."""

VALID_COUNTER = {"$gte": 0}
"""Matches a counter that is a number and not negative; `check-seats` lists the others."""


async def find(db: Database, key: SectionKey, session: Session | None = None) -> Section | None:
    """Return the section, or None."""
    row = await db.section.find_one(section_keys.to_filter(key), session=session)
    return None if row is None else to_section(row)


async def find_all(
    db: Database, terms: Collection[str], courseIDs: Collection[str] | None = None, session: Session | None = None
) -> list[Section]:
    """Return the sections of those terms, of those courses or of all, in the order of their keys."""
    of_courses = {} if courseIDs is None else {"courseID": {"$in": list(courseIDs)}}
    wanted = section_keys.HAS_KEY | {"term": {"$in": list(terms)}} | of_courses
    return [to_section(row) async for row in db.section.find(wanted, session=session).sort(section_keys.SORT_ORDER)]


async def find_keys(db: Database) -> list[SectionKey]:
    """Return the keys of all sections, in order."""
    fields = dict.fromkeys(section_keys.KEY_FIELDS, 1)
    found = db.section.find(section_keys.HAS_KEY, fields).sort(section_keys.SORT_ORDER)
    return [section_keys.from_row(row) async for row in found]


async def find_taught(db: Database, instructor: str, at_most: int) -> list[SectionKey]:
    """Return the keys of the latest sections that students saw with this instructor."""
    fields = dict.fromkeys((*section_keys.KEY_FIELDS, "status"), 1)
    found = db.section.find({"instructor": instructor}, fields).sort("_id", -1).limit(at_most)
    return [one.key async for row in found if section_keys.has_key(row) and (one := to_section(row)).is_listed]


async def find_by_id(db: Database, terms: Sequence[str]) -> dict[Any, Section]:
    """Return the sections of those terms by their `_id`, in the order of their keys."""
    wanted = section_keys.HAS_KEY | {"term": {"$in": list(terms)}}
    found = db.section.find(wanted).sort(section_keys.SORT_ORDER)
    return {row["_id"]: to_section(row) async for row in found}


async def find_changed(db: Database, section_ids: Collection[Any]) -> dict[Any, Section]:
    """Return the sections with these `_id`s, by `_id`."""
    found = db.section.find(section_keys.HAS_KEY | {"_id": {"$in": list(section_ids)}})
    return {row["_id"]: to_section(row) async for row in found}


async def find_promotable(db: Database, session: Session | None) -> list[SectionKey]:
    """Return the sections with both an open seat and a waitlist."""
    wanted = {"waiting": {"$gt": 0}, "$expr": {"$lt": ["$seats_taken", "$capacity"]}}
    found = db.section.find(wanted, session=session)
    # HAS_KEY in the filter would make MongoDB choose a worse index.
    return [section_keys.from_row(row) async for row in found if section_keys.has_key(row)]


async def find_with_waitlist(db: Database) -> list[SectionKey]:
    """Return the sections for which students wait."""
    found = db.section.find({"waiting": {"$gt": 0}})
    return [section_keys.from_row(row) async for row in found if section_keys.has_key(row)]


async def take_seat(db: Database, key: SectionKey, session: Session | None, pool: str | None = None) -> bool:
    """Take a seat; return False if none is open, or if the number of seats taken is not known.

    It belongs to the `pool`, or is an unreserved one if that is empty; with None, pools don't matter.
    """
    result = await db.section.update_one(*_take(key, 1, pool), session=session)
    return result.modified_count == 1


async def exceed_capacity(db: Database, key: SectionKey, session: Session | None) -> bool:
    """Take a seat in a full section; return False if one is open, or if the number of seats taken is not known.

    `overbooked` tells `check-seats` how many students may be enrolled.
    """
    is_full = {"seats_taken": VALID_COUNTER, "$expr": {"$gte": ["$seats_taken", "$capacity"]}}
    more = {"$add": ["$seats_taken", 1]}
    change = [{"$set": {"seats_taken": more, "overbooked": more}}]
    result = await db.section.update_one(section_keys.to_filter(key) | is_full, change, session=session)
    return result.modified_count == 1


async def take_seats(
    db: Database, numbers: Mapping[tuple[SectionKey, str | None], int], session: Session | None
) -> None:
    """Take that many seats in each section and pool, which the transaction has seen open; see `take_seat`.

    Raises RuntimeError if one of the sections doesn't have that many: then the transaction must not be committed.
    """
    writes = [UpdateOne(*_take(key, number, pool)) for (key, pool), number in sorted(numbers.items(), key=_seat_order)]
    result = await db.section.bulk_write(writes, session=session)
    if result.modified_count != len(writes):
        raise RuntimeError("A seat that was open in this transaction is gone.")


async def release_seat(db: Database, key: SectionKey, session: Session | None, pool: str = "") -> None:
    """Decrement the number of seats taken, also of the pool; a count that is already 0 stays.

    `check-seats` reports such a count.
    """
    taken = section_keys.to_filter(key) | {"seats_taken": {"$gt": 0}}
    change = [{"$set": _seats_less(1) | _pool_seats_less({pool: 1} if pool else {})}]
    await db.section.update_one(taken, change, session=session)


async def release_pools(db: Database, key: SectionKey, pools: Sequence[Pool], session: Session) -> None:
    """Store these pools, of which some are released now."""
    await db.section.update_one(section_keys.to_filter(key), {"$set": {"pools": _to_rows(pools)}}, session=session)


async def join_waitlist(
    db: Database, key: SectionKey, session: Session | None, number: int = 1, *, exceed: bool = False
) -> int | None:
    """Take that many places at the end of the waitlist; return the last one, or None if there are too few.

    Places are never used twice, so a smaller one is an earlier one. A waitlist whose end is not known counts as full.
    With `exceed`, there are always enough.
    """
    has_room = {} if exceed else {"$expr": {"$lte": [{"$add": ["$waiting", number]}, "$waitlist_capacity"]}}
    row: Document | None = await db.section.find_one_and_update(
        section_keys.to_filter(key) | {"waiting": VALID_COUNTER, "queue_tail": VALID_COUNTER} | has_room,
        {"$inc": {"waiting": number, "queue_tail": number}},
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    return None if row is None else int(row["queue_tail"])


async def leave_waitlist(db: Database, key: SectionKey, session: Session | None) -> None:
    """Decrement the number of waiting students; a count that is already 0 stays, and `check-seats` reports it."""
    waiting = section_keys.to_filter(key) | {"waiting": {"$gt": 0}}
    await db.section.update_one(waiting, {"$inc": {"waiting": -1}}, session=session)


async def count_alert(db: Database, key: SectionKey, session: Session) -> None:
    """Count one more alert, so that the transaction conflicts with a simultaneous change of the seats."""
    await db.section.update_one(section_keys.to_filter(key), {"$inc": {"alerts": 1}}, session=session)


async def put_all(db: Database, sections: Sequence[Section], session: Session | None = None) -> tuple[int, int]:
    """Store sections by key; return how many were added and how many changed.

    Seats taken and waitlists stay as they are.
    """
    writes = [_put(section) for section in sections]
    result = await db.section.bulk_write(shuffle(writes), session=session)
    return result.upserted_count, result.modified_count


async def add(db: Database, section: Section, session: Session) -> bool:
    """Add the section, without students; return False if its number was used in the term before."""
    result = await db.section.bulk_write([_put(section, only_new=True)], session=session)
    return bool(result.upserted_count)


async def edit(db: Database, section: Section, session: Session) -> bool:
    """Store the section, whose revision is the one after the stored one.

    Returns False if it isn't, because another edit came first. Seats taken and waitlists stay as they are.
    """
    before = section.revision - 1
    wanted = section_keys.to_filter(section.key) | {"revision": {"$in": [before, None] if before == 0 else [before]}}
    result = await db.section.update_one(wanted, _set(section), session=session)
    return bool(result.matched_count)


async def accept_numbers(db: Database, key: SectionKey, session: Session) -> bool:
    """Note that the section has permission numbers; return False if there is no such section."""
    result = await db.section.update_one(
        section_keys.to_filter(key), {"$set": {"accepts_numbers": True}}, session=session
    )
    return result.matched_count == 1


async def remove_students(
    db: Database, key: SectionKey, *, enrolled: int, waiting: int, pools: Mapping[str, int], session: Session
) -> None:
    """Subtract that many students from the counters, and from those of the pools."""
    less = _seats_less(enrolled) | _pool_seats_less(pools) | {"waiting": {"$subtract": ["$waiting", waiting]}}
    change = [{"$set": less}]
    await db.section.update_one(section_keys.to_filter(key), change, session=session)


def to_section(row: Mapping[str, Any]) -> Section:
    """Read a stored section; without a capacity it has no seats. `check-seats` lists rows that lack something.

    Without a valid counter, all seats and all waitlist places count as taken: a guess could overbook the section.
    """
    capacity, waitlist_capacity = to_int(row.get("capacity")), to_int(row.get("waitlist_capacity"))
    has_waitlist = is_valid_counter(row.get("waiting")) and is_valid_counter(row.get("queue_tail"))
    return Section(
        term=row["term"],
        courseID=row["courseID"],
        section=row["section"],
        capacity=capacity,
        seats_taken=to_int(row["seats_taken"]) if is_valid_counter(row.get("seats_taken")) else capacity,
        waitlist_capacity=waitlist_capacity,
        waiting=to_int(row["waiting"]) if has_waitlist else waitlist_capacity,
        meetings=_meetings(row.get("meetings")),
        instructor=str(row.get("instructor") or ""),
        room=str(row.get("room") or ""),
        instructors=_user_ids(row.get("instructors")),
        status=_status(row.get("status")),
        revision=to_int(row.get("revision")),
        restriction=str(row.get("restriction") or ""),
        consent=_consent(row.get("consent")),
        accepts_numbers=row.get("accepts_numbers") is True,
        pools=_pools(stored) if (stored := row.get("pools")) else (),
    )


def to_row(section: Section) -> Document:
    """Return the section as it is stored, except for the end of its waitlist."""
    row = {name: value for name, value in asdict(section).items() if name not in ("pools", "own_pool_seats")}
    return row | ({"pools": _to_rows(section.pools)} if section.pools else {})


def announced_values(section: Section) -> Document:
    """Return the values about which the section's students are told, as they are stored."""
    values = _values(section)
    return {name: values[name] for name in ANNOUNCED_FIELDS}


def with_announced_values(section: Section, stored: Mapping[str, Any]) -> Section:
    """Return the section with these stored values."""
    found = to_section({**section_keys.to_filter(section.key), **stored})
    return replace(section, **{name: getattr(found, name) for name in ANNOUNCED_FIELDS})


def to_sections(rows: Iterable[Mapping[str, Any]]) -> dict[SectionKey, Section]:
    """Read stored sections, by key."""
    return {section.key: section for section in map(to_section, rows)}


def match_with_courses(keys: Iterable[SectionKey]) -> dict[str, Document]:
    """Return filters for these sections and their courses, by collection; see `section_keys.to_superset_filter`."""
    wanted = section_keys.to_superset_filter(keys)
    return {"section": wanted, "course": {"courseID": wanted["courseID"]}}


def to_int(stored: Any) -> int:
    """Return a stored number as an int; 0 for anything else."""
    return int(stored) if isinstance(stored, int | float) and isfinite(stored) else 0


def is_valid_counter(stored: Any) -> bool:
    """Return whether a stored counter matches VALID_COUNTER."""
    return isinstance(stored, int | float) and stored >= 0


def _user_ids(stored: Any) -> tuple[int, ...]:
    return tuple(one for one in stored if isinstance(one, int)) if isinstance(stored, list) else ()


def _status(stored: Any) -> SectionStatus:
    """Read a status; a section without one is active. One that isn't known to this version lets nobody in."""
    if stored is None:
        return SectionStatus.ACTIVE
    return _STATUSES.get(stored, SectionStatus.CLOSED) if isinstance(stored, str) else SectionStatus.CLOSED


def _consent(stored: Any) -> Consent:
    """Read whose consent is needed; a value that isn't known to this version means the department's."""
    if stored is None:
        return Consent.NONE
    return _CONSENTS.get(stored, Consent.DEPARTMENT) if isinstance(stored, str) else Consent.DEPARTMENT


def _meetings(stored: Any) -> tuple[Meeting, ...]:
    meetings = [one for one in stored if isinstance(one, Mapping)] if isinstance(stored, list) else []
    values: list[list[Any]] = [[one.get(name) for name in ("days", "start", "end")] for one in meetings]
    found = [_meeting(*each) for each in values if all(isinstance(value, str) for value in each)]
    return tuple(meeting for meeting in found if _is_valid(meeting))


@lru_cache(2000)  # of the school's own: pages compare meetings often, and the same object at once
def _meeting(days: str, start: str, end: str) -> Meeting:
    return Meeting(days, start, end)


def _is_valid(meeting: Meeting) -> bool:
    has_times = _TIME.fullmatch(meeting.start) and _TIME.fullmatch(meeting.end) and meeting.start < meeting.end
    return bool(has_times and meeting.days and set(meeting.days) <= set(DAYS))


def _pools(stored: Any) -> tuple[Pool, ...]:
    """Read the pools. One without a valid counter is full: a guess could give away another student's seat."""
    rows = [one for one in stored if isinstance(one, Mapping)] if isinstance(stored, list) else []
    return tuple(
        Pool(
            name=str(one.get("name")),
            restriction=str(one.get("restriction")),
            seats=to_int(one.get("seats")),
            release=_release(one.get("release")),
            taken=to_int(one["taken"] if is_valid_counter(one.get("taken")) else one.get("seats")),
            is_released=one.get("is_released") is True,
        )
        for one in rows
    )


def _release(stored: Any) -> str:
    """Return a stored date; one that can't be read must have been stored by another program, and never comes."""
    text = str(stored or "")
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return ""
    return text


_POOL_COUNTERS = ("seats", "taken")


def _to_rows(pools: Iterable[Pool]) -> list[Document]:
    """Return the pools as they are stored, without what they don't have."""
    return [{name: value for name, value in asdict(one).items() if value or name in _POOL_COUNTERS} for one in pools]


def _put(section: Section, *, only_new: bool = False) -> UpdateOne:
    counters = {"seats_taken": 0, "waiting": 0, "queue_tail": 0}
    change = {"$setOnInsert": _values(section) | counters} if only_new else _set(section) | {"$setOnInsert": counters}
    return UpdateOne(section_keys.to_filter(section.key), change, upsert=True)


def _set(section: Section) -> Document:
    values = _values(section)
    removed = {name: "" for name in _OPTIONAL_FIELDS if name not in values}
    return {"$set": values} | ({"$unset": removed} if removed else {})


def _values(section: Section) -> Document:
    """Return what staff decide about a section, as it is stored; most have none of the optional rules."""
    optional: Document = {
        "restriction": section.restriction,
        "consent": section.consent if section.needs_consent else "",
        "pools": _to_rows(section.pools),
    }
    return {
        "capacity": section.capacity,
        "waitlist_capacity": section.waitlist_capacity,
        "meetings": [{"days": m.days, "start": m.start, "end": m.end} for m in section.meetings],
        "instructor": section.instructor,
        "room": section.room,
        "instructors": list(section.instructors),
        "status": section.status,
        "revision": section.revision,
    } | {name: value for name, value in optional.items() if value}


def _seats_less(number: int) -> Document:
    """Return the new values of the counters when that many students leave.

    Where students are enrolled beyond the capacity, that many less may be from then on.
    """
    less = {"$subtract": ["$seats_taken", number]}
    overbooked = {"$cond": [{"$isNumber": "$overbooked"}, {"$min": ["$overbooked", less]}, "$$REMOVE"]}
    return {"seats_taken": less, "overbooked": overbooked}


def _pool_seats_less(numbers: Mapping[str, int]) -> Document:
    """Return the new values of the pools' counters when that many students leave, by the names of the pools."""
    if not numbers:
        return {}
    less = {"$switch": {"branches": [_branch(*one) for one in numbers.items()], "default": 0}}
    taken = {"$max": [0, {"$subtract": ["$$pool.taken", less]}]}
    merged = {"$mergeObjects": ["$$pool", {"taken": taken}]}
    return {"pools": {"$map": {"input": {"$ifNull": ["$pools", []]}, "as": "pool", "in": merged}}}


def _branch(name: str, number: int) -> Document:
    return {"case": {"$eq": ["$$pool.name", {"$literal": name}]}, "then": number}


def _seat_order(seats: tuple[tuple[SectionKey, str | None], int]) -> tuple[SectionKey, str]:
    """Return the sort key for taking seats: one section after the other."""
    (key, pool), _ = seats
    return key, pool or ""


_RESERVED = {
    "$sum": {
        "$map": {
            "input": {"$ifNull": ["$pools", []]},
            "as": "pool",
            "in": {"$cond": ["$$pool.is_released", 0, {"$max": [0, {"$subtract": ["$$pool.seats", "$$pool.taken"]}]}]},
        }
    }
}
"""The number of seats that the pools of a section reserve and no student has taken."""


def _take(key: SectionKey, number: int, pool: str | None) -> tuple[Document, Document]:
    """Return the filter and the change that take that many seats."""
    wanted = section_keys.to_filter(key) | {"seats_taken": VALID_COUNTER}
    if not pool:
        reserved = [] if pool is None else [_RESERVED]
        has_room = {"$lte": [{"$add": ["$seats_taken", number, *reserved]}, "$capacity"]}
        return wanted | {"$expr": has_room}, {"$inc": {"seats_taken": number}}
    own = {"$eq": ["$$pool.name", {"$literal": pool}]}, {"$ne": ["$$pool.is_released", True]}
    fits = {"$lte": [{"$add": ["$$pool.taken", number]}, "$$pool.seats"]}
    with_room = {"$filter": {"input": "$pools", "as": "pool", "cond": {"$and": [*own, fits]}}}
    has_room = {"$and": [{"$lte": [{"$add": ["$seats_taken", number]}, "$capacity"]}, {"$ne": [with_room, []]}]}
    return wanted | {"pools.name": pool, "$expr": has_room}, {"$inc": {"seats_taken": number, "pools.$.taken": number}}
