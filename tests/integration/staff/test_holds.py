"""Types of holds, and holds that rita places and lifts."""

from quart_enroll.db.client import Database
from tests.support.holds import HOLD_ID, hold_ada
from tests.support.people import ADA, Browser, text

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
