"""The registrar's list of people, and what the registrar sets of each."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.audit import About, Change, LogFilter
from quart_enroll.domain.errors import EditConflict, LastRegistrar
from quart_enroll.domain.models import Profile, User
from quart_enroll.domain.roles import Role
from quart_enroll.domain.student_attributes import StudentAttributes, StudentStatus
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.staff import audit, people
from tests.support.people import (
    ADA,
    ARON,
    BOB,
    FALL_MORNING,
    IVAN,
    PASSWORD_HASH,
    RITA,
    SAMI,
    UMA,
    Browser,
    seats_taken,
    text,
)

pytestmark = pytest.mark.usefixtures("other_staff")


def ids(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'href="/staff/people/(\d+)"', page)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [SAMI, UMA, ARON, RITA, BOB, IVAN, ADA]),
        ("?sort=user_id", [ADA, BOB, RITA, IVAN, ARON, SAMI, UMA]),
        ("?role=advisor", [ARON]),
        ("?role=staff&sort=user_id", [RITA, IVAN, ARON, SAMI, UMA]),
        ("?role=student&q=okafor", [BOB]),
        ("?role=nonsense&sort=user_id&q=ivan", [IVAN]),
        ("?q=zzz", []),
    ],
)
async def test_people_are_found_by_word_and_role(rita: Browser, query: str, found: list[User]) -> None:
    page = await rita.read(f"/staff/people{query}")
    assert ids(page) == [user.user_id for user in found]
    assert ("No people match" in page) == (not found)


async def fill_in(browser: Browser, user: User, **fields: Any) -> dict[str, Any]:
    """Return the fields of the person's page as a browser sends them, with these changed."""
    page = await browser.read(f"/staff/people/{user.user_id}")
    [seen] = re.findall(r'name="seen" type="hidden" value="(\w+)"', page)
    checked = re.findall(r'name="(roles|subjects)" value="([^"]+)" checked', page)
    [advisors] = re.findall(r'name="advisors" [^>]*value="([^"]*)"', page)
    form: dict[str, Any] = {"seen": seen, "advisors": unescape(advisors), "roles": [], "subjects": []}
    for name, value in checked:
        form[name].append(value)
    return form | fields


async def save(browser: Browser, user: User, **fields: Any) -> int:
    form = await fill_in(browser, user, **fields)
    return (await browser.send(f"/staff/people/{user.user_id}", form | {"confirmed": "y"})).status_code


async def test_a_change_is_made_after_a_page_that_says_what_it_does(rita: Browser, db: Database) -> None:
    form = await fill_in(rita, BOB, roles=["student", "advisor"])
    response = await rita.send(f"/staff/people/{BOB.user_id}", form)
    page = unescape(await text(response))
    assert response.status_code == 200
    assert "Advisor: Sees the records of their own advisees and acts for them." in page
    assert await users.find(db, BOB.user_id) == BOB
    assert '<input type="hidden" name="roles" value="advisor">' in page
    response = await rita.send(f"/staff/people/{BOB.user_id}", form | {"confirmed": "y"})
    assert (response.status_code, response.location) == (303, f"/staff/people/{BOB.user_id}")
    assert await users.find(db, BOB.user_id) == replace(BOB, roles=frozenset({Role.STUDENT, Role.ADVISOR}))


async def test_advisors_and_the_directory_are_stored_only_while_they_are_set(rita: Browser, db: Database) -> None:
    assert await save(rita, ADA, advisors=f"{ARON.email}", directory_opt_out="y") == 303
    stored = await db.user.find_one({"user_id": ADA.user_id})
    assert stored is not None
    assert (stored["advisors"], stored["directory_opt_out"]) == ([ARON.user_id], True)
    assert await save(rita, ADA, advisors="") == 303
    stored = await db.user.find_one({"user_id": ADA.user_id})
    assert stored is not None
    assert not {"advisors", "subjects", "directory_opt_out"} & stored.keys()


