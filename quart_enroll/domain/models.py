"""Immutable records that `db` returns and the layers above use. Field names are the stored ones."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from quart_enroll.domain import pools, requisite_parser, requisites, restrictions
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.course_heading import CourseHeading, course_heading
from quart_enroll.domain.email_settings import DEFAULT_SETTINGS, EmailSettings
from quart_enroll.domain.pools import Pool
from quart_enroll.domain.requisites import CONCURRENTLY, Concurrently, CourseLeaf
from quart_enroll.domain.roles import ROLE_NAMES, STAFF_ROLES, STUDENT_ONLY, Role, in_order, single_role
from quart_enroll.domain.scopes import Scope
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.i18n.language import Days, Hours, Sentence, TermName, Value, gettext, plural

SEASONS = ("Winter", "Spring", "Summer", "Fall")
"""The seasons of a year, in order."""

SEASON_AND_YEAR = re.compile(rf"({'|'.join(SEASONS)}) ((?:19|20|21)[0-9]{{2}})")
"""The name of a term that consists of a season and a year; schools use other names too."""

MAX_TERM_NAME_LENGTH = 50
"""In characters."""

SYSTEM_ACTOR = 0
"""The actor of events that no person caused: imports, repairs and promotions by the site itself."""


def find_timezone(name: str) -> ZoneInfo | None:
    """Return the timezone with that name, or None if this machine has none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # the name is looked up among the system's files
        return None


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of the day in UTC; later than midnight where the clock skips midnight."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_ending_at(moment: datetime, timezone: str) -> date | None:
    """Return the day that ends at the moment in the timezone; None if the moment is during a day."""
    zone = ZoneInfo(timezone)
    following = moment.astimezone(zone).date()
    return following - timedelta(days=1) if start_of_day(following, zone) == moment else None


@dataclass(frozen=True, slots=True)
class Term:
    """A term under the school's own name, with its windows in UTC; each deadline is the first moment after the window.

    Students enroll and join waitlists from opens_at to add_deadline, drop until drop_deadline, and withdraw until
    withdraw_deadline. `timezone` is the school's, used in everything that people read. Courses meet from `starts_on` to
    `ends_on`; a term has both or neither. Enrollment appointments no longer matter from `open_enrollment_at` on
    (`domain/appointments.py`); without it, they matter until add_deadline. If `in_progress_counts`, so do courses of
    earlier terms without a grade, for the requisites of this term's courses.
    """

    term: str
    opens_at: datetime
    add_deadline: datetime
    drop_deadline: datetime
    withdraw_deadline: datetime
    max_credits: int | float = 18
    timezone: str = "UTC"
    starts_on: date | None = None
    ends_on: date | None = None
    open_enrollment_at: datetime | None = None
    in_progress_counts: bool = True

    def __hash__(self) -> int:
        return hash(self.term)  # enough to tell terms apart: pages look up many texts by their term

    @property
    def season(self) -> str | None:
        """The season of a term named like "Fall 2026"; None for any other name."""
        named = SEASON_AND_YEAR.fullmatch(self.term)
        return named[1] if named else None

    @property
    def year(self) -> int | None:
        """The year of a term named like "Fall 2026"; None for any other name."""
        named = SEASON_AND_YEAR.fullmatch(self.term)
        return int(named[2]) if named else None

    @property
    def order(self) -> tuple[date, date, int, int, str]:
        """The sort key for chronological order: by the last day, which every term has.

        Many schools open all terms of a year on the same day, so `opens_at` alone doesn't order them.
        """
        season = SEASONS.index(self.season) if self.season else 0
        return self.last_day, self.first_day, self.year or 0, season, self.term

    def comes_before(self, other: "Term") -> bool:
        """Return whether this term ends before the other one begins, as far as both have dates.

        The first half of a term does not come before the whole term, nor the whole before its second half.
        """
        if self.ends_on and other.starts_on:
            return self.ends_on < other.starts_on
        return self.order < other.order

    def is_open(self, now: datetime) -> bool:
        """Return whether students may enroll."""
        return self.opens_at <= now < self.add_deadline

    def promotes_waitlist(self, now: datetime) -> bool:
        """Return whether open seats go to waitlisted students.

        They do before opens_at too: students are waitlisted then only if the opening was postponed.
        """
        return now < self.add_deadline

    def is_ongoing(self, now: datetime) -> bool:
        """Return whether students can still drop or withdraw, or courses still meet."""
        return now < self.withdraw_deadline or self.local(now).date() <= self.last_day

    @property
    def boundaries(self) -> tuple[datetime, datetime, datetime, datetime]:
        """The moments at which the possible actions change, in order."""
        return self.opens_at, self.add_deadline, self.drop_deadline, self.withdraw_deadline

    @property
    def census_at(self) -> datetime:
        """Until when no-shows can be dropped without a W: the school counts its students then.

        Terms have no census date of their own yet, so this is the deadline to add courses.
        """
        return self.add_deadline

    def day_ending_at(self, deadline: datetime) -> date | None:
        """Return the day that ends at the deadline in the school's timezone; None if the deadline is during a day."""
        return day_ending_at(deadline, self.timezone)

    def local(self, moment: datetime) -> datetime:
        """Return the moment in the school's timezone."""
        return moment.astimezone(ZoneInfo(self.timezone))

    @property
    def first_day(self) -> date:
        """The first day on which courses may meet; without dates, the day of opens_at."""
        return self.starts_on or self.local(self.opens_at).date()

    @property
    def last_day(self) -> date:
        """The last day on which courses may meet; without dates, the last day before withdraw_deadline."""
        return self.ends_on or self.local(self.withdraw_deadline - timedelta.resolution).date()

    @property
    def ends_at(self) -> datetime:
        """The first moment when the term is no longer ongoing."""
        return max(self.withdraw_deadline, start_of_day(self.last_day + timedelta(days=1), ZoneInfo(self.timezone)))

    def __str__(self) -> str:
        return self.term


