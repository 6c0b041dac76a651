"""How people are found: by the beginning of any word of their names or email address, or by their user_id."""

import re
from collections.abc import Iterable

from quart_enroll.domain import folding
from quart_enroll.domain.models import User

_TRAILING_SIGNS = re.compile(r"[^\w]+$")

MAX_WORD_LENGTH = 100
"""Longest search word, in characters after folding; the rest is ignored."""


def words_of(user: User) -> list[str]:
    """Return the words to store, so that a search finds the user if each of its prefixes begins one of them.

    A word goes on to the end of its name or email address, so "smith-jones" and "jones" are stored for "Smith-Jones".
    Words that begin another one are left out.
    """
    texts = folding.plain(f"{user.preferred_name} {user.first_name} {user.last_name}").split()
    local, at, domain = folding.plain(user.email).rpartition("@")
    starts = [start for text in texts for start in folding.word_starts(text)]
    starts += [start + at + domain for start in folding.word_starts(local)]
    words = sorted({word[:MAX_WORD_LENGTH] for word in [*starts, domain, _number(user.user_id)] if word})
    return [word for word, following in zip(words, [*words[1:], ""], strict=True) if not following.startswith(word)]


def prefixes(words: Iterable[str]) -> list[list[str]]:
    """Return, for each word of a search, the prefixes of which a person must have one; the longest word first."""
    plain = {part for word in words for part in folding.plain(word).split()}
    bare = {_TRAILING_SIGNS.sub("", part) or part for part in plain}
    starts = {next(iter(folding.word_starts(part)), part)[:MAX_WORD_LENGTH] for part in bare}
    longest_first = sorted(starts, key=lambda word: (-len(word), word))
    return [[word, _number(word)] if word.isascii() and word.isdigit() else [word] for word in longest_first]


def _number(user_id: int | str) -> str:
    """Return the word for a user_id, which no longer number begins with."""
    return f"#{user_id}."
