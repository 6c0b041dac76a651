"""Match the words that a visitor types with the courses of a term and their instructors."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.course_index import numbers_of
from quart_enroll.domain.folding import fold, joined_codes
from quart_enroll.domain.models import Term
from quart_enroll.domain.search_index import JOINED_CODE, Field, Likeness, rank
from quart_enroll.domain.spelling import similar_words
from quart_enroll.domain.synonyms import Phrase

MAX_WORDS = 12
"""Words that a search looks for; more don't narrow it."""

MAX_SPELLINGS = 20
"""Spellings of a mistyped word that are tried, from the most similar one on."""

STOP_WORDS = frozenset(("a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "with"))
"""Words that a search ignores beside others."""

INSTRUCTOR_RANK = rank(Field.INSTRUCTOR, Likeness.SAME)
EXACT_NUMBER_RANK = -1


@dataclass(frozen=True, slots=True)
class PartMatch:
    """What has a word, or a synonym of several words: courses by their ranks, and instructors by their names.

    `ranks` include the courses that those instructors teach; `courses` don't.
    """

    ranks: Mapping[str, int]
    courses: Set[str]
    names: Set[str]


@dataclass(frozen=True, slots=True)
class WordMatch:
    """What matches all words: the ranks of courses, the best first. `words` are as typed, or in their nearest spelling.

    Without words, everything matches, and there are no ranks.
    """

    words: str
    parts: Sequence[PartMatch] = ()
    ranks: Mapping[str, int] | None = None

    @property
    def has_instructors(self) -> bool:
        """Whether a word is in an instructor's name."""
        return any(part.names for part in self.parts)

    def required_names(self, courseID: str) -> list[Set[str]]:
        """Return the names of the instructors who have the words that the course lacks, for each of the words."""
        return [part.names for part in self.parts if courseID not in part.courses]


def match_words(catalog: Catalog, term: Term | None, text: str) -> WordMatch:
    """Return what matches the text in the term, or in all terms.

    Each word must occur in the course or its instructor's name, at least in another form or as the beginning of a
    longer word; a synonym counts too. A word that nothing in the term has is replaced by the nearest spelling that
    something has. Courses with exactly that number come first.
    """
    words = fold(text).split()
    if not words:
        return WordMatch(text)
    matcher = _Matcher(catalog, term)
    spellings = matcher.find_spellings(words)
    words = " ".join(spellings.get(word, word) for word in words).split()
    parts = matcher.match_all(words)
    ranks = _ranks(parts)
    exact = matcher.find_numbers(words) & ranks.keys()
    return WordMatch(_respell(text, spellings), parts, ranks | dict.fromkeys(exact, EXACT_NUMBER_RANK))


class _Matcher:
    """Matches words in the catalog of one term, or of all terms."""

    def __init__(self, catalog: Catalog, term: Term | None) -> None:
        self._catalog = catalog
        self._term = term
        self._index = catalog.search_index
        terms = [term] if term else catalog.terms
        self._instructors = [catalog.section_index.facts_in(one.term).instructors for one in terms]
        self._matches: dict[Phrase, PartMatch] = {}

    def find_spellings(self, words: Sequence[str]) -> dict[str, str]:
        """Return the nearest spellings of those words that nothing has."""
        found: dict[str, str] = {}
        for phrase, group in islice(self._index.synonyms.split(words), MAX_WORDS):
            if not self._finds_anything(self._match(phrase, group).ranks):
                unknown = [word for word in phrase if word not in STOP_WORDS and not self._finds_word(word)]
                found |= {one: spelling for one in unknown if (spelling := self._in_two(one) or self._nearest(one))}
        return found

    def match_all(self, words: Sequence[str]) -> list[PartMatch]:
        """Return what has each of the words."""
        every = dict(self._index.synonyms.split(words))
        parts = {phrase: group for phrase, group in every.items() if not STOP_WORDS.issuperset(phrase)} or every
        return [self._match(phrase, group) for phrase, group in islice(parts.items(), MAX_WORDS)]

    def find_numbers(self, words: Sequence[str]) -> set[str]:
        """Return the courseIDs of the courses with exactly a number that the words contain."""
        return {
            courseID
            for number in ("".join(words), *words, *joined_codes(" ".join(words)))
            for courseID in self._index.find_in_titles(number)
            if (course := self._catalog.find(courseID)) and number in numbers_of(course)
        }

    def _match_word(self, word: str) -> PartMatch:
        [(phrase, group)] = self._index.synonyms.split([word])
        return self._match(phrase, group)

    def _match(self, phrase: Phrase, group: int | None) -> PartMatch:
        if (match := self._matches.get(phrase)) is None:
            match = self._matches[phrase] = self._compute_match(phrase, group)
        return match

    def _compute_match(self, phrase: Phrase, group: int | None) -> PartMatch:
        ranks = _worst_ranks([self._index.find(word) for word in phrase])
        if group is not None:
            _improve(ranks, self._index.find_group(group))
        courses = frozenset(ranks)
        names: set[str] = set()
        if len(phrase) == 1:
            for instructors in self._instructors:
                names |= (found := instructors.names_with(phrase[0]))
                _improve(ranks, dict.fromkeys(instructors.courses_of(found), INSTRUCTOR_RANK))
        return PartMatch(ranks, courses, names)

    def _finds_anything(self, ranks: Mapping[str, int]) -> bool:
        if self._term is None:
            return bool(ranks)
        return any(self._catalog.sections_in(courseID, self._term.term) for courseID in ranks)

    def _finds_word(self, word: str) -> bool:
        return self._finds_anything(self._match_word(word).ranks)

    def _in_two(self, word: str) -> str | None:
        """Return the letters and digits of a course number apart, if they find something so: cs101 may be CSC 101."""
        if not (code := JOINED_CODE.fullmatch(word)) or not self._finds_anything(_ranks(self.match_all(code.groups()))):
            return None
        return " ".join(code.groups())

    def _nearest(self, word: str) -> str | None:
        """Return the most similar word that finds something.

        Of several, it is the one with the same first letter, or else the one that finds the best matches, and most.
        """
        vocabularies = [self._index.words_by_length, *(one.words_by_length for one in self._instructors)]
        found = []
        for mistakes, spelling in similar_words(word, vocabularies)[:MAX_SPELLINGS]:
            ranks = self._match_word(spelling).ranks
            if self._finds_anything(ranks):
                found.append((mistakes, spelling[0] != word[0], min(ranks.values()), -len(ranks), spelling))
        return min(found)[-1] if found else None


def _improve(ranks: dict[str, int], others: Mapping[str, int]) -> None:
    """Add other ranks where they are better."""
    for courseID, other in others.items():
        if other < ranks.get(courseID, other + 1):
            ranks[courseID] = other


def _worst_ranks(every: Sequence[dict[str, int]]) -> dict[str, int]:
    """Return the worst of each course's ranks; every word must have found the course."""
    if len(every) == 1:
        return every[0]
    return {courseID: max(ranks[courseID] for ranks in every) for courseID in _in_all(every)}


def _ranks(parts: Sequence[PartMatch]) -> dict[str, int]:
    """Return the ranks of the courses that have all parts: by the worst part first, then by all of them."""
    if len(parts) == 1:
        return dict(parts[0].ranks)
    every = [part.ranks for part in parts]
    highest_sum = MAX_WORDS * len(Field) * len(Likeness)
    found = {courseID: [ranks[courseID] for ranks in every] for courseID in _in_all(every)}
    return {courseID: max(ranks) * highest_sum + sum(ranks) for courseID, ranks in found.items()}


def _in_all(every: Sequence[Mapping[str, int]]) -> set[str]:
    return set(every[0]).intersection(*every[1:])


def _respell(text: str, spellings: Mapping[str, str]) -> str:
    """Return the text with these words in their nearest spelling, and the others as typed."""
    if not spellings:
        return text
    typed = [(one, fold(one).split()) for one in text.split()]
    return " ".join(
        one if spellings.keys().isdisjoint(words) else " ".join(spellings.get(word, word) for word in words)
        for one, words in typed
    )
