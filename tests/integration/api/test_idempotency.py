"""A change with an Idempotency-Key is made once, and every repeat gets the same response, even after a crash."""

import asyncio
from datetime import timedelta

import pytest
from quart import Quart

from quart_enroll.db.client import Database, OutcomeUnknown
from quart_enroll.db.collections import idempotency as stored
from quart_enroll.domain.errors import InProgress
from quart_enroll.domain.models import StoredResponse
from quart_enroll.services import idempotency
from quart_enroll.services.enrollment import enroll
from quart_enroll.services.idempotency import ABANDONED_AFTER, ANSWER_LIFETIME, IdempotentRequest
from tests.support.api_clients import ENROLLMENTS, PYT, SWAPS, Program, program
from tests.support.people import ADA, BOB, FALL_MORNING, Clock, seats_taken

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
RESPONSE = StoredResponse(201, "/there", "{}")
REQUEST = IdempotentRequest(ADA.user_id, KEY, "0" * 64)


@pytest.fixture
async def ada(app: Quart, db: Database) -> Program:
    return await program(app, db, ADA)


async def _fail() -> StoredResponse:
    raise AssertionError("The request was carried out again.")


async def _respond() -> StoredResponse:
    return RESPONSE


async def test_a_repeated_request_gets_the_response_to_the_first(ada: Program, db: Database) -> None:
    first = await ada.send("POST", ENROLLMENTS, PYT, Idempotency_Key=KEY)
    await ada.delete(f"{ENROLLMENTS}?courseID=1111")
    again = await ada.send("POST", ENROLLMENTS, PYT, Idempotency_Key=KEY)
    assert first.status_code == again.status_code == 201
    assert await first.get_data() == await again.get_data()
    assert first.headers["Location"] == again.headers["Location"]
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert await seats_taken(db, "1111") == 0


async def test_the_same_fields_in_another_order_are_the_same_request(ada: Program) -> None:
    bodies = '{"courseID": "1111", "term": "Fall"}', '{ "term":"Fall","section":"", "courseID":"1111" }'
    headers = ada.headers | {"Content-Type": "application/json", "Idempotency-Key": KEY}
    statuses = [(await ada.client.post(ENROLLMENTS, data=body, headers=headers)).status_code for body in bodies]
    assert statuses == [201, 201]


async def test_a_different_request_under_the_same_key_is_refused(ada: Program, app: Quart, db: Database) -> None:
    await ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY)
    for path, body in ((ENROLLMENTS, {"courseID": "3333"}), (SWAPS, {"drop": "1111", "add": "3333"})):
        status, problem = await ada.post(path, body, Idempotency_Key=KEY)
        assert (status, problem["code"]) == (422, "key_reused")
    assert await seats_taken(db, "3333") == 0
    bob = await program(app, db, BOB)
    assert (await bob.post(ENROLLMENTS, {"courseID": "3333"}, Idempotency_Key=KEY))[0] == 201


async def test_the_key_of_a_refused_request_can_be_used_again(ada: Program, app: Quart, db: Database) -> None:
    bob = await program(app, db, BOB)
    await bob.post(ENROLLMENTS, {"courseID": "3333"})
    body = {"courseID": "3333"}
    assert (await ada.post(ENROLLMENTS, body, Idempotency_Key=KEY))[0] == 409
    await bob.delete(f"{ENROLLMENTS}?courseID=3333")
    assert (await ada.post(ENROLLMENTS, body, Idempotency_Key=KEY))[0] == 201


