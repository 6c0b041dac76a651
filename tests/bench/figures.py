"""Figures of a benchmark: medians of rounds, ratios within a round, and goals met or missed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

WRONG_RESPONSES = "wrong responses"
FAILED_RESPONSES = "responses with 5xx, or none at all"
"""Names of goals whose figure must be 0: otherwise the run fails."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The same quantity, measured in several rounds."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def low(self) -> float:
        return min(self.rounds)

    @property
    def high(self) -> float:
        return max(self.rounds)

    def to(self, other: "Spread") -> "Spread":
        """Return the ratio to another spread, round by round: other load on the machine slows down both."""
        return Spread(tuple(one / two if two else 0.0 for one, two in zip(self.rounds, other.rounds, strict=True)))


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit for the figure named `what`: `at_least` or `at_most` that much."""

    what: str
    figure: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        is_high_enough = self.at_least is None or self.figure >= self.at_least
        return is_high_enough and (self.at_most is None or self.figure <= self.at_most)

    def __str__(self) -> str:
        wanted = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"{'met' if self.met else 'MISSED'}: {self.what} {short(self.figure)}, {wanted}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the report: the site's figure, the figures of other sites for the same work, and the goals.

    `others` are by name, like "bare Quart" or "Flask". `note` adds what the figure alone does not say.
    """

    name: str
    unit: str
    site: Spread
    others: dict[str, Spread] = field(default_factory=dict)
    goals: Sequence[Goal] = ()
    note: str = ""
    compared_by: str = ""
    """The other site to which the ratio is compared between runs; if empty, the site's own figure is compared."""

    @property
    def steady(self) -> float:
        """The figure that is compared between runs."""
        return self.site.to(self.others[self.compared_by]).median if self.compared_by else self.site.median

    @property
    def more_is_better(self) -> bool:
        return self.unit.endswith("/s")

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "site": _spread(self.site),
            "others": {name: _spread(spread) for name, spread in self.others.items()},
            "ratios": {name: round(self.site.to(spread).median, 3) for name, spread in self.others.items()},
            "goals": [asdict(goal) | {"met": goal.met} for goal in self.goals],
            "note": self.note,
        }


def _spread(spread: Spread) -> dict[str, Any]:
    return {"median": round(spread.median, 3), "rounds": [round(one, 3) for one in spread.rounds]}


def short(figure: float) -> str:
    """Return the figure with its significant digits."""
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


TOLERANCE = 0.15
"""The fraction by which a figure may be worse than in the previous run: an idle machine varies by as much."""


def find_regressions(rows: Sequence[Row], before: dict[str, float]) -> list[str]:
    """Return a sentence for each figure that is clearly worse than in `before`, which holds figures by row name."""
    regressions = []
    for row in rows:
        if not (old := before.get(row.name)):
            continue
        now = row.steady
        if (now < old * (1 - TOLERANCE)) if row.more_is_better else (now > old * (1 + TOLERANCE)):
            of = f" of {row.compared_by}" if row.compared_by else f" {row.unit}"
            regressions.append(f"{row.name}: {short(now)}{of}, compared with {short(old)} in the previous run")
    return regressions
