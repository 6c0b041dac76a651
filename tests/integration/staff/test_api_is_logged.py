"""No change by staff through the API goes unlogged, and no look at a student's record.

A new route of the API for staff fails here until it has an example, which shows that it leaves an entry.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.models import Profile, SectionRequest
from quart_enroll.domain.scopes import Scope
from quart_enroll.routes import ROUTES
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import enroll
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.route import Audience
from tests.integration.staff.test_everything_is_logged import endpoint_of, rows
from tests.support.api_clients import Program, program
from tests.support.holds import BURSAR, HOLD_ID, add_type, hold_ada
from tests.support.people import ADA, BOB, FALL_MORNING, RITA

API_ROUTES = [route for route in ROUTES if route.audience is Audience.STAFF and route.api_tag]
CHANGES = {route.endpoint for route in API_ROUTES if not {*route.methods} <= {*SAFE_METHODS}}
RECORDS = {route.endpoint for route in API_ROUTES if route.opens_record}


async def _nothing(_: Database) -> None:
    pass


@dataclass(frozen=True)
class Change:
    """A request that changes something."""

    method: str
    path: str
    body: Mapping[str, Any]
    prepare: Callable[[Database], Awaitable[None]] = _nothing

    async def send(self, client: Program, *, dry_run: bool = False) -> int:
        body = {**self.body} | ({"dry_run": True} if dry_run else {})
        return (await client.send(self.method, self.path, body)).status_code


LAB = {"term": "Fall 2026", "courseID": "3333", "section": "01"}
NEW_TERM = {
    "term": "Fall 2026 – second half",
    "opens_at": "2026-08-01",
    "add_deadline": "2026-10-20",
    "drop_deadline": "2026-10-20",
    "withdraw_deadline": "2026-11-20",
    "max_credits": 9,
    "timezone": "America/New_York",
}
NEW_COURSE = {"courseID": "4444", "title": "RUS 101", "credits": 3, "term": "Fall"}
STAFF = "/api/v1/staff"
ADAS_RECORD = f"{STAFF}/students/{ADA.user_id}"
SECTION_QUERY = "term=Fall+2026&courseID=3333&section=01"

ACT = Change("POST", f"{ADAS_RECORD}/act", LAB | {"action": "enroll", "reason": "Asked."})


async def _enroll_ada(db: Database) -> None:
    request = SectionRequest("3333", "Fall 2026", "01")
    await enroll(EnrollmentContext(db), ADA.user_id, request, FALL_MORNING)


NO_SHOW = Change("POST", f"{STAFF}/roster/no-show", LAB | {"students": [ADA.user_id]}, _enroll_ada)

PLACE_HOLD = Change("POST", f"{ADAS_RECORD}/holds", {"type": BURSAR.name, "reason": "Library books"}, add_type)
LIFT_HOLD = Change("POST", f"{ADAS_RECORD}/holds/lift", {"hold_id": HOLD_ID, "reason": "Paid"}, hold_ada)

EDITS = {
    "v1_edit_term": Change("PATCH", f"{STAFF}/term", {"term": "Fall 2026", "max_credits": 20}),
    "v1_edit_course": Change("PATCH", f"{STAFF}/course", {"courseID": "3333", "title": "PHP 203"}),
    "v1_edit_section": Change("PATCH", f"{STAFF}/section", LAB | {"revision": 0, "capacity": 9}),
    "v1_cancel_section": Change("POST", f"{STAFF}/section/cancel", LAB | {"revision": 0, "reason": "Too few."}),
    "v1_act": ACT,
    "v1_drop_no_shows": NO_SHOW,
    "v1_edit_person": Change(
        "PATCH", f"{STAFF}/people/{BOB.user_id}", {"version": Profile.of(BOB).fingerprint, "roles": ["advisor"]}
    ),
}
"""A change by rita at each endpoint that also has dry runs."""

ADDITIONS = {
    "v1_add_term": Change("POST", f"{STAFF}/terms", NEW_TERM),
    "v1_add_course": Change("POST", f"{STAFF}/courses", NEW_COURSE),
    "v1_place_hold": PLACE_HOLD,
    "v1_lift_hold": LIFT_HOLD,
    "v1_add_section": Change("POST", f"{STAFF}/sections", LAB | {"section": "07", "capacity": 9}),
}
"""The same for the other endpoints."""

EXAMPLES = EDITS | ADDITIONS

RECORD_EXAMPLES = {
    "v1_staff_student": Change("GET", ADAS_RECORD, {}),
    "v1_staff_student_events": Change("GET", f"{ADAS_RECORD}/events", {}),
    "v1_why": Change("GET", f"{ADAS_RECORD}/why?{SECTION_QUERY}", {}),
    "v1_act": ACT,
    "v1_place_hold": PLACE_HOLD,
    "v1_lift_hold": LIFT_HOLD,
}
"""How ada's record is opened at each endpoint that opens one."""

