"""Finds courses and sections that an old database has in two spellings, which no import would accept together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from quart_enroll.domain import folding
from quart_enroll.domain.models import SectionKey

T = TypeVar("T")


def sentences(courseIDs: Iterable[str], sections: Iterable[SectionKey]) -> list[str]:
    """Return sentences about course numbers, and section numbers of a course, that differ only in spelling."""
    courses = [
        f"The courses {_listed(same)} have the same number in different spellings."
        for same in _alike(courseIDs, folding.key)
    ]
    return courses + [
        f"{same[0].term} {same[0].courseID}: the sections {_listed(key.section for key in same)} have the same number "
        "in different spellings."
        for same in _alike(sections, lambda key: replace(key, section=folding.section_key(key.section)))
    ]


def _alike(names: Iterable[T], key: Callable[[T], object]) -> list[Sequence[T]]:
    groups = defaultdict[object, list[T]](list)
    for name in dict.fromkeys(names):  # duplicate numbers are a different problem
        groups[key(name)].append(name)
    return [same for same in groups.values() if len(same) > 1]


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"“{name}”" for name in sorted(names))
