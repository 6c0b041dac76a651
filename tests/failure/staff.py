"""Changes that staff make on registration day, and a comparison of the audit log with the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from quart_enroll.domain.models import Profile, User
from quart_enroll.domain.roles import STUDENT_ONLY
from tests.failure.school import FALL, Rows
from tests.support.student_crowd import Crowd, FormResponse, Student

EDITED = {"section.edit": "section", "section.cancel": "section", "roles.set": "user"}
"""The actions whose audit entries list the changed fields, and the collection that has them."""

SECTION_FIELDS = ("capacity", "status")

OVERRIDES = ["full", "section_closed"]

API = "/api/v1/staff"


@dataclass(frozen=True, slots=True)
class StaffChange:
    """A request by staff, and what is in its audit entry; a swap has two, one for each course.

    A request that is repeated after it was made gets one of `repeat_codes`, unless it succeeds again. A `rival` was
    sent by another staff member at the same time and changes the same row: one of the two is refused.
    """

    method: str
    path: str
    body: Mapping[str, Any]
    entry: Mapping[str, Any]
    repeat_codes: Sequence[str] = ()
    is_rival: bool = False
    entry_count: int = 1

    async def send(self, crowd: Crowd, staff: Student) -> FormResponse:
        """Send it until there is a definite response."""
        if self.path.startswith(API):
            return await crowd.send_json(staff, self.method, self.path, self.body)
        return await crowd.send_form(staff, self.path, self.body)

    def is_confirmed(self, response: FormResponse) -> bool:
        """Return whether the response says that the change was made."""
        return response.status in (200, 303) or response.code in self.repeat_codes

    def entries(self, rows: Rows) -> list[Mapping[str, Any]]:
        """Return its entries in the audit log."""
        return [row for row in rows["audit"] if self.entry.items() <= _facts(row).items()]


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an audit entry, with the new values of the fields that it changed."""
    changes = row.get("changes", ())
    simple = {name: row[name] for name in ("action", "user_id", "reason") if name in row}
    return row["about"] | {change["field"]: change["new"] for change in changes} | simple


def edit(courseID: str, *, is_rival: bool = False, **values: int | str) -> StaffChange:
    """Edit the only section of a course, as it was when registration began."""
    entry = {"action": "section.edit", "courseID": courseID} | {name: str(value) for name, value in values.items()}
    return StaffChange("PATCH", f"{API}/section", _key(courseID) | {"revision": 0} | values, entry, is_rival=is_rival)


def cancel(courseID: str) -> StaffChange:
    """Cancel the only section of a course."""
    body = _key(courseID) | {"revision": 0, "reason": "Too few rooms."}
    return StaffChange("POST", f"{API}/section/cancel", body, {"action": "section.cancel", "courseID": courseID})


def drop_no_show(courseID: str, user_id: int) -> StaffChange:
    """Drop a student who did not come."""
    path = f"/staff/roster/no-show?{urlencode(_key(courseID))}"
    entry = {"action": "student.drop", "courseID": courseID, "user_id": user_id}
    return StaffChange("POST", path, {"students": str(user_id), "confirmed": "y"}, entry)


def set_roles(user_id: int, *roles: str, is_rival: bool = False) -> StaffChange:
    """Give a student these roles."""
    body = {"version": Profile.of(User(user_id, "", "", "", STUDENT_ONLY)).fingerprint, "roles": roles}
    entry = {"action": "roles.set", "user_id": user_id, "roles": ", ".join(sorted(roles))}
    return StaffChange("PATCH", f"{API}/people/{user_id}", body, entry, is_rival=is_rival)


def act(action: str, audited: str, user_id: int, courseID: str, *repeat_codes: str, **more: Any) -> StaffChange:
    """Act for a student, whatever the rules say about seats."""
    reason = f"{action} {user_id}"
    body = _key(courseID) | {"action": action, "reason": reason, "overrides": OVERRIDES} | more
    entry = {"action": audited, "user_id": user_id, "courseID": courseID, "reason": reason}
    return StaffChange("POST", f"{API}/students/{user_id}/act", body, entry, repeat_codes)


def swap(user_id: int, dropped: str, courseID: str) -> StaffChange:
    """Swap a student into a course, even if it is full."""
    change = act("swap", "", user_id, courseID, "already_enrolled", "not_enrolled", dropped=dropped)
    return replace(change, entry={"user_id": user_id, "reason": change.entry["reason"]}, entry_count=2)


def _key(courseID: str) -> dict[str, Any]:
    return {"term": FALL, "courseID": courseID, "section": "01"}


def unexplained_values(rows: Rows, before: Rows) -> list[str]:
    """Compare the values that the audit log has for sections and roles with the rows `before` and with those now.

    Nothing was changed more than once.
    """
    wrong = []
    values = _edited_values(before)
    for row in rows["audit"]:
        for change in row.get("changes", ()) if row["action"] in EDITED else ():
            name = (EDITED[row["action"]], row.get("user_id") or row["about"]["courseID"], change["field"])
            if values[name] != change["old"]:
                wrong.append(f"{name} was {values[name]}, but {row['action']} found {change['old']}")
            values[name] = change["new"]
    found = _edited_values(rows)
    return wrong + [f"{name} is {found[name]}, not {values[name]}" for name in values if values[name] != found[name]]


def _edited_values(rows: Rows) -> dict[tuple[str, int | str, str], str]:
    sections = {
        ("section", row["courseID"], field): str(row[field]) for row in rows["section"] for field in SECTION_FIELDS
    }
    return sections | {("user", row["user_id"], "roles"): ", ".join(sorted(row["roles"])) for row in rows["user"]}
