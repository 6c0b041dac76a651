"""The school's list of types of holds, which the registrar defines."""

from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import hold_types
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.holds import HoldType
from quart_enroll.services.staff import audit


async def find_all(db: Database) -> list[HoldType]:
    """Return all types, sorted by name."""
    return await hold_types.find_all(db)


async def find(db: Database, name: str) -> HoldType | None:
    """Return the type, or None."""
    return await hold_types.find(db, name)


async def save(db: Database, staff_id: int, type: HoldType, now: datetime) -> bool:
    """Add the type, or change the one of its name; return False if nothing changes. Placed holds stay as they are."""

    async def body(session: Session) -> bool:
        before = await hold_types.put(db, type, session)
        if before == type:
            return False
        about, changes = About("hold_type", name=type.name), _changes(before, type)
        await audit.record(db, session, AuditEntry(now, staff_id, "hold_type.save", about, changes=changes))
        return True

    return await transaction(db, body)


async def remove(db: Database, staff_id: int, name: str, now: datetime) -> bool:
    """Remove the type; return False if there is none of that name. Placed holds stay as they are."""

    async def body(session: Session) -> bool:
        if not await hold_types.remove(db, name, session):
            return False
        about = About("hold_type", name=name)
        await audit.record(db, session, AuditEntry(now, staff_id, "hold_type.remove", about))
        return True

    return await transaction(db, body)


def _changes(before: HoldType | None, after: HoldType) -> tuple[Change, ...]:
    values = [(name, _value(before, name), _value(after, name)) for name in ("office", "contact", "blocks")]
    return tuple(Change(name, old, new) for name, old, new in values if old != new)


def _value(type: HoldType | None, field: str) -> str:
    if type is None:
        return ""
    return ", ".join(sorted(type.blocks)) if field == "blocks" else str(getattr(type, field))
