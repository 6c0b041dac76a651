"""Swapping one course or section for another."""

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, NOONS, Browser, buttons, message_after, offer_course, seats_taken


async def test_a_swap_enrolls_in_one_course_and_drops_the_other(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    message = await message_after(ada, "/enrollment/swap", drop="3333", add="1111", section="01", term="Fall 2026")
    assert message == "Swap complete: you’re now enrolled in PYT 101, section 01."
    assert [row["courseID"] async for row in db.enrollment.find()] == ["1111"]
    message = await message_after(ada, "/enrollment/swap", drop="3333", add="1111", section="01", term="Fall 2026")
    assert message == "You’re already enrolled in PYT 101 for Fall 2026."
    assert [row["courseID"] async for row in db.enrollment.find()] == ["1111"]


async def test_a_swap_into_another_section_of_the_same_course(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    await ada.post("/enrollment/swap", form={"drop": "1111", "add": "1111", "section": "02", "term": "Fall 2026"})
    assert (await seats_taken(db, "1111", "01"), await seats_taken(db, "1111", "02")) == (0, 1)


async def test_a_swap_into_any_section_of_the_same_course_is_refused(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "02"})
    message = await message_after(ada, "/enrollment/swap", drop="1111", add="1111")
    assert message == "You’re already enrolled in PYT 101 for Fall 2026."
    assert await seats_taken(db, "1111", "02") == 1


@pytest.mark.parametrize(
    ("add", "sentence"),
    [
        ("3333", "PHP 202, section 01, is full."),
        ("9999", "There is no course 9999 in the catalog."),
        ("2222", "You’re not enrolled in PYT 101 for Spring 2027."),
    ],
)
async def test_a_swap_that_fails_keeps_the_old_seat(
    ada: Browser, bob: Browser, db: Database, add: str, sentence: str
) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert sentence in await message_after(ada, "/enrollment/swap", drop="1111", add=add)
    assert await db.enrollment.find_one({"user_id": ADA.user_id, "courseID": "1111", "status": "enrolled"})


async def test_swapping_a_course_without_being_enrolled_in_it_changes_nothing(ada: Browser, db: Database) -> None:
    refused = await message_after(ada, "/enrollment/swap", drop="3333", add="1111")
    assert refused == "You’re not enrolled in PHP 202 for Fall 2026. No changes were made."
    assert await db.enrollment.count_documents({}) == 0


async def test_swapping_a_course_that_another_one_requires_is_refused(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100")
    await offer_course(db, "7777", "ART LAB", corequisites=("6666",))
    for courseID in ("6666", "7777"):
        await ada.post("/enrollment", form={"courseID": courseID})
    assert "can’t be taken without ART 100" in await message_after(ada, "/enrollment/swap", drop="6666", add="1111")
    assert await db.enrollment.count_documents({}) == 2


async def test_a_course_with_its_own_swap_button_is_not_offered_twice(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    for courseID in ("1111", "3333"):
        await ada.post("/enrollment", form={"courseID": courseID})
    page = await ada.read("/course/6666")
    assert "Swap PHP 202 for this ART 100, section 01" in buttons(page)
    assert "<option" not in page


async def test_the_form_offers_every_course_that_can_be_swapped_for_a_section(ada: Browser, db: Database) -> None:
    await db.term.update_many({}, {"$set": {"max_credits": 4}})
    await ada.post("/enrollment", form={"courseID": "1111"})
    page = await ada.read("/enrollment/form?courseID=3333&term=Fall")
    assert "PHP 202 would bring you to 7 credits (limit 4)." in page
    assert '<option value="1111">PYT 101</option>' in page
    assert "Swap into PHP 202, section 01" in buttons(page)


async def test_no_swap_is_offered_where_a_prerequisite_is_missing(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert "Swap into PHP 202, section 01" in buttons(await ada.read("/course/3333"))
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["2222"]}})
    await ada.post("/plan/add", form={"courseID": "3333", "section": "01", "term": "Fall 2026"})
    for path in ("/course/3333", "/enrollment/form?courseID=3333&term=Fall", "/courses/Fall?q=PHP", "/plan?term=Fall"):
        page = await ada.read(path)
        assert "PHP 202 requires 2222 (JAV 201) from an earlier term." in page
        assert not any("swap" in button.lower() for button in buttons(page))
