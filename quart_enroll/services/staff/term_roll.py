"""Copies the sections of one term into another, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, sections
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import folding, pools
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.errors import UnknownTerm
from quart_enroll.domain.models import Section, SectionKey, SectionStatus
from quart_enroll.services.staff import audit


@dataclass(frozen=True, slots=True)
class RollRequest:
    """What to copy from the term `source` into `target`: times, rooms and capacities, and optionally the instructors.

    The new sections are tentative or active.
    """

    source: str
    target: str
    with_instructors: bool = False
    as_tentative: bool = False


@dataclass(frozen=True, slots=True)
class Roll:
    """The new sections; those whose number the target has used already; and those that were cancelled."""

    new: Sequence[Section]
    existing: Sequence[SectionKey]
    cancelled: Sequence[SectionKey]


def plan(wanted: RollRequest, offered: Sequence[Section], present: Sequence[Section]) -> Roll:
    """Return which of the `offered` sections are copied beside those `present` in the target."""
    used = {(one.courseID, folding.section_key(one.section)) for one in present}
    cancelled = [one.key for one in offered if one.status is SectionStatus.CANCELLED]
    held = [one for one in offered if one.status is not SectionStatus.CANCELLED]
    existing = [one.key for one in held if (one.courseID, folding.section_key(one.section)) in used]
    return Roll([_copy(wanted, one) for one in held if one.key not in set(existing)], existing, cancelled)


def _copy(wanted: RollRequest, section: Section) -> Section:
    status = SectionStatus.TENTATIVE if wanted.as_tentative else SectionStatus.ACTIVE
    new = replace(
        section,
        term=wanted.target,
        seats_taken=0,
        waiting=0,
        revision=0,
        status=status,
        accepts_numbers=False,
        pools=pools.without_students(section.pools),
    )
    return new if wanted.with_instructors else replace(new, instructor="", instructors=())


async def preview(db: Database, wanted: RollRequest) -> Roll:
    """Return what would be copied; raise UnknownTerm."""
    return await transaction(db, lambda session: _plan(db, wanted, session))


async def roll(db: Database, staff_id: int, wanted: RollRequest, now: datetime) -> Roll:
    """Copy the sections; a second click finds them existing, and copies nothing. Raises UnknownTerm."""

    async def body(session: Session) -> Roll:
        planned = await _plan(db, wanted, session)
        if planned.new:
            await sections.put_all(db, planned.new, session)
            copied = Change("sections", "0", str(len(planned.new)))
            about = About("term", wanted.target, name=wanted.source)
            await audit.record(db, session, AuditEntry(now, staff_id, "term.roll", about, changes=(copied,)))
        return planned

    return await transaction(db, body)


async def _plan(db: Database, wanted: RollRequest, session: Session) -> Roll:
    for name in (wanted.source, wanted.target):
        if await stored_terms.find(db, name, session) is None:
            raise UnknownTerm(name, [])
    known = {course.courseID for course in await courses.find_all(db, session)}
    offered = await sections.find_all(db, [wanted.source], session=session)
    present = await sections.find_all(db, [wanted.target], session=session)
    return plan(wanted, [one for one in offered if one.courseID in known], present)
