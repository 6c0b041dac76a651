"""Rows of imported files: how values are read, and why they are refused."""

from datetime import UTC, date, datetime
from typing import Any, cast

import pytest

from quart_enroll.domain import requisite_parser
from quart_enroll.domain.models import Course, Meeting, Section, Term
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.imports.terms import TermRow

TERM = {
    "term": "Fall 2026",
    "opens_at": "2026-08-01",
    "add_deadline": "2026-09-15T00:00",
    "drop_deadline": "2026-09-15",
    "withdraw_deadline": "2026-11-01 17:00",
    "max_credits": "18",
    "timezone": "America/New_York",
}
SECTION = {"term": "Fall 2026", "courseID": "1111", "section": "1", "capacity": "30"}
COURSE = {"courseID": "7777", "title": "BIO 101", "description": "Cells", "credits": "3.5", "term": "Fall"}


NO_NAME = "Name one season and year, like Fall 2026, or give the school’s own name for the term."
UNSEEN = "A term’s name must have letters or digits, and no invisible characters."
SLASHES = "A term’s name can’t begin or end with a slash, or have nothing or only dots between slashes."


def term(**cells: object) -> Term:
    row, problems = TermRow.check(TERM | cells)
    assert not problems
    return cast(TermRow, row).read()


def section(**cells: object) -> Section:
    row, problems = SectionRow.check(SECTION | cells)
    assert not problems
    return cast(SectionRow, row).read()


def course(**cells: object) -> Course:
    row, problems = CourseRow.check(COURSE | cells)
    assert not problems
    return cast(CourseRow, row).course()


def test_a_time_without_offset_is_in_the_schools_timezone() -> None:
    read = term()
    assert read.opens_at == datetime(2026, 8, 1, 4, tzinfo=UTC)
    assert read.withdraw_deadline == datetime(2026, 11, 1, 22, tzinfo=UTC)  # the clock has gone back that morning
    assert (read.term, read.max_credits, read.timezone) == ("Fall 2026", 18, "America/New_York")


@pytest.mark.parametrize("text", ["2026-08-01T10:00+02:00", "2026-08-01T08:00Z", "2026-08-01 04:00"])
def test_a_time_may_have_an_offset(text: str) -> None:
    assert term(opens_at=text).opens_at == datetime(2026, 8, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [{"term": "autumn  2026"}, {"term": "", "season": "Fall", "year": 2026}, {"season": "fall", "year": "2026"}],
)
def test_a_term_is_named_by_season_and_year(name: dict[str, object]) -> None:
    assert term(**name).term == "Fall 2026"


@pytest.mark.parametrize(
    "name",
    ["2026FA", "Winter 2026/27", "Summer Session II", "Fall 2026 – first half", "Fall 2026, first half", "Fall 26"],
)
def test_a_school_may_name_its_terms_itself(name: str) -> None:
    read = term(term=f" {name.replace(' ', '  ')} ")
    assert (read.term, read.season, read.year) == (name, None, None)


def test_a_day_as_a_deadline_includes_that_day_and_opening_begins_with_it() -> None:
    day = "2026-11-01"
    read = term(opens_at=day, add_deadline=day, drop_deadline="2026-11-02T12:00", withdraw_deadline="2026-11-02")
    assert read.opens_at == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert read.add_deadline == datetime(2026, 11, 2, 5, tzinfo=UTC)  # a day of 25 hours
    assert read.withdraw_deadline == datetime(2026, 11, 3, 5, tzinfo=UTC)
    assert read.day_ending_at(read.add_deadline) == date(2026, 11, 1)
    assert read.day_ending_at(read.drop_deadline) is None


