"""The nearest spelling of a word: what a student meant who mistyped it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from polyleven import levenshtein

MIN_LETTERS = 4
"""Letters that a word needs to be recognized in another spelling; shorter ones resemble too many others."""

MIN_LETTERS_FOR_TWO = 8
"""Letters that a word needs to be recognized despite two mistakes."""


def by_length(words: Iterable[str]) -> dict[int, list[str]]:
    """Return the words that consist of letters by the number of these."""
    groups = defaultdict[int, list[str]](list)
    for word in words:
        if word.isalpha():
            groups[len(word)].append(word)
    return groups


def similar_words(word: str, vocabularies: Iterable[Mapping[int, Sequence[str]]]) -> list[tuple[int, str]]:
    """Return the words that differ from the word by a typing mistake or two, each after the number of these, sorted.

    A mistake is a letter too many, too few or wrong, or two neighbors in the wrong order. Short words, and those with
    digits such as course numbers, resemble none. The vocabularies are words `by_length`.
    """
    if len(word) < MIN_LETTERS or not word.isalpha():
        return []
    limit = 2 if len(word) >= MIN_LETTERS_FOR_TWO else 1
    swapped = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
    lengths = range(len(word) - limit, len(word) + limit + 1)
    found = {
        (1 if one in swapped else mistakes, one)
        for vocabulary in vocabularies
        for length in lengths
        for one in vocabulary.get(length, ())
        if (mistakes := levenshtein(word, one, limit)) <= limit or one in swapped
    }
    return sorted(found)
