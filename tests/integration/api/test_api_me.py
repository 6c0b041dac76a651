"""Version 1 of the API: students' own data and changes, which are as safe to repeat as on pages."""

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from tests.support.api_clients import ENROLLMENTS, PYT, SWAPS, WAITLIST, Program, program
from tests.support.people import ADA, BOB, FALL, NOONS, Clock, offer_course, seats_taken

REFUSALS_BY_BODY = {
    b"{": (400, "bad_request"),
    b"": (400, "bad_request"),
    b"\xff": (400, "bad_request"),
    b'{"courseID": "\xff"}': (400, "bad_request"),
    b'{"courseID": "\\ud800"}': (400, "bad_request"),
    b"[" * 15_000: (400, "bad_request"),
    b"[]": (422, "unprocessable_content"),
    b"null": (422, "unprocessable_content"),
    b"{}": (422, "wrong_fields"),
    b'{"courseID": 1111}': (422, "wrong_fields"),
    b'{"courseID": null, "term": {}}': (422, "wrong_fields"),
    b'{"courseID": ""}': (422, "wrong_fields"),
    b'{"courseID": "1\\u00001"}': (422, "wrong_fields"),
    b'{"courseID": {"$ne": ""}}': (422, "wrong_fields"),
    b'{"courseID": "1111", "section": "00000000001"}': (422, "wrong_fields"),
    b'{"courseID": "' + b"1" * 70_000 + b'"}': (413, "content_too_large"),
}


@pytest.fixture
async def ada(app: Quart, db: Database) -> Program:
    return await program(app, db, ADA)


@pytest.fixture
async def bob(app: Quart, db: Database) -> Program:
    return await program(app, db, BOB)


async def test_me_describes_the_authenticated_student_without_the_password(ada: Program) -> None:
    assert await ada.get("/api/v1/me") == {
        "user_id": 1,
        "email": "ada@school.example",
        "first_name": "Ada",
        "last_name": "Winters",
        "role": "student",
        "roles": ["student"],
        "email_settings": dict.fromkeys(("confirmation", "waitlist", "alert", "section_change"), "at_once"),
    }


async def test_repeating_an_enrollment_reports_the_seat_taken_the_first_time(ada: Program, db: Database) -> None:
    response = await ada.send("POST", ENROLLMENTS, PYT)
    enrollment = await response.get_json()
    assert response.status_code == 201
    assert enrollment == {
        "courseID": "1111",
        "title": "PYT 101",
        "credits": 3.0,
        "term": "Fall 2026",
        "section": "01",
        "status": "enrolled",
        "meetings": [{"days": "MWF", "start": "09:00", "end": "09:50"}],
        "instructor": "T. Mori",
        "room": "Hall 12",
    }
    assert await ada.get(response.headers["Location"]) == {"enrollments": [enrollment]}
    assert await ada.post(ENROLLMENTS, PYT) == (200, enrollment)
    assert await ada.post(ENROLLMENTS, PYT | {"term": "fall", "section": "01"}) == (200, enrollment)
    assert await seats_taken(db, "1111") == 1
    assert (await ada.send("GET", ENROLLMENTS)).headers["Cache-Control"] == "no-store"


async def test_enrolling_in_another_section_of_the_course_is_not_a_repeat(ada: Program) -> None:
    await ada.post(ENROLLMENTS, PYT)
    status, problem = await ada.post(ENROLLMENTS, PYT | {"section": "02"})
    assert (status, problem["code"]) == (409, "already_enrolled")


async def test_a_refusal_is_a_problem_with_the_same_code_as_on_pages(ada: Program, bob: Program) -> None:
    await bob.post(ENROLLMENTS, {"courseID": "3333"})
    for body, refusal in [
        ({"courseID": "9999"}, (404, "unknown_course")),
        ({"courseID": "1111", "term": "Never"}, (404, "unknown_term")),
        ({"courseID": "1111", "section": "09"}, (409, "unknown_section")),
        ({"courseID": "2222"}, (409, "not_open_yet")),
        ({"courseID": "3333"}, (409, "section_full")),
    ]:
        response = await ada.send("POST", ENROLLMENTS, body)
        assert (response.status_code, (await response.get_json())["code"]) == refusal
        assert response.mimetype == "application/problem+json"


