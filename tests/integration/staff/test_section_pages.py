"""The pages about sections: what staff see and change, as far as it is within their scope."""

from dataclasses import replace
from html import unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import Section, SectionKey
from tests.support.people import ADA, BOB, RITA, SECTIONS, Browser, seats_taken, text

PHP = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
URL = "/staff/section?term=Fall+2026&courseID=3333&section=01"
CANCEL = URL.replace("section?", "section/cancel?")
FORM = {
    "revision": "0",
    "capacity": "1",
    "waitlist_capacity": "1",
    "meetings": "TR 12:00-13:15",
    "room": "Lab 1",
    "instructor": "P. Silva",
    "instructors": "",
    "status": "active",
}
"""PHP 202 as it is stored."""


@pytest.fixture
async def section_full(ada: Browser, bob: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})


async def set_roles(db: Database, user_id: int, *roles: str, **facts: object) -> None:
    await db.user.update_one({"user_id": user_id}, {"$set": {"roles": sorted(roles)} | facts})


async def stored(db: Database, key: SectionKey = PHP.key) -> Section:
    found = await sections.find(db, key)
    assert found is not None
    return found


async def test_the_list_shows_the_sections_of_a_term(rita: Browser) -> None:
    page = await rita.read("/staff/sections?term=Fall+2026")
    assert [f">{name}<" in page for name in ("1111-01", "1111-02", "3333-01", "2222-01")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=silva", ["3333-01"]),
        ("q=hall+12", ["1111-01"]),
        ("status=closed", ["1111-02"]),
        ("seats=waiting", ["3333-01"]),
        ("seats=full", ["3333-01"]),
        ("sort=-capacity", ["1111-01", "1111-02", "3333-01"]),
        ("sort=capacity", ["3333-01", "1111-02", "1111-01"]),
    ],
)
@pytest.mark.usefixtures("section_full")
async def test_the_list_can_be_searched_filtered_and_sorted(
    rita: Browser, db: Database, query: str, names: list[str]
) -> None:
    await db.section.update_one({"courseID": "1111", "section": "02"}, {"$set": {"status": "closed"}})
    page = await rita.read(f"/staff/sections?term=Fall+2026&{query}")
    places = {name: page.find(f">{name}<") for name in ("1111-01", "1111-02", "3333-01")}
    assert sorted((name for name, place in places.items() if place >= 0), key=lambda name: places[name]) == names


async def test_the_list_can_be_downloaded(rita: Browser, db: Database) -> None:
    response = await rita.get("/staff/sections?term=Fall+2026&q=silva&format=csv")
    assert "3333-01,PHP 202" in await text(response)
    assert "1111-01" not in await text(response)


async def test_instructors_see_their_own_sections_and_change_none(ada: Browser, db: Database) -> None:
    await set_roles(db, ADA.user_id, "instructor")
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructors": [ADA.user_id]}})
    page = await ada.read("/staff/sections?term=Fall+2026")
    assert "3333-01" in page
    assert "1111-01" not in page
    assert 'name="capacity"' not in await ada.read(URL)
    assert (await ada.post(URL, form=FORM | {"capacity": "9"})).status_code == 403
    assert (await ada.get(URL.replace("3333", "1111"))).status_code == 404


async def test_schedulers_change_the_sections_of_their_subjects(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"subject": "Web"}})
    await set_roles(db, ADA.user_id, "scheduler", subjects=["Web"])
    assert (await ada.post(URL, form=FORM | {"capacity": "9"})).status_code == 303
    assert (await stored(db)).capacity == 9
    other = URL.replace("3333", "1111")
    assert (await ada.post(other, form=FORM)).status_code == 404
    assert (await ada.get(other.replace("section?", "section/cancel?"))).status_code == 404
    page = await text(
        await ada.post("/staff/section/new", form=FORM | {"term": "Fall 2026", "courseID": "1111", "section": "9"})
    )
    assert "You can only add sections to courses of your subjects." in page


async def test_auditors_see_everything_and_change_nothing(ada: Browser, db: Database) -> None:
    await set_roles(db, ADA.user_id, "auditor")
    assert "1111-01" in await ada.read("/staff/sections?term=Fall+2026")
    assert 'name="capacity"' not in await ada.read(URL)
    assert (await ada.post(URL, form=FORM)).status_code == 403


@pytest.mark.usefixtures("section_full")
async def test_a_page_says_what_an_edit_does_before_it_is_saved(rita: Browser, db: Database) -> None:
    page = await text(await rita.post(URL, form=FORM | {"capacity": "2"}))
    assert "1 student gets a seat from the waitlist:" in page
    assert "Bob Okafor (3333-01)" in page
    assert await seats_taken(db, "3333") == 1
    response = await rita.post(URL, form=FORM | {"capacity": "2", "confirmed": "y"})
    assert response.status_code == 303
    assert await seats_taken(db, "3333") == 2
    assert "Section saved. 1 student got a seat from the waitlist: Bob Okafor (3333-01)." in await rita.read(URL)


