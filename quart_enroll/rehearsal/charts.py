"""Small line charts as inline SVG, with a sentence that says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 30
"""The margins around the plot, in the chart's own units."""

MAX_TICKS = 6
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: pairs of seconds from the opening and a value."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at a position of an axis."""

    position: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart of values over the seconds from the opening."""

    title: str
    unit: str
    lines: Sequence[Line]

    @property
    def start(self) -> float:
        return floor(min(at for line in self.lines for at, _ in line.points))

    @property
    def end(self) -> float:
        return max(ceil(max(at for line in self.lines for at, _ in line.points)), self.start + 1)

    @property
    def top(self) -> float:
        """The end of the vertical axis."""
        highest = max((value for line in self.lines for _, value in line.points), default=0.0)
        step = _step(highest or 1.0)
        return step * max(1, ceil((highest or 1.0) / step))

    @property
    def sentence(self) -> str:
        """What a reader without the picture needs to know."""
        parts = []
        for line in self.lines:
            if line.points:
                at, highest = max(line.points, key=lambda point: point[1])
                parts.append(f"{line.name}: at most {_number(highest)} {self.unit}, at {_number(round(at))} s")
        return f"{self.title}. " + "; ".join(parts) + ". The opening is at 0 s."

    @property
    def x_ticks(self) -> list[Tick]:
        step = max(1.0, _step(self.end - self.start))
        first = ceil(self.start / step)
        return [
            Tick(self._x(number * step), f"{_number(number * step)} s")
            for number in range(first, floor(self.end / step) + 1)
        ]

    @property
    def y_ticks(self) -> list[Tick]:
        step = _step(self.top)
        return [Tick(self._y(number * step), _number(number * step)) for number in range(round(self.top / step) + 1)]

    @property
    def opening(self) -> float:
        """The horizontal position of the opening."""
        return self._x(0)

    def path(self, line: Line) -> str:
        """Return the line's points for a polyline."""
        return " ".join(f"{self._x(at):.1f},{self._y(value):.1f}" for at, value in line.points)

    def _x(self, at: float) -> float:
        return LEFT + (at - self.start) / (self.end - self.start) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _step(span: float) -> float:
    """Return a round distance between ticks, of which at most MAX_TICKS fit into the span."""
    rough = span / MAX_TICKS
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in STEPS if factor * power >= rough * 0.999)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
