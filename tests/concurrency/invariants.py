"""The invariants of a school: everything that must be true at any moment, counted from the rows in plain Python."""

from collections import Counter
from datetime import datetime
from itertools import combinations

from quart_enroll.db.client import Database, Document
from quart_enroll.db.collections import waitlist
from quart_enroll.domain.models import SectionKey, SectionStatus
from tests.concurrency.school import NOW, Rows, read_rows, to_model
from tests.support.seat_model import ModelSchool

TAKES, GIVES = ("enroll", "swap", "promote"), ("drop", "withdraw")
WHERE = ("term", "courseID", "section")
SEAT = ("user_id", *WHERE)
WHAT = ("user_id", "action", "at", *WHERE)
TOLD = ("promote", "skip", "moved", "cancelled")


async def assert_sound(db: Database, now: datetime = NOW, *, lowered: bool = False) -> ModelSchool:
    """Raise AssertionError with everything that is wrong; return the school as it is.

    `lowered` says that a capacity was lowered meanwhile, so a section may have more students than seats.
    """
    rows = await read_rows(db)
    school = to_model(rows)
    wrong = [
        *_counters(rows, school, lowered=lowered),
        *_credits(rows, school),
        *_schedules(rows, school),
        *_waitlists(school, now),
        *await _positions(db, school),
        *_history(rows, school),
        *_audit(rows),
    ]
    assert not wrong, "\n".join(wrong)
    return school


def _counters(rows: Rows, school: ModelSchool, *, lowered: bool) -> list[str]:
    wrong = []
    for row in rows["section"]:
        key = SectionKey(row["term"], row["courseID"], row["section"])
        taken, waiting = school.taken(key), len(school.waitlists[key])
        if row["seats_taken"] != taken:
            wrong.append(f"{key}: seats_taken is {row['seats_taken']}, not {taken}")
        if row["waiting"] != waiting:
            wrong.append(f"{key}: waiting is {row['waiting']}, not {waiting}")
        if school.sections[key].status is SectionStatus.CANCELLED and (taken or waiting):
            wrong.append(f"{key}: it was cancelled with {taken} students, {waiting} waiting")
        if taken > row["capacity"] and not lowered:
            wrong.append(f"{key}: {taken} students have {row['capacity']} seats")
        if waiting > row["waitlist_capacity"] and not lowered:
            wrong.append(f"{key}: {waiting} wait on a waitlist for {row['waitlist_capacity']}")
        for pool in row.get("pools", ()):
            if pool["taken"] != (in_pool := school.taken(key, pool["name"])):
                wrong.append(f"{key}: the pool {pool['name']} has {pool['taken']} seats taken, not {in_pool}")
            if in_pool > pool["seats"]:
                wrong.append(f"{key}: {in_pool} students have {pool['seats']} seats of the pool {pool['name']}")
        places = [one["place"] for one in rows["waitlist"] if _about(one, WHERE) == _about(row, WHERE)]
        if len(set(places)) != len(places) or max(places, default=0) > row["queue_tail"]:
            wrong.append(f"{key}: the places {sorted(places)} with the tail {row['queue_tail']}")
    return wrong


def _credits(rows: Rows, school: ModelSchool) -> list[str]:
    counted = {(row["user_id"], row["term"]): row["credits"] for row in rows["schedule"]}
    return [
        f"student {key[0]} in {key[1]}: credits are {counted.get(key)}, not {school.credits(*key)}"
        for key in sorted({key[:2] for key in school.seats} | set(counted))
        if counted.get(key) != school.credits(*key)
    ]