@pytest.mark.parametrize(
    ("timezone", "last", "over"),
    [
        ("America/Santiago", "2026-09-05", datetime(2026, 9, 6, 4, tzinfo=UTC)),  # the clock skips midnight
        ("America/Havana", "2026-10-31", datetime(2026, 11, 1, 4, tzinfo=UTC)),  # midnight comes twice
        ("Asia/Kolkata", "2026-10-31", datetime(2026, 10, 31, 18, 30, tzinfo=UTC)),
    ],
)
def test_the_end_of_a_day_is_right_where_the_clock_changes_at_midnight(
    timezone: str, last: str, over: datetime
) -> None:
    read = term(timezone=timezone, add_deadline=last, drop_deadline=last)
    assert read.drop_deadline == over
    assert read.day_ending_at(read.drop_deadline) == date.fromisoformat(last)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (
            {"term": "Fall"},
            f"term: {NO_NAME}",
        ),
        (
            {"term": "Fall, Spring 2026"},
            f"term: {NO_NAME}",
        ),
        (
            {"term": "autumn/spring"},
            f"term: {NO_NAME}",
        ),
        ({"term": "T" * 51}, "term: A term’s name can have at most 50 characters."),
        ({"term": "2026\u200bFA"}, f"term: {UNSEEN}"),
        ({"term": "–"}, f"term: {UNSEEN}"),
        ({"term": "Fall 2026/"}, f"term: {SLASHES}"),
        ({"term": "2026/../27"}, f"term: {SLASHES}"),
        ({"term": "2026FA", "season": "Fall"}, "season: The term is 2026FA."),
        ({"term": "2026FA", "year": "2026"}, "year: The term is 2026FA."),
        ({"term": "", "season": "2026FA"}, "season: The term is 2026FA."),
        ({"season": "Spring"}, "season: The term is Fall 2026."),
        ({"year": "2027"}, "year: The term is Fall 2026."),
        (
            {"timezone": "Mars/Olympus"},
            "timezone: Use the name of a time zone, like Europe/Berlin or America/New_York.",
        ),
        (
            {"opens_at": "soon"},
            "opens_at: Use a time like 2026-08-01T09:00 or 2026-08-01T09:00-04:00, or a date like 2026-08-01.",
        ),
        ({"opens_at": "0001-01-01"}, "opens_at: The year must be between 1900 and 2200."),
        (
            {"opens_at": "2026-03-08T02:30"},
            "opens_at: In America/New_York, clocks skip this time. Choose another one.",
        ),
        (
            {"withdraw_deadline": "2026-11-01T01:30"},
            "withdraw_deadline: In America/New_York, this time occurs twice. Add the offset, like -04:00.",
        ),
        ({"add_deadline": "2026-07-31"}, "add_deadline: This must come after opens_at."),
        ({"drop_deadline": "2026-07-01"}, "drop_deadline: This must come after opens_at."),
        ({"add_deadline": "2026-09-16"}, "drop_deadline: This must not come before add_deadline."),
        ({"add_deadline": "2026-11-02"}, "withdraw_deadline: This must not come before add_deadline."),
        ({"drop_deadline": "2026-11-02"}, "withdraw_deadline: This must not come before drop_deadline."),
        ({"starts_on": "2026-08-31"}, "ends_on: Give both starts_on and ends_on, or neither."),
        ({"ends_on": "2026-12-18"}, "starts_on: Give both starts_on and ends_on, or neither."),
        ({"starts_on": "31.8.2026", "ends_on": "2026-12-18"}, "starts_on: Use a date like 2026-08-31."),
        ({"starts_on": "2026-08-31", "ends_on": "2026-11-31"}, "ends_on: Use a date like 2026-08-31."),
        ({"starts_on": "0001-01-01", "ends_on": "2026-12-18"}, "starts_on: The year must be between 1900 and 2200."),
        ({"starts_on": "2026-08-31", "ends_on": "2026-08-30"}, "ends_on: This must not come before starts_on."),
        ({"max_credits": "many"}, "max_credits: Not a valid decimal value."),
        ({"max_credits": "NaN"}, "max_credits: Number must be between 0 and 100."),
        ({"opens_at": {"$date": 1}}, "opens_at: This must be text or a number."),
        ({"open": "now"}, "open: There is no such field."),
    ],
)
def test_errors_in_a_term_are_explained(cells: dict[str, object], problem: str) -> None:
    _, problems = TermRow.check(TERM | cells)
    assert problem in problems


