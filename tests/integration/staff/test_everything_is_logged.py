"""No change by staff goes unlogged, and no look at a student's record.

A new route for staff fails here until it has an example, which shows that it leaves an entry.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from quart import Quart, redirect

from quart_enroll.db.client import Database
from quart_enroll.db.collections import audit as audit_rows
from quart_enroll.db.collections import removals
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import AlreadyEnrolled
from quart_enroll.domain.models import Profile, SectionRequest
from quart_enroll.routes import ROUTES
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import enroll
from quart_enroll.web.route import Audience, Route
from tests.support.appointments import appoint_ada
from tests.support.holds import BURSAR, HOLD_ID, add_type, hold_ada
from tests.support.people import ADA, BOB, FALL_MORNING, RITA, Browser
from tests.support.permits import (
    NUMBER,
    PERMIT_ID,
    REQUEST_ID,
    ada_requests_consent,
    number_for_php,
    permit_ada,
)

STAFF_ROUTES = [route for route in ROUTES if route.audience is Audience.STAFF and not route.api_tag]
"""The pages; test_api_is_logged.py has the API."""

CHANGES = [route for route in STAFF_ROUTES if "POST" in route.methods]
RECORDS = [route for route in STAFF_ROUTES if route.opens_record]


async def _nothing(_: Database) -> None:
    pass


@dataclass(frozen=True)
class Change:
    """A form that changes something, and what must be in the database before."""

    path: str
    form: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Database], Awaitable[None]] = _nothing


SECTION = {"term": "Fall 2026", "courseID": "3333", "section": "01"}
SECTION_URL = "?term=Fall+2026&courseID=3333&section=01"
SECTION_FORM = {"revision": "0", "capacity": "9", "waitlist_capacity": "1", "status": "active"}
DATES = {
    "opens_at": "2026-08-01",
    "add_deadline": "2026-09-14",
    "drop_deadline": "2026-09-14",
    "withdraw_deadline": "2026-10-31",
}
TERM_FORM = DATES | {"max_credits": "20", "timezone": "America/New_York"}
COURSE_FORM = {"title": "PHP 202", "credits": "4", "term": "Fall", "subject": "Web"}


async def _forget_revision(db: Database) -> None:
    await db.section.update_many({}, {"$set": {"revision": 0}})


REVOKE = f"/staff/permit/revoke?permit={PERMIT_ID}"
REMOVE_APPOINTMENT = f"/staff/appointments/remove?term=Fall+2026&user_id={ADA.user_id}"
PHP_SECTION = "term=Fall+2026&courseID=3333&section=01"


async def _enroll_ada(db: Database) -> None:
    with suppress(AlreadyEnrolled):
        await enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("3333", "Fall 2026"), FALL_MORNING)


async def _ada_asks_for_removal(db: Database) -> None:
    await removals.add(db, ADA.user_id, FALL_MORNING, None)


async def _bob_asks_for_removal(db: Database) -> None:
    await removals.add(db, BOB.user_id, FALL_MORNING, None)


CHANGE_EXAMPLES: dict[str, Change] = {
    "staff_roster_email": Change(
        f"/staff/roster/email?{PHP_SECTION}",
        {"to_enrolled": "y", "subject": "Hello", "text": "We meet in Lab 2.", "confirmed": "y"},
        _enroll_ada,
    ),
    "staff_no_show": Change(
        f"/staff/roster/no-show?{PHP_SECTION}", {"students": str(ADA.user_id), "confirmed": "y"}, _enroll_ada
    ),
    "staff_person": Change(
        "/staff/people/1", {"seen": Profile.of(ADA).fingerprint, "roles": "auditor", "confirmed": "y"}
    ),
    "staff_removal": Change("/staff/removals/2", prepare=_bob_asks_for_removal),
    "staff_removal_decline": Change("/staff/removals/1/decline", {"reason": "You owe fees"}, _ada_asks_for_removal),
    "staff_section": Change("/staff/section" + SECTION_URL, SECTION_FORM),
    "staff_section_new": Change("/staff/section/new", SECTION_FORM | SECTION | {"section": "07"}),
    "staff_section_cancel": Change(
        "/staff/section/cancel" + SECTION_URL, {"revision": "0", "reason": "Too few students"}, _forget_revision
    ),
    "staff_course": Change("/staff/course?courseID=3333", COURSE_FORM),
    "staff_course_new": Change("/staff/course/new", COURSE_FORM | {"courseID": "4444"}),
    "staff_term": Change("/staff/term?term=Fall+2026", TERM_FORM),
    "staff_term_new": Change("/staff/term/new", TERM_FORM | {"term": "Fall 2026 – second half"}),
    "staff_roll": Change("/staff/roll", {"source": "Fall 2026", "target": "Spring 2027", "confirmed": "y"}),
    "staff_act": Change(
        f"/staff/students/{ADA.user_id}/act?action=enroll&term=Fall+2026&courseID=1111&section=01", {"reason": "Asked."}
    ),
    "staff_hold_type": Change(
        "/staff/holds/type", {"name": "Advising hold", "office": "Advising", "contact": "Room 5", "blocks": "enroll"}
    ),
    "staff_hold_place": Change(
        f"/staff/students/{ADA.user_id}/holds/place", {"type": BURSAR.name, "reason": "Library books"}, add_type
    ),
    "staff_hold_lift": Change(f"/staff/students/{ADA.user_id}/holds/lift?hold={HOLD_ID}", {"reason": "Paid"}, hold_ada),
    "staff_permits": Change(
        "/staff/section/permits?term=Fall+2026&courseID=1111&section=01",
        {"student": "1", "overrides": "full", "reason": "Graduates soon"},
    ),
    "staff_permit_grant": Change(
        f"/staff/students/{ADA.user_id}/permits/grant", SECTION | {"overrides": "full", "reason": "Graduates soon"}
    ),
    "staff_numbers": Change(
        "/staff/section/numbers?term=Fall+2026&courseID=1111&section=01",
        {"number": "2", "overrides": "full", "ends_on": "2026-12-31", "reason": "Graduate soon"},
    ),
    "staff_numbers_revoke": Change(
        f"/staff/section/numbers/revoke?{PHP_SECTION}", {"which": NUMBER, "reason": "A mistake"}, number_for_php
    ),
    "staff_consent": Change(
        f"/staff/section/consent?{PHP_SECTION}", {"requests": REQUEST_ID, "decision": "decline"}, ada_requests_consent
    ),
    "staff_appointment_remove": Change(REMOVE_APPOINTMENT, {}, appoint_ada),
    "staff_appointments": Change("/staff/appointments?term=Fall+2026", {"student": "1", "starts_at": "2026-08-21"}),
    "staff_permit_revoke": Change(REVOKE, {"reason": "A mistake"}, permit_ada),
}
"""A change by rita at each endpoint with a form for staff."""

CHANGES_WITHOUT_ENTRY: dict[str, str] = {
    "staff_view_as": "changes only the sign-in; test_view_as.py shows its entries",
    "staff_import_new": "stores a file, which changes nothing else; test_import_pages shows the entry of an import",
    "staff_import_columns": "has the file checked, which changes nothing else",
    "staff_act_for_many": "stores a list, which changes nothing else; test_acting_for_many.py shows the entries",
    "staff_bulk_appointments": "prepares an import, whose changes have entries; test_appointments.py shows them",
    "staff_import": "lets the import run in the background, whose first transaction has the entry",
}
"""Endpoints whose forms change nothing that the audit log is about, with the reason."""

RECORD_EXAMPLES: dict[str, str] = {
    "staff_student": f"/staff/students/{ADA.user_id}",
    "staff_why": f"/staff/students/{ADA.user_id}/why",
    "staff_hold_place": f"/staff/students/{ADA.user_id}/holds/place",
    "staff_hold_lift": f"/staff/students/{ADA.user_id}/holds/lift?hold={HOLD_ID}",
    "staff_permit_grant": f"/staff/students/{ADA.user_id}/permits/grant",
    "staff_permit_revoke": REVOKE,
    "staff_appointment_remove": REMOVE_APPOINTMENT,
    "staff_act": f"/staff/students/{ADA.user_id}/act?action=enroll&term=Fall+2026&courseID=1111&section=01",
}
"""The path of ada's record at each endpoint that opens one."""

