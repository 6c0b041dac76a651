"""Text folding: ignore the differences that people can't see, or that a search should overlook."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator

APOSTROPHES = "'’‘‛ʼ′`´"

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
"""Unicode characters that show nothing, besides those of the category Cf. The ranges are variation selectors: they
choose a glyph for the character before them."""

_UNDIVIDED = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
"""Letters that Unicode doesn't decompose, as people without such a key type them."""

_IOTA_SUBSCRIPT = "\u0345"
"""The only accent that case folding turns into a letter, so it must be removed first."""

_NO_NAME = re.compile(r"(?<![\w+#])[+#]+|(?<=\w\w)[+#]+")
"""Plus and number signs that don't end a name like C++ or C#."""

_CODE = re.compile(r"(?<!\S)([^\W\d_]+) (?=(\d\w*))")
"""The two parts of a course number like CS 101."""

_LEADING_ZEROS = re.compile(r"^0+(?=[0-9])")


def is_invisible(character: str) -> bool:
    """Return whether the character is invisible; a blank is not, because it separates words."""
    if unicodedata.category(character) in ("Cc", "Cf") and not character.isspace():
        return True
    return character in _INVISIBLE


def visible(text: str) -> str:
    """Return the text without invisible characters."""
    return text if text.isascii() and text.isprintable() else "".join(one for one in text if not is_invisible(one))


def key(text: str) -> str:
    """Return the same key for all spellings of a name.

    Case, invisible characters, the number of blanks and equivalent Unicode forms don't make a different name.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.casefold().split())
    folded = _compatible(_compatible(visible(text)).casefold())
    return " ".join(visible(folded).split())


def section_key(section: str) -> str:
    """Return the same key for all spellings of a section's number: 1, 01 and 001 are one section."""
    return _LEADING_ZEROS.sub("", key(section))


def plain(text: str) -> str:
    """Return the text without case, accents, apostrophes and invisible characters: "Renée O'Hara" is "renee ohara"."""
    decomposed = unicodedata.normalize("NFKD", text.replace("´", "'")).replace(_IOTA_SUBSCRIPT, "")
    return unicodedata.normalize("NFKD", decomposed.casefold()).translate(_PLAIN)


def fold(text: str) -> str:
    """Return the plain text without punctuation, for searches.

    "Can't" becomes "cant" and "data-structures" two words; C++ and C# keep their signs.
    """
    return _NO_NAME.sub(" ", plain(text).translate(_WITHOUT_PUNCTUATION))


def compact(text: str) -> str:
    """Return the folded text without blanks: CS 101, cs-101 and CS101 are the same."""
    return "".join(fold(text).split())


def joined_codes(folded: str) -> list[str]:
    """Return the course numbers like "cs 101" in a folded text, each as one word."""
    return [letters + digits for letters, digits in _CODE.findall(folded)]


def pattern(word: str) -> str:
    """Return a regular expression that finds the `plain` word in unfolded text."""
    found, place = [], 0
    while place < len(word):
        pair = word[place : place + 2]
        if len(pair) == 2 and pair in _WRITTEN:
            apart = _OVERLOOKED.join(_letter(letter) for letter in pair)
            found.append(f"(?:{apart}|[{_WRITTEN[pair]}])")
            place += 2
        else:
            found.append(_letter(word[place]))
            place += 1
    return _OVERLOOKED.join(found)


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _plain(character: str) -> str:
    if character in APOSTROPHES or unicodedata.combining(character) or is_invisible(character):
        return ""
    return _UNDIVIDED.get(character, character)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS" and character not in "+#"


_CODES = (*range(0x3100), 0x3164, *range(0xFE00, 0xFF00), 0xFFA0)
"""The code points to precompute: nearly all in use, except those of Asian scripts."""

# Unchanged characters are included: str.translate raises and catches an error for each one it doesn't find.
_PLAIN = {code: _plain(chr(code)) for code in _CODES}
_WITHOUT_PUNCTUATION = {code: " " if _is_punctuation(chr(code)) else chr(code) for code in _CODES}


_ALPHABETS = (
    *(*range(0x41, 0x5B), *range(0x80, 0x590), *range(0x1C80, 0x1C8B), *range(0x1E00, 0x2000)),
    *(*range(0x2C60, 0x2C80), *range(0xA640, 0xA69C), *range(0xA722, 0xA7D0), *range(0xFF10, 0xFF5B)),
)
"""Alphabets whose letters have several forms: Latin, Greek, Cyrillic and Armenian."""


def _written() -> dict[str, str]:
    """Return, for each letter or pair of letters, the characters that fold to it, as a character set for `re`."""
    codes = defaultdict[str, list[int]](list)
    for code in _ALPHABETS:
        letters = plain(chr(code)) if chr(code).isalnum() else ""
        if letters.isalnum() and len(letters) < 3 and letters != chr(code):
            codes[letters].append(code)
    return {letters: "".join(_ranges(found)) for letters, found in codes.items()}


def _ranges(codes: list[int]) -> Iterator[str]:
    first = last = codes[0]
    for code in [*codes[1:], 0]:
        if code != last + 1:
            yield chr(first) if first == last else f"{chr(first)}-{chr(last)}"
            first = code
        last = code


def _letter(letter: str) -> str:
    return f"[{letter}{_WRITTEN[letter]}]" if letter in _WRITTEN else re.escape(letter)


_WRITTEN = _written()

_OVERLOOKED = f"[\u0300-\u036f\u00ad\u200b-\u200f\u2060\ufeff{APOSTROPHES}]*"
"""What may come between two letters: combining accents, apostrophes, invisible characters."""
