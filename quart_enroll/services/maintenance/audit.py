"""Checking: everything is counted again from the rows, and what disagrees is told, or mended."""

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
"""Seconds for which a repair retries: longer than MongoDB itself keeps a transaction whose process was killed."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Sentences: what disagrees, and what is unusual but may be so; and how much was counted."""

    disagreements: list[str]
    notes: list[str]
    sections: int
    seats: int
    waiting: int


@dataclass(frozen=True, slots=True)
class CorrectedCounts:
    """Sentences: what was counted again, of sections and of students."""

    sections: list[str]
    students: list[str]


async def check(db: Database, now: datetime) -> AuditReport:
    """Count everything again, as it is at one moment; the site may go on meanwhile.

    Indexes and validators are checked too: without them, counts that agree now may not agree for long.
    """

    async def body(session: Session) -> tuple[AuditedRows, dict[str, list[SchemaViolation]]]:
        return await audit.read(db, session), await audit.find_violations(db, session)

    books, misfits = await transaction(db, body, REPAIR_RETRY_SECONDS)
    found = list(find_discrepancies(books, misfits, now))
    return AuditReport(
        disagreements=[*await schema_check.problems(db), *(finding.sentence for finding in found if finding.fault)],
        notes=[finding.sentence for finding in found if not finding.fault],
        sections=len(books.sections),
        seats=len(books.seats),
        waiting=len(books.waitlist_entries),
    )


async def repair(db: Database, now: datetime) -> list[str]:
    """Mend what can be mended without guessing, in one transaction, and tell in sentences what was done.

    Counters get what the rows say, who waits for nothing is taken out of the line, places that several students have
    are numbered again in the same order, and who could take an open seat gets it. An enrollment is never removed.
    """

    async def body(session: Session) -> list[str]:
        recount = Recount(await audit.read(db, session))
        done = await _remove_pointless_entries(db, recount, session) + await _renumber_waitlists(db, recount, session)
        mended = await correct_counts(db, session)
        ready = {waiting.key for waiting in Recount(await audit.read(db, session)).ready(now)}
        if ready:
            await promote_all_waitlists(SeatTransaction(db, session, now, SYSTEM_ACTOR))
        settled = [f"{describe_section(key)}: who could take an open seat has it." for key in sorted(ready)]
        return [*done, *mended.sections, *mended.students, *settled]

    done = await transaction(db, body, REPAIR_RETRY_SECONDS)
    await swap_cycles.complete_all_cycles(SectionLocks(db), SYSTEM_ACTOR, now)
    return done


async def correct_counts(db: Database, session: Session) -> CorrectedCounts:
    """Write what the rows say into sections and schedules."""
    recount = Recount(await audit.read(db, session))
    mended = CorrectedCounts([], [])
    for counted, right in recount.wrong_counts():
        key = counted.section.key
        counts = {"seats_taken": right.seats_taken, "waiting": right.waiting, "queue_tail": right.queue_tail}
        await audit.set_counts(db, key, counts, session)
        sentence = f"{describe_section(key)}: counted again, {right.seats_taken} enrolled and {right.waiting} waiting."
        mended.sections.append(sentence)
    for user_id, term, number in recount.wrong_credits():
        await audit.set_credits(db, user_id, term, number, session)
        mended.students.append(f"Student {user_id}, {term}: counted again, {number:g} credits.")
    return mended


async def _renumber_waitlists(db: Database, recount: Recount, session: Session) -> list[str]:
    """Number lines again in which several students have one place; places that were given out are not used again."""
    done = []
    for key in sorted({key for key, _, _ in recount.shared_places()} & recount.books.sections.keys()):
        end = max(recount.books.sections[key].queue_tail, *(waiting.place for waiting in recount.lines[key]))
        if number := await audit.renumber_waitlist(db, key, end, session):
            done.append(f"{describe_section(key)}: numbered again, {number} waiting in the same order.")
    return done


async def _remove_pointless_entries(db: Database, recount: Recount, session: Session) -> list[str]:
    done = []
    for waiting, reason in recount.pointless():
        await waitlist.remove(db, waiting, session)
        done.append(f"{describe_section(waiting.key)}: student {waiting.user_id} waits no longer, who {reason}.")
    return done
