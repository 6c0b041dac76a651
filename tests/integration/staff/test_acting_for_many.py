"""Acting for many students: a list and a change, the preview, the outcome, and the roles that permit it."""

import io
from collections.abc import Sequence
from datetime import timedelta
from html import unescape
from io import BytesIO
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest
from quart import Quart
from quart.datastructures import FileStorage
from quart.wrappers import Response

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import imports as stored_imports
from quart_enroll.db.collections import users
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import SectionRequest
from quart_enroll.domain.stored_import import ImportState
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog import import_students
from quart_enroll.services.catalog.import_enrollments import ImportedEnrollment, import_enrollments
from quart_enroll.services.catalog.import_results import ImportResult, RefusedRow
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.staff import imports
from tests.integration.staff.test_import_pages import begin, page, settle
from tests.support.people import (
    ADA,
    ARON,
    BOB,
    CAL,
    FALL_MORNING,
    PASSWORD,
    PASSWORD_HASH,
    RITA,
    SPRING,
    Browser,
    Clock,
    seats_taken,
    set_clock,
    text,
)

URL = "/staff/students/act"
REASON = "The lab has moved."
PYTHON = {"term": "Fall 2026", "courseID": "1111", "section": "01"}
ENROLL = PYTHON | {"action": "enroll", "reason": REASON}


@pytest.fixture(autouse=True)
def _batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_students, "BATCH_STUDENTS", 2)


class Killed(BaseException):
    """Stands for the end of a process."""


async def preview(app: Quart, browser: Browser, students: Sequence[object], **form: Any) -> str:
    """Send the list, wait for the check, and return the URL of the preview."""
    sent = {"students": "\n".join(map(str, students))} | form
    response = await browser.send(URL, sent)
    assert response.status_code == 303, await text(response)
    await settle(app)
    return str(response.location)


async def act(app: Quart, browser: Browser, students: Sequence[object], **form: Any) -> list[list[str]]:
    """Make the change for the students, and return what became of each."""
    url = await preview(app, browser, students, **form)
    await begin(browser, url)
    await settle(app)
    return await outcomes(browser, url)


async def outcomes(browser: Browser, url: str) -> list[list[str]]:
    """Return the number of each row, the student, and what became or would become of it."""
    lines = (await text(await browser.get(f"{url}&format=csv"))).splitlines()[1:]
    return [line.split(",")[:3] for line in lines]


async def standing(db: Database, user_id: int) -> list[tuple[str, str, str]]:
    seats = await db.enrollment.find({"user_id": user_id}).to_list(None)
    waits = await db.waitlist.find({"user_id": user_id}).to_list(None)
    found = [(row["courseID"], row["section"], row["status"]) for row in seats]
    return sorted([*found, *((row["courseID"], row["section"], "waiting") for row in waits)])


async def test_a_list_is_previewed_and_then_each_student_is_told(
    app: Quart, rita: Browser, bob: Browser, db: Database
) -> None:
    await bob.post("/enrollment", form={"courseID": "1111", "section": "01"})
    students = [ADA.email.upper(), BOB.user_id, "nobody@school.example", ADA.user_id]
    url = await preview(app, rita, students, **ENROLL)
    shown = await page(rita, url)
    assert REASON in shown
    assert "Make 1 change<" in shown
    expected = [
        ["1", "Ada Winters", "Added"],
        ["2", "Bob Okafor", "Unchanged"],
        ["3", "nobody@school.example", "Refused"],
        ["4", "Ada Winters", "Unchanged"],
    ]
    assert sorted(await outcomes(rita, url)) == expected
    assert await standing(db, ADA.user_id) == []
    for _ in range(2):  # the second click does nothing
        assert (await begin(rita, url)).status_code == 303
    await settle(app)
    assert await outcomes(rita, url) == expected
    assert "There is no student nobody@school.example." in await page(rita, url)
    entries = await db.audit.find({"action": "student.add"}).to_list(None)
    assert [(one["actor"], one["user_id"], one["reason"]) for one in entries] == [(RITA.user_id, ADA.user_id, REASON)]
    [told] = await db.notice.find({"user_id": ADA.user_id}).to_list(None)
    assert told["because"]["values"]["name"] == RITA.full_name
    looked_at = [look["user_id"] async for look in db.access.find({"actor": RITA.user_id})]
    assert sorted(looked_at) == [ADA.user_id, BOB.user_id]


