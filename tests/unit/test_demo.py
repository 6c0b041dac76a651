"""The demo school of `make run`: realistic, allowed by the rules, and the same each time."""

from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from quart_enroll.db.collections.users import to_row
from quart_enroll.db.queries.demo import School
from quart_enroll.demo import create_school
from quart_enroll.demo.calendar import calendar
from quart_enroll.demo.curriculum import level
from quart_enroll.demo.school_data import SchoolData, load
from quart_enroll.domain.models import Meeting, Section, SectionKey, Term
from quart_enroll.domain.requisite_rules import unmet_prerequisites
from quart_enroll.domain.roles import Role
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.imports.terms import TermRow
from quart_enroll.forms.imports.users import UserRow
from quart_enroll.services.accounts.hashing import unusable_hash
from tests.support.people import ADA, BOB, PASSWORD_METHOD
from tests.support.processes import PROJECT

NOW = datetime(2026, 11, 24, 19, tzinfo=UTC)
ZONE = "America/New_York"


def found(texts: SchoolData) -> School:
    return create_school(texts, NOW, timezone=ZONE, max_credits=18)


@pytest.fixture(scope="module")
def texts() -> SchoolData:
    return load(PROJECT / "data", unusable_hash(PASSWORD_METHOD))


@pytest.fixture(scope="module")
def school(texts: SchoolData) -> School:
    return found(texts)


def open_term(school: School) -> str:
    [term] = [term.term for term in school.terms if term.is_open(NOW)]
    return term


def open_sections(school: School) -> list[Section]:
    return [section for section in school.sections if section.term == open_term(school)]


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("day", [1, 10, 28])
def test_on_any_day_one_term_is_open_and_the_next_opens_in_a_week_or_two(month: int, day: int) -> None:
    for now in (datetime(2028, month, day, 0, 1, tzinfo=UTC), datetime(2028, month, day, 23, 59, tzinfo=UTC)):
        terms = calendar(now, ZONE, 18)
        assert [term.is_open(now) for term in terms] == [False, False, True, False]
        assert terms == sorted(terms, key=lambda term: term.order)
        assert timedelta(days=7) < terms[3].opens_at - now < timedelta(days=15)
        assert terms[2].add_deadline - now > timedelta(days=14)


def test_its_terms_could_be_imported(school: School) -> None:
    for term in school.terms:
        row, problems = TermRow.check(as_row(term))
        assert problems == []
        assert isinstance(row, TermRow)
        assert row.read() == term


@pytest.mark.parametrize("year", range(2026, 2036))
def test_courses_meet_from_a_monday_until_after_the_last_day_to_withdraw(year: int) -> None:
    for term in calendar(datetime(year, 10, 1, tzinfo=UTC), ZONE, 18):
        assert (term.first_day.strftime("%a"), term.last_day.strftime("%a")) == ("Mon", "Fri")
        assert term.first_day < term.local(term.drop_deadline).date() < term.local(term.withdraw_deadline).date()
        assert timedelta(weeks=3) < term.last_day - term.local(term.withdraw_deadline).date() < timedelta(weeks=6)


def test_its_sections_could_be_imported(school: School) -> None:
    for section in open_sections(school):
        row, problems = SectionRow.check(
            {
                name: value
                for name, value in asdict(section).items()
                if name not in ("seats_taken", "waiting", "revision", "accepts_numbers", "own_pool_seats")
            }
            | {"meetings": [asdict(meeting) for meeting in section.meetings]}
            | {"instructors": " ".join(map(str, section.instructors)), "pools": ""}
        )
        assert problems == []
        assert isinstance(row, SectionRow)
        assert row.read().meetings == section.meetings


NOT_IN_FILES = {"role", "is_student", "search_words"}
"""What a stored user has besides the fields of a file."""


def test_its_users_could_be_imported_and_have_reserved_domains(school: School) -> None:
    people = [one.user for one in school.people]
    rows = [{name: value for name, value in to_row(user).items() if name not in NOT_IN_FILES} for user in people]
    assert [problems for row in rows for problems in UserRow.check(row)[1]] == []
    assert len({user.email for user in people}) == len({user.user_id for user in people}) == len(people) > 400
    assert all(user.email.endswith(".example") for user in people)


def test_the_same_facts_give_the_same_school(texts: SchoolData, school: School) -> None:
    assert found(texts) == school


