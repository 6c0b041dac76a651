"""Audits the database: recounts everything from the rows, and reports or repairs discrepancies."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import waitlist
from quart_enroll.db.queries import audit
from quart_enroll.db.queries.audit import AuditedRows
from quart_enroll.db.queries.schema_violations import SchemaViolation
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.models import SYSTEM_ACTOR
from quart_enroll.services.enrollment import swap_cycles
from quart_enroll.services.enrollment.promotion import promote_all_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.services.maintenance import schema_check
from quart_enroll.services.maintenance.discrepancies import find_discrepancies
from quart_enroll.services.maintenance.recount import Recount, describe_section

REPAIR_RETRY_SECONDS = 120.0
"""How long a repair retries: longer than MongoDB keeps a transaction whose process was killed."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Sentences about discrepancies and about unusual but valid facts (`notes`), and the counts."""

    discrepancies: list[str]
    notes: list[str]
    sections: int
    seats: int
    waiting: int


@dataclass(frozen=True, slots=True)
class CorrectedCounts:
    """Sentences about the counters that were corrected, of sections and of students."""

    sections: list[str]
    students: list[str]


async def check(db: Database, now: datetime) -> AuditReport:
    """Recount everything from one snapshot; the site may stay online.

    Indexes and validators are checked too, because without them correct counts may not stay correct.
    """

    async def body(session: Session) -> tuple[AuditedRows, dict[str, list[SchemaViolation]]]:
        return await audit.read(db, session), await audit.find_violations(db, session)

    rows, violations = await transaction(db, body, REPAIR_RETRY_SECONDS)
    found = list(find_discrepancies(rows, violations, now))
    return AuditReport(
        discrepancies=[*await schema_check.problems(db), *(finding.sentence for finding in found if finding.fault)],
        notes=[finding.sentence for finding in found if not finding.fault],
        sections=len(rows.sections),
        seats=len(rows.seats),
        waiting=len(rows.waitlist_entries),
    )


async def repair(db: Database, now: datetime) -> list[str]:
    """Repair what can be repaired without guessing, in one transaction; return a sentence for each repair.

    Counters are corrected from the rows, pointless waitlist entries are removed, shared places are renumbered in the
    same order, and waitlisted students get open seats that they can take. No enrollment is ever removed.
    """

    async def body(session: Session) -> list[str]:
        recount = Recount(await audit.read(db, session))
        done = await _remove_pointless_entries(db, recount, session) + await _renumber_waitlists(db, recount, session)
        corrected = await correct_counts(db, session)
        done += await _give_back_permits(db, recount, session)
        promotable = {waiting.key for waiting in Recount(await audit.read(db, session)).promotable_entries(now)}
        if promotable:
            await promote_all_waitlists(SeatTransaction(db, session, now, SYSTEM_ACTOR))
        promoted = [
            f"{describe_section(key)}: waitlisted students were enrolled in open seats." for key in sorted(promotable)
        ]
        return [*done, *corrected.sections, *corrected.students, *promoted]

    done = await transaction(db, body, REPAIR_RETRY_SECONDS)
    await swap_cycles.complete_all_cycles(SectionLocks(db), SYSTEM_ACTOR, now)
    return done


async def correct_counts(db: Database, session: Session) -> CorrectedCounts:
    """Correct the counters of sections and schedules from the rows."""
    recount = Recount(await audit.read(db, session))
    corrected = CorrectedCounts([], [])
    for counted, right in recount.wrong_counts():
        key = counted.section.key
        counts = {"seats_taken": right.seats_taken, "waiting": right.waiting, "queue_tail": right.queue_tail}
        await audit.set_counts(db, key, counts, session, right.pools)
        sentence = f"{describe_section(key)}: recounted, {right.seats_taken} enrolled and {right.waiting} waiting."
        corrected.sections.append(sentence)
    for user_id, term, number in recount.wrong_credits():
        await audit.set_credits(db, user_id, term, number, session)
        corrected.students.append(f"Student {user_id}, {term}: recounted, {number:g} credits.")
    return corrected


async def _renumber_waitlists(db: Database, recount: Recount, session: Session) -> list[str]:
    """Renumber waitlists in which students share a place; used places are not used again."""
    done = []
    for key in sorted({key for key, _, _ in recount.shared_places()} & recount.rows.sections.keys()):
        end = max(recount.rows.sections[key].queue_tail, *(waiting.place for waiting in recount.waitlists[key]))
        if number := await audit.renumber_waitlist(db, key, end, session):
            done.append(f"{describe_section(key)}: waitlist renumbered, {number} waiting in the same order.")
    return done


async def _give_back_permits(db: Database, recount: Recount, session: Session) -> list[str]:
    done = []
    for user_id, permit in recount.unused_permits():
        await audit.give_back_permit(db, permit, session)
        done.append(f"Student {user_id}, {permit.term}: the permit for {permit.courseID} can be used again.")
    return done


async def _remove_pointless_entries(db: Database, recount: Recount, session: Session) -> list[str]:
    done = []
    for waiting, reason in recount.pointless_entries():
        await waitlist.remove(db, waiting, session)
        done.append(f"{describe_section(waiting.key)}: student {waiting.user_id} removed from the waitlist: {reason}.")
    return done