async def test_an_invalid_key_is_refused(ada: Program, db: Database) -> None:
    for key in ("", "a b", "k" * 256, "é"):
        status, problem = await ada.post(ENROLLMENTS, PYT, Idempotency_Key=key)
        assert (status, problem["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert await db.enrollment.count_documents({}) == 0


async def test_a_repeat_during_the_first_request_is_told_to_retry_later(
    ada: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, may_continue, original_enroll = asyncio.Event(), asyncio.Event(), enroll.enroll

    async def slow(*args: object) -> object:
        started.set()
        await may_continue.wait()
        return await original_enroll(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(enroll, "enroll", slow)
    first = asyncio.ensure_future(ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY))
    await started.wait()
    response = await ada.send("POST", ENROLLMENTS, PYT, Idempotency_Key=KEY)
    assert (response.status_code, (await response.get_json())["code"]) == (409, "in_progress")
    assert response.headers["Retry-After"] == "2"
    may_continue.set()
    assert (await first)[0] == 201


async def test_a_repeat_after_a_crash_reports_the_current_state(ada: Program, db: Database, clock: Clock) -> None:
    await ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY)
    # The change was made, but the process crashed before it stored the response.
    await db.answer.update_one({}, {"$unset": {"status": "", "location": "", "body": ""}})
    assert (await ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY))[0] == 409
    clock.now += ABANDONED_AFTER
    assert (await ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY))[0] == 200
    assert await seats_taken(db, "1111") == 1
    # The change was not made.
    await ada.delete(f"{ENROLLMENTS}?courseID=1111")
    await db.answer.update_one({}, {"$unset": {"status": "", "location": "", "body": ""}})
    clock.now += ABANDONED_AFTER
    assert (await ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY))[0] == 201


async def test_the_response_to_an_unconfirmed_change_is_not_stored(
    ada: Program, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def outcome_unknown(*args: object) -> None:
        raise OutcomeUnknown

    with monkeypatch.context() as patch:
        patch.setattr(enroll, "enroll", outcome_unknown)
        assert (await ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY))[0] == 503
    assert await db.answer.count_documents({}) == 0
    assert (await ada.post(ENROLLMENTS, PYT, Idempotency_Key=KEY))[0] == 201


async def test_a_client_that_disconnected_may_repeat_at_once(db: Database) -> None:
    started = asyncio.Event()

    async def endless() -> StoredResponse:
        started.set()
        await asyncio.Event().wait()
        return RESPONSE

    first = asyncio.ensure_future(idempotency.run_once(db, REQUEST, FALL_MORNING, endless))
    await started.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await idempotency.run_once(db, REQUEST, FALL_MORNING, _respond) == (RESPONSE, False)


async def test_a_request_considered_abandoned_does_not_overwrite_the_response(db: Database) -> None:
    late = FALL_MORNING + ABANDONED_AFTER

    async def slow() -> StoredResponse:
        assert await idempotency.run_once(db, REQUEST, late, _respond) == (RESPONSE, False)
        return StoredResponse(500, "", "late")

    await idempotency.run_once(db, REQUEST, FALL_MORNING, slow)
    assert await idempotency.run_once(db, REQUEST, late, _fail) == (RESPONSE, True)


async def test_only_one_of_many_simultaneous_requests_is_carried_out(db: Database) -> None:
    calls = 0

    async def respond() -> StoredResponse:
        nonlocal calls
        calls += 1
        return RESPONSE

    results = await asyncio.gather(
        *(idempotency.run_once(db, REQUEST, FALL_MORNING, respond) for _ in range(10)), return_exceptions=True
    )
    assert calls == 1
    assert all(isinstance(result, InProgress) or result[0] == RESPONSE for result in results)  # type: ignore[index]


async def test_a_response_is_stored_for_a_day(db: Database) -> None:
    await idempotency.run_once(db, REQUEST, FALL_MORNING, _respond)
    assert await idempotency.run_once(db, REQUEST, FALL_MORNING + ANSWER_LIFETIME - timedelta(seconds=1), _fail) == (
        RESPONSE,
        True,
    )
    assert await idempotency.run_once(db, REQUEST, FALL_MORNING + ANSWER_LIFETIME, _respond) == (RESPONSE, False)
    entry = await stored.find(db, ADA.user_id, KEY)
    assert entry is not None
    assert entry.expires_at == FALL_MORNING + 2 * ANSWER_LIFETIME
