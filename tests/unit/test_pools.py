"""Reserved pools: how they are written, and which seats they leave to whom."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quart_enroll.domain import permits, pools, rules, section_edits
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import SeatsReserved, SectionFull
from quart_enroll.domain.models import SectionStatus
from quart_enroll.domain.pools import MAX_POOLS, Pool, PoolError, parse, to_text
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.forms.imports.sections import SectionRow
from tests.concurrency.school import course, section, term

NURSE, SENIOR = StudentAttributes(("Nursing",)), StudentAttributes(("Nursing",), standing="Senior")
NURSES, SENIORS = Pool("Nurses", "program: Nursing", 2), Pool("Seniors", "standing: Senior", 1)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("Nurses:2 seats FOR programs: Nursing", "Nurses: 2 for program: Nursing"),
        (
            "\n Late  birds : 0 for not level: First-year; campus: North until 2026-08-15 \n\nB: 1 for cohort: B",
            "Late birds: 0 for not level: First-year; campus: North until 2026-08-15\nB: 1 for cohort: B",
        ),
        ("A: 3 for cohort: A until 2026-08-15T09:30", "A: 3 for cohort: A until 2026-08-15 09:30"),
    ],
)
def test_a_text_is_read_in_many_spellings(text: str, canonical: str) -> None:
    assert to_text(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Nurses", "Line 1: Write a name, a colon, the number of seats"),
        ("A: 1 for cohort: A\n\nB: many for cohort: B", "Line 3: Write a name"),
        ("A: 1 for cohort A", "Line 1: “cohort A”: Character 8: write a colon here."),
        ("A: 1 for cohort: A until August", "Line 1: Write the date after “until” like 2026-08-15"),
        ("A: 1 for cohort: A until 0001-08-15", "Line 1: Write the date after “until” like 2026-08-15"),
        ("A: 1 for cohort: A\na: 1 for cohort: B", "Line 2: There is another pool with this name."),
        (f"{'x' * 51}: 1 for cohort: A", "Line 1: Use at most 50 characters for the name"),
        ("\n".join(f"{one}: 1 for cohort: A" for one in range(MAX_POOLS + 1)), "at most 10 pools"),
    ],
)
def test_an_error_names_the_line(text: str, message: str) -> None:
    with pytest.raises(PoolError, match=message.replace("(", r"\(")):
        parse(text)


def test_json_has_them_as_a_list() -> None:
    row = {"term": "Fall 2026", "courseID": "1111", "section": "01", "capacity": 9}
    listed = [{"name": "A", "seats": 1, "restriction": "cohort: A", "release": "2026-08-15"}]
    form, problems = SectionRow.check(row | {"pools": listed})
    assert problems == []
    assert form.read().pools == (Pool("A", "cohort: A", 1, "2026-08-15"),)  # type: ignore[attr-defined]
    for wrong in ([{"name": "A"}], ["A"], [listed[0] | {"taken": 1}], [listed[0] | {"name": "A\nB"}]):
        assert "pools: This must be a list of objects" in SectionRow.check(row | {"pools": wrong})[1][0]


def test_a_day_is_included_and_a_time_is_not() -> None:
    noon = replace(NURSES, release="2026-08-15 12:00")
    assert noon.releases_at("America/New_York") == datetime(2026, 8, 15, 16, tzinfo=UTC)
    day = replace(NURSES, release="2026-08-15")
    midnight = datetime(2026, 8, 16, 4, tzinfo=UTC)
    assert day.releases_at("America/New_York") == midnight
    assert (day.is_due("UTC", datetime(2026, 8, 15, 23, 59, tzinfo=UTC)), day.is_due("UTC", midnight)) == (False, True)
    [released] = pools.release([day], "UTC", midnight)
    assert (released.is_released, released.seats_left, released.is_due("UTC", midnight)) == (True, 0, False)
    assert not NURSES.is_due("UTC", midnight)


def test_students_read_when_seats_are_released() -> None:
    reserved = [
        replace(NURSES, release="2026-12-31"),
        replace(SENIORS, release="2026-08-15 12:00"),
        replace(NURSES, is_released=True),
    ]
    assert list(map(str, pools.sentences(reserved))) == [
        "2 seats are reserved for Nurses.",
        "Seats still open at the end of Dec 31, 2026 are released.",
        "1 seat is reserved for Seniors.",
        "Seats still open on Aug 15, 2026, 12:00 PM are released.",
    ]


def test_students_are_told_whether_seats_are_left_for_others() -> None:
    reserved = replace(section("A", 2), pools=(NURSES,))
    rules.check_seat(course("A"), reserved.seen_by(NURSE))
    with pytest.raises(SeatsReserved, match="are reserved for other students"):
        rules.check_seat(course("A"), reserved.seen_by(NO_ATTRIBUTES))
    full = replace(reserved, seats_taken=2)
    with pytest.raises(SectionFull, match="is full"):
        rules.check_seat(course("A"), full.seen_by(NURSE))
    assert (reserved.is_reserved, reserved.seen_by(NURSE).is_reserved, full.is_reserved) == (True, False, False)
    assert not replace(reserved, status=SectionStatus.CLOSED).is_reserved


def test_each_permit_sets_one_of_the_two_aside() -> None:
    reserved = replace(section("A", 2), pools=(NURSES,))
    for limits, seats in (({Override.FULL}, 0), ({Override.RESERVED_SEATS}, 2)):
        assert permits.ease(term(), course("A"), reserved, limits)[2].open_seats == seats
    full = replace(reserved, seats_taken=2)
    for limits, seats in (({Override.FULL}, 1), ({Override.RESERVED_SEATS}, 0)):
        assert permits.ease(term(), course("A"), full, limits)[2].open_seats == seats


def test_pools_fit_the_capacity_and_keep_their_students() -> None:
    old = replace(section("A", 3), seats_taken=1, pools=(replace(NURSES, taken=1), SENIORS))
    assert section_edits.find_faults(old, old) == {}
    assert "reserve more seats (3) than the section has (2)" in str(
        section_edits.find_faults(replace(old, capacity=2), old)["capacity"]
    )
    assert section_edits.find_faults(replace(old, pools=(replace(NURSES, seats=4),)), old)["pools"]
    for shrunk in ((), (replace(NURSES, seats=0), SENIORS)):
        assert "Nurses: 1" in str(section_edits.find_faults(replace(old, pools=shrunk), old)["pools"])
    released = tuple(replace(one, is_released=True) for one in old.pools)
    assert section_edits.find_faults(replace(old, capacity=1, pools=released), old) == {}


def test_an_edit_keeps_the_counts_and_the_release() -> None:
    old = [replace(NURSES, taken=1, release="2026-08-15", is_released=True)]
    assert pools.with_counts([replace(NURSES, seats=9, release="2026-08-15")], old) == (replace(old[0], seats=9),)
    later = replace(NURSES, release="2026-08-20")
    assert pools.with_counts([later, SENIORS], old) == (replace(later, taken=1), SENIORS)


pools_of_a_section = st.lists(
    st.tuples(st.sampled_from(["Nursing", "Biology", ""]), st.sampled_from(["Senior", ""]), st.integers(0, 3)),
    max_size=3,
)
students = st.builds(
    StudentAttributes,
    programs=st.sampled_from([("Nursing",), ("Nursing", "Biology"), ()]),
    standing=st.sampled_from(["Senior", ""]),
)


@given(st.integers(0, 6), pools_of_a_section, st.lists(st.tuples(students, st.booleans()), max_size=12))
def test_seats_are_taken_as_if_each_of_them_were_labeled(
    capacity: int, groups: Sequence[tuple[str, str, int]], comings: Sequence[tuple[StudentAttributes, bool]]
) -> None:
    """Students come, and some make the one who came first leave; pools may reserve more seats than there are."""
    offered = replace(
        section("A", capacity),
        pools=tuple(
            Pool(
                f"{number}",
                "; ".join(
                    filter(
                        None, [f"program: {program}" if program else "", f"standing: {standing}" if standing else ""]
                    )
                )
                or "not level: X",
                seats,
            )
            for number, (program, standing, seats) in enumerate(groups)
        ),
    )
    labels: list[str] = []  # of the seats that are taken

    def left_in(number: int) -> int:
        return groups[number][2] - labels.count(str(number))

    def belongs(student: StudentAttributes, number: int) -> bool:
        program, standing, _ = groups[number]
        return program in ("", *student.programs) and standing in ("", student.standing)

    for student, someone_leaves in comings:
        free = capacity - len(labels)
        unreserved = max(0, free - sum(map(left_in, range(len(groups)))))
        own = [number for number in range(len(groups)) if belongs(student, number) and left_in(number)]
        expected = min(free, unreserved + sum(map(left_in, own)))
        seen = offered.seen_by(student)
        assert seen.open_seats == expected
        assert seen.open_seats + seen.reserved_seats == free
        if expected:
            pool = pools.choose(seen.pools, student)
            assert pool == (str(own[0]) if own else "")
            labels.append(pool)
            offered = offered.with_seats_taken(Counter([pool]))
        if someone_leaves and labels:
            offered = offered.with_seats_taken(Counter({labels.pop(0): -1}))
        assert [one.taken for one in offered.pools] == [labels.count(one.name) for one in offered.pools]
        assert offered.seats_taken == len(labels) <= capacity