class RepeatAction(StrEnum):
    """What happens when a student has taken a course as often as it allows. Courses are stored with the values."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Course:
    """A catalog entry; `term` lists the seasons or terms in which it is offered: "Fall, Spring".

    The `prerequisites` must be taken in an earlier term, the `corequisites` in the same term or an earlier one. The
    text `requisite` has prerequisites too, of which some are alternatives or may be taken in the same term. The text
    `restriction` says which students may enroll. A student can take the course in `max_attempts` terms, 0 for any
    number; `withdrawals_count` says whether terms with a withdrawal are among them, and `repeat_action` what happens in
    further terms. Where it is required, its `equivalents`, taken in an earlier term, count as well. `needs` and
    `corequisite_names` are the names of the `prerequisite_courses` and the `corequisites`, in the same order; only the
    catalog in memory has them.
    """

    courseID: str
    title: str
    description: str
    credits: int | float
    term: str
    subject: str = ""
    prerequisites: tuple[str, ...] = ()
    corequisites: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    corequisite_names: tuple[str, ...] = ()
    requisite: str = ""
    restriction: str = ""
    max_attempts: int = 0
    withdrawals_count: bool = False
    repeat_action: RepeatAction = RepeatAction.REFUSE
    equivalents: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.courseID)

    @property
    def restriction_sentences(self) -> list[Sentence]:
        """Which students may enroll, in words."""
        return restrictions.sentences(self.restriction)

    @property
    def repeat_sentences(self) -> list[Sentence]:
        """How often a student can take it, in words; nothing if any number of times."""
        if not self.max_attempts:
            return []
        limit = {
            RepeatAction.REFUSE: plural(
                "You can take it only once.", "You can take it at most %(number)s times.", self.max_attempts
            ),
            RepeatAction.WARN: plural(
                "You should take it only once.", "You should take it at most %(number)s times.", self.max_attempts
            ),
        }[self.repeat_action]
        return [limit, *([Sentence("Withdrawals count.")] if self.withdrawals_count else [])]

    @property
    def prerequisite_courses(self) -> tuple[str, ...]:
        """All courses that its prerequisites name, even if one of several is enough."""
        if not self.requisite:
            return self.prerequisites
        return (*self.prerequisites, *requisites.courses_in(requisite_parser.stored(self.requisite)))

    @property
    def depends_on_attributes(self) -> bool:
        """Whether its restriction or its prerequisites ask for attributes of the student."""
        leaves = requisites.leaves_of(requisite_parser.stored(self.requisite)) if self.requisite else ()
        return bool(self.restriction) or not all(isinstance(one, CourseLeaf) for one in leaves)

    @property
    def concurrent_courses(self) -> tuple[str, ...]:
        """The courses that count as prerequisites in the same term too."""
        if CONCURRENTLY not in self.requisite:
            return ()
        leaves = requisites.leaves_of(requisite_parser.stored(self.requisite))
        return tuple(one.courseID for one in leaves if isinstance(one, Concurrently))

    @property
    def same_term_courses(self) -> tuple[str, ...]:
        """The courses that this one may need in the same term, so that dropping them may drop this one too."""
        return (*self.corequisites, *self.concurrent_courses)

    @property
    def name(self) -> str:
        """The number and the title; the title alone if it is the number."""
        return self.title if self.title.replace(" ", "") == self.courseID else f"{self.courseID} ({self.title})"

    @property
    def heading(self) -> CourseHeading:
        """The number, the name and the description that pages show."""
        return course_heading(self.courseID, self.title, self.description)

    @property
    def other_number(self) -> str:
        """The courseID if it is another number than the one that pages show; otherwise empty."""
        number = self.heading.number
        return "" if self.courseID in (number, number.replace(" ", "")) else self.courseID


@dataclass(frozen=True, slots=True)
class Meeting:
    """A weekly meeting on `days` of "MTWRFSU" (R is Thursday, U is Sunday), from `start` to `end` such as "09:50"."""

    days: str
    start: str
    end: str

    def overlaps(self, other: "Meeting") -> bool:
        """Return whether a student could not attend both; one may begin when the other ends."""
        return self.start < other.end and other.start < self.end and not set(self.days).isdisjoint(other.days)

    @property
    def hours(self) -> Hours:
        """The times, as the reader's clock shows them."""
        return Hours(self.start, self.end)

    @property
    def when(self) -> Sentence:
        """The days and the times, for a sentence."""
        return Sentence("%(days)s %(hours)s", days=Days(self.days), hours=self.hours)

    def __str__(self) -> str:
        return str(self.when)


