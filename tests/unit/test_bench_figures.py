"""How `make bench` and `make load` evaluate their figures: ratios, goals, and comparison with the previous run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench import report, wrk
from tests.bench.figures import Goal, Row, Spread, worse_than_before
from tests.load.audit import contradictions

FACTS: dict[str, Any] = {
    "date": "2026-09-01T09:00:00+00:00",
    "commit": "abc",
    "cores": 2,
    "model": "a processor",
    "system": "Linux",
    "load_before": 0.1,
    "versions": {"quart": "0.22.0"},
    "rounds": 3,
    "seconds": 4,
}


def row(*rates: float, bare: tuple[float, ...] = (), name: str = "home", unit: str = "pages/s") -> Row:
    others = {"bare Quart": Spread(bare)} if bare else {}
    return Row(name, unit, Spread(rates), others, compared_by="bare Quart" if bare else "")


def test_ratios_are_computed_per_round() -> None:
    """A round in which the machine was slow for both says as much as the others."""
    site, bare = Spread((80.0, 8.0, 90.0)), Spread((100.0, 10.0, 100.0))
    assert site.to(bare).median == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("ratio", 0.8, at_least=0.8), True),
        (Goal("ratio", 0.79, at_least=0.8), False),
        (Goal("p99 in seconds", 1.0, at_most=1), True),
        (Goal("p99 in seconds", 1.1, at_most=1), False),
    ],
)
def test_a_goal_is_met_at_its_figure_and_missed_past_it(goal: Goal, met: bool) -> None:
    assert goal.met == met
    assert str(goal).startswith("met: " if met else "MISSED: ")


def test_pages_are_worse_when_their_ratio_falls_and_not_when_the_machine_is_slower() -> None:
    before = {"home": 0.8}
    assert worse_than_before([row(40, bare=(50,))], before) == []
    assert worse_than_before([row(60, bare=(100,))], before) == ["home: 0.60 of bare Quart, and 0.80 in the run before"]


def test_seconds_are_worse_when_they_are_more() -> None:
    assert worse_than_before([row(1.0, unit="s (p99)")], {"home": 2.0}) == []
    assert worse_than_before([row(3.0, unit="s (p99)")], {"home": 2.0}) != []


def test_a_new_row_is_not_a_regression() -> None:
    assert worse_than_before([row(1.0)], {}) == []


def test_the_history_remembers_the_last_run_on_such_a_machine_that_took_as_long(tmp_path: Path) -> None:
    report.write(tmp_path, FACTS, [row(80, 90, 100)], [])
    report.write(tmp_path, FACTS | {"cores": 64}, [row(800, 900, 1000)], [])
    report.write(tmp_path, FACTS | {"rounds": 1}, [row(70)], [])
    assert report.before(tmp_path, FACTS) == {"home": 90}
    assert report.before(tmp_path, FACTS | {"model": "another"}) == {}


def test_the_report_has_figures_ratios_goals_and_the_machine(tmp_path: Path) -> None:
    goals = [Goal("ratio to bare Quart", 0.5, at_least=0.8)]
    found = Row("home", "pages/s", Spread((40.0, 50.0, 60.0)), {"bare Quart": Spread((100.0, 100.0, 100.0))}, goals)
    report.write(tmp_path, FACTS, [found], ["home: slower"])

    text = (tmp_path / "latest.md").read_text()
    assert "| home | 50.0 pages/s | 40.0–60.0 | bare Quart 100: 0.50 × |" in text
    assert "**MISSED: ratio to bare Quart 0.50, at least 0.8**" in text
    assert "a processor" in text
    assert "0 of 1 goals are met." in text
    assert "- home: slower" in text
    reported = json.loads((tmp_path / "latest.json").read_text())
    assert reported["rows"][0]["ratios"] == {"bare Quart": 0.5}


def test_the_output_of_wrk_is_parsed() -> None:
    reported = '{"requests":500,"microseconds":2000000,"bytes":500000,"refused":1,"broken":2,"timeouts":3,"p99":40000}'
    assert wrk.read(f"Running 2s test\n\nJSON{reported}\n") == wrk.Measured(250.0, 1000.0, 1, 2, 3, 0.04)


def test_a_failing_wrk_ends_the_run_with_its_error() -> None:
    with pytest.raises(SystemExit, match="unable to connect"):
        wrk.read("", "unable to connect to 127.0.0.1:9")


def test_a_student_told_enrolled_without_a_seat_is_a_lost_seat() -> None:
    reported = [_report(1, "enrolled"), _report(2, "enrolled"), _report(2, "gone"), _report(3, "enrolled")]
    assert contradictions(reported, {(1, "1111")}) == ["Student 3 was told to be enrolled in 1111, and has no seat."]


def test_a_student_told_dropped_who_still_has_the_seat_is_found() -> None:
    assert contradictions([_report(1, "gone")], {(1, "1111")}) == [
        "Student 1 was told that 1111 was dropped, and still has the seat."
    ]


def test_without_a_response_a_student_may_or_may_not_have_a_seat() -> None:
    reported = [_report(1, "enrolled"), _report(1, "asked")]
    assert contradictions(reported, set()) == contradictions(reported, {(1, "1111")}) == []


def _report(user_id: int, word: str) -> dict[str, Any]:
    return {"at": 0.0, "user_id": user_id, "courseID": "1111", "told": word}
