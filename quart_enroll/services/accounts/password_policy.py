"""Which passwords nobody may choose: the commonest ones, and what everybody knows of the user.

The lists are those of zxcvbn (Daniel Wolf's port of Dropbox's, MIT): leaked passwords, the 30,000 commonest, and the
commonest English words and American names. Each stands only in the list where it ranks highest ("jennifer" is a
name there), so all lists count. With 8 characters or more, which every password has, they are 11,611 of the leaked
passwords and 30,010 words and names.
"""

import re
import unicodedata

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from quart_enroll.domain.errors import PasswordRefused
from quart_enroll.i18n.language import Sentence

SHORTEST = 8
"""Characters that every password has; the forms see to it."""

LETTERS_BESIDES = 3
"""Letters that a password needs besides the words that everybody knows of its user."""


def _folded(text: str) -> str:
    """Return the text as it is compared: whatever its capitals, and the ways to write one letter."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


COMMON = frozenset(_folded(word) for words in FREQUENCY_LISTS.values() for word in words if len(word) >= SHORTEST)


def check_choice(password: str, *, email: str, first_name: str, last_name: str) -> None:
    """Raise PasswordRefused when the password is a common one, or little more than the user's name or address."""
    folded = _folded(password).strip()
    if folded in COMMON:
        raise PasswordRefused(Sentence("That password is too common. Choose another one; several words work well."))
    if _says_little_more(folded, email, f"{first_name} {last_name}"):
        raise PasswordRefused(Sentence("Don’t use your name or email as your password. Choose another one."))


def _says_little_more(password: str, *known: str) -> bool:
    """Tell whether nearly nothing is left of the password without the words that are known."""
    words = {word for text in known for word in re.split(r"[\W\d_]+", _folded(text)) if len(word) > 1}
    left = password
    for word in sorted(words, key=len, reverse=True):
        left = left.replace(word, " ")
    return left != password and sum(character.isalpha() for character in left) < LETTERS_BESIDES
