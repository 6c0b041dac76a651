"""Password hashes beside the event loop."""

import asyncio
import threading

import pytest

from quart_enroll.errors import Busy
from quart_enroll.services import passwords
from quart_enroll.services.passwords import Hasher, decoy
from tests.people import METHOD


async def test_a_hash_fits_its_password_alone() -> None:
    with Hasher(METHOD, threads=1, queue=4) as hasher:
        stored = await hasher.hash("right")
        assert await hasher.fits("right", stored)
        assert not await hasher.fits("wrong", stored)
        assert not await hasher.fits("none", decoy(METHOD))


async def test_hashes_are_made_outside_the_event_loops_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def note(*_: object) -> str:
        threads.append(threading.current_thread())
        return ""

    monkeypatch.setattr(passwords, "generate_password_hash", note)
    with Hasher(METHOD, threads=1, queue=4) as hasher:
        await hasher.hash("x")
    assert threads[0] is not threading.current_thread()


async def test_past_the_bound_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(passwords, "generate_password_hash", lambda *_: release.wait(10))
    with Hasher(METHOD, threads=1, queue=2) as hasher:
        waiting = [asyncio.create_task(hasher.hash("x")) for _ in range(2)]
        await asyncio.wait(waiting, timeout=0)
        with pytest.raises(Busy):
            await hasher.hash("one too many")
        release.set()
        await asyncio.gather(*waiting)
        await hasher.hash("there is room again")


async def test_who_hangs_up_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(passwords, "generate_password_hash", lambda *_: release.wait(10))
    with Hasher(METHOD, threads=1, queue=2) as hasher:
        waiting = [asyncio.create_task(hasher.hash("x")) for _ in range(2)]
        await asyncio.wait(waiting, timeout=0)
        waiting[1].cancel()
        await asyncio.wait(waiting[1:])
        another = asyncio.create_task(hasher.hash("y"))
        release.set()
        await asyncio.gather(waiting[0], another)


@pytest.mark.parametrize("stored", ["pbkdf2:sha256:1000$x$y", "scrypt:32768:8:1$x$y", "", "plain"])
def test_a_hash_of_another_method_is_old(stored: str) -> None:
    with Hasher(METHOD, threads=1, queue=1) as hasher:
        assert hasher.is_old(stored)
        assert not hasher.is_old(f"{METHOD}$x$y")
