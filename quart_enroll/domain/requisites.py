"""Requisites: groups of courses and other terms of which a student needs all or one, and what a student lacks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from quart_enroll.i18n.language import NameList, Sentence, plural

T = TypeVar("T")

CONCURRENTLY = "concurrently"
"""The word after a course that may also be taken in the same term."""

PERMISSION = "permission"
"""The word for the permission of the instructor."""


@dataclass(frozen=True, slots=True)
class Concurrently:
    """A requisite that is met by a course in an earlier term or in the same one."""

    courseID: str


@dataclass(frozen=True, slots=True)
class WithGrade:
    """A requisite that is met by a course in an earlier term with at least this grade."""

    courseID: str
    grade: str


@dataclass(frozen=True, slots=True)
class MinimumCredits:
    """A requisite that is met by that many earned credits."""

    credits: int | float


@dataclass(frozen=True, slots=True)
class Standing:
    """A requisite that is met by students with this standing."""

    standing: str


@dataclass(frozen=True, slots=True)
class Placement:
    """A requisite that is met by at least this score in the placement test."""

    test: str
    score: int | float


@dataclass(frozen=True, slots=True)
class Permission:
    """A requisite that is met only by a permit, which sets requisites aside."""


CourseLeaf: TypeAlias = str | Concurrently | WithGrade
"""A courseID means the course in an earlier term."""

Leaf: TypeAlias = CourseLeaf | MinimumCredits | Standing | Placement | Permission


@dataclass(frozen=True, slots=True)
class AllOf:
    """A requisite that is met if all of its parts are met."""

    parts: tuple["Requisite", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A requisite that is met if one of its parts is met."""

    parts: tuple["Requisite", ...]


Requisite: TypeAlias = Leaf | AllOf | AnyOf
"""A single term, or a group of requisites; a group has at least two different parts, none of its own kind."""


def group(kind: type[AllOf | AnyOf], parts: Sequence[Requisite]) -> Requisite:
    """Return the group without redundant parentheses; a group with one part is that part."""
    flat: dict[Requisite, None] = {}
    for part in parts:
        flat |= dict.fromkeys(part.parts if isinstance(part, kind) else (part,))
    return next(iter(flat)) if len(flat) == 1 else kind(tuple(flat))


def to_text(requisite: Requisite | None) -> str:
    """Return the requisite in its usual spelling."""
    return "".join(pieces(requisite, _to_text, " and ", " or "))


def _to_text(leaf: Leaf) -> str:
    match leaf:
        case Concurrently(courseID):
            return f"{courseID} {CONCURRENTLY}"
        case WithGrade(courseID, grade):
            return f"{courseID} with {grade} or better"
        case MinimumCredits(credits):
            return f"{credits:g} credits"
        case Standing(standing):
            return f"{standing} standing"
        case Placement(test, score):
            return f"{test} placement of {score:g} or better"
        case Permission():
            return PERMISSION
        case _:
            return leaf


def pieces(
    requisite: Requisite | None, show: Callable[[Leaf], T], and_: str, or_: str, *, is_inner: bool = False
) -> Iterator[str | T]:
    """Yield the parts that display the requisite: the result of `show` for each term, and the text between them."""
    match requisite:
        case None:
            return
        case AllOf() | AnyOf():
            yield "(" if is_inner else ""
            for number, part in enumerate(requisite.parts):
                yield (and_ if isinstance(requisite, AllOf) else or_) if number else ""
                yield from pieces(part, show, and_, or_, is_inner=True)
            yield ")" if is_inner else ""
        case _:
            yield show(requisite)


def course_of(leaf: CourseLeaf) -> str:
    """Return the courseID."""
    return leaf if isinstance(leaf, str) else leaf.courseID


def leaves_of(requisite: Requisite | None) -> Iterator[Leaf]:
    """Yield the courses and other terms in the requisite, in their order."""
    match requisite:
        case None:
            return
        case AllOf() | AnyOf():
            for part in requisite.parts:
                yield from leaves_of(part)
        case _:
            yield requisite


def courses_in(requisite: Requisite | None) -> tuple[str, ...]:
    """Return the courseIDs in the requisite, each once, in their order."""
    return tuple(dict.fromkeys(course_of(one) for one in leaves_of(requisite) if isinstance(one, CourseLeaf)))


def unmet(requisite: Requisite | None, met: Callable[[Leaf], bool]) -> tuple[Requisite, ...]:
    """Return the parts that are not met, all of which are needed; `met` tells whether a single term is."""
    match requisite:
        case None:
            return ()
        case AllOf():
            return tuple(one for part in requisite.parts for one in unmet(part, met))
        case AnyOf():
            return () if any(not unmet(part, met) for part in requisite.parts) else (requisite,)
        case _:
            return () if met(requisite) else (requisite,)


def named(requisite: Requisite, names: Mapping[str, str]) -> str | Sentence | NameList:
    """Return the requisite for a sentence, with the names of its courses."""
    match requisite:
        case str():
            return names.get(requisite, requisite)
        case Concurrently(courseID):
            return Sentence("%(title)s (in the same term or earlier)", title=names.get(courseID, courseID))
        case WithGrade(courseID, grade):
            return Sentence(
                "%(title)s with a grade of %(grade)s or better", title=names.get(courseID, courseID), grade=grade
            )
        case MinimumCredits(credits):
            return plural("%(number)s earned credit", "%(number)s earned credits", credits)
        case Standing(standing):
            return Sentence("%(standing)s standing", standing=standing)
        case Placement(test, score):
            return Sentence("a score of %(score)s or better on the %(test)s placement test", score=score, test=test)
        case Permission():
            return Sentence("the permission of the instructor")
        case AllOf():
            return NameList(_all_named(requisite.parts, names))
        case AnyOf():
            return NameList(_all_named(requisite.parts, names), "or")


def _all_named(parts: Sequence[Requisite], names: Mapping[str, str]) -> tuple[str | Sentence | NameList, ...]:
    return tuple(named(part, names) for part in parts)
