"""How `make bench` and `make load` evaluate their figures: ratios, goals, regressions and discrepancies."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench import report, wrk
from tests.bench.__main__ import PARTS
from tests.bench.figures import Goal, Row, Spread, find_regressions
from tests.load import goals
from tests.load.audit import find_discrepancies

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
    """A round in which the machine was slow for both sites counts as much as the others."""
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
def test_a_goal_is_met_exactly_at_its_limit(goal: Goal, met: bool) -> None:
    assert goal.met == met
    assert str(goal).startswith("met: " if met else "MISSED: ")


def test_a_falling_ratio_is_a_regression_and_a_slower_machine_is_not() -> None:
    before = {"home": 0.8}
    assert find_regressions([row(40, bare=(50,))], before) == []
    assert find_regressions([row(60, bare=(100,))], before) == [
        "home: 0.60 of bare Quart, compared with 0.80 in the previous run"
    ]


def test_a_longer_time_is_a_regression() -> None:
    assert find_regressions([row(1.0, unit="s (p99)")], {"home": 2.0}) == []
    assert find_regressions([row(3.0, unit="s (p99)")], {"home": 2.0}) != []


def test_a_new_row_is_not_a_regression() -> None:
    assert find_regressions([row(1.0)], {}) == []


def test_a_run_is_compared_with_the_last_one_of_its_length_on_the_same_kind_of_machine(tmp_path: Path) -> None:
    report.write(tmp_path, FACTS, [row(80, 90, 100)], [])
    report.write(tmp_path, FACTS | {"cores": 64}, [row(800, 900, 1000)], [])
    report.write(tmp_path, FACTS | {"rounds": 1}, [row(70)], [])
    assert report.previous_figures(tmp_path, FACTS) == {"home": 90}
    assert report.previous_figures(tmp_path, FACTS | {"model": "another"}) == {}


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
    latest = json.loads((tmp_path / "latest.json").read_text())
    assert latest["rows"][0]["ratios"] == {"bare Quart": 0.5}


def test_the_output_of_wrk_is_parsed() -> None:
    output = '{"requests":500,"microseconds":2000000,"bytes":500000,"refused":1,"broken":2,"timeouts":3,"p99":40000}'
    assert wrk.read(f"Running 2s test\n\nJSON{output}\n") == wrk.WrkResult(250.0, 1000.0, 1, 2, 3, 0.04, 500)


def test_a_failing_wrk_ends_the_run_with_its_error() -> None:
    with pytest.raises(SystemExit, match="unable to connect"):
        wrk.read("", "unable to connect to 127.0.0.1:9")


def test_a_confirmed_enrollment_without_a_seat_is_a_discrepancy() -> None:
    records = [_record(1, "enrolled"), _record(2, "enrolled"), _record(2, "dropped"), _record(3, "enrolled")]
    assert find_discrepancies(records, {(1, "1111")}) == ["Student 3 was told to be enrolled in 1111, and has no seat."]


def test_a_confirmed_drop_that_left_the_seat_taken_is_a_discrepancy() -> None:
    assert find_discrepancies([_record(1, "dropped")], {(1, "1111")}) == [
        "Student 1 was told that 1111 was dropped, and still has the seat."
    ]


def test_without_a_response_a_student_may_or_may_not_have_a_seat() -> None:
    records = [_record(1, "enrolled"), _record(1, "requested")]
    assert find_discrepancies(records, set()) == find_discrepancies(records, {(1, "1111")}) == []


def _record(user_id: int, outcome: str) -> dict[str, Any]:
    return {"at": 0.0, "user_id": user_id, "courseID": "1111", "outcome": outcome}


def press(user_id: int, at: float, seconds: float, *, settled: bool = True) -> dict[str, Any]:
    return {"user_id": user_id, "at": at, "seconds": seconds, "settled": settled}


def test_a_registration_day_is_measured_in_bare_responses() -> None:
    found = goals.goals([press(1, 103, 2.0), press(2, 104, 1.0)], 2, opened_at=100, bare_per_second=20)
    assert [(round(goal.figure), goal.met) for goal in found] == [(40, True), (40, True), (80, True), (2, True)]


def test_a_press_without_an_answer_leaves_a_plan_unsettled() -> None:
    *_, students = goals.goals([press(1, 101, 1.0), press(2, 102, 30.0, settled=False)], 2, 100, 20)
    assert not students.met


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_a_measurement_needs_only_the_run(part: str) -> None:
    assert len(inspect.signature(PARTS[part]).parameters) == 1
