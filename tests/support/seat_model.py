"""What taking and giving back seats means, written a second time in plain Python from DESIGN.md, without a database.

Where DESIGN.md leaves room, this agrees with the docstrings of the services:
- of several reasons to refuse the first counts: already there, window, time, credits, prerequisites, corequisites,
  seat;
- without a section, the first one that fits and has a seat; if none has, the first that fits is the one that is full;
- who joins a line before an open seat has the seat;
- linked swaps that wait for each other in a ring are all made as soon as each is the first who can be;
- a swap of a course for any section of it is done already;
- promotion goes on while a term that was open is closed again for a while, until the add deadline;
- a prerequisite is a seat in an earlier term, even one that has not ended;
- a corequisite is a seat in the same term or in an earlier one, or one that is taken in the same step; for a place in
  line a place in line will do. Another section of a course that the student has needs none;
- of several seats that one change frees, the one given back first is filled first; then come the other lines of
  whoever gave something back.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from quart_enroll.domain.models import Course, Meeting, Section, SectionKey, Term

OK = "ok"


class No(Exception):
    """The rules refuse; `code` is that of the site."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Asked:
    """What a student asks for; without a term or a section, the rules choose."""

    courseID: str
    term: str = ""
    section: str = ""


@dataclass
class Seat:
    section: str
    withdrawn: bool = False


@dataclass
class Place:
    student: int
    instead_of: str | None = None
    skipped: bool = False


@dataclass
class Loose:
    """What one change has set loose: seats that may be open, and lines in which somebody may be able now."""

    seats: deque[SectionKey] = field(default_factory=deque)
    students: deque[tuple[int, str]] = field(default_factory=deque)


