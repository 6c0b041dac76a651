"""Requisites: courses, of which a student needs all or one, and what of them is still to be met."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from quart_enroll.i18n.language import NameList

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AllOf:
    """A requisite that is met if all of its parts are."""

    parts: tuple["Requisite", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A requisite that is met if one of its parts is."""

    parts: tuple["Requisite", ...]


Requisite: TypeAlias = str | AllOf | AnyOf
"""A courseID, or a group of requisites; a group has at least two different parts, none of its own kind."""


def group(kind: type[AllOf | AnyOf], parts: Sequence[Requisite]) -> Requisite:
    """Return the group without parentheses that mean nothing; a group of one part is that part."""
    flat: dict[Requisite, None] = {}
    for part in parts:
        flat |= dict.fromkeys(part.parts if isinstance(part, kind) else (part,))
    return next(iter(flat)) if len(flat) == 1 else kind(tuple(flat))


def to_text(requisite: Requisite | None) -> str:
    """Return the requisite in its usual spelling."""
    return "".join(pieces(requisite, lambda courseID: courseID, " and ", " or "))


def pieces(
    requisite: Requisite | None, course: Callable[[str], T], and_: str, or_: str, *, is_inner: bool = False
) -> Iterator[str | T]:
    """Yield what shows the requisite: what `course` returns for each courseID, and the text between."""
    match requisite:
        case None:
            return
        case str():
            yield course(requisite)
        case AllOf() | AnyOf():
            yield "(" if is_inner else ""
            for number, part in enumerate(requisite.parts):
                yield (and_ if isinstance(requisite, AllOf) else or_) if number else ""
                yield from pieces(part, course, and_, or_, is_inner=True)
            yield ")" if is_inner else ""


def courses_in(requisite: Requisite | None) -> tuple[str, ...]:
    """Return the courseIDs in the requisite, each once, in their order."""
    match requisite:
        case None:
            return ()
        case str():
            return (requisite,)
        case _:
            return tuple(dict.fromkeys(one for part in requisite.parts for one in courses_in(part)))


def unmet(requisite: Requisite | None, met: Callable[[str], bool]) -> tuple[Requisite, ...]:
    """Return the parts that are still to be met, all of them; `met` tells which courses are."""
    match requisite:
        case None:
            return ()
        case str():
            return () if met(requisite) else (requisite,)
        case AllOf():
            return tuple(one for part in requisite.parts for one in unmet(part, met))
        case AnyOf():
            return () if any(not unmet(part, met) for part in requisite.parts) else (requisite,)


def named(requisite: Requisite, names: Mapping[str, str]) -> str | NameList:
    """Return the requisite for a sentence, with the names of its courses."""
    match requisite:
        case str():
            return names.get(requisite, requisite)
        case AllOf():
            return NameList(_all_named(requisite.parts, names))
        case AnyOf():
            return NameList(_all_named(requisite.parts, names), "or")


def _all_named(parts: Sequence[Requisite], names: Mapping[str, str]) -> tuple[str | NameList, ...]:
    return tuple(named(part, names) for part in parts)
