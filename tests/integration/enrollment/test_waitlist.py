"""Waitlists and promotions."""

from datetime import timedelta

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, users
from quart_enroll.domain.models import Section
from tests.support.people import (
    ADA,
    BOB,
    CAL,
    FALL,
    NOONS,
    PASSWORD_HASH,
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

PHP = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
"""A section with one seat, and one place on its waitlist."""


@pytest.fixture
async def section_full(bob: Browser) -> None:
    """Enroll bob in the only seat of PHP 202."""
    await bob.post("/enrollment", form=PHP)


@pytest.fixture
async def cal(app: Quart, db: Database) -> Browser:
    """The browser of another student."""
    await users.add(db, CAL, PASSWORD_HASH)
    browser = Browser(app.test_client())
    await browser.sign_in(CAL)
    return browser


@pytest.mark.usefixtures("section_full")
async def test_joining_a_waitlist_shows_the_position(ada: Browser, cal: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"waitlist_capacity": 12}})
    await cal.post("/waitlist", form=PHP)
    assert await message_after(ada, "/waitlist", **PHP) == "You’re on the waitlist for PHP 202, section 01: 2 of 2."
    page = await ada.read("/enrollment")
    assert ">Waitlisted, 2 of 2<" in page
    assert "0 of 18 credits" in page
    assert buttons(page) == ["Leave waitlist for PHP 202"]


@pytest.mark.usefixtures("section_full")
async def test_joining_twice_says_so_and_changes_nothing(ada: Browser, db: Database) -> None:
    await ada.post("/waitlist", form=PHP)
    refused = "You’re already on the waitlist for PHP 202, section 01."
    assert await message_after(ada, "/waitlist", **PHP) == refused
    assert await message_after(ada, "/enrollment", **PHP) == refused
    assert await db.waitlist.count_documents({}) == 1


@pytest.mark.usefixtures("section_full")
async def test_a_full_waitlist_refuses_everyone(ada: Browser, cal: Browser, db: Database) -> None:
    await cal.post("/waitlist", form=PHP)
    assert await message_after(ada, "/waitlist", **PHP) == "The waitlist for PHP 202, section 01, is full."
    assert await message_after(ada, "/enrollment", **PHP) == "PHP 202, section 01, is full."
    assert await db.waitlist.count_documents({}) == 1


async def test_joining_the_waitlist_of_a_section_with_an_open_seat_enrolls_at_once(ada: Browser, db: Database) -> None:
    assert await message_after(ada, "/waitlist", **PHP) == "A seat was open, so you’re enrolled in PHP 202, section 01."
    assert await seats_taken(db, "3333") == 1
    assert await db.notice.count_documents({}) == 0
    assert await message_after(ada, "/waitlist", **PHP) == "You’re already enrolled in PHP 202 for Fall 2026."


async def test_an_open_seat_is_taken_despite_a_full_waitlist_and_a_requested_swap(ada: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"waitlist_capacity": 0}})
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    message = await message_after(ada, "/waitlist", **PHP, drop_if_enrolled="1111")
    assert message == "A seat was open, so we swapped you into PHP 202, section 01."
    assert [row["courseID"] async for row in db.enrollment.find()] == ["3333"]


@pytest.mark.usefixtures("section_full")
async def test_leaving_frees_the_place_and_a_second_time_changes_nothing(
    ada: Browser, cal: Browser, db: Database
) -> None:
    await ada.post("/waitlist", form=PHP)
    assert await message_after(ada, "/waitlist/leave", courseID="3333") == "You left the waitlist for PHP 202."
    message = await message_after(ada, "/waitlist/leave", courseID="3333", term="Fall 2026")
    assert message == "You’re not on the waitlist for PHP 202 in Fall 2026. No changes were made."
    assert "1 of 1" in await message_after(cal, "/waitlist", **PHP)
    assert "There is no course 9999" in await message_after(ada, "/waitlist/leave", courseID="9999")


async def test_leaving_without_a_section_is_refused_if_two_waitlists_are_possible(ada: Browser, db: Database) -> None:
    await db.section.update_many({}, {"$set": {"capacity": 0}})
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": FALL.opens_at}})
    for term in ("Fall 2026", "Spring 2027"):
        await ada.post("/waitlist", form={"courseID": "1111", "term": term, "section": "01"})
    assert "Choose one of these terms." in await message_after(ada, "/waitlist/leave", courseID="1111")
    assert await db.waitlist.count_documents({}) == 2
    assert "You left" in await message_after(ada, "/waitlist/leave", courseID="1111", term="Fall 2026")
    assert await db.waitlist.distinct("term") == ["Spring 2027"]