class School:
    """Terms, courses, sections, who has which seat and who waits in which order."""

    def __init__(self, terms: Iterable[Term], courses: Iterable[Course], sections: Iterable[Section]) -> None:
        self.terms = {term.term: term for term in sorted(terms, key=lambda term: term.order)}
        self.courses = {course.courseID: course for course in courses}
        self.sections = {section.key: section for section in sorted(sections, key=lambda section: section.key)}
        self.seats: dict[tuple[int, str, str], Seat] = {}
        self.lines: dict[SectionKey, list[Place]] = {key: [] for key in self.sections}
        self.lent: SectionKey | None = None

    # What a student can do

    def enroll(self, student: int, asked: Asked, now: datetime) -> None:
        term, options = self._options(student, asked, now, None)
        key = options[0]
        self._check_new(student, key)
        self._check_open(term, now)
        if reason := self.reason(student, key):
            raise No(reason)
        self._check_seat(student, key)
        loose = Loose()
        self._take(student, key, loose)
        self.settle(loose, now)
        self._settle_rings(now)

    def enroll_together(self, student: int, keys: Sequence[SectionKey], now: datetime) -> None:
        """Take all of these seats or none; what the student has already stays as it is."""
        wanted = [key for key in keys if key.courseID not in self.enrolled(student, key.term)]
        if not wanted:
            raise No("already_enrolled")
        before = deepcopy(self.seats)
        for key in wanted:  # as if each were had once it is through
            try:
                self._check_open(self.terms[key.term], now)
                if reason := self.reason(student, key, along=[one.courseID for one in wanted]):
                    raise No(reason)
            except No:
                self.seats = before
                raise
            self.seats[student, key.term, key.courseID] = Seat(key.section)
        self.seats = before
        for key in wanted:
            self._check_seat(student, key)
        loose = Loose()
        for key in wanted:
            self._take(student, key, loose)
        self.settle(loose, now)
        self._settle_rings(now)

    def _check_seat(self, student: int, key: SectionKey) -> None:
        if not self.open_seats(key):
            raise No("already_waiting" if self.place(student, key.term, key.courseID) else "section_full")

    def drop(self, student: int, asked: Asked, now: datetime, *, along: bool = False) -> None:
        self._course(asked.courseID)
        has = {key[1] for key in self._enrolled_anywhere(student, asked.courseID)}
        name = asked.term or self._only_running(has, now)
        if name is None or asked.courseID not in self.enrolled(student, name):
            raise No("not_enrolled")
        others = self._dependent(student, name, asked.courseID)
        if others and not along:
            raise No("corequisites_would_go")
        if now >= self.terms[name].withdraw_deadline:
            raise No("drop_closed")
        loose = Loose()
        for courseID in (asked.courseID, *others):
            self._give_back(student, name, courseID, now, loose)
        self.settle(loose, now)
        self._settle_rings(now)

    def swap(self, student: int, given_up: str, asked: Asked, now: datetime) -> None:
        term, options = self._options(student, asked, now, given_up)
        key = options[0]
        self._check_given_up(student, given_up, key)
        self._check_open(term, now)
        if self._leaves_others(student, key, given_up):
            raise No("corequisites_would_go")
        if reason := self.reason(student, key, without=given_up):
            raise No(reason)
        if now >= term.withdraw_deadline:
            raise No("drop_closed")
        self._check_seat(student, key)
        loose = Loose()
        self._give_back(student, key.term, given_up, now, loose)
        self._take(student, key, loose)
        self.settle(loose, now)
        self._settle_rings(now)

    def join(self, student: int, asked: Asked, now: datetime, instead_of: str | None = None) -> None:
        term, options = self._options(student, asked, now, instead_of)
        key = options[0]
        if self.place(student, key.term, key.courseID):
            raise No("already_waiting")
        if instead_of is not None:
            self._check_given_up(student, instead_of, key)
        if instead_of != key.courseID:
            self._check_new(student, key)
        self._check_open(term, now)
        if instead_of is not None and self._leaves_others(student, key, instead_of):
            raise No("corequisites_would_go")
        waits = [] if self.open_seats(key) else self.waits_for(student, key.term)
        if reason := self.reason(student, key, without=instead_of, along=waits):
            raise No(reason)
        if self.open_seats(key):  # nobody in the line could take it
            loose = Loose()
            if instead_of is not None:
                self._give_back(student, key.term, instead_of, now, loose)
            self._take(student, key, loose)
            self.settle(loose, now)
            self._settle_rings(now)
            return
        if len(self.lines[key]) >= self.sections[key].waitlist_capacity:
            raise No("waitlist_full")
        self.lines[key].append(Place(student, instead_of))
        self._settle_rings(now)

    def leave(self, student: int, asked: Asked, now: datetime) -> None:
        self._course(asked.courseID)
        waited = {key.term for key, line in self.lines.items() if key.courseID == asked.courseID and _in(line, student)}
        name = asked.term or self._only_running(waited, now)
        found = self.place(student, name, asked.courseID) if name else None
        if found is None:
            raise No("not_waiting")
        key, place = found
        self.lines[key].remove(place)
        self._settle_rings(now)

    def _settle_rings(self, now: datetime) -> None:
        """Try what happens when somebody gets a seat first that nobody gave back; it counts if somebody does then."""
        while any(self._settle_ring(key, now) for key in self.sections if self.lines[key]):
            pass

    def _settle_ring(self, key: SectionKey, now: datetime) -> bool:
        before = deepcopy((self.seats, self.lines))
        self.lent = key
        self.settle(Loose(deque([key])), now)
        if self.lent:
            self.seats, self.lines = before
            self.lent = None
            return False
        return True

    # What the registrar can do

    def offer(self, section: Section, now: datetime) -> None:
        """Put the section in the place of the one of its name; who sits or waits stays."""
        self.sections[section.key] = section
        self.lines.setdefault(section.key, [])
        self.settle(Loose(deque(key for key in self.sections if self.lines[key] and self.open_seats(key))), now)
        self._settle_rings(now)

    # What is

    def enrolled(self, student: int, term: str) -> dict[str, SectionKey]:
        """Return the sections that the student has in the term, by courseID."""
        return {
            courseID: SectionKey(term, courseID, seat.section)
            for (who, when, courseID), seat in sorted(self.seats.items())
            if who == student and when == term and not seat.withdrawn
        }

    def taken(self, key: SectionKey) -> int:
        return sum(
            (term, courseID, seat.section) == (key.term, key.courseID, key.section) and not seat.withdrawn
            for (_, term, courseID), seat in self.seats.items()
        )

    def open_seats(self, key: SectionKey) -> int:
        return max(0, self.sections[key].capacity - self.taken(key) + (self.lent == key))

    def credits(self, student: int, term: str) -> float:
        return sum(self.courses[courseID].credits for courseID in self.enrolled(student, term))

    def place(self, student: int, term: str, courseID: str) -> tuple[SectionKey, Place] | None:
        for key, line in self.lines.items():
            for place in line:
                if (place.student, key.term, key.courseID) == (student, term, courseID):
                    return key, place
        return None

    def waits_for(self, student: int, term: str) -> list[str]:
        """Return the courses for which the student waits in the term."""
        return [key.courseID for key, line in self.lines.items() if key.term == term and _in(line, student)]

    def reason(
        self, student: int, key: SectionKey, without: str | None = None, along: Collection[str] = ()
    ) -> str | None:
        """Return why the student may not have a seat in that section, were one open.

        The course `without` counts as gone, those `along` as there where the rules ask for corequisites.
        """
        has = {courseID: where for courseID, where in self.enrolled(student, key.term).items() if courseID != without}
        if key.courseID in has:
            return "already_enrolled"
        if any(self.clash(key, where) for where in has.values()):
            return "time_conflict"
        wanted = self.courses[key.courseID]
        if sum(self.courses[courseID].credits for courseID in has) + wanted.credits > self.terms[key.term].max_credits:
            return "credit_limit"
        earlier = [term.term for term in self.terms.values() if term.comes_before(self.terms[key.term])]
        if not all(any(need in self.enrolled(student, term) for term in earlier) for need in wanted.prerequisites):
            return "prerequisite_missing"
        beside = {*has, *along, *(need for term in earlier for need in self.enrolled(student, term))}
        if without != key.courseID and not beside.issuperset(wanted.corequisites):
            return "corequisite_missing"
        return None

    def promotion_reason(self, place: Place, key: SectionKey) -> str | None:
        """Return why the waiting student could not take an open seat now."""
        instead_of = place.instead_of if place.instead_of in self.enrolled(place.student, key.term) else None
        if instead_of and self._leaves_others(place.student, key, instead_of):
            return "corequisites_would_go"
        return self.reason(place.student, key, without=instead_of)

    def clash(self, one: SectionKey, other: SectionKey) -> bool:
        """Tell whether a person would have to be in two rooms in some minute of the week."""
        return bool(_minutes(self.sections[one].meetings) & _minutes(self.sections[other].meetings))

    def settle(self, loose: Loose, now: datetime) -> None:
        while loose.seats or loose.students:
            if not loose.seats:
                able, loose.students = loose.students, deque()
                loose.seats.extend(key for key, line in self.lines.items() if _waits(line, key, able))
            if loose.seats:
                self._fill(loose.seats.popleft(), loose, now)

    def _fill(self, key: SectionKey, loose: Loose, now: datetime) -> None:
        term = self.terms[key.term]
        for place in list(self.lines[key]):
            if not self.open_seats(key) or now >= term.add_deadline:
                return
            if self.promotion_reason(place, key):
                place.skipped = True
                continue
            if place.instead_of in self.enrolled(place.student, key.term):
                self._give_back(place.student, key.term, place.instead_of, now, loose)
            self._take(place.student, key, loose)

    def _take(self, student: int, key: SectionKey, loose: Loose) -> None:
        self.seats[student, key.term, key.courseID] = Seat(key.section)
        if found := self.place(student, key.term, key.courseID):
            waited, place = found
            if waited == key or place.instead_of != key.courseID:  # a swap within the course may still come
                self.lines[waited].remove(place)
        for waited, line in self.lines.items():  # it may be what a course of a later term needs
            course = self.courses[waited.courseID]
            if _in(line, student) and key.courseID in (*course.prerequisites, *course.corequisites):
                loose.students.append((student, waited.term))

    def _give_back(self, student: int, term: str, courseID: str, now: datetime, loose: Loose) -> None:
        seat = self.seats[student, term, courseID]
        if now < self.terms[term].drop_deadline:
            del self.seats[student, term, courseID]
        else:
            seat.withdrawn = True
        key = SectionKey(term, courseID, seat.section)
        if self.lent == key:
            self.lent = None
        else:
            loose.seats.append(key)
        loose.students.append((student, term))

    def _dependent(self, student: int, term: str, courseID: str) -> list[str]:
        """Return what can't stay without that course, directly or through another one."""
        going = [courseID]
        earlier = [one.term for one in self.terms.values() if one.comes_before(self.terms[term])]
        for gone in going:
            if any(gone in self.enrolled(student, name) for name in earlier):
                continue  # it was taken before, and is not missed
            going += [
                one
                for one in self.enrolled(student, term)
                if one not in going and gone in self.courses[one].corequisites
            ]
        return going[1:]

    def _leaves_others(self, student: int, key: SectionKey, given_up: str) -> bool:
        """Tell whether something could not stay after the swap; in another section the course itself stays."""
        return given_up != key.courseID and bool(self._dependent(student, key.term, given_up))

    def _check_open(self, term: Term, now: datetime) -> None:
        if now < term.opens_at:
            raise No("not_open_yet")
        if now >= term.add_deadline:
            raise No("closed")

    def _check_new(self, student: int, key: SectionKey) -> None:
        if key.courseID in self.enrolled(student, key.term):
            raise No("already_enrolled")

    def _check_given_up(self, student: int, given_up: str, key: SectionKey) -> None:
        has = self.enrolled(student, key.term)
        if has.get(given_up) == key or (given_up not in has and key.courseID in has):
            raise No("already_enrolled")
        if given_up not in has:
            raise No("not_enrolled")

    def _course(self, courseID: str) -> Course:
        if courseID not in self.courses:
            raise No("unknown_course")
        return self.courses[courseID]

    def _options(
        self, student: int, asked: Asked, now: datetime, given_up: str | None
    ) -> tuple[Term, Sequence[SectionKey]]:
        """Return the term that is meant and the sections that come into question, the best first."""
        self._course(asked.courseID)
        offered = {key.term for key in self.sections if key.courseID == asked.courseID}
        coming = [term for term in self.terms.values() if now < term.withdraw_deadline]
        first = [term for term in coming if term.opens_at <= now < term.add_deadline]
        choice = [self.terms[asked.term]] if asked.term else first + [term for term in coming if term not in first]
        found = [term for term in choice if term.term in offered]
        if not found:
            raise No("not_taught")
        keys = [key for key in self.sections if (key.term, key.courseID) == (found[0].term, asked.courseID)]
        if asked.section:
            keys = [key for key in keys if key.section == asked.section]
            if not keys:
                raise No("unknown_section")
        elif given_up == asked.courseID and given_up in (has := self.enrolled(student, found[0].term)):
            keys = [has[given_up]]
        return found[0], sorted(keys, key=lambda key: self._rank(student, key, given_up))

    def _rank(self, student: int, key: SectionKey, given_up: str | None) -> tuple[bool, bool, str]:
        reason = self.reason(student, key, without=given_up)
        return (
            reason not in (None, "prerequisite_missing", "corequisite_missing"),
            not self.open_seats(key),
            key.section,
        )

    def _enrolled_anywhere(self, student: int, courseID: str) -> list[tuple[int, str, str]]:
        return [key for key, seat in self.seats.items() if key[::2] == (student, courseID) and not seat.withdrawn]

    def _only_running(self, has: Collection[str], now: datetime) -> str | None:
        """Return the term that is meant when something is given back and none is named; one of two is not guessed."""
        running = [name for name in has if now < self.terms[name].withdraw_deadline]
        if len(running) > 1:
            raise No("term_needed")
        return running[0] if running else None


def _in(line: Iterable[Place], student: int) -> bool:
    return any(place.student == student for place in line)


def _waits(line: Iterable[Place], key: SectionKey, able: Collection[tuple[int, str]]) -> bool:
    return any((place.student, key.term) in able for place in line)


def _minutes(meetings: Iterable[Meeting]) -> set[tuple[str, int]]:
    return {
        (day, minute)
        for meeting in meetings
        for day in meeting.days
        for minute in range(_minute(meeting.start), _minute(meeting.end))
    }


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
