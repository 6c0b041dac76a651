"""The UIDs of events in calendar files."""

from quart_enroll.domain import calendar_file


def test_the_uids_of_a_students_events_never_change() -> None:
    """Other UIDs would duplicate every event in the calendars that have these."""
    make_uid = calendar_file.student_uids(1)
    assert make_uid("Fall 2026", "1111", "01", 0) == "4330102a-790a-5b54-8406-a35693eb8e40"
    assert make_uid("Fall 2026", "1111", "01", 1) == "0dd2123a-1eb3-5c1c-bc68-7c61a333d2cd"