@pytest.mark.parametrize(
    ("user", "fields", "field", "sentence"),
    [
        (BOB, {"roles": []}, "roles", "Choose at least one role."),
        (RITA, {"roles": ["student"]}, "roles", "This is the only registrar."),
        (BOB, {"roles": ["scheduler"]}, "subjects", "Choose the subjects of this scheduler."),
        (SAMI, {"roles": ["advisor"]}, "subjects", "Only schedulers have subjects."),
        (UMA, {"advisors": "aron@school.example"}, "advisors", "Only students have advisors."),
        (ADA, {"advisors": "ivan@school.example"}, "advisors", "ivan@school.example isn’t an advisor."),
        (ADA, {"advisors": "12 999"}, "advisors", "999 isn’t an advisor."),
    ],
)
async def test_invalid_choices_are_refused_beside_their_field(
    rita: Browser, db: Database, user: User, fields: dict[str, Any], field: str, sentence: str
) -> None:
    form = await fill_in(rita, user, **fields)
    response = await rita.send(f"/staff/people/{user.user_id}", form)
    page = unescape(await text(response))
    assert response.status_code == 422
    assert re.findall(r'<a href="#(\w+)">', page) == [field]
    [beside] = re.findall(rf'id="{field}-error"[^>]*>(.*?)<', page)
    assert beside.startswith(sentence)
    stored = await users.find(db, user.user_id)
    assert stored is not None
    assert Profile.of(stored) == Profile.of(user)


async def test_nobody_whose_email_is_unconfirmed_becomes_staff(rita: Browser, db: Database) -> None:
    zoe = User(20, "zoe@school.example", "Zoe", "Adler", email_unconfirmed=True)
    await users.add(db, zoe, PASSWORD_HASH)
    assert await save(rita, zoe, roles=["student", "auditor"]) == 422
    assert await users.find(db, 20) == zoe


async def test_the_second_of_two_registrars_sees_what_the_first_has_saved(rita: Browser, db: Database) -> None:
    form = await fill_in(rita, BOB, roles=["instructor"])
    await users_become(db, BOB, Role.AUDITOR)
    response = await rita.send(f"/staff/people/{BOB.user_id}", form | {"confirmed": "y"})
    page = await text(response)
    assert response.status_code == 422
    assert "Someone else has changed this" in page
    assert '<td role="cell" data-label="Saved by someone else">Auditor</td>' in page
    assert '<td role="cell" data-label="Your entry">Instructor</td>' in page
    assert re.findall(r'name="roles" value="(\w+)" checked', page) == ["instructor"]


async def users_become(db: Database, user: User, role: Role) -> None:
    await db.user.update_one({"user_id": user.user_id}, {"$set": {"roles": [role]}})


async def test_two_registrars_cannot_remove_each_other_at_once(db: Database) -> None:
    await users_become(db, BOB, Role.REGISTRAR)
    context = EnrollmentContext(db)
    registrar = Profile(frozenset({Role.REGISTRAR}))
    student = Profile(frozenset({Role.STUDENT}))
    await people.change_profile(context, RITA, BOB.user_id, student, FALL_MORNING, seen=registrar.fingerprint)
    with pytest.raises(people.NotPermitted):
        await people.change_profile(context, BOB, RITA.user_id, student, FALL_MORNING, seen=registrar.fingerprint)
    with pytest.raises(LastRegistrar):
        await people.change_profile(context, RITA, RITA.user_id, student, FALL_MORNING, seen=registrar.fingerprint)


async def test_a_repeated_change_changes_nothing(db: Database) -> None:
    context = EnrollmentContext(db)
    before, wanted = Profile.of(BOB), Profile(frozenset({Role.STUDENT, Role.ADVISOR}))
    for _ in range(2):
        await people.change_profile(context, RITA, BOB.user_id, wanted, FALL_MORNING, seen=before.fingerprint)
    with pytest.raises(EditConflict):
        await people.change_profile(context, RITA, BOB.user_id, before, FALL_MORNING, seen=before.fingerprint)


async def test_an_unknown_person_is_not_found(rita: Browser) -> None:
    assert (await rita.get("/staff/people/999")).status_code == 404


async def test_each_person_sees_what_they_may_open(rita: Browser, sami: Browser, ada: Browser) -> None:
    page = await sami.read("/staff")
    assert "Changes the sections of their subjects" in page
    assert "Your subjects: Computing." in page
    assert 'href="/staff/people"' not in page
    assert 'href="/staff/people"' in await rita.read("/staff")
    assert 'href="/staff"' in await sami.read("/")
    assert 'href="/staff"' not in await ada.read("/")


async def test_each_kind_of_change_is_an_entry_of_the_audit_log(rita: Browser, db: Database) -> None:
    assert await save(rita, ADA, roles=["student", "auditor"], advisors=ARON.email, directory_opt_out="y") == 303
    entries = [one.entry async for batch in audit.batches(db, LogFilter()) for one in batch]
    assert {(one.actor, one.user_id, one.about) for one in entries} == {(RITA.user_id, ADA.user_id, About("person"))}
    assert sorted((one.action, *one.changes) for one in entries) == [
        ("advisors.set", Change("advisors", "", "12")),
        ("directory.set", Change("directory_opt_out", "no", "yes")),
        ("roles.set", Change("roles", "student", "auditor, student")),
    ]


