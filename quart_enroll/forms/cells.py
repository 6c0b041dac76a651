"""How the cells of an imported file are read: moments, meetings, lists of courses. Each raises ValueError in words."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from quart_enroll.models import DAYS, Meeting, start_of_day, zone_named

_MEETING = re.compile(r"([A-Za-z]+)\s+(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)")


def timezone(text: str) -> ZoneInfo:
    """Return the timezone of that name."""
    if (zone := zone_named(text)) is None:
        raise ValueError("Name a timezone like Europe/Berlin or America/New_York.")
    return zone


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC; a time without an offset is one by the clock of `zone`."""
    try:
        given = datetime.fromisoformat(text).replace(microsecond=0)
    except ValueError:
        raise ValueError("Write a time like 2026-08-01T09:00 or 2026-08-01T09:00-04:00.") from None
    if not 1900 <= given.year <= 2200:
        raise ValueError("The year must be between 1900 and 2200.")
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    local = given.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != given:
        raise ValueError(f"The clock of {zone.key} skips that time. Choose another one.")
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise ValueError(f"The clock of {zone.key} shows that time twice. Add the offset, like -04:00.")
    return local.astimezone(UTC)


def opening(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC from which something is possible; a day alone counts from its beginning."""
    return start_of_day(day(text), zone) if _is_day(text) else moment(text, zone)


def deadline(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC from which something is no longer possible; a day alone counts until its end."""
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
        raise ValueError("Write a day like 2026-08-31.") from None
    if not 1900 <= given.year <= 2200:
        raise ValueError("The year must be between 1900 and 2200.")
    return given


def meetings(text: str) -> tuple[Meeting, ...]:
    """Return the meetings of a text like "MWF 09:00-09:50; R 14:00-15:15"."""
    found = [_meeting(part.strip()) for part in text.split(";") if part.strip()]
    for place, one in enumerate(found):
        if any(one.overlaps(other) for other in found[:place]):
            raise ValueError(f"{one} is at the same time as another meeting of the section.")
    return tuple(found)


def courseIDs(text: str) -> tuple[str, ...]:  # noqa: N802  # the stored name
    """Return the courseIDs of a text that separates them by blanks, or ends each with a line break."""
    names = text.split("\n") if "\n" in text else text.split()
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def meetings_text(value: list[Any]) -> str | None:
    """Write the meetings of a JSON file as in a CSV file; None when they are something else."""
    if not all(isinstance(one, dict) and set(one) == {"days", "start", "end"} for one in value):
        return None
    parts = [[one["days"], one["start"], one["end"]] for one in value]
    if any(not isinstance(cell, str) or set(";-–") & set(cell) for part in parts for cell in part):
        return None
    return "; ".join(f"{days} {start}-{end}" for days, start, end in parts)


def courseIDs_text(value: list[Any]) -> str | None:  # noqa: N802  # the same
    """Write the courseIDs of a JSON file, each with a line break at its end; None when they are something else."""
    if not all(isinstance(one, str) and "\n" not in one for one in value):
        return None
    return "".join(f"{one}\n" for one in value)


def _meeting(text: str) -> Meeting:
    match = _MEETING.fullmatch(text)
    if match is None:
        raise ValueError(f"Write “{text}” like MWF 09:00-09:50, or several of that with ; between them.")
    days, hour, minute, end_hour, end_minute = match.groups()
    given = days.upper()
    if not set(given) <= set(DAYS) or len(set(given)) < len(given):
        raise ValueError(f"{days}: Days are letters of {DAYS}, each once; R is Thursday, U is Sunday.")
    if max(int(hour), int(end_hour)) > 23 or max(int(minute), int(end_minute)) > 59:
        raise ValueError(f"{text}: Times are from 00:00 to 23:59.")
    start, end = f"{int(hour):02}:{minute}", f"{int(end_hour):02}:{end_minute}"
    if start >= end:
        raise ValueError(f"{text}: A meeting ends after it begins.")
    return Meeting("".join(day for day in DAYS if day in given), start, end)