ROSTER_EXAMPLES = {
    "staff_roster": f"/staff/roster?{PHP_SECTION}",
    "staff_roster_email": f"/staff/roster/email?{PHP_SECTION}",
    "staff_no_show": f"/staff/roster/no-show?{PHP_SECTION}",
    "staff_permits": f"/staff/section/permits?{PHP_SECTION}",
    "staff_numbers": f"/staff/section/numbers?{PHP_SECTION}",
    "staff_numbers_revoke": f"/staff/section/numbers/revoke?{PHP_SECTION}",
}
"""The path of a roster at each endpoint that opens one."""

PEOPLE_WITHOUT_RECORD = {
    "staff_person": "It has what registrars set of an account: no courses, no history.",
    "staff_removal": "It has the number of courses that end with the account.",
    "staff_removal_decline": "It has only the name and the email.",
}
"""Endpoints whose path names a person, but whose pages show no student's record, with the reason."""


def test_every_form_for_staff_has_an_example() -> None:
    assert {route.endpoint for route in CHANGES} == CHANGE_EXAMPLES.keys() | CHANGES_WITHOUT_ENTRY.keys()
    assert CHANGE_EXAMPLES.keys().isdisjoint(CHANGES_WITHOUT_ENTRY)


def test_every_page_about_a_person_opens_a_record_or_says_why_not() -> None:
    assert {route.endpoint for route in RECORDS} == RECORD_EXAMPLES.keys() | ROSTER_EXAMPLES.keys()
    about_people = {
        route.endpoint
        for route in STAFF_ROUTES
        if "GET" in route.methods and ("user_id" in route.path or "user_id" in (route.query_parameters or ()))
    }
    assert about_people <= RECORD_EXAMPLES.keys() | PEOPLE_WITHOUT_RECORD.keys()