async def test_students_are_swapped_withdrawn_and_put_on_and_off_waitlists(
    app: Quart, rita: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    lab = {"term": "Fall 2026", "courseID": "3333", "section": "01", "reason": REASON}
    await act(app, rita, [ADA.user_id], **ENROLL)
    await bob.post("/enrollment", form={"courseID": "3333"})
    assert await act(app, rita, [ADA.user_id], **lab, action="join") == [["1", "Ada Winters", "Added"]]
    assert await standing(db, ADA.user_id) == [("1111", "01", "enrolled"), ("3333", "01", "waiting")]
    assert await act(app, rita, [ADA.user_id], **lab, action="leave") == [["1", "Ada Winters", "Changed"]]
    assert await act(app, rita, [BOB.user_id], **lab, action="drop") == [["1", "Bob Okafor", "Changed"]]
    swap = lab | {"action": "swap", "dropped": "1111"}
    assert await act(app, rita, [ADA.user_id, BOB.user_id], **swap) == [
        ["1", "Ada Winters", "Changed"],
        ["2", "Bob Okafor", "Refused"],
    ]
    assert await standing(db, ADA.user_id) == [("3333", "01", "enrolled")]
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"drop_deadline": clock.now}})
    students = [ADA.user_id, BOB.user_id]
    expected = [["1", "Ada Winters", "Changed"], ["2", "Bob Okafor", "Refused"]]
    assert await act(app, rita, students, **lab, action="withdraw") == expected
    assert await standing(db, ADA.user_id) == [("3333", "01", "withdrawn")]
    expected[0][2] = "Unchanged"
    assert await act(app, rita, students, **lab, action="withdraw") == expected


async def test_the_preview_counts_the_seats_that_earlier_rows_take(app: Quart, rita: Browser, db: Database) -> None:
    await users.add(db, CAL, PASSWORD_HASH)
    lab = ENROLL | {"courseID": "3333"}
    students = [ADA.user_id, BOB.user_id, CAL.user_id]
    added, refused = ["1", "Ada Winters", "Added"], [["2", "Bob Okafor", "Refused"], ["3", "Cal Lindqvist", "Refused"]]
    assert sorted(await outcomes(rita, await preview(app, rita, students, **lab))) == [added, *refused]
    waiting = await preview(app, rita, students, **lab | {"action": "join"})  # there is one place on the waitlist
    assert [row[2] for row in sorted(await outcomes(rita, waiting))] == ["Added", "Added", "Refused"]
    beyond = await preview(app, rita, students, **lab | {"action": "join", "overrides": ["full"]})
    assert [row[2] for row in sorted(await outcomes(rita, beyond))] == ["Added"] * 3
    url = await preview(app, rita, students, **lab, overrides=["full"])
    assert (await page(rita, url)).count("Set aside: Exceed the capacity.") == 2
    await begin(rita, url)
    await settle(app)
    assert await seats_taken(db, "3333") == 3


async def test_an_advisor_acts_for_advisees_only_and_sees_only_their_own(
    app: Quart, rita: Browser, aron: Browser, db: Database
) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"advisors": [ARON.user_id]}})
    url = await preview(app, aron, [ADA.user_id, BOB.user_id], **ENROLL)
    assert "Act for several students" in await page(aron, url)
    assert (await begin(rita, url)).status_code == 403  # rita has not seen what it does for her students
    await db.user.update_one({"user_id": BOB.user_id}, {"$set": {"advisors": [ARON.user_id]}})
    await db.user.update_one({"user_id": ADA.user_id}, {"$unset": {"advisors": ""}})
    await begin(aron, url)
    await settle(app)
    event = await db.event.find_one({"user_id": BOB.user_id, "action": "enroll"})
    assert event is not None
    assert event["acted_as"] == "advisor"
    assert await outcomes(aron, url) == [["1", str(ADA.user_id), "Refused"], ["2", "Bob Okafor", "Added"]]
    others = await preview(app, rita, [ADA.user_id], **ENROLL)
    assert (await aron.get(others)).status_code == 404
    assert others.partition("import_id=")[2] not in await aron.read(URL)
    assert url.partition("import_id=")[2] in await aron.read(URL)


