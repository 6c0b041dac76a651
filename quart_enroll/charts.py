"""Charts as inline SVG, drawn by `templates/macros/chart.html`, with a sentence that says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from quart_enroll.i18n.language import format_number, gettext

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 30
"""The margins around the plot of a line chart, in the chart's own units."""

BAR_LEFT, BAR_RIGHT = 150, 56
"""The margins beside bars, for the labels and the totals."""

ROW_HEIGHT, BAR_HEIGHT = 26, 16
LABEL_LENGTH = 17
"""Characters of a bar's label that fit beside it on a phone."""

TIME_UNITS = ((2 * 86400, 86400, "d"), (2 * 3600, 3600, "h"), (5 * 60, 60, "min"), (0, 1, "s"))
"""The seconds from which a time axis has a unit, the seconds of the unit, and its symbol."""

MAX_TICKS = 6
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: pairs of seconds and a value."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at a position of an axis."""

    position: float
    label: str


@dataclass(frozen=True)
class LineChart:
    """A chart of values over seconds; `note` says what happened at 0 s."""

    title: str
    unit: str
    lines: Sequence[Line]
    note: str

    kind = "lines"
    width, height = WIDTH, HEIGHT

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
    def names(self) -> list[str]:
        """The names of the lines that have points."""
        return [line.name for line in self.lines if line.points]

    @property
    def sentence(self) -> str:
        """What a reader without the picture needs to know."""
        parts = []
        for line in self.lines:
            if line.points:
                at, highest = max(line.points, key=lambda point: point[1])
                parts.append(
                    gettext(
                        "%(name)s: at most %(highest)s %(unit)s, at %(at)s s",
                        name=line.name,
                        highest=_number(highest),
                        unit=self.unit,
                        at=_number(round(at)),
                    )
                )
        return f"{self.title}. {'; '.join(parts)}. {self.note[:1].upper()}{self.note[1:]}."

    @property
    def x_ticks(self) -> list[Tick]:
        span = self.end - self.start
        unit, symbol = next((unit, symbol) for least, unit, symbol in TIME_UNITS if span >= least)
        step = max(1.0, _step(span / unit))
        numbers = range(ceil(self.start / unit / step), floor(self.end / unit / step) + 1)
        return [Tick(self._x(number * step * unit), f"{_number(number * step)} {symbol}") for number in numbers]

    @property
    def y_ticks(self) -> list[Tick]:
        step = _step(self.top)
        return [Tick(self._y(number * step), _number(number * step)) for number in range(round(self.top / step) + 1)]

    @property
    def zero(self) -> float | None:
        """The horizontal position of 0 s, if the chart includes it."""
        return self._x(0) if self.start <= 0 <= self.end else None

    @property
    def paths(self) -> list[str]:
        """The points of each line that has any, for polylines."""
        return [
            " ".join(f"{self._x(at):.1f},{self._y(value):.1f}" for at, value in line.points)
            for line in self.lines
            if line.points
        ]

    def _x(self, at: float) -> float:
        return LEFT + (at - self.start) / (self.end - self.start) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart: its label, and a value for each of the chart's names."""

    label: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A drawn value: which of the chart's names it has, from 1, and where it is."""

    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class DrawnBar:
    """A drawn bar: the middle of the row, its label and total as texts, and where the total begins."""

    y: float
    label: str
    total: str
    end: float
    rectangles: Sequence[Rectangle]


@dataclass(frozen=True)
class BarChart:
    """A chart of horizontal bars; the values of each are stacked."""

    title: str
    names: Sequence[str]
    bars: Sequence[Bar]

    kind = "bars"
    width = WIDTH

    @property
    def height(self) -> float:
        return ROW_HEIGHT * max(1, len(self.bars))

    @property
    def sentence(self) -> str:
        """What a reader without the picture needs to know; the table beside the chart has the rest."""
        if not self.bars:
            return self.title
        longest = max(self.bars, key=lambda bar: sum(bar.values))
        values = "; ".join(f"{name}: {_number(value)}" for name, value in zip(self.names, longest.values, strict=True))
        return gettext(
            "%(title)s. The longest bar is %(label)s, with %(values)s.",
            title=self.title,
            label=longest.label,
            values=values,
        )

    @property
    def rows(self) -> list[DrawnBar]:
        """The bars as they are drawn."""
        longest = max((sum(bar.values) for bar in self.bars), default=0) or 1
        scale = (WIDTH - BAR_LEFT - BAR_RIGHT) / longest
        return [self._row(index, bar, scale) for index, bar in enumerate(self.bars)]

    def _row(self, index: int, bar: Bar, scale: float) -> DrawnBar:
        x, y, rectangles = float(BAR_LEFT), index * ROW_HEIGHT + (ROW_HEIGHT - BAR_HEIGHT) / 2, []
        for number, value in enumerate(bar.values, 1):
            if value:
                rectangles.append(Rectangle(number, x, y, value * scale, BAR_HEIGHT))
            x += value * scale
        label = bar.label if len(bar.label) <= LABEL_LENGTH else f"{bar.label[: LABEL_LENGTH - 1]}…"
        return DrawnBar(y + BAR_HEIGHT / 2, label, _number(sum(bar.values)), x, rectangles)


def _step(span: float) -> float:
    """Return a round distance between ticks, of which at most MAX_TICKS fit into the span."""
    rough = span / MAX_TICKS
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in STEPS if factor * power >= rough * 0.999)


def _number(value: float) -> str:
    return format_number(round(value) if value >= 10 else float(f"{value:.2g}"))