def test_a_term_may_have_a_first_and_last_day() -> None:
    read = term(starts_on="2026-08-31", ends_on=" 2026-12-18 ")
    assert (read.first_day, read.last_day) == (date(2026, 8, 31), date(2026, 12, 18))


def test_without_days_a_term_lasts_from_its_opening_to_the_withdraw_deadline() -> None:
    read = term(starts_on="", opens_at="2026-08-01T23:00", withdraw_deadline="2026-11-01T00:00")
    assert (read.first_day, read.last_day) == (date(2026, 8, 1), date(2026, 10, 31))
    assert term(withdraw_deadline="2026-11-01T00:01").last_day == date(2026, 11, 1)


def test_deadlines_may_be_the_same() -> None:
    same = term(**dict.fromkeys(("add_deadline", "drop_deadline", "withdraw_deadline"), "2026-09-15"))
    assert same.add_deadline == same.withdraw_deadline


@pytest.mark.parametrize(
    "meetings",
    [
        "MWF 09:00-09:50; R 14:00-15:15",
        " fwm 9:00 – 9:50 ;R 14:00-15:15; ",
        [{"days": "MWF", "start": "09:00", "end": "09:50"}, {"days": "R", "start": "14:00", "end": "15:15"}],
    ],
)
def test_meetings_are_read_from_text_and_from_json(meetings: object) -> None:
    read = section(meetings=meetings)
    assert read.meetings == (Meeting("MWF", "09:00", "09:50"), Meeting("R", "14:00", "15:15"))


@pytest.mark.parametrize(
    ("meetings", "problem"),
    [
        ("MWF", "Write “MWF” like MWF 09:00-09:50, with ; between meetings, or TBA for no fixed time."),
        (
            "X 09:00-10:00",
            "“X” is not a list of days. Write each day, like MWF or TuTh; R is Thursday, U is Sunday.",
        ),
        ("M 23:00-24:00", "M 23:00-24:00: Times are from 00:00 to 23:59."),
        ("M 09:60-10:00", "M 09:60-10:00: Times are from 00:00 to 23:59."),
        ("MW 09:00-10:00; W 09:30-11:00", "W 9:30–11:00 AM is at the same time as another meeting of the section."),
        ([{"days": "M"}], "This must be a list of objects with days, start and end."),
        ([{"days": "M", "start": 9, "end": 10}], "This must be a list of objects with days, start and end."),
        ({"days": "M"}, "This must be a list of objects with days, start and end."),
    ],
)
def test_errors_in_meetings_are_explained(meetings: Any, problem: str) -> None:
    _, problems = SectionRow.check(SECTION | {"meetings": meetings})
    assert problems == [f"meetings: {problem}"]


@pytest.mark.parametrize("text", ["30", "30.0", "30.00", "30,0", 30, 30.0])
def test_a_whole_number_may_be_written_as_spreadsheets_write_it(text: object) -> None:
    assert section(capacity=text).capacity == 30
    assert course(courseID=1111.0).courseID == course(courseID="1111.0").courseID == "1111"


@pytest.mark.parametrize("text", ["30.5", "1.000", "1,000", "3e1", "٣٠", "1_0", "9" * 5000, "thirty"])
def test_an_ambiguous_number_is_refused(text: str) -> None:
    _, problems = SectionRow.check(SECTION | {"capacity": text})
    assert problems == ["capacity: This must be a whole number, like 30."]


def test_credits_may_have_a_decimal_comma() -> None:
    assert course(credits="3,5").credits == 3.5
    assert term(max_credits="18,5").max_credits == 18.5


