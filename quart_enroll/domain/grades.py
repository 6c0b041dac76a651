"""Grades as registrars record them, and which ones meet a prerequisite."""

import re

from quart_enroll.i18n.language import Sentence

LETTERS = ("D-", "D", "D+", "C-", "C", "C+", "B-", "B", "B+", "A-", "A", "A+")
"""Passing letter grades, lowest first."""

PASSES = ("P", "S", "CR", "T")
"""Other passing grades: pass, satisfactory, credit, transferred. They count as a C."""

WITHDRAWN = "W"
AUDITED = "AU"

FAILS = ("F", "NP", "U", "NC", "I", WITHDRAWN, AUDITED)
"""Grades that meet no prerequisite: failed, no pass, unsatisfactory, no credit, incomplete, withdrawn, audited."""

IN_PROGRESS = "IP"
"""The entry in a file for a course that has no grade yet."""

ALL = (*reversed(LETTERS), *PASSES, *FAILS, IN_PROGRESS)

_RANKS = {letter: rank for rank, letter in enumerate(LETTERS, 1)}
_RANKS |= dict.fromkeys(PASSES, _RANKS["C"])

UNRECORDED = len(LETTERS) + 1
"""The rank of a course without a grade: it counts like the best one until its grade is recorded."""

MAX_CHARACTERS = max(map(len, ALL))


def rank(grade: str) -> int:
    """Return a number that is higher for a better grade, and 0 for one that meets no prerequisite."""
    return _RANKS.get(grade, 0) if grade else UNRECORDED


def read(text: str) -> str:
    """Return the grade in its usual spelling, empty for IN_PROGRESS; raise ValueError with a Sentence."""
    grade = re.sub("[\N{EN DASH}\N{MINUS SIGN}]", "-", text.strip().upper())
    if grade not in ALL:
        raise ValueError(Sentence("Enter one of these grades: %(grades)s.", grades=", ".join(ALL)))
    return "" if grade == IN_PROGRESS else grade


def read_minimum(text: str) -> str | None:
    """Return the letter in its usual spelling, or None if it is not one that can be required."""
    try:
        grade = read(text)
    except ValueError:
        return None
    return grade if grade in LETTERS else None
