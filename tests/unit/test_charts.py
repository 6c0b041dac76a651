"""Charts: where their parts are, and the sentences that say the same."""

import pytest

from quart_enroll.charts import Bar, BarChart, Line, LineChart
from quart_enroll.i18n.language import use_language

SEATS = LineChart("Seats", "seats", [Line("taken", [(-20.0, 0.0), (0.0, 10.0), (61.5, 1234.0)])], "it opens at 0 s")
SUBJECTS = BarChart(
    "Seats by subject",
    ["taken", "open", "waiting"],
    [Bar("Computing", (20, 10, 0)), Bar("Mathematics and Statistics", (10, 0, 5))],
)


def test_a_line_chart_has_round_ticks_and_its_points_inside() -> None:
    assert [tick.label for tick in SEATS.y_ticks] == ["0", "500", "1,000", "1,500"]
    assert [tick.label for tick in SEATS.x_ticks] == ["-20 s", "0 s", "20 s", "40 s", "60 s"]
    points = [tuple(map(float, pair.split(","))) for pair in SEATS.paths[0].split()]
    assert all(52 <= x <= 468 and 12 <= y <= 190 for x, y in points)
    assert SEATS.sentence == "Seats. taken: at most 1,234 seats, at 62 s. It opens at 0 s."


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (600, ["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"]),
        (86400, ["0 h", "5 h", "10 h", "15 h", "20 h"]),
        (10 * 86400, ["0 d", "2 d", "4 d", "6 d", "8 d", "10 d"]),
    ],
)
def test_a_long_time_has_larger_units(seconds: int, labels: list[str]) -> None:
    chart = LineChart("Seats", "seats", [Line("taken", [(0, 1), (seconds, 2)])], "")
    assert [tick.label for tick in chart.x_ticks] == labels


def test_a_line_chart_of_nothing_but_zeros_has_an_axis() -> None:
    assert LineChart("Waitlists", "students", [Line("waiting", [(0.0, 0.0)])], "").top == 1


def test_numbers_in_charts_follow_the_language() -> None:
    with use_language("es"):
        assert [tick.label for tick in SEATS.y_ticks][-1] == "1.500"
        assert "62 s" in SEATS.sentence


def test_the_parts_of_a_bar_lie_side_by_side_and_the_longest_fills_the_width() -> None:
    first, second = SUBJECTS.rows
    parts = [(one.number, round(one.x, 1), round(one.width, 1)) for one in first.rectangles]
    assert parts == [(1, 150.0, 182.7), (2, 332.7, 91.3)]
    assert round(first.end) == 480 - 56
    assert [one.number for one in second.rectangles] == [1, 3]
    assert (first.total, second.total) == ("30", "15")
    assert second.y - first.y == 26


def test_a_long_label_is_cut_off_because_the_table_has_all_of_it() -> None:
    assert [row.label for row in SUBJECTS.rows] == ["Computing", "Mathematics and …"]


def test_a_bar_chart_says_in_words_which_bar_is_the_longest() -> None:
    assert SUBJECTS.sentence == (
        "Seats by subject. The longest bar is Computing, with taken: 20; open: 10; waiting: 0."
    )
    assert BarChart("Seats", ["taken"], []).sentence == "Seats"


def test_a_bar_chart_of_nothing_but_zeros_can_be_drawn() -> None:
    [row] = BarChart("Seats", ["taken"], [Bar("Computing", (0,))]).rows
    assert (row.total, row.end, row.rectangles) == ("0", 150, [])
