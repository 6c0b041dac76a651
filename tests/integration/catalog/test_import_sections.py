"""Imported sections: their status, their instructors and their revision."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import Section, SectionKey, SectionStatus
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_sections import ImportedSection, import_sections
from tests.support.people import ADA, BOB, FALL_MORNING, RITA, SECTIONS, Browser, seats_taken

PHP = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
KEY = SectionKey("Fall 2026", "3333", "01")


async def import_one(db: Database, section: Section, *given: str, instructors: Sequence[str] = ()) -> ImportResult:
    row = ImportedSection(2, section, frozenset(given), tuple(instructors))
    return await import_sections(db, [row], FALL_MORNING)


async def stored(db: Database) -> Section:
    found = await sections.find(db, KEY)
    assert found is not None
    return found


async def test_instructors_are_found_by_email_and_by_user_id(db: Database) -> None:
    await import_one(db, PHP, "instructors", instructors=["RITA@school.example", "2"])
    assert (await stored(db)).instructors == (RITA.user_id, BOB.user_id)


async def test_an_unknown_instructor_is_refused(db: Database) -> None:
    with pytest.raises(InvalidRows) as refused:
        await import_one(db, PHP, "instructors", instructors=["nobody@school.example"])
    [problem] = refused.value.problems
    assert (problem.field, str(problem.sentence)) == ("instructors", "There is no account nobody@school.example.")


async def test_a_file_without_status_and_instructors_keeps_them(db: Database) -> None:
    await db.section.update_one(
        {"courseID": "3333"}, {"$set": {"status": "closed", "instructors": [RITA.user_id], "revision": 4}}
    )
    await import_one(db, replace(PHP, capacity=5))
    section = await stored(db)
    assert (section.status, section.instructors) == (SectionStatus.CLOSED, (RITA.user_id,))
    assert (section.capacity, section.revision) == (5, 5)


async def test_an_import_that_changes_nothing_leaves_the_revision(db: Database) -> None:
    assert (await import_one(db, PHP, "status", "instructors")).unchanged == 1
    assert (await stored(db)).revision == 0


async def test_reopening_a_section_gives_its_seats_to_the_waitlist(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    await import_one(db, replace(PHP, capacity=2, status=SectionStatus.CLOSED), "status")
    assert await seats_taken(db, "3333") == 1
    await import_one(db, replace(PHP, capacity=2), "status")
    assert await seats_taken(db, "3333") == 2


@pytest.mark.parametrize("status", [SectionStatus.TENTATIVE, SectionStatus.CANCELLED])
async def test_an_import_does_not_hide_a_section_with_students(
    ada: Browser, db: Database, status: SectionStatus
) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    with pytest.raises(InvalidRows) as refused:
        await import_one(db, replace(PHP, status=status), "status")
    [problem] = refused.value.problems
    assert problem.field == "status"
    assert "Students are enrolled or waiting." in str(problem.sentence)
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 1
