"""Assigns times, rooms and instructors to the demo school's courses."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from quart_enroll.demo.curriculum import level
from quart_enroll.demo.school_data import SchoolData, Subject
from quart_enroll.domain import terms
from quart_enroll.domain.models import Course, Meeting, Section, Term
from quart_enroll.domain.roles import Role

Times = tuple[Meeting, ...]

MWF = [Meeting("MWF", f"{hour:02}:00", f"{hour:02}:50") for hour in range(8, 17)]
TR = [
    Meeting("TR", start, end)
    for start, end in (
        ("08:00", "09:15"),
        ("09:30", "10:45"),
        ("11:00", "12:15"),
        ("12:30", "13:45"),
        ("14:00", "15:15"),
        ("15:30", "16:45"),
    )
]
EVENINGS = [
    *(Meeting(days, "18:00", "19:15") for days in ("MW", "TR")),
    *(Meeting(day, "18:30", "21:00") for day in "MTWR"),
]
SATURDAYS = [Meeting("S", "09:30", "12:00"), Meeting("S", "13:00", "15:30")]
LABS = [Meeting(day, start, end) for day in "MTWRF" for start, end in (("13:00", "14:50"), ("15:00", "16:50"))]
SINGLE_HOURS = [Meeting(day, f"{hour:02}:00", f"{hour:02}:50") for day in "TRF" for hour in range(9, 17)]
TWO_HOURS = [Meeting(days, f"{hour:02}:00", f"{hour:02}:50") for days in ("MW", "TR") for hour in range(9, 17)]

THREE_CREDIT_PATTERNS, PATTERN_WEIGHTS = (MWF, TR, EVENINGS, SATURDAYS), (46, 38, 13, 3)
"""The meeting patterns of three-credit courses, and how many of a hundred sections have each."""

ROOM_NUMBERS = (*range(101, 107), *range(201, 207), *range(301, 304))
CAPACITIES = {1: (14, 16, 18, 20, 24), 2: (10, 12, 14, 16), 3: (8, 10, 12), 4: (6, 8, 10)}
"""Possible capacities of a section, by the level of the course."""

LAB_CAPACITY = 12
WAITLIST_CAPACITIES = (4, 5, 6, 8)
"""Possible waitlist capacities."""

MAX_PLACEMENT_TRIES = 500
"""How often to look for a time at which an instructor and a room are free."""


def timetable(term: Term, data: SchoolData) -> Iterator[Section]:
    """Yield the sections of a term, with no instructor or room in two of them at the same time.

    Those in `data.sections` stay as they are. The result depends on the term's name but not on its dates.
    """
    rng = Random(f"sections of {term}")  # noqa: S311  # no secret
    busy: defaultdict[str, list[Meeting]] = defaultdict(list)
    fixed = [replace(one, term=term.term) for one in data.sections if one.term == term.season]
    for section in fixed:
        busy[section.instructor] += section.meetings
        busy[section.room] += section.meetings
    yield from fixed
    fixed_courses = {section.courseID for section in data.sections}
    for course in data.courses:
        if course.courseID not in fixed_courses and term.season in terms.seasons(course.term):
            taken: list[Meeting] = []  # the sections of a course meet at different times
            for number in range(1, _section_count(course, rng) + 1):
                place = _find_placement(course, data.subjects[course.subject], busy, taken, rng)
                section = _section(term, course, f"{number:02}", place, rng)
                yield replace(section, instructors=_accounts(section.instructor, data))


def _accounts(instructor: str, data: SchoolData) -> tuple[int, ...]:
    """Return the user_id of the instructor; nothing for one who is only a name."""
    staff = (one.user for one in data.people if Role.INSTRUCTOR in one.user.roles)
    return tuple(one.user_id for one in staff if one.full_name == instructor)


def _section(term: Term, course: Course, number: str, place: tuple[str, str, Times], rng: Random) -> Section:
    instructor, room, meetings = place
    seats = LAB_CAPACITY if "lab" in course.description.lower() else rng.choice(CAPACITIES[level(course)])
    return Section(
        term.term,
        course.courseID,
        number,
        seats,
        waitlist_capacity=rng.choice(WAITLIST_CAPACITIES),
        meetings=meetings,
        instructor=instructor,
        room=room,
    )


def _section_count(course: Course, rng: Random) -> int:
    """Return the number of sections; introductory courses that are offered every term have more."""
    every_term = len(terms.seasons(course.term)) > 1
    if level(course) == 1 and course.credits > 1:
        return rng.choice((2, 2, 3) if every_term else (1, 1, 2))
    return rng.choice((1, 1, 2)) if every_term and level(course) == 2 else 1


def _find_placement(
    course: Course, subject: Subject, busy: defaultdict[str, list[Meeting]], taken: list[Meeting], rng: Random
) -> tuple[str, str, Times]:
    """Find an instructor, a room and meetings that fit together, and mark them as busy."""
    for _ in range(MAX_PLACEMENT_TRIES):
        meetings = _meetings(course, rng)
        instructors = [name for name in subject.instructors if _is_free(busy[name], meetings)]
        rooms = [room for number in ROOM_NUMBERS if _is_free(busy[room := f"{subject.building} {number}"], meetings)]
        if instructors and rooms and _is_free(taken, meetings):
            instructor = min(instructors, key=lambda name: (len(busy[name]), rng.random()))
            room = rng.choice(rooms)
            for calendar in (busy[instructor], busy[room], taken):
                calendar += meetings
            return instructor, room, meetings
    raise AssertionError(f"{course.title} has no possible time; its subject needs another instructor.")


def _meetings(course: Course, rng: Random) -> Times:
    """Return meetings for as many weekly hours as the course has credits."""
    lab = "lab" in course.description.lower()
    if course.credits <= 1:
        return (rng.choice(LABS if lab else SINGLE_HOURS),)
    if course.credits <= 2:
        return (rng.choice(TWO_HOURS),)
    if course.credits <= 3:
        return (rng.choice(rng.choices(THREE_CREDIT_PATTERNS, PATTERN_WEIGHTS)[0]),)
    while True:
        lecture, more = rng.choice(MWF + TR), rng.choice(LABS if lab else SINGLE_HOURS)
        if not lecture.overlaps(more):
            return lecture, more


def _is_free(busy: list[Meeting], meetings: Times) -> bool:
    return not any(one.overlaps(other) for one in meetings for other in busy)
