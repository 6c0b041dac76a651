"""Meetings are read as intended or refused: never on another day or at another time of day."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import time
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quart_enroll.domain.models import Meeting
from quart_enroll.forms.imports import meeting_times
from quart_enroll.i18n.language import DAYS

TWO_LETTERS = dict(zip(DAYS, ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"), strict=True))
THREE_LETTERS = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
FULL = dict(zip(DAYS, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), strict=True))
ONE_LETTER = {day: day for day in DAYS}
TH_ALONE = ONE_LETTER | {"R": "Th"}
TH_AND_SU = TH_ALONE | {"U": "Su"}
H = ONE_LETTER | {"R": "H"}

CONVENTIONS = (ONE_LETTER, TWO_LETTERS, THREE_LETTERS, FULL, TH_ALONE, TH_AND_SU, H)
"""How schools write days; each convention alone is unambiguous."""


def read_by(names: dict[str, str], word: str) -> Iterator[str]:
    """Yield every way to read a word in one convention, whatever its case."""
    if not word:
        yield ""
    for day, name in names.items():
        if word.startswith(name.lower()):
            yield from (day + rest for rest in read_by(names, word[len(name) :]) if day not in rest)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("M", "M"),
        ("Tu", "T"),
        ("Th", "R"),
        ("Su", "U"),
        ("SAT", "S"),
        ("tuesday", "T"),
        ("TuTh", "TR"),
        ("TTh", "TR"),
        ("TTH", "TR"),
        ("MWFr", "MWF"),
        ("mwf", "MWF"),
        ("Mwf", "MWF"),
        ("MTWThF", "MTWRF"),
        ("MTWRFSU", "MTWRFSU"),
        ("Mon/Wed", "MW"),
        ("mon, wed & fri", "MWF"),
        ("Sat and Sun", "SU"),
        ("M W F", "MWF"),
        ("M.W.F.", "MWF"),
        ("THUFRI", "RF"),
        ("T U", "TU"),
        ("TuSu", "TU"),
        ("S/U", "SU"),
    ],
)
def test_days_are_read_as_intended(text: str, days: str) -> None:
    assert meeting_times.parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("TU", "Tu or TuSu"),
        ("tu", "Tu or TuSu"),
        ("TH", "Th or TuTh"),
        ("MTH", "MoTh or MoTuTh"),
        ("MTU", "MoTu or MoTuSu"),
        ("SU", "SaSu or Su"),
        ("FR", "Fr or ThFr"),
        ("TUTH", "TuTh or TuThSu"),
        ("MWH", "MoWeTh"),
    ],
)
def test_days_that_two_schools_read_differently_are_refused(text: str, written: str) -> None:
    with pytest.raises(ValueError, match=f"Write {written}\\."):
        meeting_times.parse_days(text)
    for way in written.split(" or "):
        meeting_times.parse_days(way)


@pytest.mark.parametrize("text", ["X", "M-F", "daily", "MM", "M M", "Lunes", "ＭX", "Monn", ""])
def test_a_text_without_days_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a list of days|names a day twice|Name the days"):
        meeting_times.parse_days(text)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("M 09:00-09:50", "09:00", "09:50"),
        ("M 9:00–9:50", "09:00", "09:50"),
        ("M 0900-0950", "09:00", "09:50"),
        ("M 9.00 to 9.50", "09:00", "09:50"),
        ("M 9-9:50am", "09:00", "09:50"),
        ("M 9:00 a.m. - 9:50 a.m.", "09:00", "09:50"),
        ("M 9:00:00 AM-9:50:00 AM", "09:00", "09:50"),
        ("M 1:00 PM-2:15 PM", "13:00", "14:15"),
        ("M 1-2:15p", "13:00", "14:15"),
        ("M 11-12:15pm", "11:00", "12:15"),
        ("M 11am-1", "11:00", "13:00"),
        ("M 12:00-12:50pm", "12:00", "12:50"),
        ("M 12:15 AM-1 AM", "00:15", "01:00"),
        ("M 01:00-02:15", "01:00", "02:15"),
        ("M 18:00-19:15", "18:00", "19:15"),
    ],
)
def test_times_are_read_in_12_hour_and_24_hour_form(text: str, start: str, end: str) -> None:
    assert meeting_times.parse(text) == (Meeting("M", start, end),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("M 1:00-2:15", "could be morning or afternoon"),
        ("M 11:00-1:15", "could be morning or afternoon"),
        ("M 9-10", "Write the times of “M 9-10” like"),
        ("F 22:00-01:00", "write two, like F 22:00-23:59; Sa 00:00-01:00"),
        ("F 10pm-1am", "write two, like"),
        ("M 10:00-10:00", "ends before it begins"),
        ("M 23:00-24:00", "Times are from 00:00 to 23:59"),
        ("M 13:00-14:00 PM", "Times with AM or PM are from 1:00 to 12:59"),
        ("M", "or TBA for no fixed time"),
        ("9:00-9:50", "or TBA for no fixed time"),
        ("TR TBA", "or TBA for no fixed time"),
        ("M 9:00-9:50 Hall 3", "or TBA for no fixed time"),
    ],
)
def test_ambiguous_times_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        meeting_times.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "TBA", "tbd", "ARR", "(arranged)", "To be announced", "Online", "asynchronous", "n/a", "-", "TBA;"],
)
def test_a_section_without_a_fixed_time_has_no_meetings(text: str) -> None:
    assert meeting_times.parse(text) == ()


@pytest.mark.parametrize("between", ["; ", ";", "\n", "\r\n", ", ", " | "])
def test_meetings_may_be_separated_in_several_ways(between: str) -> None:
    read = meeting_times.parse(f"MWF 9:00-9:50{between}R 2:00 PM-3:15 PM{between}TBA")
    assert read == (Meeting("MWF", "09:00", "09:50"), Meeting("R", "14:00", "15:15"))


@given(st.text("mtwrfsuhaoenTHUMWRFSA", min_size=1, max_size=7))
@settings(max_examples=600, deadline=None)
def test_no_convention_reads_accepted_text_as_other_days(word: str) -> None:
    try:
        read = meeting_times.parse_days(word)
    except ValueError:
        return
    if word.isupper() or word.islower():
        ways = {
            way for names in (THREE_LETTERS, FULL) for way in read_by(names, word.lower())
        }  # THU is never T, H and U
        ways = ways or {way for names in CONVENTIONS for way in read_by(names, word.lower())}
        assert {"".join(sorted(way)) for way in ways} <= {"".join(sorted(read))}


@pytest.mark.parametrize("between", ["", " ", "/", ", ", " & "])
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_days_in_any_convention_are_read_as_intended_or_refused(between: str, case: Callable[[str], str]) -> None:
    for number, names in product(range(1, 8), CONVENTIONS):
        for days in combinations(DAYS, number):
            text = case(between.join(names[day] for day in days))
            with suppress(ValueError):
                read = meeting_times.parse_days(text)
                assert read == "".join(days) or text.upper() == "THU", text  # THU is Thursday, not Th and U


@pytest.mark.parametrize("names", [ONE_LETTER, TWO_LETTERS, THREE_LETTERS, FULL, TH_ALONE])
@pytest.mark.parametrize("between", [" ", "/", ", "])
def test_days_with_separators_are_always_read(names: dict[str, str], between: str) -> None:
    assert meeting_times.parse_days(between.join(names[day] for day in DAYS)) == DAYS


@given(
    st.integers(0, 1438), st.integers(1, 1439), st.sampled_from(["{:%H:%M}", "{:%H%M}", "{:%I:%M %p}", "{:%I:%M%p}"])
)
@settings(max_examples=200, deadline=None)
def test_a_time_in_either_form_is_read_as_that_time(start: int, end: int, form: str) -> None:
    if start < end:
        first, last = (time(*divmod(minute, 60)) for minute in (start, end))
        text = f"M {form.format(first)}-{form.format(last)}"
        assert meeting_times.parse(text) == (Meeting("M", f"{first:%H:%M}", f"{last:%H:%M}"),)
