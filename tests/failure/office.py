"""Registrars who change a school over the pages for staff, and a check of the audit log against the rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, users
from quart_enroll.domain.models import Profile, Section, SectionKey, SectionStatus
from quart_enroll.domain.roles import Role
from quart_enroll.forms.staff.sections import SectionForm
from tests.failure.school import Rows
from tests.support.student_crowd import Crowd, Student

MADE, GONE, REFUSED, CONFLICT = 303, 404, 422, 409


@dataclass
class Office:
    """The registrars' browsers; `conflicts` counts the forms that came back because of somebody else's change."""

    db: Database
    crowd: Crowd
    conflicts: int = 0

    async def edit(self, registrar: Student, key: SectionKey, **wanted: Any) -> None:
        """Edit the section until it is as wanted or cancelled; a `capacity` is added to the one that the editor saw."""
        while (seen := await self._find(key)).status is not SectionStatus.CANCELLED:
            form = SectionForm.values_of(seen, []) | {"confirmed": "y"} | wanted
            if "capacity" in wanted:
                form["capacity"] = str(max(0, seen.capacity + int(wanted["capacity"])))
            if (await self._send(registrar, _url("section", key), form, CONFLICT, GONE)) == MADE:
                return
            self.conflicts += 1

    async def cancel(self, registrar: Student, key: SectionKey, reason: str) -> None:
        """Cancel the section as soon as nobody else has changed it since the registrar looked."""
        while (seen := await self._find(key)).status is not SectionStatus.CANCELLED:
            form = {"revision": str(seen.revision), "reason": reason}
            if (await self._send(registrar, _url("section/cancel", key), form, CONFLICT, GONE)) == MADE:
                return
            self.conflicts += 1

    async def act(
        self, registrar: Student, user_id: int, action: str, key: SectionKey, reason: str, **form: Any
    ) -> None:
        """Act for the student; the site may refuse it."""
        path = _url(f"students/{user_id}/act", key, action=action)
        await self._send(registrar, path, {"reason": reason} | form, REFUSED)

    async def drop(self, registrar: Student, number: int, reason: str) -> None:
        """Drop the student who was the first but `number` to get a seat."""
        user_id, key = await self._find_row("enrollment", number)
        await self.act(registrar, user_id, "drop", key, reason)

    async def move_up(self, registrar: Student, number: int, reason: str) -> None:
        """Let the student who was the first but `number` to join a waitlist be the first of that waitlist."""
        user_id, key = await self._find_row("waitlist", number)
        await self.act(registrar, user_id, "reorder", key, reason, position="1")

    async def drop_no_shows(self, registrar: Student, key: SectionKey, user_ids: Sequence[int]) -> None:
        """Drop these students, as far as they have a seat in the section."""
        form = {"students": [str(one) for one in user_ids], "confirmed": "y"}
        await self._send(registrar, _url("roster/no-show", key), form)

    async def set_roles(self, registrar: Student, user_id: int, roles: Sequence[Role]) -> None:
        """Give the person these roles, whatever they are meanwhile."""
        while True:
            person = await users.find(self.db, user_id)
            assert person is not None
            form = {"seen": Profile.of(person).fingerprint, "roles": [str(one) for one in roles], "sure": "y"}
            if (await self._send(registrar, f"/staff/people/{user_id}", form, REFUSED)) == MADE:
                return
            self.conflicts += 1

    async def _find_row(self, collection: str, number: int) -> tuple[int, SectionKey]:
        """Return the student and the section of a row, as soon as there are that many."""
        while not (rows := await self.db[collection].find().sort("_id").skip(number).to_list(1)):
            await self.crowd.wait_for_responses(len(self.crowd.responses) + 1)
        return int(rows[0]["user_id"]), section_keys.from_row(rows[0])

    async def _find(self, key: SectionKey) -> Section:
        found = await sections.find(self.db, key)
        assert found is not None
        return found

    async def _send(
        self, registrar: Student, path: str, form: Mapping[str, str | Sequence[str]], *possible: int
    ) -> int:
        response = await self.crowd.send_form(registrar, path, form)
        assert response.status in (MADE, *possible), (path, form, response)
        return response.status


def _url(page: str, key: SectionKey, **parameters: str) -> str:
    named = {"term": key.term, "courseID": key.courseID, "section": key.section} | parameters
    return f"/staff/{page}?{urlencode(named)}"


def audit_faults(before: Mapping[str, Sequence[Mapping[str, Any]]], after: Rows) -> list[str]:
    """Return where the audit log and the rows disagree: each entry has its change, and each change its entry.

    The events with a reason, which a student's history has of each act, are compared in `assert_sound`.
    """
    return [*_section_faults(before, after), *_role_faults(before, after), *_unexplained_seats(before, after)]


def _section_faults(before: Mapping[str, Sequence[Mapping[str, Any]]], after: Rows) -> list[str]:
    old = {row["_id"]: row for row in before["section"]}
    wrong = []
    for row in after["section"]:
        entries = _entries(after, row)
        if row.get("revision", 0) - old[row["_id"]].get("revision", 0) != len(entries):
            wrong.append(f"{_name(row)}: {len(entries)} entries about {row.get('revision')} edits")
        wrong += [
            f"{_name(row)}: the entries don’t lead from {old[row['_id']].get(name)} to {row[name]}"
            for name in ("capacity", "status")
            if not _leads(entries, name, str(old[row["_id"]].get(name)), str(row[name]))
        ]
    return wrong


def _role_faults(before: Mapping[str, Sequence[Mapping[str, Any]]], after: Rows) -> list[str]:
    old = {row["user_id"]: ", ".join(sorted(row["roles"])) for row in before["user"]}
    new = {row["user_id"]: ", ".join(sorted(row["roles"])) for row in after["user"]}
    return [
        f"user {user_id}: the entries don’t lead from {old[user_id]} to {roles}"
        for user_id, roles in new.items()
        if not _leads([one for one in after["audit"] if one.get("user_id") == user_id], "roles", old[user_id], roles)
    ]


def _leads(entries: Sequence[Mapping[str, Any]], name: str, first: str, last: str) -> bool:
    """Return whether the changes of the field, in some order, lead from the first value to the last one."""
    balance = Counter({first: 1})
    balance[last] -= 1
    for change in (one for entry in entries for one in entry.get("changes", ()) if one["field"] == name):
        balance[change["new"]] += 1
        balance[change["old"]] -= 1
    return not any(balance.values())


def _unexplained_seats(before: Mapping[str, Sequence[Mapping[str, Any]]], after: Rows) -> list[str]:
    """Return the sections with more students than seats that no recorded override or lower capacity explains."""
    wrong = []
    for row in after["section"]:
        lowered = sum(
            max(0, int(change["old"]) - int(change["new"]))
            for entry in _entries(after, row)
            for change in entry.get("changes", ())
            if change["field"] == "capacity"
        )
        seats = [one for one in after["enrollment"] if _name(one) == _name(row) and one["status"] == "enrolled"]
        exceeding = {one["user_id"] for one in seats if "full" in one.get("overrides", ())}
        recorded = {
            entry["user_id"]
            for entry in after["audit"]
            if "full" in entry.get("overrides", ()) and _name(entry["about"]) == _name(row)
        }
        if not exceeding <= recorded or len(seats) > row["capacity"] + len(exceeding) + lowered:
            wrong.append(f"{_name(row)}: {len(seats)} students have {row['capacity']} seats, {exceeding} by override")
    return wrong


def _entries(rows: Rows, section: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        one
        for one in rows["audit"]
        if one["action"] in ("section.edit", "section.cancel") and _name(one["about"]) == _name(section)
    ]


def _name(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["term"], row["courseID"], row["section"]
