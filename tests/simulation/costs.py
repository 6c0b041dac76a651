"""What each step costs, as measured by `tests.simulation.measure`."""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("costs.json")


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU, except where the name says otherwise. The site's are those of one process, in Python."""

    page: float
    """The site: a student's own page after a change."""
    press: float
    """The site: a press on "Enroll in all", from its first byte to the redirect, without the transaction."""
    enroll: float
    """The site: the same for a single course."""
    refusal: float
    """The site: the same for a single course that turns out to be full."""
    transaction: float
    """The site: a transaction, whatever its size."""
    seat: float
    """The site: one seat in a transaction."""
    change: float
    """The site: one changed row that a change stream reports to one process."""
    hash: float
    """The site: checking a password."""
    database_press: float
    """MongoDB: a press, without the transaction."""
    database_transaction: float
    """MongoDB: a transaction, whatever its size."""
    database_seat: float
    """MongoDB: one seat in a transaction, with its rows in all collections."""
    client: float
    """The test's own client: one request. It shares the cores of the machine on which the cases were measured."""
    commit_wait_seconds: float
    """Time without any CPU until a majority has a commit."""


def read() -> Costs:
    """Read the measured costs."""
    return Costs(**json.loads(FILE.read_text())["costs"])
