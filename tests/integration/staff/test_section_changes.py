"""Staff create and edit sections: what it does to people, before and after, and what it refuses."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.errors import SectionEditConflict, SectionExists, WrongFields
from quart_enroll.domain.models import Section, SectionKey, SectionStatus
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from quart_enroll.services.staff import sections as staff_sections
from quart_enroll.services.staff.section_effects import Effects, GainedSeat
from tests.support.people import (
    ADA,
    BOB,
    EVENINGS,
    FALL_MORNING,
    NOONS,
    RITA,
    SECTIONS,
    Browser,
    offer_course,
    seats_taken,
)

NOW = FALL_MORNING
PHP = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
"""TR 12:00–1:15 PM, with one seat and one waitlist place."""


@pytest.fixture
async def section_full(ada: Browser, bob: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})


async def edit(db: Database, wanted: Section, *, preview: bool = False) -> Effects:
    return await staff_sections.edit(EnrollmentContext(db), RITA.user_id, wanted, NOW, preview=preview)


async def stored(db: Database, key: SectionKey = PHP.key) -> Section:
    found = await sections.find(db, key)
    assert found is not None
    return found


@pytest.mark.usefixtures("section_full")
async def test_a_raised_capacity_gives_the_seat_to_the_first_in_line(db: Database) -> None:
    effects = await edit(db, replace(PHP, capacity=2))
    assert effects.gained == [GainedSeat(BOB.user_id, PHP.key)]
    assert await seats_taken(db, "3333") == 2
    assert (await audit.check(db, NOW)).discrepancies == []


@pytest.mark.usefixtures("section_full")
async def test_a_preview_has_the_same_effects_and_changes_nothing(db: Database) -> None:
    wanted = replace(PHP, capacity=2, meetings=EVENINGS)
    before = await db.section.find_one({"courseID": "3333"})
    previewed = await edit(db, wanted, preview=True)
    assert await db.section.find_one({"courseID": "3333"}) == before
    assert await db.audit.count_documents({}) == await db.event.count_documents({"action": "moved"}) == 0
    assert await edit(db, wanted) == previewed


@pytest.mark.usefixtures("section_full")
async def test_a_moved_meeting_names_the_students_with_a_conflict(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "02"})  # in the evening
    effects = await edit(db, replace(PHP, meetings=EVENINGS))
    assert effects.notified == 2
    [conflict] = effects.conflicts
    assert (conflict.user_id, conflict.is_waiting) == (ADA.user_id, False)
    assert str(conflict.sentence) == "PHP 202 conflicts with PYT 101: TR 6:00–7:15 PM."


async def test_a_moved_meeting_lets_its_students_take_courses_it_conflicted_with(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    await ada.post("/enrollment", form={"courseID": "3333"})
    await db.section.update_one({"courseID": "6666"}, {"$set": {"waiting": 1, "queue_tail": 1}})
    key = {"term": "Fall 2026", "courseID": "6666", "section": "01"}
    await db.waitlist.insert_one(key | {"user_id": ADA.user_id, "place": 1, "joined_at": NOW})
    effects = await edit(db, replace(PHP, meetings=EVENINGS))
    assert effects.gained == [GainedSeat(ADA.user_id, SectionKey(**key))]


@pytest.mark.usefixtures("section_full")
async def test_a_lowered_capacity_removes_nobody(db: Database) -> None:
    effects = await edit(db, replace(PHP, capacity=0))
    assert effects.overbooked == 1
    assert await seats_taken(db, "3333") == 1
    assert (await audit.check(db, NOW)).discrepancies == []


@pytest.mark.usefixtures("section_full")
async def test_reopening_gives_the_seats_to_the_waitlist(ada: Browser, db: Database) -> None:
    await edit(db, replace(PHP, status=SectionStatus.CLOSED))
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    assert await seats_taken(db, "3333") == 0
    effects = await edit(db, replace(PHP, status=SectionStatus.ACTIVE, revision=1))
    assert effects.gained == [GainedSeat(BOB.user_id, PHP.key)]
    assert (await audit.check(db, NOW)).discrepancies == []


async def test_the_second_of_two_editors_sees_what_the_first_changed(db: Database) -> None:
    await edit(db, replace(PHP, capacity=5))
    with pytest.raises(SectionEditConflict) as conflict:
        await edit(db, replace(PHP, room="Hall 3"))
    mine = replace(PHP, room="Hall 3")
    changes = staff_sections.differences(mine, conflict.value.current)
    assert [(one.field, one.old, one.new) for one in changes] == [("capacity", 1, 5), ("room", "Hall 3", "Lab 1")]
    section = await stored(db)
    assert (section.capacity, section.room, section.revision) == (5, "Lab 1", 1)


async def test_the_same_edit_sent_twice_is_made_once(db: Database) -> None:
    for _ in range(2):
        await edit(db, replace(PHP, capacity=5))
    assert (await stored(db)).revision == 1
    assert await db.audit.count_documents({"action": "section.edit"}) == 1


@pytest.mark.usefixtures("section_full")
@pytest.mark.parametrize("status", [SectionStatus.TENTATIVE, SectionStatus.CANCELLED])
async def test_a_section_with_students_cannot_disappear(db: Database, status: SectionStatus) -> None:
    with pytest.raises(WrongFields) as refused:
        await edit(db, replace(PHP, status=status))
    assert list(refused.value.fields) == ["status"]


async def test_an_edit_is_in_the_audit_log(db: Database) -> None:
    await edit(db, replace(PHP, capacity=5, meetings=EVENINGS))
    entry = await db.audit.find_one({})
    assert entry is not None
    assert (entry["actor"], entry["action"], entry["about"]["section"]) == (RITA.user_id, "section.edit", "01")
    assert entry["changes"] == [
        {"field": "capacity", "old": "1", "new": "5"},
        {"field": "meetings", "old": "TR 12:00–1:15 PM", "new": "TR 6:00–7:15 PM"},
    ]


async def test_a_new_section_gets_a_number_of_two_digits(db: Database) -> None:
    key = await staff_sections.create(EnrollmentContext(db), RITA.user_id, replace(PHP, section="2"), NOW)
    assert key.section == "02"
    assert (await stored(db, key)).revision == 0
    assert await db.audit.count_documents({"action": "section.add", "about.section": "02"}) == 1


@pytest.mark.parametrize("status", ["active", "cancelled"])
@pytest.mark.parametrize("number", ["01", "1"])
async def test_a_number_is_never_used_twice_in_a_term(db: Database, status: str, number: str) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"status": status}})
    with pytest.raises(SectionExists):
        await staff_sections.create(EnrollmentContext(db), RITA.user_id, replace(PHP, section=number), NOW)


async def test_a_move_in_a_past_term_notifies_nobody(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    later = NOW + timedelta(days=200)
    wanted = replace(PHP, meetings=EVENINGS)
    effects = await staff_sections.edit(EnrollmentContext(db), RITA.user_id, wanted, later)
    assert effects.notified == 0
