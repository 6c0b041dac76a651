"""Reading and printing the cells of an imported file: moments, meetings, lists of courses.

Functions that read a cell raise ValueError with a sentence.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from quart_enroll.domain.models import Meeting, find_timezone, start_of_day
from quart_enroll.domain.roles import Role
from quart_enroll.forms.imports import meeting_times
from quart_enroll.i18n.language import Sentence

_WHOLE = re.compile(r"(\d+)\.00?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\d{1,3},\d{1,2}", re.ASCII)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E[+-]\d\d+", re.ASCII)
_FORMULA_ERROR = re.compile(r"#(REF!|N/A|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!|#+)")

MAX_SUBJECT_CHARACTERS = 50

POOL_FIELDS = {"name", "seats", "restriction", "release"}
"""The fields of a pool in JSON."""

_YES_OR_NO = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


def whole_number(text: str) -> str:
    """Return 30 for 30.0, which spreadsheets write; leave 1.000 alone, since it may be a thousand."""
    return _WHOLE.sub(r"\1", text) if _WHOLE.fullmatch(text) else text


def amount(text: str) -> str:
    """Return 3.5 for 3,5, and 30 for 30,0 or 30.0; leave 1,000 alone, since it may be a thousand."""
    return whole_number(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)


def damage(value: Any) -> Sentence | None:
    """Return how a spreadsheet damaged a cell; None if it didn't."""
    if not isinstance(value, str):
        return None
    if _FORMULA_ERROR.fullmatch(value):
        return Sentence("A spreadsheet formula failed in this cell.")
    if _ROUNDED.fullmatch(value):
        return Sentence("The spreadsheet rounded this number. Format its column as text.")
    return None


def timezone(text: str) -> ZoneInfo:
    """Return the timezone of that name."""
    if (zone := find_timezone(text)) is None:
        raise ValueError(Sentence("Use the name of a time zone, like Europe/Berlin or America/New_York."))
    return zone


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC; a time without an offset is in the timezone `zone`."""
    try:
        given = datetime.fromisoformat(text).replace(microsecond=0)
    except ValueError:
        sentence = Sentence("Use a time like 2026-08-01T09:00 or 2026-08-01T09:00-04:00, or a date like 2026-08-01.")
        raise ValueError(sentence) from None
    if not 1900 <= given.year <= 2200:
        raise ValueError(Sentence("The year must be between 1900 and 2200."))
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    local = given.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != given:
        raise ValueError(Sentence("In %(timezone)s, clocks skip this time. Choose another one.", timezone=zone.key))
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise ValueError(
            Sentence("In %(timezone)s, this time occurs twice. Add the offset, like -04:00.", timezone=zone.key)
        )
    return local.astimezone(UTC)


def opening(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC when something becomes possible; a day without a time counts from its start."""
    return start_of_day(day(text), zone) if _is_day(text) else moment(text, zone)