async def test_attributes_are_edited_logged_and_shown_on_the_record(rita: Browser, db: Database) -> None:
    assert "Nothing recorded." in await rita.read(f"/staff/students/{ADA.user_id}")
    fields = {
        "status": "leave",
        "programs": "Nursing;  Biology",
        "standing": "Senior",
        "earned_credits": "61.5",
        "placements": "Math 70",
    }
    assert await save(rita, ADA, **fields) == 303
    found = await users.find(db, ADA.user_id)
    assert found
    assert found.attributes == StudentAttributes(
        ("Nursing", "Biology"),
        standing="Senior",
        earned_credits=61.5,
        placements=("Math 70",),
        status=StudentStatus.LEAVE,
    )
    entries = [one.entry async for batch in audit.batches(db, LogFilter()) for one in batch]
    assert [one.action for one in entries] == ["attributes.set"]
    assert entries[0].changes[-1] == Change("status", "active", "leave")
    assert "<dd>Nursing; Biology</dd>" in await rita.read(f"/staff/students/{ADA.user_id}")
    assert await save(rita, ADA, advisors=ARON.email) == 303
    assert await save(rita, ADA, status="active", programs="", standing="", earned_credits="", placements="") == 303
    stored = await db.user.find_one({"user_id": ADA.user_id})
    assert stored is not None
    assert "attributes" not in stored


async def test_a_page_says_before_and_after_who_gets_a_seat(
    rita: Browser, ada: Browser, bob: Browser, db: Database
) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    assert await save(rita, BOB, status="leave") == 303
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    form = await fill_in(rita, BOB, status="active")
    page = unescape(await text(await rita.send(f"/staff/people/{BOB.user_id}", form)))
    assert "1 student gets a seat from the waitlist:" in page
    assert "<li>Bob Okafor (3333-01)</li>" in page
    assert await seats_taken(db, "3333") == 0
    assert (await rita.send(f"/staff/people/{BOB.user_id}", form | {"confirmed": "y"})).status_code == 303
    assert await seats_taken(db, "3333") == 1
    saved = "Saved the changes for Bob Okafor. 1 student got a seat from the waitlist: Bob Okafor (3333-01)."
    assert saved in await rita.read(f"/staff/people/{BOB.user_id}")


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("programs", ";".join(map(str, range(21))), "Enter at most 20 names."),
        ("cohorts", "x" * 51, "can have at most 50 characters"),
        ("level", 'the "good" one', "can’t have a semicolon or a quotation mark"),
        ("earned_credits", "1001", "a number from 0 to 1,000"),
        ("placements", "Math 70; Art", "Write tests with their scores"),
        ("status", "expelled", "Not a valid choice"),
    ],
)
async def test_attributes_that_cannot_be_stored_are_refused_beside_their_field(
    rita: Browser, field: str, text: str, sentence: str
) -> None:
    response = await rita.send(f"/staff/people/{ADA.user_id}", await fill_in(rita, ADA, **{field: text}))
    page = unescape(await response.get_data(as_text=True))
    assert response.status_code == 422
    assert page.count(sentence) == 2  # beside the field and in the summary


async def test_files_leave_out_those_who_opted_out_unless_all_are_wanted(rita: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"directory_opt_out": True}})
    assert ids(await rita.read("/staff/people?role=student")) == [BOB.user_id, ADA.user_id]
    file = await rita.read("/staff/people?role=student&sort=-name&format=csv")
    assert file.splitlines() == [
        "\ufeffName,ID,Email,Roles,Subjects,Advisors,Programs,Level,Standing,Cohorts,Campus,Earned credits,"
        "Placement scores,Status,Directory",
        "Ada Winters,1,ada@school.example,Student,,,,,,,,,,,",
    ]
    assert "Bob Okafor" in await rita.read("/staff/people?role=student&opted_out=y&format=csv")


async def test_a_user_without_roles_is_listed_as_a_student(rita: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": BOB.user_id}, {"$unset": {"roles": ""}})
    assert ids(await rita.read("/staff/people?role=student")) == [BOB.user_id, ADA.user_id]


async def test_older_programs_still_find_the_single_role(rita: Browser, db: Database) -> None:
    assert await save(rita, BOB, roles=["advisor", "registrar"]) == 303
    stored = await db.user.find_one({"user_id": BOB.user_id})
    assert stored is not None
    assert stored["role"] == "registrar"
    assert await save(rita, BOB, roles=["advisor"]) == 303
    stored = await db.user.find_one({"user_id": BOB.user_id})
    assert stored is not None
    assert stored["role"] == "student"
