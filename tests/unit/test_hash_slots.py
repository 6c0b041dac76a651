"""All processes of a server together hash no more passwords at a time than there are slots, and take turns."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quart_enroll.services.accounts import hash_slots
from quart_enroll.services.accounts.hash_slots import HashSlots
from tests.support.processes import TIMEOUT_SECONDS, is_locked, wait_until


def _of(folder: Path, number: int) -> HashSlots:
    """Slots as another process would have them: locks belong to an open file, so one process can simulate two."""
    return HashSlots(str(folder), number)


def test_no_more_slots_are_taken_than_exist(tmp_path: Path) -> None:
    one, other, inside = _of(tmp_path, 2), _of(tmp_path, 2), []

    def wait(own: int) -> None:
        with other.take(own):
            inside.append(own)

    with ThreadPoolExecutor(2) as threads:
        with one.take(0), one.take(1):
            waiting = [threads.submit(wait, own) for own in (0, 1)]
            wait_until(lambda: all(is_locked(tmp_path / f"next{own}") for own in (0, 1)))
            assert not inside
        for one_of_them in waiting:
            one_of_them.result(TIMEOUT_SECONDS)
    assert sorted(inside) == [0, 1]


def test_a_slot_released_by_one_process_is_used_by_another(tmp_path: Path) -> None:
    slots = _of(tmp_path, 2)
    with slots.take(0), slots.take(0):
        assert is_locked(tmp_path / "slot1")


def test_a_waiting_process_comes_before_the_one_that_just_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, order = _of(tmp_path, 1), _of(tmp_path, 1), []
    # Looking for a free slot locks the same file for a moment, before it is locked for the wait.
    monkeypatch.setattr(other, "_take_free", lambda _: None)

    def wait() -> None:
        with other.take(0):
            order.append("who waited")

    with ThreadPoolExecutor(1) as threads:
        with one.take(0):
            waiting = threads.submit(wait)
            wait_until(lambda: is_locked(tmp_path / "next0"))
        with one.take(0):
            order.append("who had it")
        waiting.result(TIMEOUT_SECONDS)
    assert order == ["who waited", "who had it"]


def test_a_killed_process_releases_its_slot(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom quart_enroll.services.accounts.hash_slots import HashSlots\n"
        f"with HashSlots({str(tmp_path)!r}, 1).take(0):\n    print('taken', flush=True)\n    sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"taken\n"
        assert is_locked(tmp_path / "slot0")
        process.kill()
        process.wait(TIMEOUT_SECONDS)
    with _of(tmp_path, 1).take(0):
        assert is_locked(tmp_path / "slot0")


@pytest.mark.parametrize("folder", [None, "cleared-away"])
def test_without_a_shared_folder_there_is_no_waiting(tmp_path: Path, folder: str | None) -> None:
    slots = HashSlots(folder and str(tmp_path / folder), 1)
    with slots.take(0), slots.take(0):
        assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads in /proc that a process is stopped")
def test_a_frozen_process_delays_others_only_briefly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_slots, "MAX_LOCK_SECONDS", 0.2)
    program = (
        "import sys\nfrom threading import Thread\nfrom quart_enroll.services.accounts.hash_slots import HashSlots\n"
        f"slots = HashSlots({str(tmp_path)!r}, 1)\n"
        "def wait():\n    with slots.take(0):\n        print('never')\n"
        "with slots.take(0):\n    Thread(target=wait, daemon=True).start()\n    sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        try:
            wait_until(
                lambda: all((tmp_path / name).exists() and is_locked(tmp_path / name) for name in ("slot0", "next0"))
            )
            process.send_signal(signal.SIGSTOP)
            wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
            for _ in range(3):
                with _of(tmp_path, 1).take(0):
                    assert is_locked(tmp_path / "slot0")
            assert not is_locked(tmp_path / "slot0")  # from now on the frozen process makes no difference
            assert not is_locked(tmp_path / "next0")
        finally:
            process.kill()
