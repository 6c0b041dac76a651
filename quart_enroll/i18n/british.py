"""British English: the site's sentences with other spellings."""

import re
from gettext import NullTranslations

SPELLINGS = {
    "canceled": "cancelled",
    "canceling": "cancelling",
    "catalog": "catalogue",
    "catalogs": "catalogues",
    "color": "colour",
    "colors": "colours",
    "enroll": "enrol",
    "enrolls": "enrols",
    "enrollment": "enrolment",
    "enrollments": "enrolments",
    "program": "programme",
    "programs": "programmes",
    "recognize": "recognise",
    "recognized": "recognised",
}
"""American spellings in the site's sentences, in lower case, with the British ones."""

_WORD = re.compile(rf"%\(\w+\)|<[^>]*>|\b({'|'.join(SPELLINGS)})\b", re.IGNORECASE)


class BritishEnglish(NullTranslations):
    """Spells the English sentences as the British do; placeholders and tags stay as they are."""

    def gettext(self, message: str) -> str:
        """Return the sentence in British spelling."""
        return _spell(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the sentence about a number in British spelling."""
        return _spell(super().ngettext(msgid1, msgid2, n))


def _spell(message: str) -> str:
    return _WORD.sub(_respell, message)


def _respell(match: re.Match[str]) -> str:
    word = match[1]
    if word is None:
        return match[0]
    british = SPELLINGS[word.lower()]
    return british.capitalize() if word[0].isupper() else british