async def test_every_change_by_staff_leaves_an_entry(app: Quart, db: Database, rita: Browser) -> None:
    for endpoint, change in CHANGE_EXAMPLES.items():
        assert await find_unlogged(endpoint, change, app, db, rita) == ""


@pytest.mark.parametrize("endpoint", CHANGE_EXAMPLES)
async def test_a_change_whose_entry_fails_is_not_made(
    db: Database, rita: Browser, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = CHANGE_EXAMPLES[endpoint]
    await change.prepare(db)
    before = await rows(db)

    async def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit_rows, "add", fail)
    monkeypatch.setattr(audit_rows, "add_all", fail)
    assert (await rita.post(change.path, form=dict(change.form))).status_code == 500
    assert await rows(db) == before


async def test_every_look_at_a_record_leaves_an_entry(app: Quart, db: Database, rita: Browser) -> None:
    await hold_ada(db)
    await permit_ada(db)
    await appoint_ada(db)
    for endpoint, path in RECORD_EXAMPLES.items():
        assert endpoint_of(app, path, "GET") == endpoint
        assert (await rita.get(path)).status_code == 200
        looks = await db.access.find({"page": endpoint}).to_list(None)
        assert [(look["actor"], look["user_id"]) for look in looks] == [(RITA.user_id, ADA.user_id)]


async def test_every_look_at_a_roster_leaves_an_entry(app: Quart, db: Database, rita: Browser) -> None:
    for endpoint, path in ROSTER_EXAMPLES.items():
        assert endpoint_of(app, path, "GET") == endpoint
        assert (await rita.get(path)).status_code == 200
        [look] = await db.access.find({"page": endpoint}).to_list(None)
        assert (look["actor"], look["about"]["courseID"]) == (RITA.user_id, "3333")
        assert "user_id" not in look


async def find_unlogged(endpoint: str, change: Change, app: Quart, db: Database, browser: Browser) -> str:
    """Send the form, and return what is wrong: it changes nothing, or leaves no entry."""
    assert endpoint_of(app, change.path, "POST") == endpoint
    await change.prepare(db)
    before, entries = await rows(db), await db.audit.count_documents({})
    response = await browser.post(change.path, form=dict(change.form))
    if response.status_code != 303 or await rows(db) == before:
        return f"{endpoint}: the example changes nothing ({response.status_code})"
    return "" if await db.audit.count_documents({}) > entries else f"{endpoint}: no entry"


def endpoint_of(app: Quart, path: str, method: str) -> str:
    return str(app.url_map.bind("localhost").match(path.partition("?")[0], method=method)[0])


async def rows(db: Database) -> dict[str, list[Any]]:
    """Return everything that the audit log is about."""
    names = {*await db.list_collection_names()} - {"audit", "access", "attempt", "login", "answer"}
    return {name: await db[name].find().sort("_id").to_list(None) for name in names}


@pytest.mark.parametrize(
    ("changed", "logged", "fault"),
    [
        (True, True, ""),
        (True, False, "invented: no entry"),
        (False, True, "invented: the example changes nothing (303)"),
    ],
)
async def test_a_change_without_an_entry_is_found(
    app: Quart, db: Database, rita: Browser, changed: bool, logged: bool, fault: str
) -> None:
    async def invented() -> Any:
        if changed:
            await db.section.update_one({"section": "01"}, {"$inc": {"capacity": 1}})
        if logged:
            await audit_rows.add(db, AuditEntry(FALL_MORNING, RITA.user_id, "section.edit", About("section")))
        return redirect("/", 303)

    rule = app.url_rule_class("/staff/invented", endpoint="invented", methods=["POST"], route=Route("/", "invented"))
    app.url_map.add(rule)
    app.view_functions["invented"] = invented
    assert await find_unlogged("invented", Change("/staff/invented"), app, db, rita) == fault
