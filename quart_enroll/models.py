"""Frozen facts: what the repositories hand to the floors above. Field names are the stored ones."""

from dataclasses import dataclass
from datetime import datetime
from functools import total_ordering

SEASONS = ("Winter", "Spring", "Summer", "Fall")
"""The seasons of a year, in the order in which they come."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Term:
    """A season of one year; terms sort by time."""

    season: str
    year: int

    @property
    def term(self) -> str:
        """The term's name, as stored: "Fall 2026"."""
        return f"{self.season} {self.year}"

    def __lt__(self, other: "Term") -> bool:
        return (self.year, SEASONS.index(self.season)) < (other.year, SEASONS.index(other.season))

    def __str__(self) -> str:
        return self.term


@dataclass(frozen=True, slots=True)
class Course:
    """A catalog entry; `term` names the seasons in which it is taught: "Fall, Spring"."""

    courseID: str
    title: str
    description: str
    credits: int | float
    term: str


@dataclass(frozen=True, slots=True)
class ScheduledCourse(Course):
    """A course on a student's schedule, with the one term in which the student takes it."""

    enrolled_term: str

    @classmethod
    def of(cls, course: Course, enrolled_term: str) -> "ScheduledCourse":
        """Put the course on a schedule."""
        return cls(course.courseID, course.title, course.description, course.credits, course.term, enrolled_term)

    @property
    def result_2(self) -> "ScheduledCourse":
        """The course itself, under the name that templates of the Flask site look for."""
        return self


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; `role` is "student" or "registrar"."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    role: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and the stored hash of the user's password."""

    user: User
    password: str


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in: a random identity that the visitor's cookie carries until it ends."""

    identity: str
    user: User
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What a student asks for; an empty term is the next one in which the course is taught."""

    courseID: str
    term: str = ""