@pytest.mark.parametrize(("given", "read"), [("1", "1"), (1, "1"), ("01", "01"), ("003", "003"), ("A", "A")])
def test_the_number_of_a_section_is_read_as_it_is_written(given: object, read: str) -> None:
    assert section(section=given).section == read


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"term": "Fall, Spring"}, "term"),
        ({"term": ""}, "term"),
        ({"courseID": ""}, "courseID"),
        ({"section": "x" * 11}, "section"),
        ({"capacity": "-1"}, "capacity"),
        ({"capacity": "2.5"}, "capacity"),
        ({"capacity": ""}, "capacity"),
        ({"waitlist_capacity": "few"}, "waitlist_capacity"),
        ({"room": "x" * 51}, "room"),
        ({"seats_taken": 3}, "seats_taken"),
    ],
)
def test_the_field_of_a_section_that_is_wrong_is_named(cells: dict[str, object], field: str) -> None:
    _, problems = SectionRow.check(SECTION | cells)
    assert {problem.split(":")[0] for problem in problems} == {field}


def test_a_section_has_a_waitlist_of_ten_by_default() -> None:
    assert section().waitlist_capacity == 10
    assert section(waitlist_capacity="").waitlist_capacity == 10
    assert section(waitlist_capacity=0).waitlist_capacity == 0


@pytest.mark.parametrize("needed", ["1111 2222", ["1111", "2222"], [" 1111", "2222", "1111"]])
def test_prerequisites_are_a_list_or_separated_by_blanks(needed: object) -> None:
    assert course(prerequisites=needed).prerequisites == ("1111", "2222")


def test_a_course_id_in_a_list_may_have_a_blank() -> None:
    assert course(corequisites=["PYT 101"]).corequisites == ("PYT 101",)


@pytest.mark.parametrize("needed", [[1111], [["1111"]], {"courseID": "1111"}, ["x" * 21]])
def test_errors_in_prerequisites_are_explained(needed: object) -> None:
    _, problems = CourseRow.check(COURSE | {"prerequisites": needed})
    assert [problem.split(":")[0] for problem in problems] == ["prerequisites"]


def test_a_requisite_that_becomes_too_long_to_edit_is_refused() -> None:
    needed = " or ".join(f"MAT{number} with C" for number in range(100, 127))
    _, problems = CourseRow.check(COURSE | {"requisite": needed})
    assert problems == ["requisite: Written out in full, this is longer than 500 characters. Shorten it."]


def test_a_requisite_that_is_much_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requisite_parser, "parse", lambda _: pytest.fail("it is read"))
    _, problems = CourseRow.check(COURSE | {"requisite": "MAT115," * 100_000})
    assert [problem.split(":")[0] for problem in problems] == ["requisite"]


def test_a_row_knows_which_fields_it_has() -> None:
    row, _ = CourseRow.check(COURSE | {"subject": "", "prerequisites": None})
    assert row.given == {*COURSE, "subject"}


def test_a_restriction_is_read_and_an_error_names_the_place() -> None:
    assert section(restriction="Programs:  Nursing").restriction == "program: Nursing"
    for row, cells in ((CourseRow, COURSE), (SectionRow, SECTION)):
        problem = (
            "restriction: Character 1: write program, level, standing, cohort, or campus here, and a colon after it."
        )
        assert row.check(cells | {"restriction": "Nursing"})[1] == [problem]


def test_a_rule_of_repeats_is_read() -> None:
    for cells in ({"max_attempts": "2.0", "withdrawals_count": "Yes", "repeat_action": "WARN"}, {"max_attempts": 2}):
        assert course(**cells).max_attempts == 2
        assert course(**cells).withdrawals_count == ("withdrawals_count" in cells)
    assert course(max_attempts="", withdrawals_count=True, repeat_action="").withdrawals_count  # as JSON has it
    wrong = {"max_attempts": "0", "withdrawals_count": "maybe", "repeat_action": "ask"}
    assert CourseRow.check(COURSE | wrong)[1] == [
        "max_attempts: Number must be between 1 and 20.",
        "withdrawals_count: This must be yes or no.",
        "repeat_action: This must be refuse or warn.",
    ]
