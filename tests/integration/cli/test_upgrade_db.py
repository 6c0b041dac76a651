"""`upgrade-db`: converts the database of a Flask site for this site, without losing anything."""

import asyncio
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import DuplicateKeyError, WriteError

from quart_enroll.db import schema
from quart_enroll.db.client import Database, Document, open_database
from quart_enroll.db.collections import courses, enrollments, schedules, sections, terms, users
from quart_enroll.db.queries import legacy_flask as legacy_flask_queries
from quart_enroll.domain.errors import EmailTaken
from quart_enroll.domain.models import Course, Section, Term, User
from quart_enroll.domain.roles import Role
from quart_enroll.services.accounts import accounts
from quart_enroll.services.accounts.hash_slots import HashSlots
from quart_enroll.services.accounts.hashing import Hasher, unusable_hash
from quart_enroll.services.catalog.import_courses import ImportedCourse, import_courses
from quart_enroll.services.maintenance import audit, schema_check
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, UpgradeReport, upgrade
from tests.support import legacy_flask, people
from tests.support.processes import quart

TERM = "Fall 2026"
NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
NEXT_SPRING = datetime(2027, 2, 1, tzinfo=UTC)
DEFAULTS = UpgradeDefaults("America/New_York", 15, section_capacity=1)

FLASK_COLLECTIONS = ("course", "enrollment", "user")
CONVERTED_COLLECTIONS = {*FLASK_COLLECTIONS, "counter", "schedule", "section", "term", "upgrade"}


@pytest.fixture
async def new_db(fresh_uri: str) -> AsyncIterator[Database]:
    """A database of the test's own as a Flask site leaves it, without any collection of this site."""
    async with open_database(fresh_uri, 20) as database:
        await legacy_flask.fill(database)
        yield database