class SectionStatus(StrEnum):
    """Whether students see a section, and whether they can get a seat in it."""

    ACTIVE = "active"
    """Students see it, and can enroll."""

    TENTATIVE = "tentative"
    """Only staff see it: the school hasn't decided yet."""

    CLOSED = "closed"
    """Students see it and keep what they have, but nobody gets a seat or a place on the waitlist."""

    CANCELLED = "cancelled"
    """It has no students. It stays stored, so that its number is never used again in the term."""


class Consent(StrEnum):
    """Whose consent a student needs to enroll in a section. The values never change, because sections store them."""

    NONE = "none"
    INSTRUCTOR = "instructor"
    DEPARTMENT = "department"


@dataclass(frozen=True, slots=True)
class Section:
    """A course offered in a term, with its seats, waitlist, meetings, instructor and room.

    `instructor` is the text that people read; `instructors` are the user_ids of those who may see its roster. Each edit
    or import that changes the section increments `revision`. The text `restriction` says which students may enroll, in
    addition to that of the course, and `consent` whose consent each of them needs. `accepts_numbers` is set with its
    first permission number. The `pools` reserve seats; `own_pool_seats` is how many of them are left for the student
    who sees the section, and not stored.
    """

    term: str
    courseID: str
    section: str
    capacity: int
    seats_taken: int = 0
    waitlist_capacity: int = 0
    waiting: int = 0
    meetings: tuple[Meeting, ...] = ()
    instructor: str = ""
    room: str = ""
    instructors: tuple[int, ...] = ()
    status: SectionStatus = SectionStatus.ACTIVE
    revision: int = 0
    restriction: str = ""
    consent: Consent = Consent.NONE
    accepts_numbers: bool = False
    pools: tuple[Pool, ...] = ()
    own_pool_seats: int = 0

    @property
    def key(self) -> "SectionKey":
        return SectionKey(self.term, self.courseID, self.section)

    @property
    def restriction_sentences(self) -> list[Sentence]:
        """Which students may enroll, in words."""
        return restrictions.sentences(self.restriction)

    @property
    def pool_facts(self) -> tuple[tuple[str, int, str, bool], ...]:
        """What students read about the pools, which doesn't change while seats move."""
        return tuple((one.name, one.seats, one.release, one.is_released) for one in self.pools)

    @property
    def pool_sentences(self) -> list[Sentence]:
        """Who seats are reserved for, in words."""
        return pools.sentences(self.pools)

    @property
    def needs_consent(self) -> bool:
        """Whether a student needs consent to enroll."""
        return self.consent is not Consent.NONE

    @property
    def open_seats(self) -> int:
        """The number of seats that the student who sees the section could take; 0 if it isn't active.

        Without a student, only seats that are open to everybody count.
        """
        return self.available_seats if self.status is SectionStatus.ACTIVE else 0

    @property
    def available_seats(self) -> int:
        """The number of seats that neither a student has nor a pool of others reserves, whatever the status."""
        if not self.pools:
            return self.free_seats
        return min(self.free_seats, max(0, self.free_seats - pools.seats_left(self.pools)) + self.own_pool_seats)

    @property
    def free_seats(self) -> int:
        """The number of seats that are not taken, whether students could take them or not."""
        return max(0, self.capacity - self.seats_taken)

    @property
    def reserved_seats(self) -> int:
        """The number of seats that are left for others than the student who sees the section; 0 if it isn't active."""
        return self.free_seats - self.available_seats if self.pools and self.status is SectionStatus.ACTIVE else 0

    @property
    def is_reserved(self) -> bool:
        """Whether seats are left, but only for others than the student who sees the section."""
        return self.reserved_seats > 0 and not self.open_seats

    def with_seats_taken(self, more: Mapping[str, int]) -> "Section":
        """Return the section with `more` seats taken too, by the names of the pools, empty for unreserved ones."""
        if not more:
            return self
        taken = self.seats_taken + sum(more.values())
        if not self.pools:
            return replace(self, seats_taken=taken)
        return replace(self, seats_taken=taken, pools=pools.with_seats_taken(self.pools, more))

    def seen_by(self, attributes: StudentAttributes) -> "Section":
        """Return the section as a student with these attributes sees it: with the seats of their own pools."""
        if not self.pools:
            return self
        return replace(self, own_pool_seats=sum(one.seats_left for one in pools.own_pools(self.pools, attributes)))

    @property
    def is_listed(self) -> bool:
        """Whether students see the section in the catalog."""
        return self.status in (SectionStatus.ACTIVE, SectionStatus.CLOSED)


