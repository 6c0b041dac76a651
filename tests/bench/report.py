"""Write the results of a run: a table to read, JSON for programs, and a history that reveals a slower site."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import machine
from tests.bench.figures import Row, short

HEAD = ("work", "site", "lowest–highest", "compared with", "goals")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [HEAD, ("---",) * len(HEAD), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    beside = (
        f"{name} {short(spread.median)}: {short(row.site.to(spread).median)} ×" for name, spread in row.others.items()
    )
    spread = f"{short(row.site.low)}–{short(row.site.high)}" if len(row.site.rounds) > 1 else ""
    return (
        f"{row.name}{f' ({row.note})' if row.note else ''}",
        f"{short(row.site.median)} {row.unit}",
        spread,
        "<br>".join(beside),
        "<br>".join(f"**{goal}**" if not goal.met else str(goal) for goal in row.goals),
    )


def plain(rows: Sequence[Row]) -> str:
    """Return the rows as text for a terminal."""
    lines = []
    for row in rows:
        _, figure, spread, beside, _ = _cells(row)
        lines.append(f"{row.name}: {figure}{f' ({spread})' if spread else ''}")
        lines += [f"    {part}" for part in beside.split("<br>") if part]
        lines += [f"    {goal}" for goal in row.goals]
        lines += [f"    {row.note}"] if row.note else []
    return "\n".join(lines)


def missed(rows: Sequence[Row]) -> list[str]:
    """Return a line for each missed goal, and a last one with the number of goals met."""
    goals = [(row, goal) for row in rows for goal in row.goals]
    lines = [f"{row.name}: {goal}" for row, goal in goals if not goal.met]
    return [*lines, f"{len(goals) - len(lines)} of {len(goals)} goals are met."]


def write(folder: Path, facts: dict[str, Any], rows: Sequence[Row], worse: Sequence[str]) -> None:
    """Write latest.md and latest.json, and add a line to history.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    results = {**facts, "rows": [row.as_json() for row in rows], "worse": list(worse)}
    (folder / "latest.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "latest.md").write_text(markdown(facts, rows, worse))
    steady = {row.name: round(row.steady, 4) for row in rows}
    with open(folder / "history.jsonl", "a") as history:
        history.write(json.dumps({**facts, "steady": steady}, ensure_ascii=False) + "\n")


def markdown(facts: dict[str, Any], rows: Sequence[Row], worse: Sequence[str]) -> str:
    """Return the whole report."""
    lines = [
        "# The latest measurement",
        "",
        f"{facts['date']}, commit {facts['commit']}, load before: {facts['load_before']}.",
        f"{machine.summary(facts)}.",
        f"{facts['rounds']} rounds of {facts['seconds']:g} s. How to read this: [benchmarks.md](../benchmarks.md).",
        "",
        table(rows),
        "",
        missed(rows)[-1],
    ]
    if worse:
        lines += ["", "Regressions and faults:", "", *(f"- {sentence}" for sentence in worse)]
    return "\n".join([*lines, ""])


def previous_figures(folder: Path, facts: dict[str, Any]) -> dict[str, float]:
    """Return the figures of the last run of the same length on the same kind of machine, by row."""
    history = folder / "history.jsonl"
    lines = history.read_text().splitlines() if history.exists() else []
    for line in reversed(lines):
        run = json.loads(line)
        if all(run.get(name) == facts[name] for name in ("cores", "model", "rounds", "seconds")):
            return dict(run["steady"])
    return {}