@pytest.mark.usefixtures("section_full")
async def test_a_dropped_seat_goes_to_the_first_waitlisted_student_with_one_notice(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await ada.post("/waitlist", form=PHP)
    await ada.read("/enrollment")
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    assert await seats_taken(db, "3333") == 1
    assert (await ada.get("/api/")).status_code == 200  # neither shows notices nor marks them as seen
    sentence = "A seat opened: you’re now enrolled in PHP 202, section 01, for Fall 2026."
    page = await ada.read("/")
    assert sentence in page
    assert "alert-success" in page
    assert sentence not in await ada.read("/")
    assert sentence not in await bob.read("/")
    assert "PHP 202</a><span" in await ada.read("/enrollment")


@pytest.mark.usefixtures("section_full")
async def test_a_skipped_student_keeps_the_position_and_sees_why(ada: Browser, bob: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    await ada.post("/waitlist", form=PHP)
    await ada.post("/enrollment", form={"courseID": "6666"})
    await ada.read("/")
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    reason = f"PHP 202 conflicts with ART 100: {NOONS[0]}."
    page = await ada.read("/enrollment")
    assert "alert-warning" in page
    assert page.count(reason) == 2  # in the notice and beside the position
    assert ">Waitlisted, 1 of 1<" in page
    assert reason in await ada.read("/courses/")
    assert "alert-warning" not in await ada.read("/enrollment")


@pytest.mark.usefixtures("section_full")
async def test_dropping_the_conflicting_course_promotes(ada: Browser, bob: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    await ada.post("/waitlist", form=PHP)
    await ada.post("/enrollment", form={"courseID": "6666"})
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    message = await message_after(ada, "/enrollment/drop", courseID="6666")
    assert "You dropped ART 100 for Fall 2026." in message
    assert "you’re now enrolled in PHP 202" in message


@pytest.mark.usefixtures("section_full")
async def test_a_promotion_drops_the_course_to_be_replaced(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    assert "1 of 1" in await message_after(ada, "/waitlist", **PHP, drop_if_enrolled="1111")
    assert "Replaces PYT 101 if you get a seat" in await ada.read("/enrollment")
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    assert [row["courseID"] async for row in db.enrollment.find({"user_id": ADA.user_id})] == ["3333"]
    assert await seats_taken(db, "1111") == 0


@pytest.fixture
async def evening_section_full(bob: Browser, db: Database) -> None:
    """Enroll bob in the only seat of PYT 101, section 02, and add a section 03."""
    await db.section.update_one({"courseID": "1111", "section": "02"}, {"$set": {"capacity": 1}})
    await bob.post("/enrollment", form={"courseID": "1111", "section": "02"})
    await sections.put_all(db, [Section("Fall 2026", "1111", "03", 5, 0, 5)])


PYT = {"courseID": "1111", "term": "Fall 2026"}


@pytest.mark.usefixtures("evening_section_full")
@pytest.mark.parametrize("drops_first", [False, True])
async def test_waiting_to_change_sections_keeps_the_position(
    ada: Browser, bob: Browser, db: Database, drops_first: bool
) -> None:
    await ada.post("/enrollment", form=PYT | {"section": "01"})
    await ada.post("/waitlist", form=PYT | {"section": "02", "drop_if_enrolled": "1111"})
    if drops_first:
        await ada.post("/enrollment/drop", form=PYT)
        message = await message_after(ada, "/enrollment", **PYT, section="03")
        assert message == "You’re enrolled in PYT 101 for Fall 2026."
    else:
        message = await message_after(ada, "/enrollment/swap", drop="1111", add="1111", term="Fall 2026", section="03")
        assert message == "Swap complete: you’re now enrolled in PYT 101, section 03."
    assert "Replaces PYT 101 if you get a seat" in await ada.read("/enrollment")
    await bob.post("/enrollment/drop", form=PYT)
    rows = db.enrollment.find({"user_id": ADA.user_id})
    assert [(row["courseID"], row["section"]) async for row in rows] == [("1111", "02")]
    assert await seats_taken(db, "1111", "03") == 0


@pytest.mark.usefixtures("evening_section_full")
@pytest.mark.parametrize("replaced_course", ["", "3333"])
async def test_a_pointless_waitlist_entry_is_removed_with_a_message(
    ada: Browser, db: Database, replaced_course: str
) -> None:
    await ada.post("/enrollment", form=PHP)
    await ada.post("/waitlist", form=PYT | {"section": "02", "drop_if_enrolled": replaced_course})
    message = await message_after(ada, "/enrollment", **PYT, section="03")
    assert message == ("You’re enrolled in PYT 101 for Fall 2026. You’re no longer on the waitlist for section 02.")
    assert await db.waitlist.count_documents({}) == 0
    assert "Left the waitlist for PYT 101, section 02, in Fall 2026." in await ada.read("/enrollment/history")


@pytest.mark.usefixtures("section_full")
async def test_waiting_to_replace_a_course_requires_having_it(ada: Browser, db: Database) -> None:
    refused = await message_after(ada, "/waitlist", **PHP, drop_if_enrolled="1111")
    assert refused == "You’re not enrolled in PYT 101 for Fall 2026. No changes were made."
    assert await db.waitlist.count_documents({}) == 0


@pytest.mark.usefixtures("section_full")
async def test_no_student_joins_a_waitlist_outside_the_window(ada: Browser, clock: Clock) -> None:
    await set_clock(FALL.opens_at - SECOND, clock, (ada, ADA))
    assert "Enrollment for Fall 2026 opens on" in await message_after(ada, "/waitlist", **PHP)
    await set_clock(FALL.add_deadline, clock, (ada, ADA))
    assert "Enrollment for Fall 2026 closed at" in await message_after(ada, "/waitlist", **PHP)


@pytest.mark.usefixtures("section_full")
async def test_after_the_add_deadline_no_student_is_promoted(
    ada: Browser, bob: Browser, clock: Clock, db: Database
) -> None:
    await ada.post("/waitlist", form=PHP)
    await set_clock(FALL.add_deadline, clock, (bob, BOB), (ada, ADA))
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    assert await db.enrollment.count_documents({"status": "enrolled"}) == 0
    assert ">Waitlisted, 1 of 1<" in await ada.read("/enrollment")


@pytest.mark.usefixtures("section_full")
async def test_the_form_offers_the_waitlist_and_the_courses_to_replace(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    page = await ada.read("/enrollment/form?courseID=3333&term=Fall")
    assert buttons(page)[:2] == [
        f"{join} for PHP 202, section 01" for join in ("Join waitlist", "Join waitlist to swap")
    ]
    assert 'name="drop_if_enrolled"' in page


async def test_a_student_cannot_join_a_waitlist_for_another(ada: Browser, section_full: None, db: Database) -> None:
    await ada.post("/waitlist", form=PHP | {"user_id": "2"})
    assert [row["user_id"] async for row in db.waitlist.find()] == [ADA.user_id]


async def test_a_prefetched_page_does_not_mark_notices_as_seen(ada: Browser, bob: Browser, section_full: None) -> None:
    await ada.post("/waitlist", form=PHP)
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    await ada.get("/", headers={"Sec-Purpose": "prefetch"})
    assert "A seat opened" in await text(await ada.get("/"))


@pytest.mark.usefixtures("section_full")
async def test_a_student_skipped_for_a_prerequisite_sees_its_title(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/waitlist", form=PHP)
    await db.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["2222"]}})
    await bob.post("/enrollment/drop", form={"courseID": "3333"})
    assert "PHP 202 requires 2222 (JAV 201) from an earlier term." in await ada.read("/enrollment")


ALL_WAITLISTS_WARNING = "Seats from all your waitlists would bring you to 7 credits (limit 6)"
CREDIT_LIMIT_REASON = "PHP 202 would bring you to 7 credits (limit 6)."


@pytest.mark.usefixtures("section_full")
async def test_a_waitlist_warns_if_the_seat_would_exceed_the_credit_limit(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await db.term.update_many({}, {"$set": {"max_credits": 6}})
    await offer_course(db, "7777", "BIO 101")
    await ada.post("/waitlist", form=PHP)
    assert "(limit " not in await ada.read("/enrollment")
    await ada.post("/enrollment", form={"courseID": "7777"})
    page = await ada.read("/enrollment")
    assert (
        f"If a seat opened now, it would go to the next student in line: {CREDIT_LIMIT_REASON} You keep your place."
        in page
    )
    assert page.count("(limit ") == 1

    await bob.post("/enrollment/drop", form=PHP)
    page = await ada.read("/enrollment")
    assert "If a seat opened now" not in page  # it has opened, and the entry says so
    assert f"but we couldn’t enroll you: {CREDIT_LIMIT_REASON}" in page

    await ada.post("/enrollment/drop", form={"courseID": "7777"})
    assert await seats_taken(db, "3333") == 1


@pytest.mark.usefixtures("section_full")
async def test_waitlists_that_together_exceed_the_credit_limit_show_one_warning(
    ada: Browser, bob: Browser, clock: Clock, db: Database
) -> None:
    await offer_course(db, "6666", "ART 100")
    await bob.post("/enrollment", form={"courseID": "6666"})
    await db.term.update_many({}, {"$set": {"max_credits": 6}})
    await ada.post("/waitlist", form=PHP)
    assert ALL_WAITLISTS_WARNING not in await ada.read("/enrollment")
    await ada.post("/waitlist", form={"courseID": "6666"})
    assert ALL_WAITLISTS_WARNING in await ada.read("/enrollment")
    await set_clock(FALL.add_deadline, clock, (ada, ADA))
    assert ALL_WAITLISTS_WARNING not in await ada.read("/enrollment")  # no student is promoted from now on


@pytest.mark.usefixtures("section_full")
async def test_a_course_to_be_replaced_does_not_count_toward_the_credit_limit(ada: Browser, db: Database) -> None:
    await db.term.update_many({}, {"$set": {"max_credits": 4}})
    await ada.post("/enrollment", form={"courseID": "1111"})
    await ada.post("/waitlist", form=PHP | {"drop_if_enrolled": "1111"})
    page = await ada.read("/enrollment")
    assert "Waitlisted, 1 of 1" in page
    assert "(limit " not in page


@pytest.mark.usefixtures("section_full")
async def test_after_the_deadline_a_waitlist_has_closed(ada: Browser, clock: Clock) -> None:
    await ada.post("/waitlist", form=PHP)
    await set_clock(FALL.withdraw_deadline, clock, (ada, ADA))
    message = await message_after(ada, "/waitlist/leave", courseID="3333")
    assert message == "The waitlist for PHP 202 has closed. No changes were made."