@dataclass(frozen=True, slots=True, order=True)
class SectionKey:
    """The unique name of a section."""

    term: str
    courseID: str
    section: str


def deleted_section(key: SectionKey) -> Section:
    """Return a stand-in for a section that was deleted while students had seats in it."""
    return Section(key.term, key.courseID, key.section, capacity=0)


@dataclass(frozen=True, slots=True)
class Registration:
    """A course on a student's schedule, in its section; `status` is "enrolled" or "withdrawn".

    `pool` is the name of the pool to which the seat belongs, and empty for an unreserved one.
    """

    course: Course
    section: Section
    status: str
    pool: str = ""

    @property
    def courseID(self) -> str:  # noqa: N802  # the stored name
        return self.course.courseID


class TakenCourse(NamedTuple):
    """A course in which a student is enrolled in a term, or was; the `grade` is empty until it is recorded.

    It is WITHDRAWN for a course from which the student has withdrawn. If it `is_equivalent`, the student took another
    course, which counts as this one.
    """

    courseID: str
    term: Term
    grade: str = ""
    is_equivalent: bool = False


@dataclass(frozen=True, slots=True)
class RosterSeat:
    """A student's seat in a section, since when; `status` is "enrolled" or "withdrawn"."""

    user_id: int
    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class WaitlistEntry:
    """A student's entry on a waitlist: the lowest `place` comes first. `moved_at` is when its section moved.

    The `overrides` are rules that staff set aside for this student, for a seat in this section.
    """

    user_id: int
    key: SectionKey
    place: int
    joined_at: datetime
    drop_if_enrolled: str | None = None
    skipped_because: Sentence | None = None
    moved_at: datetime | None = None
    overrides: frozenset[Override] = NO_OVERRIDES


