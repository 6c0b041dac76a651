"""The columns of the files for each collection, and other names that registrars use for them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache

from quart_enroll.domain.stored_import import APPOINTMENTS, ENROLLMENTS, HOLDS
from quart_enroll.forms.imports.appointments import AppointmentRow
from quart_enroll.forms.imports.base import ImportRow
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.forms.imports.enrollments import EnrollmentRow
from quart_enroll.forms.imports.grades import GradeRow
from quart_enroll.forms.imports.holds import HoldRow
from quart_enroll.forms.imports.ranks import RankRow
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.imports.terms import TermRow
from quart_enroll.forms.imports.users import UserRow

ROW_FORMS: Mapping[str, type[ImportRow]] = {
    APPOINTMENTS: AppointmentRow,
    "course": CourseRow,
    ENROLLMENTS: EnrollmentRow,
    "grade": GradeRow,
    HOLDS: HoldRow,
    "section": SectionRow,
    "term": TermRow,
    "user": UserRow,
}
"""The form that checks the rows of each collection."""

IGNORED_COLUMNS = {"_id"}
"""Columns that are ignored: this is MongoDB's id of a row."""

_COURSE_ID = ("course", "course code", "course number", "course no")
_SECTION = ("section number", "section no", "section id", "sec")
_STUDENT = ("email", "email address", "user_id", "student email")
_RESTRICTION = ("restrictions", "enrollment restriction", "enrollment restrictions")
_TERM = ("semester", "terms", "semesters", "term name")

COLUMN_SYNONYMS: Mapping[type[ImportRow], Mapping[str, tuple[str, ...]]] = {
    CourseRow: {
        "courseID": _COURSE_ID,
        "title": ("course title", "course name"),
        "description": ("course description",),
        "credits": ("credit", "credit hours", "units"),
        "term": (*_TERM, "season", "seasons"),
        "subject": ("subject area",),
        "prerequisites": ("prerequisite", "prereq", "prereqs"),
        "corequisites": ("corequisite", "coreq", "coreqs"),
        "requisite": ("requisites", "requirement", "enrollment requirement"),
        "restriction": _RESTRICTION,
        "max_attempts": ("maximum attempts", "repeat limit", "attempts allowed"),
        "withdrawals_count": ("w counts",),
        "equivalents": ("equivalent courses", "equivalent"),
    },
    SectionRow: {
        "term": _TERM,
        "courseID": _COURSE_ID,
        "section": _SECTION,
        "capacity": ("max enrollment", "enrollment limit", "enrollment capacity", "seat limit", "cap"),
        "waitlist_capacity": ("waitlist limit", "waitlist cap", "wait list capacity", "max waitlist"),
        "meetings": ("meeting", "meeting times", "meeting pattern", "days and times", "days times"),
        "instructor": ("instructor name", "instructor names", "teacher", "professor", "faculty"),
        "room": ("location", "classroom"),
        "instructors": ("instructor email", "instructor emails", "instructor ids"),
        "status": ("section status",),
        "restriction": _RESTRICTION,
        "consent": ("consent required", "instructor consent", "special approval", "approval code"),
        "pools": ("reserved seats", "reserved pools", "reserve capacity", "reserve caps"),
    },
    EnrollmentRow: {
        "student": _STUDENT,
        "term": _TERM,
        "courseID": _COURSE_ID,
        "section": _SECTION,
        "dropped": ("dropped course", "drop course"),
    },
    GradeRow: {
        "student": _STUDENT,
        "term": _TERM,
        "courseID": _COURSE_ID,
        "grade": ("final grade", "official grade", "course grade"),
    },
    HoldRow: {
        "student": _STUDENT,
        "type": ("hold", "hold type"),
        "timezone": (),
        "begins_on": ("begins", "first day", "start date"),
        "ends_on": ("ends", "last day", "end date"),
    },
    AppointmentRow: {
        "student": _STUDENT,
        "term": _TERM,
        "timezone": (),
        "starts_at": ("begins", "start", "starts", "appointment", "appointment start"),
        "ends_at": ("ends", "end", "appointment end"),
        "max_credits": ("maximum credits", "credit limit"),
    },
    RankRow: {"student": (*_STUDENT, "id", "student id"), "rank": ("ranking", "order", "place")},
    TermRow: {
        "term": ("semester", "term name"),
        "timezone": (),
        "max_credits": ("maximum credits", "credit limit"),
        "opens_at": ("opens", "enrollment opens", "registration opens"),
        "add_deadline": ("last day to add",),
        "drop_deadline": ("last day to drop",),
        "withdraw_deadline": ("withdrawal deadline", "last day to withdraw"),
        "starts_on": ("starts", "start date", "first_day_of_classes"),
        "ends_on": ("ends", "end date", "last_day_of_classes"),
        "open_enrollment_at": ("open enrollment", "open enrollment begins"),
    },
    UserRow: {
        "email": ("email address", "mail"),
        "first_name": ("first", "given name", "forename"),
        "last_name": ("last", "surname", "family name"),
        "roles": ("role",),
        "advisors": ("advisor",),
        "preferred_name": ("preferred first name", "chosen name", "preferred"),
        "pronouns": ("personal pronouns",),
        "directory_opt_out": ("ferpa", "ferpa block", "directory block"),
        "programs": ("program", "program of study", "major", "majors", "academic program"),
        "level": ("academic level", "student level", "career"),
        "standing": ("class_standing", "classification", "class_level"),
        "placements": ("placement", "placement scores", "test scores"),
        "cohorts": ("cohort", "student group", "student groups"),
        "campus": ("home campus",),
        "earned_credits": ("credits earned", "earned hours", "units earned"),
        "status": ("student status", "enrollment status", "academic status"),
    },
}
"""Other names for a column, if they are unambiguous: “Seats” may be the open ones, and a “Student ID” is the school's,
not the site's."""

FIELDS_WITH_DEFAULTS = {"timezone", "max_credits"}
"""Fields that the settings fill in if a file leaves them out."""

ALTERNATIVE_FIELDS: Mapping[type[ImportRow], tuple[tuple[str, ...], ...]] = {
    TermRow: (("term",), ("season", "year")),
    UserRow: (("first_name", "last_name"), ("first_name",), ("last_name",)),
}
"""A file needs all columns of one of these sets."""


def key(label: str) -> str:
    """Return the same key for all spellings of a column name: “E-mail” and “email”, “Course ID” and “courseID”."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", label)).casefold()


def fields_by_key(form: type[ImportRow]) -> dict[str, str]:
    """Return the field for the `key` of each name that a column may have."""
    names = COLUMN_SYNONYMS.get(form, {})
    found = {key(other): field for field, others in names.items() for other in others}
    return found | {key(field.name): field.name for field in form()}


@cache
def required(form: type[ImportRow]) -> tuple[str, ...]:
    """Return the fields that every row must fill in."""
    return tuple(field.name for field in form() if field.flags.required and field.name not in FIELDS_WITH_DEFAULTS)


def missing(form: type[ImportRow], present: Iterable[str]) -> list[str]:
    """Return the required fields that are not among those `present`."""
    given = set(present)
    lacks = [name for name in required(form) if name not in given]
    ways = ALTERNATIVE_FIELDS.get(form, ())
    return lacks if not ways or any(given.issuperset(way) for way in ways) else [*ways[0], *lacks]
