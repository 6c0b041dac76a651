"""Text folding: ignore the differences that people can't see, or that a search should overlook."""

import re
import unicodedata

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


def word_starts(plain_text: str) -> list[str]:
    """Return the rest of a `plain` text from each of its words on: "jean-luc" and "luc" for "jean-luc"."""
    separated = plain_text.translate(_WITHOUT_PUNCTUATION).replace("+", " ").replace("#", " ")
    return [plain_text[word.start() :] for word in re.finditer(r"\S+", separated)]


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