@dataclass(frozen=True, slots=True)
class PlannedSection:
    """A section in a student's plan; sections are tried in the order of `place`, from 1.

    `because` is the reason for the refusal at the last attempt. `alternatives` are the numbers of the sections to take
    instead if this one can't be taken, best first; "*" stands for all others.
    """

    key: SectionKey
    place: int
    added_at: datetime
    because: Sentence | None = None
    alternatives: tuple[str, ...] = ()


MAX_PLAN_NAME_LENGTH = 30
"""The maximum number of characters in the name of a plan."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """One of a student's plans for a term; the name of the first plan is empty until it is renamed.

    The plan in use consists of the student's planned sections; `courses` is the number of courses in any other plan.
    """

    term: str
    name: str
    is_in_use: bool
    courses: int


@dataclass(frozen=True, slots=True)
class ScheduledCourse(Course):
    """A course on a student's schedule, with the term and section in which the student takes it."""

    enrolled_term: str = ""
    section: str = ""
    status: str = "enrolled"
    meetings: tuple[Meeting, ...] = ()
    instructor: str = ""
    room: str = ""

    @classmethod
    def of(cls, registration: Registration) -> "ScheduledCourse":
        """Return the registration as a single record."""
        course, section = registration.course, registration.section
        return cls(
            course.courseID,
            course.title,
            course.description,
            course.credits,
            course.term,
            course.subject,
            course.prerequisites,
            course.corequisites,
            corequisite_names=course.corequisite_names,
            requisite=course.requisite,
            restriction=course.restriction,
            max_attempts=course.max_attempts,
            withdrawals_count=course.withdrawals_count,
            repeat_action=course.repeat_action,
            equivalents=course.equivalents,
            enrolled_term=section.term,
            section=section.section,
            status=registration.status,
            meetings=section.meetings,
            instructor=section.instructor,
            room=section.room,
        )

    @property
    def key(self) -> SectionKey:
        return SectionKey(self.enrolled_term, self.courseID, self.section)


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of a student's history: the `action`, and its `result`, "ok" or the code of the refusal.

    `from_section` is the section of the course from which the student moved. A repeated refusal is one event: `count`
    is how often it happened, `at` the first time and `last_at` the last. If staff acted for the student, `reason` says
    why, `overrides` are the rules that they set aside, and `acted_as` is the role in which they did it. `changes` says
    what has changed about a section that the student has.
    """

    at: datetime
    actor: int
    user_id: int
    action: str
    courseID: str
    term: str
    section: str
    result: str = "ok"
    from_section: str = ""
    count: int = 1
    last_at: datetime | None = None
    reason: str = ""
    overrides: tuple[str, ...] = ()
    acted_as: str = ""
    changes: Sentence | None = None

    @property
    def reason_text(self) -> str:
        """The reason, in the reader's language unless staff wrote it."""
        return gettext("no-show") if self.reason == NO_SHOW else self.reason


NO_SHOW = "no-show"
"""The reason in the events of dropped no-shows."""


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; `language` and `timezone` are the chosen ones, if any.

    `email_unconfirmed` means that they entered the email address themselves and haven't opened the link sent to it.
    `subjects` are those whose sections they change as a scheduler. `advisors` are the user_ids of a student's advisors.
    With `directory_opt_out`, a student's name and email must not be passed on. `preferred_name` takes the place of the
    first name where the person is addressed, and `pronouns` are those that the person goes by. `email_settings` say
    which emails they want. The `attributes` are those of a student.
    """

    user_id: int
    email: str
    first_name: str
    last_name: str
    roles: frozenset[Role] = STUDENT_ONLY
    language: str = ""
    timezone: str = ""
    email_unconfirmed: bool = False
    subjects: tuple[str, ...] = ()
    advisors: tuple[int, ...] = ()
    directory_opt_out: bool = False
    preferred_name: str = ""
    pronouns: str = ""
    email_settings: EmailSettings = DEFAULT_SETTINGS
    attributes: StudentAttributes = NO_ATTRIBUTES

    @property
    def role(self) -> str:
        """The role as the Flask site knew it, for its templates and for older programs."""
        return single_role(self.roles)

    @property
    def role_names(self) -> list[Sentence]:
        """The names of the roles, in the order in which pages list them."""
        return [ROLE_NAMES[role] for role in in_order(self.roles)]

    @property
    def is_staff(self) -> bool:
        return not self.roles.isdisjoint(STAFF_ROLES)

    @property
    def short_name(self) -> str:
        """The name to greet the user by; some people have only one name."""
        return self.preferred_name or self.first_name or self.last_name

    @property
    def full_name(self) -> str:
        """The legal name."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def display_name(self) -> str:
        """The name with the preferred first name, if there is one."""
        return f"{self.preferred_name or self.first_name} {self.last_name}".strip()

    @property
    def name_for_staff(self) -> str | Sentence:
        """The preferred name with the legal one beside it."""
        if self.display_name == self.full_name:
            return self.full_name
        return Sentence("%(name)s (legal name: %(legal)s)", name=self.display_name, legal=self.full_name)


