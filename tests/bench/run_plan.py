"""The extent of a run of `make bench`."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import PROJECT


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The extent of a run; `seconds` is that of each measurement in a round, and `warm_up` comes before the first."""

    rounds: int
    own_page_rounds: int
    seconds: float
    warm_up: float
    repeats: int
    students: int
    posts: int
    people: int
    open_pages: int
    open_pages_seconds: float
    memory_seconds: float
    folder: Path


FULL_RUN = RunPlan(
    rounds=5,
    own_page_rounds=4,
    seconds=4,
    warm_up=2,
    repeats=3,
    students=2000,
    posts=3000,
    people=150,
    open_pages=5000,
    open_pages_seconds=30,
    memory_seconds=300,
    folder=PROJECT / "docs" / "bench",
)
QUICK_RUN = RunPlan(
    rounds=2,
    own_page_rounds=1,
    seconds=1,
    warm_up=1,
    repeats=1,
    students=400,
    posts=600,
    people=40,
    open_pages=500,
    open_pages_seconds=4,
    memory_seconds=6,
    folder=PROJECT / ".bench",
)
