"""When, where and by whom the demo school's courses are taught."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from quart_enroll.demo.curriculum import level
from quart_enroll.demo.texts import SchoolData, Subject
from quart_enroll.domain import terms
from quart_enroll.domain.models import Course, Meeting, Section, Term

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
"""How the meetings of three credits are spread over the week, of a hundred sections."""

ROOM_NUMBERS = (*range(101, 107), *range(201, 207), *range(301, 304))
CAPACITIES = {1: (14, 16, 18, 20, 24), 2: (10, 12, 14, 16), 3: (8, 10, 12), 4: (6, 8, 10)}
"""Seats of a section by the hundred of the course's number."""

LAB_CAPACITY = 12
WAITLIST_CAPACITIES = (4, 5, 6, 8)
"""Places in a waitlist."""

MAX_PLACEMENT_TRIES = 500
"""So many times a section looks for an hour in which everybody has time."""


def timetable(term: Term, texts: SchoolData) -> Iterator[Section]:
    """Give the sections of a term; no teacher and no room is in two at once.

    Those of `texts.sections` are as written. Only the name of the term counts: its dates change nothing.
    """
    chance = Random(f"sections of {term}")  # noqa: S311  # no secret
    busy: defaultdict[str, list[Meeting]] = defaultdict(list)
    fixed = [replace(one, term=term.term) for one in texts.sections if one.term == term.season]
    for section in fixed:
        busy[section.instructor] += section.meetings
        busy[section.room] += section.meetings
    yield from fixed
    written = {section.courseID for section in texts.sections}
    for course in texts.courses:
        if course.courseID not in written and term.season in terms.seasons(course.term):
            taken: list[Meeting] = []  # a course's sections are at different times
            for number in range(1, _section_count(course, chance) + 1):
                place = _find_placement(course, texts.subjects[course.subject], busy, taken, chance)
                yield _section(term, course, f"{number:02}", place, chance)


def _section(term: Term, course: Course, number: str, place: tuple[str, str, Times], chance: Random) -> Section:
    teacher, room, meetings = place
    seats = LAB_CAPACITY if "lab" in course.description.lower() else chance.choice(CAPACITIES[level(course)])
    return Section(
        term.term,
        course.courseID,
        number,
        seats,
        waitlist_capacity=chance.choice(WAITLIST_CAPACITIES),
        meetings=meetings,
        instructor=teacher,
        room=room,
    )


def _section_count(course: Course, chance: Random) -> int:
    """Return in how many sections the course is taught: more of what is for beginners and taught all the time."""
    always = len(terms.seasons(course.term)) > 1
    if level(course) == 1 and course.credits > 1:
        return chance.choice((2, 2, 3) if always else (1, 1, 2))
    return chance.choice((1, 1, 2)) if always and level(course) == 2 else 1


def _find_placement(
    course: Course, subject: Subject, busy: defaultdict[str, list[Meeting]], taken: list[Meeting], chance: Random
) -> tuple[str, str, Times]:
    """Find a teacher, a room and meetings that go together, and note that they are busy then."""
    for _ in range(MAX_PLACEMENT_TRIES):
        meetings = _meetings(course, chance)
        teachers = [name for name in subject.teachers if _is_free(busy[name], meetings)]
        rooms = [room for number in ROOM_NUMBERS if _is_free(busy[room := f"{subject.building} {number}"], meetings)]
        if teachers and rooms and _is_free(taken, meetings):
            teacher = min(teachers, key=lambda name: (len(busy[name]), chance.random()))
            room = chance.choice(rooms)
            for whose in (busy[teacher], busy[room], taken):
                whose += meetings
            return teacher, room, meetings
    raise AssertionError(f"{course.title} finds no hour; its subject needs another teacher.")


def _meetings(course: Course, chance: Random) -> Times:
    """Return meetings for as many hours a week as the course has credits."""
    lab = "lab" in course.description.lower()
    if course.credits <= 1:
        return (chance.choice(LABS if lab else SINGLE_HOURS),)
    if course.credits <= 2:
        return (chance.choice(TWO_HOURS),)
    if course.credits <= 3:
        return (chance.choice(chance.choices(THREE_CREDIT_PATTERNS, PATTERN_WEIGHTS)[0]),)
    while True:
        lecture, more = chance.choice(MWF + TR), chance.choice(LABS if lab else SINGLE_HOURS)
        if not lecture.overlaps(more):
            return lecture, more


def _is_free(busy: list[Meeting], meetings: Times) -> bool:
    return not any(one.overlaps(other) for one in meetings for other in busy)
