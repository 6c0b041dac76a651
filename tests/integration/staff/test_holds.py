"""Types of holds, and holds that rita places and lifts."""

from functools import partial
from io import BytesIO

from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.scopes import Scope
from quart_enroll.domain.stored_import import HOLDS
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.validation import read_rows
from quart_enroll.importing.file_import import ImportSettings, import_rows_of_file
from tests.support.api_clients import program
from tests.support.holds import BURSAR, HOLD_ID, add_type, hold_ada
from tests.support.people import ADA, BOB, FALL_MORNING, RITA, Browser, text

API = "/api/v1/staff"
RECORD = f"/staff/students/{ADA.user_id}"
PLACE = f"{RECORD}/holds/place"
TYPE = {"name": "Bursar hold", "office": "Bursar’s Office", "contact": "Room 12", "blocks": "enroll"}
SEAT = {"courseID": "3333", "term": "Fall 2026", "section": "01"}


async def test_a_registrar_defines_a_type_places_a_hold_and_lifts_it(db: Database, rita: Browser, ada: Browser) -> None:
    assert "Holds" not in await rita.read(RECORD)
    assert "First define a type" in await rita.read(PLACE)
    await rita.post("/staff/holds/type", form=TYPE)
    placed = {"type": "Bursar hold", "reason": "Fees are unpaid", "ends_on": "2026-12-31"}
    for _ in range(2):  # the second time, it is there already
        await rita.post(PLACE, form=placed)
    assert await db.hold.count_documents({}) == 1
    assert "In effect until December 31, 2026 (UTC)." in await rita.read(RECORD)
    assert "Dec 31, 2026<" in await rita.read("/staff/holds")
    assert "A hold was placed on your account (Bursar’s Office): “Fees are unpaid”." in await ada.read("/")
    refused = await ada.post("/enrollment", form=SEAT)
    assert "To have it lifted, contact Room 12." in await ada.read(refused.location)
    assert "Fees are unpaid" in await rita.read(f"{RECORD}/why?term=Fall+2026&courseID=3333&section=01")
    hold = await db.hold.find_one({})
    assert hold is not None
    for _ in range(2):
        await rita.post(f"{RECORD}/holds/lift?hold={hold['_id']}", form={"reason": "Paid in cash"})
    assert "by Rita Moreno: Paid in cash" in await rita.read(RECORD)
    assert await db.audit.count_documents({"user_id": ADA.user_id}) == 2
    await ada.get("/")
    await ada.post("/enrollment", form=SEAT)
    assert await db.enrollment.count_documents({"user_id": ADA.user_id, "courseID": "3333"}) == 1


async def test_holds_are_listed_by_student_type_and_state_and_exported(db: Database, rita: Browser) -> None:
    await hold_ada(db)
    for query, is_listed in (
        ("", True),
        (f"?person={ADA.user_id}&type=Bursar+hold&state=current", True),
        ("?state=lifted", False),
        ("?type=Advising", False),
        ("?person=2", False),
    ):
        assert ("Fees are unpaid" in await rita.read(f"/staff/holds{query}")) == is_listed, query
    assert (await rita.get("/staff/holds?person=nobody")).status_code == 422
    assert "Fees are unpaid" in await text(await rita.get("/staff/holds?format=csv"))


async def test_removing_a_type_leaves_its_holds(db: Database, rita: Browser) -> None:
    await hold_ada(db)
    url = "/staff/holds/type?name=Bursar+hold"
    await rita.post(url, form=TYPE | {"office": "Cashier"})
    assert "Cashier" in await rita.read("/staff/holds/types")
    await rita.post(url, form=TYPE | {"remove": "y"})
    assert "No types yet." in await rita.read("/staff/holds/types")
    assert HOLD_ID in await rita.read(RECORD)
    assert "Bursar’s Office" in await rita.read(RECORD)


async def test_a_program_places_and_lifts_a_hold(db: Database, app: Quart) -> None:
    await add_type(db)
    rita = await program(app, db, RITA, Scope.STAFF_WRITE)
    for wrong, field in (
        ({"type": "Nobody’s", "reason": "Late"}, "type"),
        ({"type": BURSAR.name, "reason": " "}, "reason"),
        ({"type": BURSAR.name, "reason": "Late", "ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
    ):
        refused = await rita.send("POST", f"{API}/students/1/holds", wrong)
        problem = await refused.get_json()
        assert (refused.status_code, [one["field"] for one in problem["errors"]]) == (422, [field])
    body = {"type": BURSAR.name, "reason": "Late", "ends_at": "2026-12-01T00:00:00Z"}
    placed = [await (await rita.send("POST", f"{API}/students/1/holds", body)).get_json() for _ in range(2)]
    assert placed[0] == placed[1]
    assert (await rita.get(f"{API}/holds?user_id=1&state=current"))["holds"] == placed[:1]
    lift = {"hold_id": placed[0]["hold_id"], "reason": "Paid"}
    lifted = [await (await rita.send("POST", f"{API}/students/1/holds/lift", lift)).get_json() for _ in range(2)]
    assert lifted[0] == lifted[1]
    assert lifted[0]["lift_reason"] == "Paid"
    assert (await rita.send("POST", f"{API}/students/2/holds/lift", lift)).status_code == 404
    [offered] = (await rita.get(f"{API}/hold-types"))["types"]
    assert offered["name"] == BURSAR.name


async def test_a_file_places_and_lifts_holds_row_by_row(db: Database) -> None:
    await hold_ada(db)
    file = b"""student,type,action,reason,ends_on
bob@school.example,Bursar hold,place,Late,2026-12-31
bob@school.example,Bursar hold,place,Late,2026-12-31
1,Bursar hold,lift,Paid,
2,Bursar hold,lift,Paid twice,
nobody@school.example,Bursar hold,place,Late,
bob@school.example,Advising,place,Late,
bob@school.example,Bursar hold,place,Late,2020-01-01
bob@school.example,Bursar hold,put,Late,soon
"""
    rows = read_rows(ROW_FORMS[HOLDS], "holds.csv", BytesIO(file))
    settings = ImportSettings("UTC", 18, "scrypt")
    run = partial(import_rows_of_file, db, HOLDS, rows, settings, lambda: FALL_MORNING)
    for dry_run in (True, False):
        done = await run(dry_run=dry_run)
        assert ([one.what for one in done.outcomes], done.added) == (
            ["added", "unchanged", "changed", "unchanged" if dry_run else "changed", *["refused"] * 4],
            1,
        )
        assert await db.hold.count_documents({"user_id": BOB.user_id}) == (0 if dry_run else 1)
    assert await db.hold.count_documents({"lifted_at": None}) == 0
    assert [row["action"] async for row in db.audit.find().sort("_id")] == ["hold.place", "hold.lift", "hold.lift"]
