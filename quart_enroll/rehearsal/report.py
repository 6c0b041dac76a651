"""Renders the report of a rehearsal: one HTML file that needs nothing else, and the same figures for JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from quart_enroll.charts import Line, LineChart
from quart_enroll.rehearsal.advice_text import Advice, seconds_text
from quart_enroll.rehearsal.figures import Figures, Moment
from quart_enroll.web.jinja_environment import TEMPLATES

MAX_ROWS = 40
"""Rows of a table of sections or courses; the JSON has all of them."""

OPENING = "the opening is at 0 s"
"""What the charts say about their zero."""

HEADINGS = {
    "problem": "What went wrong",
    "change": "What to change",
    "expect": "What to expect",
    "fine": "What is fine",
    "note": "About these figures",
}
"""The headings of the advice, by level, in their order."""


def render(figures: Figures, advice: Sequence[Advice], created_at: datetime) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"seconds": _seconds, "size": _size}
    crowded = [one for one in figures.courses if one.planned > one.capacity]
    full = [one for one in figures.sections if one.full_after is not None]
    return environment.get_template("report.html").render(
        figures=figures,
        setup=figures.setup,
        created_at=created_at,
        groups=[(level, heading, [one for one in advice if one.level == level]) for level, heading in HEADINGS.items()],
        charts=_charts(figures),
        database_memory=max((one.database_memory or 0 for one in figures.moments), default=0),
        full_sections=full[:MAX_ROWS],
        more_full_sections=max(0, len(full) - MAX_ROWS),
        crowded_courses=crowded[:MAX_ROWS],
        more_crowded_courses=max(0, len(crowded) - MAX_ROWS),
    )


def to_json(figures: Figures, advice: Sequence[Advice]) -> dict[str, Any]:
    """Return the figures and the advice as JSON values."""
    moments = [asdict(one) | {"full": [asdict(key) for key in sorted(one.full)]} for one in figures.moments]
    return asdict(figures) | {
        "succeeded": figures.succeeded,
        "moments": moments,
        "advice": [asdict(one) for one in advice],
    }


def _charts(figures: Figures) -> list[LineChart]:
    moments = figures.moments

    def line(name: str, read: Callable[[Moment], float | None]) -> Line:
        return Line(name, [(one.at, value) for one in moments if (value := read(one)) is not None])

    charts = [
        LineChart(
            "Seats and waitlists",
            "students",
            [line("seats taken", lambda one: one.taken), line("on waitlists", lambda one: one.waiting)],
            OPENING,
        ),
        LineChart(
            "Responses per second",
            "responses",
            [Line("responses", [(at, float(number)) for at, number, _ in figures.responses_per_second])],
            OPENING,
        ),
        LineChart(
            "Response times",
            "seconds",
            [Line("99 % were faster than", [(at, p99) for at, _, p99 in figures.responses_per_second])],
            OPENING,
        ),
        LineChart(
            "Processor use",
            "cores",
            [
                line("the site", lambda one: one.site_cores),
                line("MongoDB", lambda one: one.database_cores),
                line("the invented students", lambda one: one.students_cores),
                line("the whole machine", lambda one: one.machine_cores),
            ],
            OPENING,
        ),
    ]
    return [chart for chart in charts if any(line.points for line in chart.lines)]


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else seconds_text(seconds)


def _size(size: int | None) -> str:
    return (
        "unknown" if not size else f"{size / (1 << 20):,.0f} MiB" if size < 1 << 30 else f"{size / (1 << 30):,.1f} GiB"
    )