PeopleOrder = Literal["name", "user_id", "email"]
"""What lists of people are sorted by."""


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """The wanted people, in this order: those who match all `words` and have one of the `roles`, or any if none.

    With an `advisor`, only that person's advisees. `with_opted_out` includes those who opted out of the directory.
    """

    words: tuple[str, ...] = ()
    roles: frozenset[Role] = frozenset()
    order: PeopleOrder = "name"
    descending: bool = False
    with_opted_out: bool = True
    advisor: int | None = None


@dataclass(frozen=True, slots=True)
class PeopleMatches:
    """How many people a filter matches.

    Those of a search are `user_ids`, in the order of the list. If it matches too many people, `is_cut` and these are
    the first of them.
    """

    total: int
    user_ids: Sequence[int] | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """The values that registrars set for a person."""

    roles: frozenset[Role]
    subjects: tuple[str, ...] = ()
    advisors: tuple[int, ...] = ()
    directory_opt_out: bool = False
    attributes: StudentAttributes = NO_ATTRIBUTES

    @classmethod
    def of(cls, user: User) -> "Profile":
        """Return the user's profile."""
        return cls(user.roles, user.subjects, user.advisors, user.directory_opt_out, user.attributes)

    @property
    def role(self) -> str:
        """The role as the Flask site knew it."""
        return single_role(self.roles)

    @property
    def fingerprint(self) -> str:
        """A text that identifies the profile's values."""
        facts = (sorted(self.roles), self.subjects, self.advisors, self.directory_opt_out, self.attributes)
        return sha256(repr(facts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class RemovalRequest:
    """A user's request to the registrar to remove the account."""

    user_id: int
    asked_at: datetime


class EmailChangeSide(StrEnum):
    """One of the two addresses that have to confirm an email change."""

    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class EmailChange:
    """A pending change of a user's email, which is made as soon as both addresses have confirmed it.

    An old address that was never confirmed itself isn't asked: then the new one is enough.
    """

    user_id: int
    old_email: str
    new_email: str
    asked_at: datetime
    expires_at: datetime
    asks_old: bool
    agreed: frozenset[EmailChangeSide] = frozenset()

    @property
    def is_agreed(self) -> bool:
        """Whether it has been confirmed from every email that gets a link."""
        return EmailChangeSide.NEW in self.agreed and (EmailChangeSide.OLD in self.agreed or not self.asks_old)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user, the stored hash of the password, and how often the password was changed."""

    user: User
    password: str
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Viewing:
    """A staff member's view of the site as the student `user_id` sees it, until a moment at most."""

    user_id: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in that has not ended; `key` identifies it without revealing the cookie (see services.accounts.sessions).

    `last_used_at` may lag behind by a few minutes. `confirmed_at` is when the user last entered the password. `address`
    (the IP) and `agent` let the user recognize it. `viewing` is set while staff see the site as a student.
    """

    key: str
    user_id: int
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    remembered: bool
    confirmed_at: datetime
    address: str = ""
    agent: str = ""
    viewing: Viewing | None = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How often something may be attempted: `limit` times in a row, of which one is forgotten every `fades_in`.

    After the last of them the next attempt has to wait for `first_wait`, and each further one twice as long as the one
    before, up to `longest_wait`. At most `steps` attempts beyond the limit count.
    """

    limit: int
    fades_in: timedelta
    first_wait: timedelta = timedelta(minutes=1)
    longest_wait: timedelta = timedelta(minutes=15)
    steps: int = 4


MAX_LABEL_LENGTH = 50
"""The maximum number of characters in the name of a shared link."""


class SharedContent(StrEnum):
    """What a shared link shows for a term."""

    SCHEDULE = "schedule"
    """The courses in which the student is enrolled."""

    PLAN = "plan"
    """The courses in which the student is enrolled, and the planned ones."""


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link that shows others the `content` of a student's term until `expires_at`.

    `link_id` identifies it and is no secret. Only the student sees the `label`.
    """

    link_id: str
    user_id: int
    term: str
    content: SharedContent
    label: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token lets a program act for a user until `expires_at`, within its `scope`.

    `token_id` identifies it and is no secret. `last_used_at` is accurate to the hour, and None if it was never used.
    """

    token_id: str
    user_id: int
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response of the API, stored for repeated requests: the status, the Location header, and the JSON body."""

    status: int
    location: str
    body: str


@dataclass(frozen=True, slots=True)
class SectionRequest:
    """The section that a student requests.

    An empty term means the next one in which the course is offered, an empty section the first one with an open seat
    that fits the schedule.
    """

    courseID: str
    term: str = ""
    section: str = ""


SEAT_OPENED = Sentence(
    "A seat opened in %(title)s, section %(section)s, for %(term)s. "
    "It’s first come, first served, so it may already be taken."
)
"""The text of an alert; its email may be read hours later."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to a student about a seat or their account, or by email alone about their password or email address.

    `action` is "promote", "alert", "skip" with the reason in `because`, "moved" with the changes there, "cancelled"
    with the other sections there, "no_show" with its author there, "removal_declined" with the registrar's reason
    there, or "staff", "permit", "consent", "consent_requested", "hold_placed", "hold_lifted" or "appointment" with the
    whole message; "account_removed", "password_changed", "password_forgotten" or "confirm_email"; "email_change" to the
    address in `because`, "new_email" or "email_changed"; "roster_email" with what staff wrote in `subject` and `text`,
    and who it was in `because`; in a daily digest also "enroll", "drop", "withdraw" or "swap". `before` is a section as
    it was before its changes.
    """

    at: datetime
    user_id: int
    action: str
    courseID: str = ""
    title: str = ""
    term: str = ""
    section: str = ""
    because: Sentence | None = None
    subject: str = ""
    text: str = ""
    before: Section | None = None

    @classmethod
    def of(cls, event: Event, title: str, because: Sentence | None = None) -> "Notice":
        """Make the notice of an event."""
        return cls(event.at, event.user_id, event.action, event.courseID, title, event.term, event.section, because)

    @property
    def key(self) -> SectionKey:
        """The key of the section that it is about."""
        return SectionKey(self.term, self.courseID, self.section)

    @property
    def sentence(self) -> str:
        """The text, in the reader's language."""
        where: dict[str, Value] = {"title": self.title, "section": self.section, "term": TermName(self.term)}
        match self.action:
            case "promote":
                return gettext(
                    "A seat opened: you’re now enrolled in %(title)s, section %(section)s, for %(term)s.", **where
                )
            case "staff" | "permit" | "consent" | "consent_requested" | "hold_placed" | "hold_lifted" | "appointment":
                return str(self.because or "")
            case "alert":
                return SEAT_OPENED % where
            case "moved":
                return gettext(
                    "%(title)s, section %(section)s, for %(term)s has changed. %(because)s",
                    because=self.because or "",
                    **where,
                )
            case "cancelled":
                return gettext(
                    "%(title)s, section %(section)s, for %(term)s was canceled, so you’re no longer in it. %(because)s",
                    because=self.because or "",
                    **where,
                ).strip()
            case "no_show":
                return gettext(
                    "%(because)s You no longer have a seat in %(title)s, section %(section)s, for %(term)s. "
                    "There is no W on your schedule.",
                    because=self.because or "",
                    **where,
                )
            case "removal_declined":
                return gettext(
                    "The registrar declined your request to remove your account. %(because)s",
                    because=self.because or "",
                )
            case _:
                return gettext(
                    "A seat opened in %(title)s, section %(section)s, for %(term)s, but we couldn’t enroll you. "
                    "%(because)s You keep your place.",
                    because=self.because or "",
                    **where,
                )
