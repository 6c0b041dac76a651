"""Imports: a file's rows into the database, all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quart_enroll.errors import BadRow
from quart_enroll.models import Course, Credentials, User
from quart_enroll.mongo import Database, Session, transaction
from quart_enroll.repositories import courses, users


class BadRows(Exception):
    """Some rows contradict the database or each other; `rows` names each."""

    def __init__(self, rows: Sequence[BadRow]) -> None:
        super().__init__(f"{len(rows)} rows can't be taken")
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows were new, how many changed something, how many were there just so."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user as a file has it: without a number for a new one, without a hash for who can't sign in yet."""

    number: int
    user_id: int | None
    user: User
    password: str | None


async def import_courses(db: Database, rows: Sequence[tuple[int, Course]]) -> Imported:
    """Store courses under their courseIDs; raise BadRows when two rows have the same one."""
    _refuse_twins([(number, course.courseID) for number, course in rows], "courseID")
    if not rows:
        return Imported(0, 0, 0)

    async def body(session: Session) -> Imported:
        added, changed = await courses.put_all(db, [course for _, course in rows], session)
        return Imported(added, changed, len(rows) - added - changed)

    return await transaction(db, body)


async def import_users(db: Database, rows: Sequence[NewUser], *, nobodys_password: str) -> Imported:
    """Store users under their user_id, or under their address when they have none.

    Somebody who has an account keeps the password. Raises BadRows when rows share a number or an address,
    or when an address belongs to somebody with another number.
    """
    _refuse_twins([(row.number, row.user.email.casefold()) for row in rows], "email")
    _refuse_twins([(row.number, str(row.user_id)) for row in rows if row.user_id is not None], "user_id")

    async def body(session: Session) -> Imported:
        known = await users.find_all(db, session)
        by_number = {user.user_id: user for user in known}
        by_email = {user.email.casefold(): user for user in known}
        new, changed, bad, unchanged = [], [], [], 0
        for row in rows:
            owner = by_email.get(row.user.email.casefold())
            found = owner if row.user_id is None else by_number.get(row.user_id)
            if owner is not None and owner != found:
                bad.append(BadRow(row.number, f"email: The address belongs to user {owner.user_id}."))
            elif found is None:
                number = row.user_id or await users.next_number(db)
                new.append(Credentials(replace(row.user, user_id=number), row.password or nobodys_password))
            elif replace(row.user, user_id=found.user_id) != found:
                changed.append(replace(row.user, user_id=found.user_id))
            else:
                unchanged += 1
        if bad:
            raise BadRows(bad)
        await users.put_all(db, new, changed, session)
        return Imported(len(new), len(changed), unchanged)

    imported = await transaction(db, body)
    await users.raise_counter(db)  # not inside: the numbers handed out there would make it wait for itself
    return imported


def _refuse_twins(keys: Sequence[tuple[int, str]], field: str) -> None:
    first: dict[str, int] = {}
    twins = [
        BadRow(number, f"{field}: {key} stands in row {first[key]} too.")
        for number, key in keys
        if first.setdefault(key, number) != number
    ]
    if twins:
        raise BadRows(twins)
