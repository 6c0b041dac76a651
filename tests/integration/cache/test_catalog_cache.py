"""The catalog in memory follows the database, whichever process changes it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from quart_enroll.db import change_streams, section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import enrollments, sections, terms
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration, SectionKey
from quart_enroll.domain.student import StudentSeat
from quart_enroll.services.catalog import cache
from quart_enroll.services.catalog.cache import CatalogCache
from tests.support.people import FALL, SECTIONS, TERMS, Clock, offer_course

TIMEOUT_SECONDS = 20
"""How long a change event may take on a busy machine."""


@pytest.fixture
async def catalog_cache(db: Database, clock: Clock) -> AsyncIterator[CatalogCache]:
    async with cache.open_catalog_cache(db, clock) as catalog_cache:
        await catalog_cache.get()
        yield catalog_cache


async def wait_until_catalog(catalog_cache: CatalogCache, condition: Callable[[Catalog], bool]) -> None:
    """Wait until the catalog meets the condition."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not condition(await catalog_cache.get()):
            await catalog_cache.wait_until_replaced()


def open_seats(catalog: Catalog) -> int:
    return catalog.sections_of("1111", FALL)[0].open_seats


async def test_a_seat_taken_in_another_process_is_seen(db: Database, catalog_cache: CatalogCache) -> None:
    assert open_seats(await catalog_cache.get()) == 30
    await sections.take_seat(db, SECTIONS[0].key, None)
    await wait_until_catalog(catalog_cache, lambda catalog: open_seats(catalog) == 29)


async def test_a_new_course_with_its_section_is_seen(db: Database, catalog_cache: CatalogCache) -> None:
    await offer_course(db, "9999", "NEW 101")
    await wait_until_catalog(
        catalog_cache, lambda catalog: "9999" in [one.course.courseID for one in catalog.courses_in(FALL)]
    )


async def test_a_deleted_course_disappears_from_the_catalog(db: Database, catalog_cache: CatalogCache) -> None:
    await db.course.delete_one({"courseID": "3333"})
    await wait_until_catalog(catalog_cache, lambda catalog: catalog.find("3333") is None)


async def test_a_section_renumbered_in_the_database_is_found_by_its_new_number(
    db: Database, catalog_cache: CatalogCache
) -> None:
    await sections.take_seat(db, SECTIONS[0].key, None)
    await wait_until_catalog(catalog_cache, lambda catalog: open_seats(catalog) == 29)  # the whole catalog was read
    await db.section.update_one({"courseID": "1111", "section": "02"}, {"$set": {"section": "0"}})
    await wait_until_catalog(
        catalog_cache,
        lambda catalog: [one.section for one in catalog.sections_in("1111", FALL.term)] == ["0", "01"],
    )


async def test_a_deleted_section_disappears_from_the_catalog(db: Database, catalog_cache: CatalogCache) -> None:
    await db.section.delete_many({"courseID": "3333"})
    await wait_until_catalog(catalog_cache, lambda catalog: not catalog.sections_of("3333", FALL))


async def test_a_changed_deadline_is_seen(db: Database, catalog_cache: CatalogCache) -> None:
    async def body(session: Session) -> None:
        await terms.put_all(db, [replace(FALL, max_credits=21)], session)

    await transaction(db, body)
    await wait_until_catalog(catalog_cache, lambda catalog: catalog.terms[0].max_credits == 21)


async def test_sections_stay_in_order_when_seats_are_taken(db: Database, catalog_cache: CatalogCache) -> None:
    before = [section.key for section in (await catalog_cache.get()).sections]
    assert before == sorted(before)
    await sections.take_seat(db, SECTIONS[-1].key, None)
    await sections.take_seat(db, SECTIONS[0].key, None)
    await wait_until_catalog(catalog_cache, lambda catalog: open_seats(catalog) == 29)
    assert [section.key for section in (await catalog_cache.get()).sections] == before


async def test_sections_of_past_terms_are_not_held_in_memory(db: Database, clock: Clock) -> None:
    clock.now = FALL.withdraw_deadline
    catalog_cache = CatalogCache(db, clock)
    catalog = await catalog_cache.get()
    assert {section.term for section in catalog.sections} == {"Spring 2027"}
    assert list(catalog.terms) == TERMS


async def test_simultaneous_first_requests_read_the_catalog_once(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    find_all = terms.find_all

    async def counted(db: Database) -> list[object]:
        nonlocal reads
        reads += 1
        return list(await find_all(db))

    monkeypatch.setattr(terms, "find_all", counted)
    catalog_cache = CatalogCache(db, clock)
    catalogs = await asyncio.gather(*(catalog_cache.get() for _ in range(20)))
    assert reads == 1
    assert len({id(catalog) for catalog in catalogs}) == 1


async def test_a_change_is_applied_without_waiting_for_further_changes(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_streams, "MAX_AWAIT_MILLISECONDS", 2 * TIMEOUT_SECONDS * 1000)
    changed = await db.section.find_one(section_keys.to_filter(SECTIONS[0].key))
    assert changed is not None
    async with change_streams.watch_catalog(db) as changes:
        await sections.take_seat(db, SECTIONS[0].key, None)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while changed["_id"] not in await anext(changes):
                pass  # a stream begins with the last change before it, which may be that of a fixture


async def test_seats_of_past_terms_are_read_once(db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.now = FALL.withdraw_deadline
    catalog_cache = CatalogCache(db, clock)
    to_registrations, reads = enrollments.to_registrations, 0

    async def counted(db: Database, rows: Sequence[Document]) -> list[Registration]:
        nonlocal reads
        reads += 1
        return await to_registrations(db, rows)

    monkeypatch.setattr(enrollments, "to_registrations", counted)
    for _ in range(2):
        [registration] = await catalog_cache.registrations([StudentSeat(SECTIONS[0].key, "enrolled")])
        assert (registration.section.key, registration.section.room, registration.status) == (
            SECTIONS[0].key,
            SECTIONS[0].room,
            "enrolled",
        )
    assert reads == 1
    await db.section.update_one(
        {"term": "Fall 2026", "courseID": "1111", "section": "01"}, {"$set": {"room": "Elsewhere 1"}}
    )
    await catalog_cache.reload()
    [registration] = await catalog_cache.registrations([StudentSeat(SECTIONS[0].key, "enrolled")])
    assert registration.section.room == "Elsewhere 1"


async def test_a_seat_in_a_section_missing_from_the_cached_catalog_is_found(db: Database, clock: Clock) -> None:
    catalog_cache = CatalogCache(db, clock)
    catalog = await catalog_cache.get()
    await offer_course(db, "9999", "NEW 101")
    assert catalog.find("9999") is None
    [registration] = await catalog_cache.registrations([StudentSeat(SectionKey(FALL.term, "9999", "01"), "enrolled")])
    assert registration.course.title == "NEW 101"


async def test_a_seat_in_a_deleted_section_has_no_meetings_and_one_in_a_deleted_course_is_left_out(
    db: Database, clock: Clock
) -> None:
    await db.section.delete_many({"courseID": "1111"})
    await db.course.delete_many({"courseID": "2222"})
    catalog_cache = CatalogCache(db, clock)
    seats = [StudentSeat(SectionKey(FALL.term, courseID, "01"), "withdrawn") for courseID in ("1111", "2222")]
    [registration] = await catalog_cache.registrations(seats)
    assert (registration.course.courseID, registration.section.meetings, registration.status) == (
        "1111",
        (),
        "withdrawn",
    )
