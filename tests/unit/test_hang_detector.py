"""A silent process counts as hanging only for the time in which it could have given a sign of life."""

import sys
from pathlib import Path

import pytest

from quart_enroll.server.hang_detector import HangDetector

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

NAME = "(worker) R (1)"
"""A name that looks like other fields."""


class FakeProcess:
    """A folder like that of a process in /proc, with two threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for thread in ("1", "2"):
            (folder / "task" / thread).mkdir(parents=True)
        self.detector = HangDetector(1)
        self.detector._process = folder

    def seconds_counted(self, first: str, second: str, ticks: int) -> float:
        """Count half a second of silence in which the threads were in these states and used so many clock ticks."""
        self._write(first, second, 100)
        self.detector.count(0.5)
        before = self.detector.seconds
        self._write(first, second, 100 + ticks)
        self.detector.count(0.5)
        return self.detector.seconds - before

    def _write(self, first: str, second: str, ticks: int) -> None:
        facts = f"1 1 1 0 -1 4194560 1000 0 0 0 {ticks - 30} 30 0 0 20 0 2 0"
        (self._folder / "stat").write_text(f"1 ({NAME}) {first} {facts}")
        for thread, state in (("1", first), ("2", second)):
            (self._folder / "task" / thread / "stat").write_text(f"{thread} ({NAME}) {state} {facts}")


@pytest.fixture
def process(tmp_path: Path) -> FakeProcess:
    return FakeProcess(tmp_path)


@pytest.mark.parametrize("states", [("R", "S"), ("S", "R"), ("D", "S"), ("t", "S")])
def test_waiting_for_a_processor_a_disk_or_a_debugger_does_not_count(
    states: tuple[str, str], process: FakeProcess
) -> None:
    assert process.seconds_counted(*states, ticks=0) == 0


@pytest.mark.parametrize(("ticks", "seconds"), [(20, 0.2), (90, 0.5)])
def test_a_busy_process_counts_with_the_processor_time_it_uses(
    ticks: int, seconds: float, process: FakeProcess
) -> None:
    assert process.seconds_counted("R", "S", ticks) == pytest.approx(seconds)
    assert not process.detector.is_stopped


def test_a_blocked_process_counts_with_all_its_time(process: FakeProcess) -> None:
    assert process.seconds_counted("S", "S", ticks=0) == 0.5
    assert not process.detector.is_stopped


def test_a_stopped_process_is_recognized(process: FakeProcess) -> None:
    assert process.seconds_counted("T", "T", ticks=0) == 0.5
    assert process.detector.is_stopped


def test_a_sign_of_life_starts_the_count_again(process: FakeProcess) -> None:
    process.seconds_counted("T", "T", ticks=0)
    process.detector.hear()
    assert (process.detector.seconds, process.detector.is_stopped) == (0, False)
    assert process.seconds_counted("R", "S", ticks=0) == 0


def test_a_process_that_has_ended_does_not_count() -> None:
    detector = HangDetector(2**31 - 1)
    detector.count(0.5)
    assert detector.seconds == 0
