"""The passwords that users may not choose: common ones, and those made of the user's name or email.

The lists are those of zxcvbn (Daniel Wolf's port of Dropbox's, MIT): the 30,000 most common leaked passwords, and the
most common English words and American names. Each entry is only in the list where it ranks highest ("jennifer" is among
the names), so all lists are used. With 8 characters or more, the minimum here, that makes 11,611 leaked passwords
and 30,010 words and names.
"""

import re
import unicodedata
from functools import cache

from quart_enroll.domain.errors import PasswordRefused
from quart_enroll.i18n.language import Sentence

MIN_PASSWORD_LENGTH = 8
"""The forms enforce it."""

MIN_OTHER_LETTERS = 3
"""Letters that a password needs in addition to the words of the user's name and email."""


def _folded(text: str) -> str:
    """Return the text as it is compared: without regard to case or to how a character is encoded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@cache
def _common_passwords() -> frozenset[str]:
    """Return the common passwords, folded; they are read when the first password is chosen."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # takes 17 MB

    return frozenset(
        _folded(word) for words in FREQUENCY_LISTS.values() for word in words if len(word) >= MIN_PASSWORD_LENGTH
    )


def check_new_password(password: str, *, email: str, first_name: str, last_name: str) -> None:
    """Raise PasswordRefused if the password is common, or little more than the user's name or email."""
    folded = _folded(password).strip()
    if folded in _common_passwords():
        raise PasswordRefused(Sentence("That password is too common. Choose another one; several words work well."))
    if _adds_little_to(folded, email, f"{first_name} {last_name}"):
        raise PasswordRefused(Sentence("Don’t use your name or email as your password. Choose another one."))


def _adds_little_to(password: str, *known: str) -> bool:
    """Return whether almost nothing of the password is left without the known words."""
    words = {word for text in known for word in re.split(r"[\W\d_]+", _folded(text)) if len(word) > 1}
    rest = password
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, " ")
    return rest != password and sum(character.isalpha() for character in rest) < MIN_OTHER_LETTERS