async def test_the_list_may_be_a_file_or_the_boxes_of_a_roster(
    app: Quart, rita: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    await bob.post("/enrollment", form={"courseID": "1111", "section": "01"})
    assert f'name="selected" value="{BOB.user_id}"' in await rita.read(f"/staff/roster?{_query(PYTHON)}")
    clock.now += timedelta(minutes=31)
    selected = PYTHON | {"roster": "y", "selected": [str(BOB.user_id), str(ADA.user_id)]}
    asked = await text(await rita.send(URL, selected))
    assert "Your entries won’t be lost." in asked
    confirmed = await text(await rita.send(URL, selected | {"confirmed_password": PASSWORD}))
    assert f"{BOB.user_id}\n{ADA.user_id}</textarea>" in confirmed.replace("\r", "")
    assert 'value="1111"' in confirmed
    assert await db["import"].count_documents({}) == 0
    for name, data in (("ids.csv", "Name;E-mail\nAda;ada@school.example\n"), ("ids.txt", "1\n2\n")):
        response = await _send_file(rita, name, data)
        assert response.status_code == 303, await text(response)
        await settle(app)
        assert ["1", "Ada Winters", "Added"] in await outcomes(rita, response.location)
    refused = await _send_file(rita, "ids.csv", "Name;City\nAda;Bonn\n")
    assert "No column is named student, email or ID." in await text(refused)


async def test_what_is_wrong_is_said_beside_the_field(rita: Browser, db: Database) -> None:
    cases = [
        ({"students": " "}, "Enter at least one student, or choose a file."),
        ({"reason": " "}, "Enter a reason."),
        ({"action": "swap"}, "Enter the number of the course to drop."),
        ({"section": "77"}, "section 77"),
    ]
    for wrong, sentence in cases:
        response = await rita.post(URL, form={"students": "1"} | ENROLL | wrong)
        assert response.status_code == 422
        assert sentence in unescape(await text(response))
    assert await db["import"].count_documents({}) == 0


async def test_each_row_is_done_once_although_the_process_dies(db: Database) -> None:
    wrong = Sentence("This must be one of %(words)s.", words="add")
    rows = [
        RefusedRow(RowProblem(CAL.user_id, wrong, "action"), wrong, CAL.email),
        *(ImportedEnrollment(one.user_id, one.email, "Fall 2026", "1111", "01", "add") for one in (ADA, BOB)),
    ]
    import_id = await imports.upload(db, RITA.user_id, "enrollment", "list", BytesIO(), FALL_MORNING, columns={})
    await db["import"].update_one({}, {"$set": {"state": ImportState.RUNNING}})
    context, tries = EnrollmentContext(db), 0

    async def die_after_the_second(session: Session, result: ImportResult) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            raise Killed
        await author_of_run[0].record(session, result)

    author_of_run: list[ImportAuthor] = []

    async def dying(author: ImportAuthor) -> ImportResult:
        author_of_run[:] = [author]
        dies = ImportAuthor(author.user_id, die_after_the_second, "Asked.")
        return await import_enrollments(context, rows, lambda: FALL_MORNING, author=dies)

    async def going_on(author: ImportAuthor) -> ImportResult:
        return await import_enrollments(context, rows, lambda: FALL_MORNING, author=author)

    stored = await imports.find(db, import_id)
    assert stored is not None
    with pytest.raises(Killed):
        await imports.run(db, stored, dying, "dead", FALL_MORNING)
    # What the dead process did is not done again, although ada has changed her mind meanwhile.
    await enroll.drop(context, ADA.user_id, SectionRequest("1111", "Fall 2026", "01"), FALL_MORNING)
    assert await imports.run(db, stored, going_on, "other", FALL_MORNING)
    assert [await standing(db, one.user_id) for one in (ADA, BOB)] == [[], [("1111", "01", "enrolled")]]
    done = await imports.find(db, import_id)
    assert done is not None
    assert (done.state, done.passed, done.added) == (ImportState.DONE, 3, 2)
    assert [(one.number, one.what) async for batch in imports.outcomes(db, done) for one in batch] == [
        (ADA.user_id, "added"),
        (BOB.user_id, "added"),
        (CAL.user_id, "refused"),
    ]
    assert await db.audit.count_documents({"action": "student.add"}) == 2
    assert await db.audit.count_documents({"action": "import"}) == 1


async def test_a_stopped_process_that_goes_on_records_nothing_after_another_has_taken_over(db: Database) -> None:
    """It is stopped for longer than its lease after it has read which rows are recorded."""
    row = ImportedEnrollment(1, ADA.email, "Fall 2026", "1111", "01", "add")
    import_id = await imports.upload(db, RITA.user_id, "enrollment", "list", BytesIO(), FALL_MORNING, columns={})
    await db["import"].update_one({}, {"$set": {"state": ImportState.RUNNING}})
    stored = await imports.find(db, import_id)
    assert stored is not None

    async def go_on(author: ImportAuthor) -> ImportResult:
        return await import_enrollments(EnrollmentContext(db), [row], lambda: FALL_MORNING, author=author)

    async def be_stopped(author: ImportAuthor) -> ImportResult:
        await db.lease.delete_many({})
        with patch.object(stored_imports, "end", _leave_running):
            assert await imports.run(db, stored, go_on, "other", FALL_MORNING)
        await enroll.drop(EnrollmentContext(db), ADA.user_id, SectionRequest("1111", "Fall 2026", "01"), FALL_MORNING)
        return await go_on(author)

    assert not await imports.run(db, stored, be_stopped, "stopped", FALL_MORNING)
    assert await standing(db, ADA.user_id) == []
    assert await db.audit.count_documents({"action": "student.add"}) == 1


async def _leave_running(*_: object) -> None:
    """Die before the end of the import is stored."""


async def test_each_row_has_its_own_time_so_that_undoing_a_swap_names_the_right_course(db: Database) -> None:
    changes = [("1111", "add", ""), ("3333", "swap", "1111"), ("3333", "drop", "")]
    rows = [
        ImportedEnrollment(number, ADA.email, "Fall 2026", courseID, "01", action, dropped)
        for number, (courseID, action, dropped) in enumerate(changes)
    ]
    seconds = count()
    author = ImportAuthor(RITA.user_id, reason="Asked.")
    done = await import_enrollments(
        EnrollmentContext(db), rows, lambda: FALL_MORNING + timedelta(seconds=next(seconds)), author=author
    )
    assert not done.refused
    events = await db.event.find({"user_id": ADA.user_id}).sort("at", 1).to_list(None)
    assert len({event["at"] for event in events}) == len(rows)


def _query(section: dict[str, str]) -> str:
    return "&".join(f"{name}={value.replace(' ', '+')}" for name, value in section.items())


async def _send_file(browser: Browser, name: str, data: str) -> Response:
    return await browser.post(URL, form=ENROLL, files={"file": FileStorage(io.BytesIO(data.encode()), name)})


async def test_the_current_term_is_chosen(rita: Browser, clock: Clock) -> None:
    await set_clock(SPRING.opens_at + timedelta(days=60), clock, (rita, RITA))
    for path in ("/staff/students/act", f"/staff/students/{ADA.user_id}/why"):
        assert '<option selected value="Spring 2027">' in await rita.read(path)


async def test_the_section_with_exactly_this_number_is_meant(app: Quart, rita: Browser, db: Database) -> None:
    await db.section.update_one(
        {"term": "Fall 2026", "courseID": "1111", "section": "02"}, {"$set": {"section": "1", "meetings": []}}
    )
    await act(app, rita, [ADA.user_id], **ENROLL)
    assert [one["section"] async for one in db.enrollment.find({"user_id": ADA.user_id})] == ["01"]


async def test_what_names_nobody_does_not_spoil_the_list(app: Quart, rita: Browser) -> None:
    url = await preview(app, rita, ["1", "1" * 20, "²", "\u0663"], **ENROLL)
    assert sorted(row[2] for row in await outcomes(rita, url)) == ["Added", "Refused", "Refused", "Refused"]
    response = await _send_file(rita, "list.json", '[{"student": "1"}, {"student": "\\ud800"}]')
    await settle(app)
    assert sorted(row[2] for row in await outcomes(rita, response.location)) == ["Added", "Refused"]


async def test_an_email_says_more_than_the_schools_own_number(app: Quart, rita: Browser) -> None:
    response = await _send_file(rita, "list.csv", "Student ID,Name,Email\n2,Ada Winters,ada@school.example\n")
    await settle(app)
    assert await outcomes(rita, response.location) == [["1", "Ada Winters", "Added"]]


async def test_of_two_accounts_with_one_email_the_older_is_meant(app: Quart, rita: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$unset": {"role": ""}})
    twin = await db.user.find_one({"user_id": ADA.user_id})
    assert twin is not None
    del twin["_id"]
    await db.user.insert_one(twin | {"user_id": 77, "first_name": "Twin"})
    assert await outcomes(rita, await preview(app, rita, [ADA.email], **ENROLL)) == [["1", "Ada Winters", "Added"]]