ROSTER_EXAMPLES = {
    "v1_roster": Change("GET", f"{STAFF}/roster?{SECTION_QUERY}", {}),
    "v1_drop_no_shows": NO_SHOW,
}
"""How a roster is opened at each endpoint that opens one."""

PEOPLE_WITHOUT_RECORD = {"v1_person", "v1_edit_person"}
"""Endpoints whose path names a person, but that show only what registrars set of the account."""


@pytest.fixture
async def rita(app: Quart, db: Database) -> Program:
    client = await program(app, db, RITA, Scope.STAFF_WRITE)
    await client.get(f"{STAFF}/terms")  # records the use of the token, so that later requests don't
    return client


def test_every_route_has_an_example() -> None:
    about_people = {route.endpoint for route in API_ROUTES if "user_id" in route.path}
    assert EXAMPLES.keys() == CHANGES
    assert RECORD_EXAMPLES.keys() | ROSTER_EXAMPLES.keys() == RECORDS
    assert about_people == RECORD_EXAMPLES.keys() | PEOPLE_WITHOUT_RECORD


@pytest.mark.parametrize("endpoint", EXAMPLES)
async def test_every_change_leaves_an_entry(endpoint: str, app: Quart, db: Database, rita: Program) -> None:
    change = EXAMPLES[endpoint]
    assert endpoint_of(app, change.path, change.method) == endpoint
    await change.prepare(db)
    before, entries = await rows(db), await db.audit.count_documents({})
    assert await change.send(rita) in (200, 201)
    assert await rows(db) != before
    assert await db.audit.count_documents({"actor": RITA.user_id}) > entries


@pytest.mark.parametrize("endpoint", EDITS)
async def test_a_dry_run_changes_nothing(endpoint: str, db: Database, rita: Program) -> None:
    await EDITS[endpoint].prepare(db)
    before = await rows(db)
    assert await EDITS[endpoint].send(rita, dry_run=True) == 200
    assert await rows(db) == before


@pytest.mark.parametrize("endpoint", RECORD_EXAMPLES)
async def test_every_look_at_a_record_leaves_an_entry(endpoint: str, app: Quart, db: Database, rita: Program) -> None:
    look = RECORD_EXAMPLES[endpoint]
    assert endpoint_of(app, look.path, look.method) == endpoint
    await look.prepare(db)
    assert await look.send(rita) == 200
    entries = await db.access.find({"page": endpoint}).to_list(None)
    assert [(entry["actor"], entry["user_id"]) for entry in entries] == [(RITA.user_id, ADA.user_id)]


async def test_every_look_at_a_roster_leaves_an_entry(app: Quart, db: Database, rita: Program) -> None:
    for endpoint, look in ROSTER_EXAMPLES.items():
        assert endpoint_of(app, look.path, look.method) == endpoint
        assert await look.send(rita) == 200
        [entry] = await db.access.find({"page": endpoint}).to_list(None)
        assert (entry["actor"], entry["about"]["courseID"]) == (RITA.user_id, "3333")