def _schedules(rows: Rows, school: ModelSchool) -> list[str]:
    wrong = []
    allowed = {
        (row["user_id"], row["term"], row["courseID"]): row["overrides"]
        for row in rows["enrollment"]
        if "overrides" in row and row["status"] == "enrolled"
    }
    for student, term in sorted({key[:2] for key in school.seats}):
        has = school.enrolled(student, term)
        overrides = {courseID: allowed.get((student, term, courseID), ()) for courseID in has}
        wrong += [
            f"student {student} must be in {one} and {other} at once"
            for one, other in combinations(has.values(), 2)
            if school.clash(one, other)
            and "time_conflict" not in (*overrides[one.courseID], *overrides[other.courseID])
        ]
        is_over = school.credits(student, term) > school.terms[term].max_credits
        if is_over and not any("credit_limit" in ones for ones in overrides.values()):
            wrong.append(f"student {student} has too many credits in {term}: {school.credits(student, term)}")
    for (student, term, courseID), seat in school.seats.items():
        if not any((key.term, key.courseID, key.section) == (term, courseID, seat.section) for key in school.sections):
            wrong.append(f"student {student} is enrolled in {term} {courseID}-{seat.section}, which does not exist")
    return wrong


def _waitlists(school: ModelSchool, now: datetime) -> list[str]:
    wrong = []
    waiting = Counter(
        (one.student, key.term, key.courseID) for key, entries in school.waitlists.items() for one in entries
    )
    wrong += [f"{one} waits {number} times" for one, number in waiting.items() if number > 1]
    for key, entries in school.waitlists.items():
        for entry in entries:
            opened = school.open_to(entry.student, key) and now < school.terms[key.term].add_deadline
            has = school.enrolled(entry.student, key.term)
            if key.courseID in has and entry.drop_if_enrolled != key.courseID:
                wrong.append(f"student {entry.student} waits for {key} and has {has[key.courseID]}")
            if opened and school.promotion_reason(entry, key) is None:
                wrong.append(f"student {entry.student} waits for {key}, where a seat is open")
            if opened and not entry.skipped:
                wrong.append(
                    f"student {entry.student} waits for {key} without a notice of the reason, and a seat is open"
                )
    return wrong


async def _positions(db: Database, school: ModelSchool) -> list[str]:
    wrong = []
    for student in sorted({entry.student for entries in school.waitlists.values() for entry in entries}):
        expected = {
            key: (at, len(entries))
            for key, entries in school.waitlists.items()
            for at, entry in enumerate(entries, 1)
            if entry.student == student
        }
        shown = await waitlist.find_positions(db, student)
        if shown != expected:
            wrong.append(f"student {student} sees the positions {shown}, not {expected}")
    return wrong


def _history(rows: Rows, school: ModelSchool) -> list[str]:
    """The events must add up to the enrollments, and each promotion, skip or cancellation must have one notice."""
    has: Counter[tuple[object, ...]] = Counter()
    noticed: Counter[tuple[object, ...]] = Counter()
    done = [row for row in rows["event"] if row["result"] == "ok"]
    for row in done:
        seat = _about(row, SEAT)
        has[seat] += (row["action"] in TAKES) - (row["action"] in GIVES)
        has[*seat[:-1], row["from_section"]] -= bool(row["from_section"])
    for seat in {_about(row, SEAT) for row in done if row["action"] == "cancelled"}:
        has[seat] -= has[seat] == 1  # otherwise the student was only waiting for it
    noticed.update(_about(row, WHAT) for row in rows["event"] if row["action"] in TOLD)
    noticed.subtract(_about(row, WHAT) for row in rows["notice"] if row["action"] in TOLD)
    enrolled = {(*key, seat.section) for key, seat in school.seats.items() if not seat.withdrawn}
    wrong = [f"{key}: the events say {has[key]}" for key in enrolled | set(has) if has[key] != (key in enrolled)]
    return wrong + [f"{about}: {number} notices are missing" for about, number in noticed.items() if number]


def _audit(rows: Rows) -> list[str]:
    """Each event by staff must have one audit entry with the same reason, and each entry about a student an event."""
    acted = Counter(
        (row["user_id"], row["actor"], row["at"], row["reason"]) for row in rows["event"] if "reason" in row
    )
    acted.subtract(
        (row["user_id"], row["actor"], row["at"], row["reason"])
        for row in rows["audit"]
        if row["action"].startswith("student.")
    )
    return [f"{about}: {number} audit entries are missing" for about, number in acted.items() if number]


def _about(row: Document, names: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(row[name] for name in names)
