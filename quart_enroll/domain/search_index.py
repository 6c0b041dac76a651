"""The words of courses and of instructors' names: which of them have a word, and how well it matches."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import chain, repeat
from typing import TypeAlias, TypeVar

import Stemmer

from quart_enroll.domain.course_heading import COURSE_NUMBER
from quart_enroll.domain.folding import compact, fold, joined_codes
from quart_enroll.domain.models import Course, Section
from quart_enroll.domain.spelling import by_length
from quart_enroll.domain.synonyms import Synonyms


class Field(IntEnum):
    """Where a word is found, best first."""

    TITLE = 0
    """The number and the title."""

    SUBJECT = 1
    INSTRUCTOR = 2
    DESCRIPTION = 3


K = TypeVar("K")
Postings: TypeAlias = Mapping[Field, Mapping[K, Sequence[str]]]
"""The courseIDs of courses by what is in one of their fields."""


class Likeness(IntEnum):
    """How closely a match resembles the word, best first."""

    SAME = 0
    RELATED = 1
    """Another form of the word, or a synonym."""

    BEGINNING = 2
    """A longer word that begins so."""


def rank(field: Field, likeness: Likeness) -> int:
    """Return the rank of a match: by where it is first."""
    return field * len(Likeness) + likeness


TEXT_FIELDS = (Field.TITLE, Field.SUBJECT, Field.DESCRIPTION)

STEM_EXCEPTIONS = frozenset({"physical", "organic", "animation"})
"""Words that have the stem of a word that students don't mean by them: physics, organs, animals."""

_FIRST_SENTENCE = re.compile(r"(.*?[.!?])(?:\s+|$)(.*)", re.DOTALL)

JOINED_CODE = re.compile(r"([^\W\d_]+)(\d\w*)")
"""A course number like cs101 in one word."""

_stemmer = Stemmer.Stemmer("english", 0)  # without a cache, whose keys visitors would make up


def stem(word: str) -> str:
    """Return what the forms of a folded word have in common: "histori" for history and histories."""
    return word if word in STEM_EXCEPTIONS else _stemmer.stemWord(word)


class SearchIndex:
    """The words of the courses by where they are; all catalogs with the same courses share it.

    It is built by the first search.
    """

    def __init__(self, courses: Iterable[Course], synonyms: Synonyms) -> None:
        self._courses = courses
        self.synonyms = synonyms

    def find(self, word: str) -> dict[str, int]:
        """Return the ranks of the courses with the folded word, another form of it, or a word that begins so."""
        root = stem(word)
        forms = {
            Likeness.BEGINNING: self._beginning_with(word),
            Likeness.RELATED: [one for one in (root, *self._by_stem.get(root, ())) if stem(one) == root],
            Likeness.SAME: [word],
        }
        ranks: dict[str, int] = {}
        for field in reversed(TEXT_FIELDS):  # better ranks replace worse ones
            for likeness, words in forms.items():
                found = map(self._by_word[field].get, words, repeat(()))
                ranks |= dict.fromkeys(chain.from_iterable(found), rank(field, likeness))
        return ranks

    def find_in_titles(self, word: str) -> Sequence[str]:
        """Return the courseIDs of the courses with exactly this folded word in their number or title."""
        return self._by_word[Field.TITLE].get(word, ())

    def find_group(self, group: int) -> dict[str, int]:
        """Return the ranks of the courses with any synonym of that group."""
        ranks: dict[str, int] = {}
        for field in reversed(TEXT_FIELDS):
            ranks |= dict.fromkeys(self._by_group[field].get(group, ()), rank(field, Likeness.RELATED))
        return ranks

    def _beginning_with(self, word: str) -> Sequence[str]:
        start = bisect_left(self._words, word)
        return self._words[start : bisect_left(self._words, word + "\U0010ffff", start)]

    @cached_property
    def words_by_length(self) -> Mapping[int, Sequence[str]]:
        """All words of the courses, and the synonyms, by their numbers of letters."""
        return by_length({*self._words, *self.synonyms.words})

    @cached_property
    def _words(self) -> Sequence[str]:
        """All words of the courses, sorted."""
        return sorted(set().union(*self._by_word.values()))

    @cached_property
    def _by_stem(self) -> Mapping[str, Sequence[str]]:
        """The words by their stems, except words that are their own."""
        groups = defaultdict[str, list[str]](list)
        for word in self._words:
            if (root := stem(word)) != word:
                groups[root].append(word)
        return groups

    @property
    def _by_word(self) -> Postings[str]:
        return self._postings[0]

    @property
    def _by_group(self) -> Postings[int]:
        return self._postings[1]

    @cached_property
    def _postings(self) -> tuple[Postings[str], Postings[int]]:
        """The courses by word and by group of synonyms."""
        words = {field: defaultdict[str, list[str]](list) for field in TEXT_FIELDS}
        groups = {field: defaultdict[int, list[str]](list) for field in TEXT_FIELDS}
        for course in self._courses:
            for field, text in zip(TEXT_FIELDS, _texts(course), strict=True):
                found = list(_words_of(text))
                for word in dict.fromkeys(found):
                    words[field][word].append(course.courseID)
                for group in self.synonyms.groups_in(found):
                    groups[field][group].append(course.courseID)
        return _compact(words), _compact(groups)