@pytest.mark.usefixtures("section_full")
async def test_the_preview_keeps_every_field(rita: Browser) -> None:
    page = await text(await rita.post(URL, form=FORM | {"capacity": "2", "room": 'Hall "3"', "status": "closed"}))
    assert page.startswith("<!doctype") or "Effects of this change" not in page
    page = await text(await rita.post(URL, form=FORM | {"capacity": "2", "room": 'Hall "3"'}))
    assert 'name="room" value="Hall &#34;3&#34;"' in page
    assert 'name="confirmed" value="y"' in page


async def test_an_edit_without_effects_is_saved_at_once(rita: Browser, db: Database) -> None:
    assert (await rita.post(URL, form=FORM | {"room": "Hall 3"})).status_code == 303
    assert (await stored(db)).room == "Hall 3"
    assert "Section saved." in await rita.read(URL)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("capacity", "many", "This must be a whole number, like 30."),
        ("capacity", "", "Enter the number of seats."),
        ("meetings", "MWF 9-8", "Write the times of"),
        ("instructors", "nobody@school.example", "No staff member has the email or ID nobody@school.example."),
        ("instructors", "P. Silva", "is neither an email nor a user_id."),
        ("restriction", "Nursing", "Character 1: write program, level,"),
    ],
)
async def test_errors_are_beside_their_fields_and_nothing_is_saved(
    rita: Browser, db: Database, field: str, value: str, sentence: str
) -> None:
    response = await rita.post(URL, form=FORM | {"room": "Hall 3", field: value})
    page = unescape(await text(response))
    assert response.status_code == 422
    assert sentence in page.split(f'id="{field}-error"')[1].split("</div>")[0]
    assert 'value="Hall 3"' in page
    assert (await stored(db)).revision == 0


async def test_instructors_are_entered_by_email(rita: Browser, db: Database) -> None:
    await rita.post(URL, form=FORM | {"instructors": "rita@school.example"})
    assert (await stored(db)).instructors == (RITA.user_id,)
    assert 'value="rita@school.example"' in await rita.read(URL)


async def test_the_second_editor_sees_what_the_first_changed_and_keeps_their_entries(
    rita: Browser, db: Database
) -> None:
    await rita.post(URL, form=FORM | {"capacity": "5"})
    response = await rita.post(URL, form=FORM | {"room": "Hall 3"})
    page = await text(response)
    assert response.status_code == 409
    assert "Someone else has changed this section" in page
    assert (
        '<td role="cell" data-label="Your entry">1</td><td role="cell" data-label="Saved by someone else">5</td>'
        in page
    )
    assert 'value="Hall 3"' in page
    assert 'name="revision" type="hidden" value="1"' in page
    assert (await stored(db)).room == "Lab 1"


async def test_a_copy_begins_with_the_same_values_and_a_new_number(rita: Browser, db: Database) -> None:
    page = await rita.read(URL.replace("section?", "section/new?"))
    assert 'value="TR 12:00-13:15"' in page
    added = FORM | {"term": "Fall 2026", "courseID": "3333", "section": "2"}
    response = await rita.post("/staff/section/new", form=added)
    assert response.location == "/staff/section?term=Fall+2026&courseID=3333&section=02"
    assert await stored(db, replace(PHP, section="02").key) == replace(PHP, section="02")


async def test_a_number_that_was_used_is_refused_beside_its_field(rita: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"status": "cancelled"}})
    added = FORM | {"term": "Fall 2026", "courseID": "3333", "section": "1"}
    response = await rita.post("/staff/section/new", form=added)
    assert response.status_code == 422
    assert "already has or had a section 01" in (await text(response)).split('id="section-error"')[1].split("</div>")[0]


@pytest.mark.usefixtures("section_full")
async def test_the_page_before_a_cancellation_names_the_students(rita: Browser, db: Database) -> None:
    await sections.put_all(db, [replace(PHP, section="02", capacity=5, meetings=())])
    page = await rita.read(CANCEL)
    assert "Ada Winters – section 02 fits" in page
    assert page.index("1 enrolled") < page.index("Ada Winters") < page.index("1 waiting") < page.index("Bob Okafor")
    assert (await stored(db)).status == "active"


@pytest.mark.usefixtures("section_full")
async def test_a_cancellation_needs_a_reason(rita: Browser, db: Database) -> None:
    response = await rita.post(CANCEL, form={"revision": "0", "reason": ""})
    assert response.status_code == 422
    assert (await stored(db)).status == "active"
    response = await rita.post(CANCEL, form={"revision": "0", "reason": "Too few students"})
    assert response.status_code == 303
    assert "Section canceled. 2 students were notified." in await rita.read(URL)
    assert (await stored(db)).status == "cancelled"
    assert await db.enrollment.count_documents({"user_id": {"$in": [ADA.user_id, BOB.user_id]}}) == 0


@pytest.mark.parametrize(
    "query", ["", "?term=Fall+2026", "?term=Fall+2026&courseID=3333&section=9", "?term=x&courseID=y&section=z"]
)
async def test_an_unknown_section_is_not_found(rita: Browser, query: str) -> None:
    assert (await rita.get(f"/staff/section{query}")).status_code == 404
