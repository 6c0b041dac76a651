"""Password hashing outside the event loop."""

import asyncio
import threading

import pytest
from werkzeug.security import generate_password_hash

from quart_enroll.domain.errors import Busy
from quart_enroll.services.accounts import hashing
from quart_enroll.services.accounts.hash_slots import HashSlots
from quart_enroll.services.accounts.hashing import Hasher, HashingNotStarted, is_plain_text, unusable_hash
from tests.support.people import PASSWORD_METHOD


async def test_a_hash_matches_only_its_password() -> None:
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=4) as hasher:
        stored = await hasher.hash("right")
        assert await hasher.verify("right", stored)
        assert not await hasher.verify("wrong", stored)
        assert not await hasher.verify("none", unusable_hash(PASSWORD_METHOD))


async def test_hashing_runs_outside_the_event_loops_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def note(*_: object) -> str:
        threads.append(threading.current_thread())
        return ""

    monkeypatch.setattr(hashing, "generate_password_hash", note)
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=4) as hasher:
        await hasher.hash("x")
    assert threads[0] is not threading.current_thread()


async def test_a_full_queue_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(hashing, "generate_password_hash", lambda *_: release.wait(10))
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=2) as hasher:
        waiting = [asyncio.create_task(hasher.hash("x")) for _ in range(2)]
        await asyncio.wait(waiting, timeout=0)
        with pytest.raises(Busy):
            await hasher.hash("one too many")
        release.set()
        await asyncio.gather(*waiting)
        await hasher.hash("there is room again")


async def test_a_disconnected_client_makes_room_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(hashing, "generate_password_hash", lambda *_: release.wait(10))
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=2) as hasher:
        waiting = [asyncio.create_task(hasher.hash("x")) for _ in range(2)]
        await asyncio.wait(waiting, timeout=0)
        waiting[1].cancel()
        await asyncio.wait(waiting[1:])
        another = asyncio.create_task(hasher.hash("y"))
        release.set()
        await asyncio.gather(waiting[0], another)


async def test_nobody_waits_longer_than_the_routers_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(hashing, "generate_password_hash", lambda *_: release.wait(10))
    monkeypatch.setattr(hashing, "MAX_HASH_WAIT_SECONDS", 0.05)
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=9) as hasher:
        began = asyncio.create_task(hasher.hash("x"))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await hasher.hash("y")
        release.set()
        await began


async def test_slow_hashing_shortens_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(hashing, "generate_password_hash", lambda *_: release.wait(10))
    monkeypatch.setattr(hashing, "INITIAL_HASH_SECONDS", 10.0)
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=9) as hasher:
        waiting = [asyncio.create_task(hasher.hash("x")) for _ in range(2)]
        await asyncio.wait(waiting, timeout=0)
        with pytest.raises(Busy):
            await hasher.hash("one too many")
        release.set()
        await asyncio.gather(*waiting)


async def test_disconnecting_in_the_queue_differs_from_disconnecting_during_hashing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, begun = threading.Event(), threading.Event()
    ended = {}

    async def hang_up(name: str) -> None:
        try:
            await hasher.hash("x")
        except asyncio.CancelledError as error:
            ended[name] = type(error)
            raise

    def work(*_: object) -> bool:
        begun.set()
        return release.wait(10)

    monkeypatch.setattr(hashing, "generate_password_hash", work)
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=9) as hasher:
        tasks = [asyncio.create_task(hang_up(name)) for name in ("looked at", "in the queue")]
        await asyncio.wait(tasks, timeout=0)
        await asyncio.to_thread(begun.wait, 10)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        release.set()
    assert ended == {"looked at": asyncio.CancelledError, "in the queue": HashingNotStarted}


@pytest.mark.parametrize("stored", ["pbkdf2:sha256:1000$x$y", "scrypt:32768:8:1$x$y", "", "plain"])
def test_a_hash_of_another_method_is_outdated(stored: str) -> None:
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=1) as hasher:
        assert hasher.is_outdated(stored)
        assert not hasher.is_outdated(f"{PASSWORD_METHOD}$x$y")


@pytest.mark.parametrize("typed", ["winter", "secret", "P@ssw0rd!2022x", "correct horse battery staple", "пароль"])
def test_typed_passwords_are_not_taken_for_hashes(typed: str) -> None:
    assert is_plain_text(typed)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "scrypt:32768:8:1$abc$0123",
        "sha256$abcdefgh$0123",
        "$2b$12$0iQZ3vYk5cT0Wc6Jc0XzUu",
        "b'$2b$12$0iQZ3vYk5cT0Wc6Jc0XzUu'",
        "pbkdf2_sha256$260000$salt$aGFzaA==",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "5d2e19393cc5ef67",
        "X03MO1qnZdYdgyfeuILPmQ==",
        "{SSHA}c2FsdGVk",
        "*2470C0C06DEE42FD1618BBB99005ADCA2EC9D1E19",
        "rl0uE5ZU0qOz2",
        "!locked",
    ],
)
def test_possible_hashes_are_not_taken_for_plain_text(stored: str) -> None:
    assert not is_plain_text(stored)


COMPOSED, DECOMPOSED = "caf\u00e9 \u00fcber alles", "cafe\u0301 u\u0308ber alles"


async def test_a_decomposed_password_equals_its_composed_form() -> None:
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=4) as hasher:
        for chosen, typed in ((COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), ("ｐａｓｓ", "pass")):
            assert await hasher.verify(typed, await hasher.hash(chosen))


@pytest.mark.parametrize("password", [COMPOSED, DECOMPOSED, "x² and ﬁne"])
async def test_a_hash_made_before_normalization_matches_the_typed_password(password: str) -> None:
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=4) as hasher:
        assert await hasher.verify(password, generate_password_hash(password, PASSWORD_METHOD))


@pytest.mark.parametrize(("password", "hashes"), [("plain", 1), (COMPOSED, 1), (DECOMPOSED, 2)])
async def test_only_an_unnormalized_password_is_hashed_twice(
    monkeypatch: pytest.MonkeyPatch, password: str, hashes: int
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(hashing, "check_password_hash", lambda _, form: tried.append(form))
    with Hasher(PASSWORD_METHOD, slots=HashSlots(None, 1), queue=4) as hasher:
        assert not await hasher.verify(password, unusable_hash(PASSWORD_METHOD))
    assert len(tried) == hashes
