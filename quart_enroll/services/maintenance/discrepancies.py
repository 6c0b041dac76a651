"""Finds discrepancies in the rows of a school and describes them in sentences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from math import isnan

from quart_enroll.db.queries.audit import AuditedRows, AuditedSeat
from quart_enroll.db.queries.schema_violations import SchemaViolation
from quart_enroll.domain import rules
from quart_enroll.domain.actors import Override
from quart_enroll.services.catalog import gaps
from quart_enroll.services.maintenance import spelling_variants
from quart_enroll.services.maintenance.recount import Recount, describe_section


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A sentence about something unusual; it may be valid if it isn't a `fault`."""

    sentence: str
    fault: bool = True


def find_discrepancies(
    rows: AuditedRows, violations: Mapping[str, Sequence[SchemaViolation]], now: datetime
) -> Iterator[Discrepancy]:
    """Yield all discrepancies in the rows, and the rows that violate their schema."""
    recount = Recount(rows)
    orphans = {seat.row_id for seat, _ in recount.orphans()}  # reported below, with the reason
    for collection, found in violations.items():
        yield from [Discrepancy(f"{collection}: {one}.") for one in found if one.row_id not in orphans]
    yield from _wrong_counters(recount)
    yield from _overfull_sections(recount)
    yield from _shared_positions(recount)
    for user_id, term, right in recount.wrong_credits():
        stored = rows.credits.get((user_id, term), 0)
        counted = "no" if isnan(stored) else f"{stored:g}"
        yield Discrepancy(f"Student {user_id}, {term}: {counted} credits counted, but the courses add up to {right:g}.")
    for seat, reason in recount.orphans():
        section = describe_section(seat.key)
        yield Discrepancy(f"Enrollment {seat.row_id} ({section}): student {seat.user_id} is enrolled, but {reason}.")
    for waiting, reason in recount.pointless_entries():
        yield Discrepancy(f"{describe_section(waiting.key)}: student {waiting.user_id} is waitlisted, but {reason}.")
    for user_id, permit in recount.unused_permits():
        yield Discrepancy(
            f"Student {user_id}, {permit.term}: a permit for {permit.courseID} counts as used, but there is no seat "
            f"in section {permit.used_for}."
        )
    for waiting in recount.promotable_entries(now):
        yield Discrepancy(
            f"{describe_section(waiting.key)}: waitlisted student {waiting.user_id} could take an open seat."
        )
    yield from _duplicate_enrollments(recount)
    yield from _time_conflicts(recount)
    yield from [Discrepancy(one) for one in gaps.lost_sections(rows.sections, rows.courses, rows.term_names)]
    offered = {key.courseID for key in rows.sections}
    unoffered = [course for course in rows.courses.values() if course.courseID not in offered]
    yield from [Discrepancy(str(one), False) for one in gaps.without_sections(unoffered, list(rows.terms.values()))]
    for sentence in spelling_variants.sentences(rows.courses, rows.sections):
        yield Discrepancy(sentence, fault=False)
    for term, timezone in rows.unknown_timezones.items():
        yield Discrepancy(f"{term}: the timezone “{timezone}” is unknown; its times are shown in UTC.")


def _wrong_counters(recount: Recount) -> Iterator[Discrepancy]:
    for counted, right in recount.wrong_counts():
        section, name = counted.section, describe_section(counted.section.key)
        if section.seats_taken != right.seats_taken:
            yield Discrepancy(
                f"{name}: {section.seats_taken} seats counted as taken, but {right.seats_taken} enrolled."
            )
        for pool in section.pools:
            if pool.taken != right.pools[pool.name]:
                yield Discrepancy(
                    f"{name}: {pool.taken} seats counted as taken in the pool {pool.name}, but "
                    f"{right.pools[pool.name]} students have one."
                )
        if section.waiting != right.waiting:
            yield Discrepancy(f"{name}: {section.waiting} counted as waiting, but {right.waiting} on the waitlist.")
        if counted.queue_tail != right.queue_tail:
            yield Discrepancy(
                f"{name}: place {right.queue_tail} is beyond the last counted waitlist place, {counted.queue_tail}."
            )


def _overfull_sections(recount: Recount) -> Iterator[Discrepancy]:
    taken = Counter(seat.key for seat in recount.enrolled_seats)
    taken_in_pools = Counter((seat.key, seat.pool) for seat in recount.enrolled_seats)
    for key, counted in recount.rows.sections.items():
        capacity, most = counted.section.capacity, counted.section.waitlist_capacity
        if taken[key] > capacity:
            allowed = taken[key] <= counted.overbooked
            since = "; it was lowered, or staff exceeded it" if allowed else ""
            yield Discrepancy(
                f"{describe_section(key)}: {taken[key]} enrolled, but the capacity is {capacity}{since}.", not allowed
            )
        for pool in counted.section.pools:
            if (in_pool := taken_in_pools[key, pool.name]) > pool.seats:
                yield Discrepancy(
                    f"{describe_section(key)}: {in_pool} students have a seat of the pool {pool.name}, which has "
                    f"{pool.seats}."
                )
        if len(recount.waitlists[key]) > most:
            yield Discrepancy(
                f"{describe_section(key)}: {len(recount.waitlists[key])} waiting, but the waitlist has {most} places.",
                fault=False,
            )


def _shared_positions(recount: Recount) -> Iterator[Discrepancy]:
    for key, place, number in recount.shared_places():
        students = "1 student has" if number == 1 else f"{number} students have"
        yield Discrepancy(
            f"{describe_section(key)}: {students} {f'place {place}' if place > 0 else 'no place'} on the waitlist."
        )


def _duplicate_enrollments(recount: Recount) -> Iterator[Discrepancy]:
    rows = Counter((seat.user_id, seat.key.term, seat.key.courseID) for seat in recount.rows.seats if seat.key.term)
    for (user_id, term, courseID), number in rows.items():
        if number > 1:
            yield Discrepancy(f"Student {user_id}, {term}: there are {number} enrollments in {courseID}.")


def _time_conflicts(recount: Recount) -> Iterator[Discrepancy]:
    for (user_id, term), seats in recount.seats_by_student.items():
        for (one, seat), (other, other_seat) in combinations(sorted(seats, key=lambda pair: pair[0].courseID), 2):
            if when := rules.overlap(one.section, other.section):
                moves = [recount.rows.sections[registration.section.key].moved_at for registration in (one, other)]
                taken = (
                    max(seat.enrolled_at, other_seat.enrolled_at)
                    if seat.enrolled_at and other_seat.enrolled_at
                    else None
                )
                moved = any(move is not None and (taken is None or taken <= move) for move in moves)
                allowed = _is_conflict_allowed(seat, other_seat)
                since = "; a meeting was moved" if moved else "; staff allowed it" if allowed else ""
                yield Discrepancy(
                    f"Student {user_id}, {term}: {one.courseID} and {other.courseID} both meet on {when}{since}.",
                    fault=not moved and not allowed,
                )


def _is_conflict_allowed(*seats: AuditedSeat) -> bool:
    """Return whether staff set the rule aside for the later seat; the earlier one was no conflict when it was taken."""
    times = [seat.enrolled_at for seat in seats if seat.enrolled_at]
    later = [seat for seat in seats if not times or seat.enrolled_at == max(times)]
    return any(Override.TIME_CONFLICT in seat.overrides for seat in later)