def test_its_catalog_is_large_and_its_titles_are_distinct(texts: SchoolData) -> None:
    assert len(texts.courses) > 300
    assert len({course.subject for course in texts.courses}) >= 15
    assert len({course.description for course in texts.courses}) == len(texts.courses)
    assert len({course.title for course in texts.courses}) == len(texts.courses)
    assert {course.credits for course in texts.courses} <= {1, 2, 3, 4, 5}


def test_prerequisites_belong_to_earlier_years(texts: SchoolData) -> None:
    by_id = {course.courseID: course for course in texts.courses}
    for course in texts.courses:
        needs = course.prerequisite_courses
        assert all(level(by_id[needed]) <= level(course) for needed in needs)
        assert all(by_id[needed].title < course.title for needed in needs if needed[:3] in course.title)


def test_no_instructor_or_room_has_two_sections_at_once(school: School) -> None:
    busy: defaultdict[tuple[str, str], list[Meeting]] = defaultdict(list)
    for section in school.sections:
        for whose in (section.instructor, section.room):
            busy[section.term, whose] += section.meetings
    assert not [
        whose for whose, meetings in busy.items() for one, two in combinations(meetings, 2) if one.overlaps(two)
    ]


def test_students_have_the_prerequisites_of_their_courses(school: School, texts: SchoolData) -> None:
    courses = {course.courseID: course for course in texts.courses}
    had = defaultdict(set)
    for seat in school.seats:
        if seat.key.term != open_term(school) and seat.status == "enrolled":
            had[seat.user_id].add(seat.key.courseID)
    now = [seat for seat in school.seats if seat.key.term == open_term(school)]
    assert sum(bool(courses[seat.key.courseID].prerequisite_courses) for seat in now) > 100
    assert not any(unmet_prerequisites(courses[seat.key.courseID], had[seat.user_id]) for seat in now)


def test_some_sections_are_full_with_a_waitlist_some_nearly_and_most_are_open(school: School) -> None:
    offered = open_sections(school)
    assert 250 < len(offered) < 350
    assert 5 < sum(section.waiting > 0 for section in offered) < sum(not section.open_seats for section in offered)
    assert sum(not section.open_seats for section in offered) < len(offered) / 4
    assert sum(0 < section.open_seats <= 3 for section in offered) > 5
    assert not [section for section in offered if section.waiting and section.open_seats]


def test_the_events_add_up_to_the_enrollments(school: School) -> None:
    happened = Counter((one.user_id, one.action, one.term, one.courseID, one.section) for one in school.events)
    expected = Counter((seat.user_id, "enroll", *parts(seat.key)) for seat in school.seats)
    expected.update((one.user_id, "withdraw", *parts(one.key)) for one in school.seats if one.status == "withdrawn")
    expected.update((waiting.user_id, "join", *parts(waiting.key)) for waiting in school.line)
    assert happened == expected


def test_nobody_has_a_seat_in_a_term_that_is_not_open_yet(school: School) -> None:
    to_come = school.terms[-1]
    assert not [section for section in school.sections if section.term == to_come.term and section.seats_taken]
    assert all(seat.at < NOW for seat in school.seats)
    assert all(event.at < NOW for event in school.events)


def test_ada_has_four_courses_and_is_third_on_a_waitlist_and_bob_has_nothing(school: School) -> None:
    mine = [seat for seat in school.seats if seat.user_id == ADA.user_id]
    assert [seat.status for seat in mine if seat.key.term == open_term(school)] == ["enrolled"] * 4
    assert [seat.status for seat in mine].count("withdrawn") == 1
    [waiting] = [waiting for waiting in school.line if waiting.user_id == ADA.user_id]
    line = [one for one in school.line if one.key == waiting.key]
    assert (waiting.place, line) == (3, sorted(line, key=lambda one: one.joined_at))
    assert len(line) > 3
    assert not [one for one in (*school.seats, *school.line) if one.user_id == BOB.user_id]


def parts(key: SectionKey) -> tuple[str, str, str]:
    return key.term, key.courseID, key.section


def as_row(term: Term) -> dict[str, object]:
    moments = {name: str(value) for name, value in asdict(term).items() if isinstance(value, datetime)}
    days = {name: str(getattr(term, name)) for name in ("starts_on", "ends_on")}
    return moments | days | {"term": term.term, "max_credits": term.max_credits, "timezone": term.timezone}


def test_instructors_have_rosters_and_advisors_have_advisees(school: School) -> None:
    for user in (one.user for one in school.people):
        if Role.INSTRUCTOR in user.roles:
            assert sum(user.user_id in one.instructors for one in open_sections(school)) > 1
        if Role.ADVISOR in user.roles:
            assert any(user.user_id in one.user.advisors for one in school.people)