async def test_dropping_a_second_time_finds_nothing_to_drop(ada: Program, db: Database) -> None:
    await ada.post(ENROLLMENTS, PYT)
    url = f"{ENROLLMENTS}?courseID=1111&term=Fall+2026"
    assert await ada.delete(url) == (200, {"term": "Fall 2026", "action": "drop", "courses": ["1111"]})
    assert await ada.delete(url) == (200, {"term": "Fall 2026", "action": "nothing", "courses": []})
    assert await seats_taken(db, "1111") == 0
    assert (await ada.delete(f"{ENROLLMENTS}?courseID=9999"))[1]["code"] == "unknown_course"


async def test_a_drop_that_would_drop_a_corequisite_too_must_be_confirmed(ada: Program, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    await offer_course(db, "7777", "ART LAB", corequisites=("6666",))
    for courseID in ("6666", "7777"):
        await ada.post(ENROLLMENTS, {"courseID": courseID})
    status, problem = await ada.delete(f"{ENROLLMENTS}?courseID=6666")
    assert (status, problem["code"], problem["courses"]) == (409, "corequisites_would_go", ["7777"])
    _, dropped = await ada.delete(f"{ENROLLMENTS}?courseID=6666&with_corequisites=true")
    assert dropped["courses"] == ["6666", "7777"]


async def test_repeating_a_swap_reports_the_current_seat(ada: Program, db: Database) -> None:
    await ada.post(ENROLLMENTS, {"courseID": "3333"})
    body = {"drop": "3333", "add": "1111"}
    status, enrollment = await ada.post(SWAPS, body)
    assert (status, enrollment["courseID"]) == (201, "1111")
    assert await ada.post(SWAPS, body) == (200, enrollment)
    assert (await seats_taken(db, "1111"), await seats_taken(db, "3333")) == (1, 0)


async def test_a_swap_into_a_course_that_the_student_already_has_is_refused(ada: Program) -> None:
    for courseID in ("1111", "3333"):
        await ada.post(ENROLLMENTS, {"courseID": courseID})
    status, problem = await ada.post(SWAPS, {"drop": "3333", "add": "1111"})
    assert (status, problem["code"]) == (409, "already_enrolled")


async def test_a_place_on_the_waitlist_is_taken_once_and_becomes_a_seat(
    ada: Program, bob: Program, db: Database
) -> None:
    await bob.post(ENROLLMENTS, {"courseID": "3333"})
    body = {"courseID": "3333"}
    status, entry = await ada.post(WAITLIST, body)
    assert (status, entry["status"], entry["position"], entry["of"]) == (201, "waiting", 1, 1)
    assert await ada.post(WAITLIST, body) == (200, entry)
    assert await ada.get(WAITLIST) == {"waitlist": [entry]}
    await ada.post(ENROLLMENTS, PYT)
    status, problem = await ada.post(WAITLIST, body | {"drop_if_enrolled": "1111"})
    assert (status, problem["code"]) == (409, "already_waiting")
    await bob.delete(f"{ENROLLMENTS}?courseID=3333")
    status, entry = await ada.post(WAITLIST, body)
    assert (status, entry["status"], entry["position"]) == (200, "enrolled", None)
    assert await ada.get(WAITLIST) == {"waitlist": []}


async def test_joining_the_waitlist_of_an_open_section_enrolls_at_once(ada: Program) -> None:
    response = await ada.send("POST", WAITLIST, PYT)
    assert (response.status_code, (await response.get_json())["status"]) == (201, "enrolled")
    assert (await ada.get(response.headers["Location"]))["enrollments"][0]["courseID"] == "1111"


async def test_leaving_a_waitlist_a_second_time_finds_nothing_to_leave(
    ada: Program, bob: Program, db: Database
) -> None:
    await bob.post(ENROLLMENTS, {"courseID": "3333"})
    await ada.post(WAITLIST, {"courseID": "3333"})
    assert await ada.delete(f"{WAITLIST}?courseID=3333") == (200, {"courseID": "3333", "action": "leave"})
    assert await ada.delete(f"{WAITLIST}?courseID=3333") == (200, {"courseID": "3333", "action": "nothing"})
    assert await db.waitlist.count_documents({}) == 0


async def test_after_the_deadline_there_is_nothing_to_drop_or_leave(ada: Program, bob: Program, clock: Clock) -> None:
    await bob.post(ENROLLMENTS, {"courseID": "3333"})
    await ada.post(WAITLIST, {"courseID": "3333"})
    await ada.post(ENROLLMENTS, PYT)
    clock.now = FALL.withdraw_deadline
    assert await ada.delete(f"{ENROLLMENTS}?courseID=1111") == (200, {"term": "", "action": "nothing", "courses": []})
    assert await ada.delete(f"{WAITLIST}?courseID=3333") == (200, {"courseID": "3333", "action": "nothing"})


async def test_events_are_paged_with_the_latest_first(ada: Program, bob: Program) -> None:
    for _ in range(3):  # all at the same time
        await ada.post(ENROLLMENTS, PYT)
        await ada.delete(f"{ENROLLMENTS}?courseID=1111")
    await bob.post(ENROLLMENTS, PYT)
    actions, cursor = [], ""
    while cursor is not None:
        page = await ada.get(f"/api/v1/me/events?limit=4&cursor={cursor}")
        actions += [event["action"] for event in page["events"]]
        cursor = page["next"]
    assert actions == ["drop", "enroll"] * 3
    event = (await bob.get("/api/v1/me/events"))["events"][0]
    assert event == {
        "at": "2026-09-01T09:00:00Z",
        "actor": 2,
        "user_id": 2,
        "action": "enroll",
        "courseID": "1111",
        "term": "Fall 2026",
        "section": "01",
        "result": "ok",
        "count": 1,
        "last_at": "2026-09-01T09:00:00Z",
        "reason": "",
        "overrides": [],
        "changes": "",
    }


async def test_a_repeated_refusal_is_one_event_with_a_count(ada: Program, bob: Program) -> None:
    await bob.post(ENROLLMENTS, {"courseID": "3333"})
    for _ in range(3):
        await ada.post(ENROLLMENTS, {"courseID": "3333"})
    [event] = (await ada.get("/api/v1/me/events"))["events"]
    assert (event["result"], event["count"]) == ("section_full", 3)


async def test_enrollments_can_be_filtered_by_term_and_course(ada: Program) -> None:
    for courseID in ("1111", "3333"):
        await ada.post(ENROLLMENTS, {"courseID": courseID})
    assert len((await ada.get(ENROLLMENTS))["enrollments"]) == 2
    assert len((await ada.get(f"{ENROLLMENTS}?term=fall&courseID=3333"))["enrollments"]) == 1
    assert (await ada.get(f"{ENROLLMENTS}?term=Spring"))["enrollments"] == []


async def test_a_student_can_neither_see_nor_change_another_students_data(
    ada: Program, bob: Program, db: Database
) -> None:
    await ada.post(ENROLLMENTS, PYT)
    assert await bob.get(ENROLLMENTS) == {"enrollments": []}
    assert (await bob.get("/api/v1/me/events"))["events"] == []
    assert (await bob.delete(f"{ENROLLMENTS}?courseID=1111"))[1]["action"] == "nothing"
    for name in ("user_id", "student"):
        status, problem = await bob.post(ENROLLMENTS, {"courseID": "3333", name: 1})
        assert (status, problem["errors"]) == (422, [{"field": name, "detail": "There is no such field."}])
    assert await seats_taken(db, "1111") == 1


async def test_a_malformed_body_is_refused_with_a_problem_response(ada: Program, db: Database) -> None:
    headers = ada.headers | {"Content-Type": "application/json"}
    for body, refusal in REFUSALS_BY_BODY.items():
        response = await ada.client.post(ENROLLMENTS, data=body, headers=headers)
        assert (response.status_code, (await response.get_json())["code"]) == refusal, body[:50]
        assert response.mimetype == "application/problem+json"
    assert await db.enrollment.count_documents({}) == 0


async def test_a_body_without_a_json_content_type_is_refused(ada: Program) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = ada.headers | ({"Content-Type": content_type} if content_type else {})
        response = await ada.client.post(ENROLLMENTS, data=b'{"courseID": "1111"}', headers=headers)
        assert (response.status_code, (await response.get_json())["code"]) == (415, "unsupported_media_type")
