"""What rita has done as a staff member, what she sees on the dashboard, and the paths of her pages."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from urllib.parse import quote, urlencode

from quart_enroll.db.client import Database
from quart_enroll.db.collections import access as access_rows
from quart_enroll.db.collections import alerts, events, removals, users
from quart_enroll.db.collections import audit as audit_rows
from quart_enroll.domain.audit import About, AccessEntry, AuditEntry, Change
from quart_enroll.domain.models import Event, SectionKey
from quart_enroll.domain.stored_import import FileColumn, Outcome, PreviewCounts, StoredImport
from quart_enroll.pages.staff.dashboard import REPORTS
from quart_enroll.services.staff import imports
from quart_enroll.services.staff.imports import Preview
from tests.support.appointments import ASSIGNMENT_ID, add_bulk_assignment, appoint_ada
from tests.support.holds import BURSAR, HOLD_ID, hold_ada
from tests.support.people import ADA, BOB, CAL, FALL, FALL_MORNING, PASSWORD_HASH, RITA
from tests.support.permits import PERMIT_ID, number_for_php, permit_ada

EDIT = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "section.edit",
    About("section", "Fall 2026", "1111", "01"),
    changes=(Change("capacity", "30", "40"), Change("room", "", "Hall 4")),
)
"""A change of a section."""

OVERRIDE = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "student.add",
    About("section", "Fall 2026", "3333", "01"),
    user_id=ADA.user_id,
    reason="=Graduates in spring",
    overrides=("full",),
)
"""A seat for ada in a full section; the reason looks like a formula."""

PYT, PYT_EVENING, PHP = (SectionKey("Fall 2026", *key) for key in (("1111", "01"), ("1111", "02"), ("3333", "01")))
DAN = replace(CAL, user_id=9, email="dan@school.example", first_name="Dan")


def event(second: float, user_id: int, action: str, key: SectionKey, result: str = "ok") -> Event:
    """Return an event so many seconds after the opening of the fall."""
    at = FALL.opens_at + timedelta(seconds=second)
    return Event(at, user_id, user_id, action, key.courseID, key.term, key.section, result)


HAPPENED: Sequence[Event] = (
    event(0.2, ADA.user_id, "enroll", PHP),
    event(0.9, 101, "enroll", PYT),
    event(3, 102, "promote", PYT),
    event(3.5, BOB.user_id, "join", PHP),
    event(65, 101, "drop", PYT),
)
REFUSALS: Sequence[Event] = (
    event(0.3, BOB.user_id, "enroll", PHP, "section_full"),
    event(0.4, CAL.user_id, "enroll", PHP, "section_full"),
    event(2, CAL.user_id, "enroll", PHP, "section_full"),
    event(4, CAL.user_id, "join", PHP, "waitlist_full"),
    event(4, ADA.user_id, "enroll", PYT, "time_conflict"),
    event(70, DAN.user_id, "enroll", PYT, "credit_limit"),
    event(5, BOB.user_id, "skip", PHP, "credit_limit"),
)


async def add_opening(db: Database) -> None:
    """Add the events of an opening: cal and dan, who is not to be passed on, were refused; cal has an alert."""
    await users.add(db, CAL, PASSWORD_HASH)
    await users.add(db, DAN, PASSWORD_HASH)
    await db.user.update_one({"user_id": DAN.user_id}, {"$set": {"directory_opt_out": True}})
    for one in HAPPENED:
        await events.add(db, one)
    for one in REFUSALS:
        await events.add_refusal(db, one)
    await alerts.add(db, CAL.user_id, PHP, FALL_MORNING, FALL.withdraw_deadline, None)


def staff_pages(section: SectionKey, user_id: int) -> list[str]:
    """Return the paths of all staff pages that are about no file: about this section, this student, and nothing."""
    where = urlencode({"term": section.term, "courseID": section.courseID, "section": section.section})
    record, removal = f"/staff/students/{user_id}", f"/staff/removals/{user_id}"
    return [
        *(
            "/staff",
            "/staff/students",
            "/staff/students/act",
            record,
            f"{record}/why",
            f"{record}/why?{where}",
            "/user",
        ),
        f"{record}/act?action=enroll&{where}",
        *("/staff/sections", f"/staff/section?{where}", f"/staff/section/cancel?{where}", "/staff/section/new"),
        *(f"/staff/roster?{where}", f"/staff/roster/email?{where}", f"/staff/roster/no-show?{where}"),
        *("/staff/courses", f"/staff/course?{where}", "/staff/course/new"),
        *("/staff/terms", f"/staff/term?{where}", "/staff/term/new", "/staff/roll"),
        *(f"/staff/dashboard?{where}&report={one.key}" for one in REPORTS),
        *("/staff/imports", "/staff/import/new"),
        *("/staff/people", f"/staff/people/{user_id}", "/staff/removals", removal, f"{removal}/decline"),
        *("/staff/audit", "/staff/access"),
        *("/staff/holds", "/staff/holds/types", "/staff/holds/type", f"/staff/holds/type?name={quote(BURSAR.name)}"),
        *(f"{record}/holds/place", f"{record}/holds/lift?hold={HOLD_ID}"),
        *(f"/staff/section/permits?{where}", f"{record}/permits/grant"),
        *(f"/staff/section/numbers?{where}", f"/staff/section/numbers/revoke?{where}"),
        *("/staff/appointments?term=Fall+2026", "/staff/appointments/assign?term=Fall+2026"),
        *(
            f"/staff/appointments/assignment?assignment={ASSIGNMENT_ID}",
            f"/staff/appointments/remove?term=Fall+2026&user_id={user_id}",
        ),
        f"/staff/permit/revoke?permit={PERMIT_ID}",
    ]


async def fill_staff_pages(db: Database, at: datetime, word: str = "people") -> list[str]:
    """Add entries to the logs, a request for removal by ada, her hold, permit and appointment, two files, and more.

    Returns the paths of the files. The columns of one are to be matched; the other, whose name, column and values are
    `word`, is refused.
    """
    await audit_rows.add(db, OVERRIDE)
    await access_rows.add(db, AccessEntry(OVERRIDE.at, RITA.user_id, ADA.user_id, "staff_student"))
    await removals.add(db, ADA.user_id, at, None)
    await hold_ada(db)
    await permit_ada(db)
    await number_for_php(db)
    await appoint_ada(db)
    await add_bulk_assignment(db)
    data, columns = BytesIO(f"{word}\n{word}\n".encode()), [FileColumn(word, "email", [word])]
    new, refused = [
        await imports.upload(db, RITA.user_id, "user", f"{word}.csv", data, at, found=columns) for _ in range(2)
    ]
    await imports.choose_columns(db, refused, {word: "email"})

    async def preview(_: StoredImport) -> Preview:
        return Preview(PreviewCounts(refused=1), [Outcome(2, "refused", word, word)], is_refused=True)

    stored = await imports.find(db, refused)
    assert stored is not None
    await imports.check(db, stored, preview, "test", at)
    return [f"/staff/import/columns?import_id={new}", f"/staff/import?import_id={refused}"]