class InstructorIndex:
    """The instructors of a term's sections by the words of their names."""

    def __init__(self, sections: Iterable[Section] = ()) -> None:
        courses = defaultdict[str, dict[str, None]](dict)
        for section in sections:
            if section.instructor:
                courses[section.instructor][section.courseID] = None
        self._courses = {name: tuple(courseIDs) for name, courseIDs in courses.items()}

    @cached_property
    def words_by_length(self) -> Mapping[int, Sequence[str]]:
        """All words of the names, by their numbers of letters."""
        return by_length({word for name in self._courses for word in fold_name(name).split()})

    def names_with(self, word: str) -> set[str]:
        """Return the names with a word that begins with this folded one."""
        beginning = f" {word}"
        return {name for name in self._courses if beginning in fold_name(name)}

    def courses_of(self, names: Iterable[str]) -> set[str]:
        """Return the courseIDs of the courses that these instructors teach."""
        return {courseID for name in names for courseID in self._courses[name]}


@lru_cache(20_000)  # only for names in the catalog, never for what a visitor types
def fold_name(name: str) -> str:
    """Return the folded name with a blank before each word."""
    return f" {fold(name)}"


def _compact(postings: Mapping[Field, Mapping[K, list[str]]]) -> Postings[K]:
    """Return the same in less memory: most words are in one course only, and these share its tuple."""
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}

    def compact_one(found: list[str]) -> tuple[str, ...]:
        same = tuple(found)
        return shared.setdefault(same, same) if len(found) == 1 else same

    return {field: {key: compact_one(found) for key, found in one.items()} for field, one in postings.items()}


def _texts(course: Course) -> tuple[str, str, str]:
    """Return the texts for TEXT_FIELDS. In a catalog of the Flask site, the title is the course's number, and the
    description begins with its title.
    """
    number, title, description = course.courseID, course.title, course.description
    if COURSE_NUMBER.fullmatch(title.strip()) and (parts := _FIRST_SENTENCE.match(description)):
        title, description = f"{title} {parts[1]}", parts[2]
    elif COURSE_NUMBER.fullmatch(title.strip()):
        title, description = f"{title} {description}", ""
    return f"{number} {compact(number)} {title}", course.subject, description


def _words_of(text: str) -> Iterator[str]:
    """Yield the words of a text. A number like CS 101 is one word too, and two if it is written as one."""
    folded = fold(text)
    for word in folded.split():
        yield word
        if not word.isalpha() and (code := JOINED_CODE.fullmatch(word)):
            yield from code.groups()
    yield from joined_codes(folded)