def deadline(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC when something stops being possible; a day without a time counts until its end."""
    return start_of_day(day(text) + timedelta(days=1), zone) if _is_day(text) else moment(text, zone)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def day(text: str) -> date:
    """Return the day of the calendar."""
    try:
        given = date.fromisoformat(text)
    except ValueError:
        raise ValueError(Sentence("Use a date like 2026-08-31.")) from None
    if not 1900 <= given.year <= 2200:
        raise ValueError(Sentence("The year must be between 1900 and 2200."))
    return given


def meetings(text: str) -> tuple[Meeting, ...]:
    """Return the meetings of a text like "MWF 09:00-09:50; R 14:00-15:15"; none for "TBA"."""
    found = meeting_times.parse(text)
    for place, one in enumerate(found):
        if any(one.overlaps(other) for other in found[:place]):
            raise ValueError(
                Sentence("%(meeting)s is at the same time as another meeting of the section.", meeting=str(one))
            )
    return found


def courseIDs(text: str) -> tuple[str, ...]:  # noqa: N802  # the stored name
    """Return the courseIDs of a text that separates them by blanks, or ends each with a line break."""
    names = text.split("\n") if "\n" in text else text.split()
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def people(text: str) -> tuple[str, ...]:
    """Return the email addresses and user_ids of a text that separates them by blanks, commas or semicolons."""
    names = tuple(dict.fromkeys(re.split(r"[\s,;]+", text.strip()))) if text.strip() else ()
    for name in names:
        if "@" not in name and not re.fullmatch(r"\d{1,18}", name, re.ASCII):
            raise ValueError(
                Sentence("“%(name)s” is neither an email nor a user_id. Names belong in instructor.", name=name)
            )
    return names


def roles(text: str) -> list[Role]:
    """Return the roles of a text that separates them by blanks or commas."""
    names = re.split(r"[\s,;]+", text.strip().lower()) if text.strip() else []
    try:
        return [Role(name) for name in names]
    except ValueError:
        raise ValueError(Sentence("The roles are %(roles)s.", roles=", ".join(Role))) from None


def subjects(text: str) -> tuple[str, ...]:
    """Return the subjects of a text that separates them by semicolons, or ends each with a line break."""
    names = (" ".join(name.split()) for name in re.split(r"[;\n]", text))
    found = tuple(dict.fromkeys(filter(None, names)))
    if any(len(name) > MAX_SUBJECT_CHARACTERS for name in found):
        sentence = Sentence(
            "A subject can have at most %(number)s characters. Separate subjects with semicolons.",
            number=MAX_SUBJECT_CHARACTERS,
        )
        raise ValueError(sentence)
    return found


def advisors(text: str) -> tuple[str, ...]:
    """Return the emails or user_ids of a text that separates them by blanks, commas or semicolons."""
    return tuple(dict.fromkeys(filter(None, re.split(r"[\s,;]+", text))))


def yes_or_no(text: str) -> bool:
    """Return whether the text means yes."""
    try:
        return _YES_OR_NO[text.strip().lower()]
    except KeyError:
        raise ValueError(Sentence("This must be yes or no.")) from None


def names_text(value: list[Any]) -> str | None:
    """Write the names or numbers of a JSON file, each with a line break at its end; None if they are something else."""
    if not all(isinstance(one, str | int) and not isinstance(one, bool) and "\n" not in str(one) for one in value):
        return None
    return "".join(f"{one}\n" for one in value)


def meetings_text(value: list[Any]) -> str | None:
    """Write the meetings of a JSON file as in a CSV file; None if they are something else."""
    if not all(isinstance(one, dict) and set(one) == {"days", "start", "end"} for one in value):
        return None
    parts = [[one["days"], one["start"], one["end"]] for one in value]
    if any(not isinstance(cell, str) or set(";-–") & set(cell) for part in parts for cell in part):
        return None
    return "; ".join(f"{days} {start}-{end}" for days, start, end in parts)


def pools_text(value: list[Any]) -> str | None:
    """Write the pools of a JSON file as in a CSV file; None if they are something else."""
    lines = []
    for one in value:
        if not isinstance(one, dict) or not {"name", "seats", "restriction"} <= set(one) <= POOL_FIELDS:
            return None
        texts = {name: str(text) for name, text in one.items() if isinstance(text, str | int)}
        if len(texts) < len(one) or any("\n" in text for text in texts.values()):
            return None
        until = f" until {release}" if (release := texts.get("release")) else ""
        lines.append(f"{texts['name']}: {texts['seats']} for {texts['restriction']}{until}")
    return "\n".join(lines)


def courseIDs_text(value: list[Any]) -> str | None:  # noqa: N802  # the same
    """Write the courseIDs of a JSON file, each with a line break at its end; None if they are something else."""
    if not all(isinstance(one, str) and "\n" not in one for one in value):
        return None
    return "".join(f"{one}\n" for one in value)
