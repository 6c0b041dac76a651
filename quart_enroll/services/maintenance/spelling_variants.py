"""Names that old databases have in two spellings: courses and sections that no import would take side by side."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from quart_enroll.domain import folding
from quart_enroll.domain.models import SectionKey

T = TypeVar("T")


def sentences(courseIDs: Iterable[str], sections: Iterable[SectionKey]) -> list[str]:
    """Name the courses whose numbers are one number, and the sections of a course whose numbers are one."""
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
    for name in dict.fromkeys(names):  # a number that two rows have is another problem
        groups[key(name)].append(name)
    return [same for same in groups.values() if len(same) > 1]


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"“{name}”" for name in sorted(names))
