"""Words and short forms that mean the same in a search of the catalog."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from quart_enroll.domain.folding import fold

Phrase = tuple[str, ...]
"""The folded words of a synonym."""

COMMON_SYNONYMS = (
    "math, maths, mat, mathematics",
    "stat, stats, statistics",
    "cs, csc, csci, comp sci, compsci, computer science, computing",
    "ai, artificial intelligence",
    "ml, machine learning",
    "coding, programming",
    "bio, biol, biology",
    "chem, chm, chemistry",
    "phys, phy, physics",
    "astro, astronomy",
    "env sci, environmental science",
    "calc, calculus",
    "trig, trigonometry",
    "econ, economics",
    "acct, accounting",
    "mgmt, management",
    "psych, psy, psyc, psychology",
    "soc, sociology",
    "anthro, anthropology",
    "poli sci, polisci, political science, politics, government",
    "phil, philosophy",
    "hist, history",
    "geog, geography",
    "lit, literature",
    "comm, communication, communications",
    "phys ed, pe, physical education",
    "theater, theatre, drama",
    "film, cinema, movie, movies",
    "lab, labs, laboratory, laboratories",
    "intro, introduction, introductory",
)
"""What students type, and how catalogs put it: subjects, and the letters of their course numbers."""


def read_synonyms(text: str) -> tuple[str, ...]:
    """Return the groups of synonyms in a setting such as "gym, phys ed; lab, workshop".

    Raises ValueError if a group has fewer than two synonyms.
    """
    groups = tuple(group.strip() for group in text.split(";") if group.strip())
    if any(len(_phrases(group)) < 2 for group in groups):
        raise ValueError("must be groups of at least two synonyms, such as gym, phys ed; lab, workshop")
    return groups


class Synonyms:
    """The common synonyms and a school's own; groups that share a synonym are one group, known by a number."""

    def __init__(self, own_groups: Iterable[str] = ()) -> None:
        self._group_of: dict[Phrase, int] = {}
        for number, text in enumerate((*COMMON_SYNONYMS, *own_groups)):
            phrases = _phrases(text)
            joined = {self._group_of[one] for one in phrases if one in self._group_of}
            self._group_of = {one: number if group in joined else group for one, group in self._group_of.items()}
            self._group_of |= dict.fromkeys(phrases, number)
        self._longest: dict[str, int] = {}
        """The number of words of the longest synonym that begins with this one."""
        for first, *others in self._group_of:
            self._longest[first] = max(1 + len(others), self._longest.get(first, 0))

    @cached_property
    def words(self) -> frozenset[str]:
        """All words of the synonyms."""
        return frozenset(word for phrase in self._group_of for word in phrase)

    def groups_in(self, words: Sequence[str]) -> set[int]:
        """Return the groups of all synonyms that occur in these folded words."""
        starts = [start for start, word in enumerate(words) if word in self._longest]
        return {group for start in starts for _, group in self._beginning_at(words, start)}

    def split(self, words: Sequence[str]) -> Iterator[tuple[Phrase, int | None]]:
        """Yield the folded words in order, each with its group if it is a synonym; synonyms of several words as one."""
        start = 0
        while start < len(words):
            found = max(self._beginning_at(words, start), key=lambda one: len(one[0]), default=None)
            phrase, group = found or ((words[start],), None)
            yield phrase, group
            start += len(phrase)

    def _beginning_at(self, words: Sequence[str], start: int) -> Iterator[tuple[Phrase, int]]:
        for length in range(1, self._longest.get(words[start], 0) + 1):
            phrase = tuple(words[start : start + length])
            if (group := self._group_of.get(phrase)) is not None:
                yield phrase, group


def _phrases(group: str) -> set[Phrase]:
    return {phrase for synonym in group.split(",") if (phrase := tuple(fold(synonym).split()))}