@pytest.fixture
def only_converted_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the indexes and validators of collections without converted rows alone: they take most of the time."""
    for name in schema_check.COLLECTION_MODULES.keys() - CONVERTED_COLLECTIONS:
        monkeypatch.delitem(schema_check.COLLECTION_MODULES, name)


@pytest.fixture
async def db(module_uri: str, only_converted_collections: None) -> AsyncIterator[Database]:
    """A database as a Flask site leaves it; the collections that only this site has may exist, and are empty."""
    async with open_database(module_uri, 20) as database:
        await restore_flask_site(database)
        yield database


async def restore_flask_site(db: Database) -> None:
    """Make the collections of the Flask site anew, and empty the others."""
    for name in await db.list_collection_names():
        if name in FLASK_COLLECTIONS:
            await db.drop_collection(name)
        else:
            await db[name].delete_many({})
    await legacy_flask.fill(db)


async def seats(db: Database, term: str = TERM) -> list[tuple[int, str]]:
    """Return user_id and courseID of every seat in the term, with duplicates."""
    rows = db.enrollment.find({"term": term, "status": "enrolled"}).sort([("user_id", 1), ("courseID", 1)])
    return [(row["user_id"], row["courseID"]) async for row in rows]


async def all_rows(db: Database) -> dict[str, list[Document]]:
    """Return all rows of all collections."""
    names = sorted(await db.list_collection_names())
    rows = {name: await db[name].find().sort("_id").to_list(None) for name in names}
    for name in rows.keys() & {"term", "section", "schedule"}:  # rows that the upgrade adds have a random _id
        rows[name] = sorted(({**row, "_id": 0} for row in rows[name]), key=str)
    return rows


async def enroll_on_the_flask_site(db: Database, user_id: int, courseID: str) -> None:
    """Insert a row as a Flask site that is still running does."""
    row = {"user_id": user_id, "courseID": courseID}
    await db.enrollment.insert_one(row, bypass_document_validation=True)


async def test_text_credits_become_numbers(db: Database) -> None:
    report = await upgrade(db, NOW, DEFAULTS)
    stored = {course["courseID"]: course["credits"] async for course in db.course.find()}
    assert stored == {"1111": 3, "2222": 4, "3333": 4, "6666": 1.5, "7777": "by arrangement"}
    assert "course: the credits of 3 courses converted to numbers" in report.changes
    assert any("7777" in line and "credits" in line for line in report.unchanged)


async def test_every_student_keeps_every_seat_once(db: Database) -> None:
    report = await upgrade(db, NOW, DEFAULTS)
    assert await seats(db) == [(1, "1111"), (1, "3333"), (2, "1111"), (2, "3333"), (9, "6666")]
    assert "enrollment: 5 rows without a term assigned to Fall 2026" in report.changes
    assert "enrollment: 2 rows merged into another in Fall 2026" in report.changes


async def test_the_oldest_of_duplicate_enrollments_stays(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    row = await db.enrollment.find_one({"user_id": 1, "courseID": "1111"})
    assert row == {
        "_id": legacy_flask.row_id(0),
        "user_id": 1,
        "courseID": "1111",
        "term": TERM,
        "section": "01",
        "status": "enrolled",
        "enrolled_at": legacy_flask.made_at(0),
    }


async def test_rows_of_no_course_or_user_are_listed_and_left_alone(db: Database) -> None:
    numbers = (legacy_flask.UNKNOWN_COURSE, legacy_flask.UNKNOWN_USER)
    lost = {"_id": {"$in": [legacy_flask.row_id(number) for number in numbers]}}
    before = await db.enrollment.find(lost).to_list(None)
    report = await upgrade(db, NOW, DEFAULTS)
    assert await db.enrollment.find(lost).to_list(None) == before
    assert f"enrollment: {legacy_flask.row_id(5)} is for course “9999”, which is unknown" in report.unchanged
    assert f"enrollment: {legacy_flask.row_id(6)} is of user 77, who has no account" in report.unchanged


async def test_two_users_with_one_email_are_listed_and_left_alone(db: Database) -> None:
    report = await upgrade(db, NOW, DEFAULTS)
    roles = {user["user_id"]: user.get("roles") async for user in db.user.find()}
    assert roles == {1: ["student"], 2: ["student"], 5: None, 6: None, 9: ["student"]}
    [line] = [line for line in report.unchanged if "share an email address" in line]
    assert line.startswith("user: 5 (_id")
    assert " and 6 (_id" in line
    assert "cleo" not in line.lower()


async def test_lists_and_searches_follow_what_an_older_version_has_changed(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    await db.user.update_one({"user_id": 1}, {"$set": {"last_name": "Summers", "roles": ["advisor"]}})
    report = await upgrade(db, NOW, DEFAULTS)
    assert report.changes == ["user: 1 user made ready for lists and searches"]
    assert await db.user.count_documents({"user_id": 1, "is_student": False, "search_words": "summers"}) == 1


@pytest.mark.parametrize("step", ["copy_single_roles", "find_unusable_passwords"])
async def test_single_roles_become_lists_even_if_the_upgrade_is_killed_midway(
    db: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for user_id, role in ((1, "student"), (2, "registrar")):
        await db.user.update_one({"user_id": user_id}, {"$set": {"role": role}})

    async def die(_: Database) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(legacy_flask_queries, step, die)
        with pytest.raises(KeyboardInterrupt):
            await upgrade(db, NOW, DEFAULTS)
    for _ in range(2):
        await upgrade(db, NOW, DEFAULTS)
        roles = {row["user_id"]: (row["role"], row["roles"]) async for row in db.user.find({"roles": {"$ne": None}})}
        assert roles == {1: ("student", ["student"]), 2: ("registrar", ["registrar"]), 9: ("student", ["student"])}


async def test_accounts_of_the_earlier_version_and_of_this_one_share_no_email(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    earlier = {"user_id": 50, "email": "zoe@school.example", "first_name": "Zoe", "last_name": "", "password": "!"}
    await db.user.insert_one(earlier | {"role": "registrar"})
    zoe = await users.find(db, 50)
    assert zoe is not None
    assert zoe.roles == {Role.REGISTRAR}
    with pytest.raises(EmailTaken):
        await users.add(db, User(51, "ZOE@school.example", "Zoe", "Adler"), "!")
    await users.add(db, User(51, "nia@school.example", "Nia", "Adler", frozenset({Role.REGISTRAR})), "!")
    with pytest.raises(DuplicateKeyError):
        await db.user.insert_one(earlier | {"_id": 52, "user_id": 52, "email": "nia@school.example", "role": "student"})
    assert (await db.user.find_one({"user_id": 51}) or {})["role"] == "registrar"


async def test_users_of_the_flask_site_sign_in_with_their_old_password(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    with Hasher("scrypt:1024:8:1", slots=HashSlots(None, 1), queue=9) as hasher:
        for user_id, (_, email, _) in legacy_flask.PEOPLE.items():
            found = await accounts.authenticate(db, hasher, email=email, password=legacy_flask.PASSWORD)
            assert found.user.user_id == user_id
    assert not await db.user.count_documents({"password": {"$not": {"$regex": "^scrypt:1024:8:1"}}})


async def test_the_second_run_changes_nothing_and_says_so(db: Database) -> None:
    first = await upgrade(db, NOW, DEFAULTS)
    before = await all_rows(db)
    second = await upgrade(db, NOW, DEFAULTS)
    assert second == UpgradeReport([], first.unchanged, [])
    assert await all_rows(db) == before


async def test_upgrading_in_the_next_term_keeps_this_terms_seats(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    before = await seats(db)
    assert (await upgrade(db, NEXT_SPRING, DEFAULTS)).changes == []
    assert await seats(db) == before


async def test_rows_added_later_by_a_flask_site_are_upgraded_too(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    await enroll_on_the_flask_site(db, 1, "1111")
    await enroll_on_the_flask_site(db, 1, "2222")
    report = await upgrade(db, NOW, DEFAULTS)
    assert report.changes == [
        "enrollment: 1 row without a term assigned to Spring 2027",
        "enrollment: 1 row merged into another in Fall 2026",
        "section: seats recounted in 1 section",
        "schedule: credits recounted in 1 schedule",
    ]
    assert await seats(db) == [(1, "1111"), (1, "3333"), (2, "1111"), (2, "3333"), (9, "6666")]
    assert await seats(db, "Spring 2027") == [(1, "2222")]


async def test_a_merged_seat_has_the_date_of_its_oldest_row(db: Database) -> None:
    await db.enrollment.delete_many({"user_id": 1})
    seat = {"user_id": 1, "courseID": "1111", "term": TERM, "status": "enrolled"}
    await db.enrollment.insert_one({**seat, "enrolled_at": legacy_flask.made_at(100)})
    await db.enrollment.insert_one({"_id": legacy_flask.row_id(50), "user_id": 1, "courseID": "1111"})
    await upgrade(db, NOW, DEFAULTS)
    [row] = await db.enrollment.find({"user_id": 1}).to_list(None)
    assert row["enrolled_at"] == legacy_flask.made_at(50)


async def test_duplicate_rows_with_a_term_are_merged_too(db: Database) -> None:
    seat = {"user_id": 2, "courseID": "2222", "term": TERM, "status": "enrolled"}
    await db.enrollment.insert_many([{**seat, "enrolled_at": legacy_flask.made_at(hour)} for hour in (7, 3, 5)])
    report = await upgrade(db, NOW, DEFAULTS)
    [row] = await db.enrollment.find({"user_id": 2, "courseID": "2222"}).to_list(None)
    assert row["enrolled_at"] == legacy_flask.made_at(3)
    assert "enrollment: 2 rows merged into an older one" in report.changes


async def test_the_next_student_number_is_above_the_highest(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    assert await users.next_user_id(db) == 10


async def test_indexes_and_validators_are_added_beside_those_of_mongoengine(new_db: Database) -> None:
    report = await upgrade(new_db, NOW, DEFAULTS)
    assert report.failures == []
    for repository, collection in ((courses, "course"), (users, "user"), (enrollments, "enrollment")):
        wanted = {index.document["name"] for index in repository.INDEXES}
        assert wanted <= set(await new_db[collection].index_information())
        assert (await new_db[collection].options())["validator"] == {"$jsonSchema": repository.SCHEMA}


async def test_an_equal_index_under_another_name_is_accepted(db: Database) -> None:
    await db.course.drop_index("courseID_1")
    await db.course.create_index("courseID", unique=True, name="by_number")
    report = await upgrade(db, NOW, DEFAULTS)
    assert report.failures == []
    assert "courseID_1" not in await db.course.index_information()


async def test_an_index_with_other_options_is_explained(db: Database) -> None:
    await db.user.drop_index("user_id_1")
    await db.user.create_index("user_id")
    report = await upgrade(db, NOW, DEFAULTS)
    assert report.failures == ["user: the index user_id_1 has other options; drop it, then run this again"]
    assert len(await seats(db)) == 5


async def test_a_duplicate_course_number_is_reported_once(db: Database) -> None:
    await db.course.drop_indexes()
    await db.course.insert_one({"courseID": "1111", "title": "T", "description": "", "credits": 3, "term": "Fall"})
    report = await upgrade(db, NOW, DEFAULTS)
    assert any("courseID 1111 is used by" in sentence for sentence in report.unchanged)
    assert not any("spellings" in sentence for sentence in report.unchanged if sentence.startswith("The courses"))


async def test_a_duplicate_number_is_listed_and_its_index_postponed(db: Database) -> None:
    await db.user.drop_index("user_id_1")
    await db.course.drop_index("courseID_1")
    await db.user.update_one({"user_id": 2}, {"$set": {"user_id": 1}})
    await db.course.update_one({"courseID": "2222"}, {"$set": {"courseID": "1111"}})
    report = await upgrade(db, NOW, DEFAULTS)
    assert any(line.startswith("user: user_id 1 is used by 1 (_id") for line in report.unchanged)
    assert any(line.startswith("course: courseID 1111 is used by 1111") for line in report.unchanged)
    postponed = [line for line in report.unchanged if "can’t be created" in line]
    assert [line.split()[3] for line in postponed] == ["courseID_1", "user_id_1"]
    assert report.failures == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"$unset": {"last_name": ""}}, "last_name"),
        ({"$set": {"user_id": 2.5}}, "user_id"),
        ({"$set": {"user_id": "two"}}, "user_id"),
        ({"$set": {"password": None}}, "password"),
    ],
)
async def test_an_incomplete_user_is_listed(db: Database, change: Document, field: str) -> None:
    await db.user.update_one({"user_id": 2}, change)
    report = await upgrade(db, NOW, DEFAULTS)
    assert any(line.startswith("user: ") and line.endswith(f"lacks a valid {field}") for line in report.unchanged)


@pytest.mark.parametrize("courseID", ["", "x" * 21, {"number": 1}, ["1"], None])
async def test_a_course_without_a_usable_number_is_listed(db: Database, courseID: Any) -> None:
    await db.course.insert_one(
        {"_id": "odd", "courseID": courseID, "title": "T", "description": "", "credits": 3, "term": "Fall"}
    )
    report = await upgrade(db, NOW, DEFAULTS)
    assert any("(_id odd) lacks a valid courseID" in sentence for sentence in report.unchanged)
    assert await db.section.count_documents({"courseID": "1111"}) == 2


async def test_rows_of_another_program_do_not_stop_the_upgrade(new_db: Database) -> None:
    await new_db.section.insert_one({"heading": "News"})
    await new_db.user.insert_one({"user_id": 50, "email": ["fay@school.example"]})
    assert await seats(new_db) == []
    await upgrade(new_db, NOW, DEFAULTS)
    assert (1, "1111") in await seats(new_db)


async def test_a_row_without_a_timestamp_in_its_id_is_dated_now(db: Database) -> None:
    await db.enrollment.insert_one({"_id": "by hand", "user_id": 2, "courseID": "2222"})
    await upgrade(db, NOW, DEFAULTS)
    row = await db.enrollment.find_one({"_id": "by hand"})
    assert row is not None
    assert row["enrolled_at"].year >= 2026


async def test_the_seasons_of_the_courses_become_terms_that_are_open(db: Database) -> None:
    report = await upgrade(db, NOW, DEFAULTS)
    made = await terms.find_all(db)
    assert [(term.term, term.max_credits, term.timezone) for term in made] == [
        ("Fall 2026", 15, "America/New_York"),
        ("Spring 2027", 15, "America/New_York"),
    ]
    assert all(term.is_open(NOW) for term in made)
    assert "term: Fall 2026 created, open until the end of 2026-12-31" in report.changes


async def test_every_course_is_offered_in_a_section_of_each_of_its_terms(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    offered = await sections.find_all(db, ["Fall 2026", "Spring 2027"])
    assert [(one.term, one.courseID, one.seats_taken) for one in offered] == [
        ("Fall 2026", "1111", 2),
        ("Fall 2026", "3333", 2),
        ("Fall 2026", "6666", 1),
        ("Fall 2026", "7777", 0),
        ("Spring 2027", "1111", 0),
        ("Spring 2027", "2222", 0),
        ("Spring 2027", "6666", 0),
    ]
    assert {(one.section, one.capacity, one.waitlist_capacity, one.meetings) for one in offered} == {("01", 1, 10, ())}


async def test_a_schedule_has_the_credits_of_its_courses(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    assert await schedules.find_credits(db, 1) == {TERM: 7}
    assert await schedules.find_credits(db, 9) == {TERM: 1.5}


async def test_an_overfull_flask_course_keeps_all_its_students(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    found = await audit.check(db, NOW)
    assert found.notes == [
        f"{courseID}, section 01, Fall 2026: 2 enrolled, but the capacity is 1; it was lowered, or staff exceeded it."
        for courseID in ("1111", "3333")
    ]
    assert [line for line in found.discrepancies if not line.startswith("Enrollment ")] == []
    assert len(found.discrepancies) == 2  # the rows that the upgrade doesn't change


async def test_a_school_with_terms_and_sections_keeps_them(db: Database) -> None:
    await terms.put_all(db, [people.FALL])
    await sections.put_all(db, [Section(TERM, "1111", "A", 40, waitlist_capacity=3)])
    await upgrade(db, NOW, DEFAULTS)
    assert await terms.find_all(db) == [people.FALL]
    [offered] = await sections.find_all(db, [TERM], ["1111"])
    assert (offered.section, offered.capacity, offered.seats_taken) == ("A", 40, 2)


async def test_terms_named_by_season_stay_and_other_names_become_possible(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    only_seasons = deepcopy(terms.SCHEMA)
    only_seasons["required"] += ["season", "year"]
    only_seasons["properties"]["term"]["maxLength"] = 20
    await db.command("collMod", "term", validator={"$jsonSchema": only_seasons})
    before = await terms.find_all(db)
    assert (await upgrade(db, NOW, DEFAULTS)).changes == ["term: validator set"]
    await terms.put_all(db, [replace(before[0], term="Fall 2026, the second half")])
    assert (await upgrade(db, NOW, DEFAULTS)).changes == []
    known = {term.term for term in await terms.find_all(db)}
    assert known == {TERM, "Fall 2026, the second half", "Spring 2027"}
    assert await terms.find(db, TERM) == before[0]


async def import_course(db: Database, courseID: str = "8888", term: str = "Fall") -> None:
    file = ImportedCourse(1, Course(courseID, "SEW 101", "", 2, term), frozenset())
    await import_courses(db, [file], NOW)


async def test_imported_courses_get_sections_if_all_sections_are_generated(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    await import_course(db)
    assert (await upgrade(db, NOW, DEFAULTS)).changes == ["section: 1 section created"]
    [offered] = await sections.find_all(db, [TERM], ["8888"])
    assert (offered.section, offered.capacity) == ("01", 1)


@pytest.mark.parametrize(
    "imported",
    [
        Section(TERM, "1111", "A", 1, waitlist_capacity=10),
        Section(TERM, "1111", "01", 40, waitlist_capacity=10),
        Section(TERM, "1111", "01", 1, waitlist_capacity=10, meetings=people.MORNINGS),
        Section(TERM, "1111", "01", 1, waitlist_capacity=10, room="Hall 12"),
        people.FALL,
        replace(people.FALL, withdraw_deadline=people.FALL.add_deadline, ends_on=date(2026, 12, 1)),
    ],
)
async def test_a_school_that_imports_sections_gets_generated_ones_only_on_request(
    db: Database, imported: Section | Term
) -> None:
    await upgrade(db, NOW, DEFAULTS)
    if isinstance(imported, Term):
        await terms.put_all(db, [imported])
    else:
        await sections.put_all(db, [imported])
    await import_course(db)
    report = await upgrade(db, NOW, DEFAULTS)
    assert report.changes == []
    assert (
        "course: No student can enroll in 1 course without sections: 8888. "
        "Add sections with `import section`, or give each course a section 01 with `upgrade-db --sections`."
    ) in report.unchanged
    assert (await upgrade(db, NOW, DEFAULTS, all_sections=True)).changes == ["section: 1 section created"]
    assert await sections.find_all(db, [TERM], ["8888"])


async def test_courses_of_no_term_and_sections_of_no_course_are_listed(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    await import_course(db, "8888", "Winter 2022")
    await sections.put_all(db, [Section(TERM, "9998", "01", 30), Section("Fall 2019", "1111", "B", 30)])
    report = await upgrade(db, NOW, DEFAULTS)
    assert report.changes == []
    for line in (
        "course: No student can enroll in 1 course of “Winter 2022”, which is not a term of the school: 8888. "
        "Add the term with `import term`, or change the course with `import course`.",
        "section: Students can’t see the sections of course 9998, which is not in the catalog: 01 (Fall 2026). "
        "Add the course with `import course`.",
        "section: Students can’t see the sections of Fall 2019, which is not a term of the school: 1111 B. "
        "Add the term with `import term`.",
    ):
        assert line in report.unchanged


async def test_an_old_enrollment_is_placed_in_a_term_that_its_course_names(db: Database) -> None:
    await enroll_on_the_flask_site(db, 2, "2222")
    await enroll_on_the_flask_site(db, 2, "2222")
    report = await upgrade(db, NOW, DEFAULTS)
    assert await seats(db, "Spring 2027") == [(2, "2222")]
    assert "enrollment: 1 row merged into another in Spring 2027" in report.changes


async def test_an_old_enrollment_waits_until_the_term_of_its_course_exists(db: Database) -> None:
    await db.course.update_one({"courseID": "2222"}, {"$set": {"term": "Winter 2022"}})
    await enroll_on_the_flask_site(db, 2, "2222")
    unassigned = "enrollment: 1 of course 2222 can’t be assigned until a term exists that the course names"
    assert unassigned in (await upgrade(db, NOW, DEFAULTS)).unchanged
    winter = replace(people.FALL, term="Winter 2022")
    await terms.put_all(db, [winter])
    assert unassigned not in (await upgrade(db, NOW, DEFAULTS)).unchanged
    assert await seats(db, "Winter 2022") == [(2, "2222")]


async def test_an_old_row_gives_no_second_seat_in_a_course(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    await enroll_on_the_flask_site(db, 2, "1111")
    held = {"user_id": 2, "courseID": "1111"}
    await db.enrollment.update_one({**held, "term": TERM}, {"$set": {"term": "Spring 2027"}})
    report = await upgrade(db, NOW, DEFAULTS)
    assert "enrollment: 1 row merged into another in Spring 2027" in report.changes
    [row] = await db.enrollment.find(held).to_list(None)
    assert (row["term"], row["enrolled_at"]) == ("Spring 2027", legacy_flask.made_at(3))


async def test_enrollments_that_have_a_term_but_no_section_get_one(db: Database) -> None:
    placed = {"user_id": 2, "term": "Fall 2025", "status": "enrolled", "enrolled_at": NOW}
    await db.enrollment.insert_one({**placed, "courseID": "2222"})
    report = await upgrade(db, NOW, DEFAULTS)
    row = await db.enrollment.find_one({"user_id": 2, "term": "Fall 2025"})
    assert row is not None
    assert row["section"] == "01"
    [offered] = await sections.find_all(db, ["Fall 2025"])
    assert (offered.courseID, offered.seats_taken) == ("2222", 1)
    past = await terms.find(db, "Fall 2025")
    assert past is not None
    assert not past.is_open(NOW)
    assert "enrollment: 1 row assigned to a section" in report.changes


async def test_rows_of_an_unknown_term_are_listed(db: Database) -> None:
    await terms.put_all(db, [people.FALL])
    lost = {"user_id": 2, "term": "Fall 2019", "courseID": "2222", "status": "enrolled", "enrolled_at": NOW}
    await db.enrollment.insert_one(lost)
    report = await upgrade(db, NOW, DEFAULTS)
    assert "enrollment: there are rows in Fall 2019, which is not a term; add it with `import term`" in (
        report.unchanged
    )


async def test_old_enrollments_of_courses_without_a_season_wait_for_a_term(db: Database) -> None:
    await db.course.update_many({}, {"$set": {"term": "whenever"}})
    report = await upgrade(db, NOW, DEFAULTS)
    assert (
        "enrollment: rows without a term can’t be assigned until there is one; add it with `import term`"
        in report.unchanged
    )
    await terms.put_all(db, [people.FALL])
    await upgrade(db, NOW, DEFAULTS)
    assert len(await seats(db)) == 5


class Killed(Exception):
    """Stands for the death of the process."""


class WriteLimiter:
    """Lets `remaining` writes through, then raises Killed; None lets all through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.remaining: int | None = None
        for name in ("update_one", "update_many", "delete_many", "bulk_write"):
            write = getattr(AsyncIOMotorCollection, name)
            monkeypatch.setattr(AsyncIOMotorCollection, name, self._counted(write))

    def _counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self.remaining == 0:
                raise Killed
            if self.remaining is not None:
                self.remaining -= 1
            return write(*args, **kwargs)

        return counted


