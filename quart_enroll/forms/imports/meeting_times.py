"""Reading the meetings of a section: their days, and their times on a 24-hour or 12-hour clock.

Schools abbreviate days in ways that contradict each other: TU is Tuesday, or Tuesday and Sunday. A text is read only if
all of them agree; otherwise it is refused with a sentence that says how to write it.
"""

import re
import unicodedata
from collections.abc import Sequence

from quart_enroll.domain.models import Meeting
from quart_enroll.i18n.language import DAYS, Sentence

NO_FIXED_TIME = re.compile(
    r"tb[ad]|arr|arranged|(to be|by) (announced|arranged|arrangement|determined)|online|web|async|"
    r"(online )?asynchronous|n/a|none|no fixed time|[-–—]",
    re.IGNORECASE,
)
"""Texts that registrars write for a section without a fixed meeting time."""

_LONG_NAMES = {
    "M": ("monday", "mon"),
    "T": ("tuesday", "tues", "tue"),
    "W": ("wednesday", "weds", "wed"),
    "R": ("thursday", "thurs", "thur", "thu"),
    "F": ("friday", "fri"),
    "S": ("saturday", "sat"),
    "U": ("sunday", "sun"),
}
_SHORT_NAMES = dict(zip(DAYS, ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"), strict=True))

LONG_DAY_NAMES = {name: day for day, names in _LONG_NAMES.items() for name in names}
DAY_NAMES = (
    LONG_DAY_NAMES | {name.lower(): day for day, name in _SHORT_NAMES.items()} | {day.lower(): day for day in DAYS}
)
POSSIBLE_DAY_NAMES = DAY_NAMES | {"h": "R"}
"""Some schools write H for Thursday. H alone is never read as a day, but it makes TH ambiguous."""

_CAPITALIZED = re.compile(r"[A-Z][a-z]*")
_BETWEEN_DAYS = re.compile(r"[\s,./&+]+|\band\b", re.IGNORECASE)
_BETWEEN_MEETINGS = re.compile(r"[;|\r\n]|(?<=\d),|(?<=[ap]m),", re.IGNORECASE)
_TIME = r"(\d{1,2})(?:[:.]?(\d\d))?(?::00)?\s*(?:([ap])\.?\s?m?\.?)?"
_MEETING = re.compile(rf"(\D+?)\s*{_TIME}\s*(?:[-‐‒–—−]|to|until)\s*{_TIME}", re.IGNORECASE | re.ASCII)

EARLIEST_HOUR = 6
"""1:00 usually means the afternoon, so it needs AM or PM; 01:00 is 24-hour time."""


def parse(text: str) -> tuple[Meeting, ...]:
    """Return the meetings of a text like "MWF 09:00-09:50; TuTh 1:00-2:15 PM".

    Raises ValueError, with a sentence, for a text that can't be read with certainty.
    """
    parts = [" ".join(part.split()) for part in _BETWEEN_MEETINGS.split(unicodedata.normalize("NFKC", text))]
    return tuple(_meeting(part) for part in parts if part and not NO_FIXED_TIME.fullmatch(part.strip("*().")))


def parse_days(text: str) -> str:
    """Return the days in a text like "MWF", "TuTh" or "Mon/Wed", as letters of DAYS; raise ValueError."""
    words = [word for word in _BETWEEN_DAYS.split(text) if word]
    found = "".join(_days_of_word(word) for word in words)
    if not found:
        raise ValueError(Sentence("Name the days, like MWF or TuTh."))
    if len(set(found)) < len(found):
        raise ValueError(Sentence("“%(text)s” names a day twice.", text=text))
    return "".join(day for day in DAYS if day in found)


def _meeting(text: str) -> Meeting:
    match = _MEETING.fullmatch(text)
    if match is None:
        raise ValueError(
            Sentence(
                "Write “%(text)s” like MWF 09:00-09:50, with ; between meetings, or TBA for no fixed time.", text=text
            )
        )
    days = parse_days(match[1])
    start, end = _times(text, match.groups()[1:4], match.groups()[4:7])
    if start >= end:
        raise ValueError(
            Sentence(
                "“%(text)s” ends before it begins. For the afternoon write 13:00 or 1:00 PM; "
                "for a meeting past midnight write two, like F 22:00-23:59; Sa 00:00-01:00.",
                text=text,
            )
        )
    return Meeting(days, start, end)


def _days_of_word(word: str) -> str:
    """Return the days in a word without blanks, as letters; in Tu or MWFr, each day starts with a capital."""
    parts = [part.lower() for part in _CAPITALIZED.findall(word)]
    if not word.isupper() and "".join(parts) == word.lower() and all(part in DAY_NAMES for part in parts):
        return "".join(DAY_NAMES[part] for part in parts)
    lower = word.lower()
    letters = lower.upper()
    if "R" in letters and "".join(day for day in DAYS if day in letters) == letters:
        return letters  # R is Thursday only where every day is one letter
    readings = _readings(lower, LONG_DAY_NAMES) or _readings(lower, POSSIBLE_DAY_NAMES)
    certain = readings & _readings(lower, DAY_NAMES)
    if len(readings) == 1 and certain:
        return certain.pop()
    if readings:
        ways = sorted("".join(_SHORT_NAMES[day] for day in reading) for reading in readings)
        sentence = Sentence("“%(word)s” could mean different days. Write %(ways)s.", word=word, ways=_either(ways))
        raise ValueError(sentence)
    raise ValueError(
        Sentence(
            "“%(word)s” is not a list of days. Write each day, like MWF or TuTh; R is Thursday, U is Sunday.",
            word=word,
        )
    )


def _either(ways: Sequence[str]) -> str | Sentence:
    """Return the ways to write something, of which one is to be chosen."""
    first, *others = ways
    return Sentence("%(first)s or %(second)s", first=first, second=_either(others)) if others else first


def _readings(word: str, names: dict[str, str]) -> set[str]:
    """Return all ways to read the word as a series of these names, each used at most once, in week order."""
    found: set[str] = set()
    unread = [(word, "")]
    while unread:
        rest, days = unread.pop()
        if not rest:
            found.add("".join(day for day in DAYS if day in days))
        unread += [
            (rest[len(name) :], days + day) for name, day in names.items() if rest.startswith(name) and day not in days
        ]
    return found


def _times(text: str, start: tuple[str | None, ...], end: tuple[str | None, ...]) -> tuple[str, str]:
    """Return the times as 09:00 and 09:50; if only one has AM or PM, infer the other."""
    if start[2] is None and end[2] is None:
        return _by_24_hours(text, start), _by_24_hours(text, end)
    given_half = (start[2] or end[2] or "").lower()
    other = "p" if given_half == "a" else "a"
    halves = [(start[2] or half, end[2] or half) for half in (given_half, other)]
    ways = [(_by_12_hours(text, start, first), _by_12_hours(text, end, second)) for first, second in halves]
    return next((way for way in ways if way[0] < way[1]), ways[0])


def _by_24_hours(text: str, time: tuple[str | None, ...]) -> str:
    hour, minute, _ = time
    if hour is None or minute is None:
        raise ValueError(Sentence("Write the times of “%(text)s” like 09:00-09:50 or 9:00-9:50 AM.", text=text))
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(Sentence("%(text)s: Times are from 00:00 to 23:59.", text=text))
    if len(hour) == 1 and int(hour) < EARLIEST_HOUR:
        raise ValueError(
            Sentence(
                "“%(text)s” could be morning or afternoon. Write 13:00 or 1:00 PM, or 01:00 or 1:00 AM.", text=text
            )
        )
    return f"{int(hour):02}:{minute}"


def _by_12_hours(text: str, time: tuple[str | None, ...], half: str) -> str:
    hour, minute = int(time[0] or 0), int(time[1] or 0)
    if not 1 <= hour <= 12 or minute > 59:
        raise ValueError(Sentence("%(text)s: Times with AM or PM are from 1:00 to 12:59.", text=text))
    return f"{hour % 12 + (12 if half.lower() == 'p' else 0):02}:{minute:02}"
