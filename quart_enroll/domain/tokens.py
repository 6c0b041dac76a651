"""The tokens of rules that are written as text, such as requisites and restrictions."""

import re
from collections import deque
from typing import NamedTuple


class Token(NamedTuple):
    """A word or a sign, and the 1-based position of its first character."""

    text: str
    position: int


def tokenize(text: str, pattern: re.Pattern[str]) -> deque[Token]:
    """Return the matches of the pattern, and an empty token after the last character."""
    tokens = deque(Token(one.group(), one.start() + 1) for one in pattern.finditer(text))
    tokens.append(Token("", len(text) + 1))
    return tokens