async def killed_before_write(db: Database, limiter: WriteLimiter, number: int) -> bool:
    """Upgrade a Flask site's database until that write, and return whether the upgrade had so many."""
    await restore_flask_site(db)
    limiter.remaining = number
    try:
        await upgrade(db, NOW, DEFAULTS)
    except Killed:
        return True
    finally:
        limiter.remaining = None
    return False


async def test_an_upgrade_killed_at_any_write_is_completed_by_the_next_run(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgrade(db, NOW, DEFAULTS)
    wanted = await all_rows(db)
    limiter = WriteLimiter(monkeypatch)
    number = 0
    while await killed_before_write(db, limiter, number):
        await upgrade(db, NOW, DEFAULTS)
        assert await all_rows(db) == wanted
        number += 1
    assert number >= 9


async def set_passwords(db: Database, passwords: dict[int, str]) -> None:
    for user_id, password in passwords.items():
        await db.user.update_one({"user_id": user_id}, {"$set": {"password": password}})


async def test_plain_text_passwords_are_hashed_and_still_work(db: Database) -> None:
    await set_passwords(db, {1: "fall2022!", 2: "a long pass phrase of bob"})
    report = await upgrade(db, NOW, replace(DEFAULTS, password_method=people.PASSWORD_METHOD))
    hashed = [line for line in report.changes if "plain-text" in line]
    assert hashed == [
        "user: the plain-text passwords of 2 users were hashed; others may have read them, so replace them: 1, 2"
    ]
    assert await db.user.count_documents({"password": {"$regex": f"^{people.PASSWORD_METHOD}"}}) == 2
    with Hasher(people.PASSWORD_METHOD, slots=HashSlots(None, 1), queue=9) as hasher:
        found = await accounts.authenticate(db, hasher, email="ada@school.example", password="fall2022!")
    assert found.user.user_id == 1
    assert "fall2022!" not in str(report)


async def test_passwords_in_unknown_formats_are_counted_and_left_alone(db: Database) -> None:
    foreign = {
        1: "$2b$12$0iQZ3vYk5cT0Wc6Jc0XzUuEw2n8m8k1bJbq3u0pZ2yqv8kqv3n2W6",
        2: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
        5: "sha256$abcdefgh$0123456789abcdef",
        6: "",
    }
    await set_passwords(db, foreign)
    report = await upgrade(db, NOW, DEFAULTS)
    assert (
        "user: the passwords of 4 users can’t be checked, because Werkzeug didn’t hash them; "
        "`password-link` prints a link to choose a new one: 1, 2, 5, 6"
    ) in report.unchanged
    assert not any("plain-text" in line for line in report.changes)
    stored = {row["user_id"]: row["password"] async for row in db.user.find({"user_id": {"$in": list(foreign)}})}
    assert stored == foreign


async def test_users_imported_without_a_password_are_not_listed(db: Database) -> None:
    await set_passwords(db, {1: unusable_hash(people.PASSWORD_METHOD)})
    assert not any("password" in line for line in (await upgrade(db, NOW, DEFAULTS)).unchanged)


async def test_courses_in_the_flask_sites_format_can_be_added_later(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    flask = {"title": "SEW 101", "description": "", "term": "Fall"}
    await db.course.insert_many([{**flask, "courseID": f"88{text}", "credits": text} for text in ("3", " 1.5 ", "30")])
    for text in ("31", "by arrangement", "-1", ""):
        with pytest.raises(WriteError):
            await db.course.insert_one({**flask, "courseID": "8900", "credits": text})
    added = {course.courseID: course.credits for course in await courses.find_all(db) if course.courseID[:2] == "88"}
    assert added == {"883": 3, "88 1.5 ": 1.5, "8830": 30}
    report = await upgrade(db, NOW, DEFAULTS)
    assert report.changes == ["course: the credits of 3 courses converted to numbers", "section: 3 sections created"]
    assert await db.course.count_documents({"credits": {"$type": "string"}}) == 1  # by arrangement


async def test_a_validator_that_refused_credits_as_text_is_changed(db: Database) -> None:
    await upgrade(db, NOW, DEFAULTS)
    numbers = deepcopy(courses.SCHEMA)
    numbers["properties"]["credits"] = {"bsonType": "number", "minimum": 0, "maximum": 30}
    await db.command("collMod", "course", validator={"$jsonSchema": numbers})
    assert (await upgrade(db, NOW, DEFAULTS)).changes == ["course: validator set"]
    assert (await upgrade(db, NOW, DEFAULTS)).changes == []


async def test_upgrades_that_run_at_the_same_time_all_succeed(new_db: Database) -> None:
    reports = await asyncio.gather(*(upgrade(new_db, NOW, DEFAULTS) for _ in range(4)))
    assert [report.failures for report in reports] == [[]] * 4
    assert await schema_check.problems(new_db) == []
    assert await seats(new_db) == [(1, "1111"), (1, "3333"), (2, "1111"), (2, "3333"), (9, "6666")]
    assert (await upgrade(new_db, NOW, DEFAULTS)).changes == []


async def test_a_collection_that_the_site_creates_meanwhile_gets_its_validator(
    new_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_and_be_overtaken(db: Database, collection: str | None = None) -> dict[str, Document]:
        found = await stored_options(db, collection)
        if collection is None and "login" not in found:
            await db.create_collection("login")
        return found

    stored_options = schema.stored_options
    monkeypatch.setattr(schema, "stored_options", look_and_be_overtaken)
    assert (await upgrade(new_db, NOW, DEFAULTS)).failures == []
    monkeypatch.undo()
    assert await schema_check.problems(new_db) == []


async def test_the_upgrade_command_reports_and_exits_successfully(db: Database, module_uri: str) -> None:
    first, second = [await asyncio.to_thread(quart, "upgrade-db", MONGO_URI=module_uri) for _ in range(2)]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "course: the credits of 3 courses converted to numbers\n" in first.stdout
    assert second.stdout.startswith("The database is up to date; nothing was changed.\nNot changed:\n")


async def test_the_upgrade_command_explains_an_impossible_index(db: Database, module_uri: str) -> None:
    await db.course.drop_index("courseID_1")
    await db.course.create_index("courseID")
    result = await asyncio.to_thread(quart, "upgrade-db", MONGO_URI=module_uri)
    assert result.returncode == 1
    assert "Error: course: the index courseID_1 has other options" in result.stderr  # a slow command may be logged too
    assert "Traceback" not in result.stderr
