"""Dropping and withdrawing from courses."""

import re
from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from tests.support.people import (
    ADA,
    FALL,
    SPRING,
    Browser,
    Clock,
    buttons,
    message_after,
    offer_course,
    seats_taken,
    set_clock,
    text,
)

SECOND = timedelta(seconds=1)


async def test_dropping_frees_the_seat_without_a_trace(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    response = await ada.post("/enrollment/drop", form={"courseID": "3333", "term": "Fall 2026"})
    assert (response.status_code, response.location) == (303, "/enrollment?term=Fall+2026")
    page = await ada.read("/enrollment")
    assert "You dropped PHP 202 for Fall 2026." in page
    assert "You don’t have any courses yet" in page
    assert await seats_taken(db, "3333") == 0
    assert await db.enrollment.count_documents({}) == 0


async def test_fractional_credits_can_be_dropped_in_any_order(ada: Browser, db: Database) -> None:
    for courseID, credits in (("1111", 1.0), ("3333", 1.3)):  # in floating-point numbers, 1.0 + 1.3 - 1.0 - 1.3 < 0
        await db.course.update_one({"courseID": courseID}, {"$set": {"credits": credits}})
        await ada.post("/enrollment", form={"courseID": courseID})
    for courseID in ("1111", "3333"):
        assert (await ada.post("/enrollment/drop", form={"courseID": courseID})).status_code == 303
    assert [row["credits"] async for row in db.schedule.find()] == [0]


async def test_a_waitlist_entry_for_a_deleted_course_prevents_no_drop(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 0}})
    await ada.post("/waitlist", form={"courseID": "3333"})
    await db.section.delete_one({"courseID": "3333"})
    assert "You dropped PYT 101" in await message_after(ada, "/enrollment/drop", courseID="1111")
    assert await db.enrollment.count_documents({}) == 0


async def test_a_second_drop_says_so_and_changes_nothing(ada: Browser, bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form={"courseID": "1111"})
    await ada.post("/enrollment", form={"courseID": "1111"})
    await ada.post("/enrollment/drop", form={"courseID": "1111"})
    refused = await message_after(ada, "/enrollment/drop", courseID="1111", term="Fall 2026")
    assert "You’re not enrolled in PYT 101 for Fall 2026. No changes were made." in refused
    assert await seats_taken(db, "1111") == 1
    assert "alert-info" in await text(
        await ada.post("/enrollment/drop", form={"courseID": "1111"}, follow_redirects=True)
    )


@pytest.fixture
async def enrolled_in_two_terms(ada: Browser, db: Database) -> None:
    """Enroll ada in PYT 101 in two terms."""
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": FALL.opens_at}})
    for term in ("Fall 2026", "Spring 2027"):
        await ada.post("/enrollment", form={"courseID": "1111", "term": term})


@pytest.mark.usefixtures("enrolled_in_two_terms")
@pytest.mark.parametrize("term", ["", "Fall, Spring"])
async def test_a_drop_without_a_term_is_refused_if_two_are_possible(ada: Browser, db: Database, term: str) -> None:
    question = (
        "PYT 101 is on your schedule for Fall 2026 and Spring 2027. Choose one of these terms. No changes were made."
    )
    assert await message_after(ada, "/enrollment/drop", courseID="1111", term=term) == question
    assert await db.enrollment.count_documents({}) == 2


@pytest.mark.usefixtures("enrolled_in_two_terms")
async def test_a_repeated_drop_does_not_drop_the_course_of_another_term(
    ada: Browser, clock: Clock, db: Database
) -> None:
    await set_clock(SPRING.opens_at, clock, (ada, ADA))  # courses in fall can no longer be dropped
    assert "You dropped PYT 101 for Spring 2027." in await message_after(ada, "/enrollment/drop", courseID="1111")
    repeated = await message_after(ada, "/enrollment/drop", courseID="1111")
    assert repeated == "The deadline to drop PYT 101 has passed. No changes were made."
    assert await db.enrollment.distinct("term") == ["Fall 2026"]


async def test_dropping_a_course_held_in_no_term_names_no_term(ada: Browser) -> None:
    for term in ("", "Fall, Spring"):
        message = await message_after(ada, "/enrollment/drop", courseID="1111", term=term)
        assert message == "You’re not enrolled in PYT 101. No changes were made."
        message = await message_after(ada, "/waitlist/leave", courseID="1111", term=term)
        assert message == "You’re not on the waitlist for PYT 101. No changes were made."


async def test_dropping_after_the_deadline_leaves_a_withdrawn_course(ada: Browser, clock: Clock, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await set_clock(FALL.drop_deadline - SECOND, clock, (ada, ADA))
    assert buttons(await ada.read("/enrollment")) == ["Drop PHP 202"]
    await set_clock(FALL.drop_deadline, clock, (ada, ADA))
    assert buttons(await ada.read("/enrollment")) == ["Withdraw from PHP 202"]
    message = await message_after(ada, "/enrollment/drop", courseID="3333")
    assert message == "You withdrew from PHP 202 for Fall 2026. It stays on your schedule with a W."
    page = await ada.read("/enrollment")
    assert "Withdrawn (W)" in page
    assert "0 of 18 credits" in page
    assert await seats_taken(db, "3333") == 0
    assert "You’re not enrolled in PHP 202" in await message_after(ada, "/enrollment/drop", courseID="3333")


async def test_after_the_withdraw_deadline_nothing_can_be_dropped(ada: Browser, clock: Clock, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await set_clock(FALL.withdraw_deadline, clock, (ada, ADA))
    refused = await message_after(ada, "/enrollment/drop", courseID="3333", term="Fall 2026")
    assert refused == ("The last day to withdraw from PHP 202 was October 31, 2026 (ET). Contact the registrar.")
    page = await ada.read("/enrollment")
    assert "PHP 202</a><span" in page
    assert buttons(page) == []
    assert await seats_taken(db, "3333") == 1


async def test_a_confirmed_drop_also_drops_the_corequisite(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100")
    await offer_course(db, "7777", "ART LAB", corequisites=("6666",))
    for courseID in ("6666", "7777"):
        await ada.post("/enrollment", form={"courseID": courseID})
    response = await ada.post("/enrollment/drop", form={"courseID": "6666", "term": "Fall 2026"})
    page = await text(response)
    assert response.status_code == 200
    assert "ART LAB can’t be taken without ART 100, so it would be dropped too." in page
    assert await db.enrollment.count_documents({}) == 2
    form = dict(re.findall(r'name="(courseID|term|with_corequisites)" value="([^"]*)"', page))
    assert await message_after(ada, "/enrollment/drop", **form) == "You dropped ART 100 and ART LAB for Fall 2026."
    assert await db.enrollment.count_documents({}) == 0
