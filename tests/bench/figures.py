"""The figures of a measurement: medians of rounds, ratios within a round, and goals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure, measured in several rounds."""

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
        """Return the ratio to another figure, round by round: whatever slows down the machine affects both in a
        round."""
        return Spread(tuple(one / two if two else 0.0 for one, two in zip(self.rounds, other.rounds, strict=True)))


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit for a figure, `at_least` or `at_most`; `what` names the figure."""

    what: str
    figure: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        enough = self.at_least is None or self.figure >= self.at_least
        return enough and (self.at_most is None or self.figure <= self.at_most)

    def __str__(self) -> str:
        wanted = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"{'met' if self.met else 'MISSED'}: {self.what} {short(self.figure)}, {wanted}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the report: the site's figure, those of others where they do the same work, and the goals.

    `others` are by name: "bare Quart", "Flask". `note` says what the figure alone doesn't say.
    """

    name: str
    unit: str
    site: Spread
    others: dict[str, Spread] = field(default_factory=dict)
    goals: Sequence[Goal] = ()
    note: str = ""
    compared_by: str = ""
    """The site whose ratio shows from one run to the next whether this one got slower; "" to compare the figure
    itself."""

    @property
    def steady(self) -> float:
        """The figure that can be compared with that of another run."""
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
    """Return the figure with its significant digits only."""
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


TOLERANCE = 0.15
"""The share by which a figure may be worse than in the previous run; less is noise, even on an idle machine."""


def worse_than_before(rows: Sequence[Row], before: dict[str, float]) -> list[str]:
    """Return a sentence for each figure that is clearly worse than `before`, by the name of its row."""
    found = []
    for row in rows:
        if not (old := before.get(row.name)):
            continue
        now = row.steady
        if (now < old * (1 - TOLERANCE)) if row.more_is_better else (now > old * (1 + TOLERANCE)):
            of = f" of {row.compared_by}" if row.compared_by else f" {row.unit}"
            found.append(f"{row.name}: {short(now)}{of}, and {short(old)} in the run before")
    return found
