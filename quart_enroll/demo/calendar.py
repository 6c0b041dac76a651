"""The terms of the demo school, one of which is always open."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from quart_enroll.domain.models import Term

OPENING_TIME, DEADLINE_TIME = time(9), time(17)
"""The local times at which terms open and deadlines end."""

REGISTRATION_OPENINGS = {"Spring": (-1, 11, 9), "Fall": (0, 4, 13)}
DEADLINES = {"Spring": ((2, 20), (3, 6), (4, 10)), "Fall": ((9, 18), (10, 9), (11, 13))}
"""The approximate days on which a term opens (year relative to the term, month, day) and of its three deadlines."""

TEACHING = {"Spring": ((1, 18), (5, 8)), "Fall": ((8, 25), (12, 12))}
"""The approximate first and last days of classes; they are moved to a Monday and a Friday."""

FEBRUARY, SEPTEMBER = 2, 9
"""The months from which students enroll in the following term."""


def calendar(now: datetime, timezone: str, max_credits: int | float) -> list[Term]:
    """Return four terms in chronological order: two whose add deadline is over, an open one, and the next.

    The open one has been open for a week or two, and the next opens in a week or two.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    monday = today - timedelta(today.weekday())
    half = 2 * today.year + (today.month >= FEBRUARY) + (today.month >= SEPTEMBER)
    opens = {half: monday - timedelta(weeks=1), half + 1: monday + timedelta(weeks=2)}
    return [_term(number, today, opens.get(number), zone, max_credits) for number in range(half - 2, half + 2)]


def _term(half: int, today: date, opens: date | None, zone: ZoneInfo, max_credits: int | float) -> Term:
    """Return the term of a half-year, counted from Spring of the year 0; without `opens`, its add deadline is over."""
    season, year = ("Spring", "Fall")[half % 2], half // 2
    add, drop, withdraw = (_friday(date(year, *day)) for day in DEADLINES[season])
    first, last = (date(year, *day) for day in TEACHING[season])
    if opens is None:
        years, month, day = REGISTRATION_OPENINGS[season]
        opens = date(year + years, month, day)
        add = min(add, _friday(today - timedelta(weeks=1)))
    return Term(
        f"{season} {year}",
        _moment(opens, OPENING_TIME, zone),
        _moment(add, DEADLINE_TIME, zone),
        _moment(drop, DEADLINE_TIME, zone),
        _moment(withdraw, DEADLINE_TIME, zone),
        max_credits,
        zone.key,
        first - timedelta(first.weekday()),
        _friday(last),
    )


def _friday(day: date) -> date:
    """Return the day if it is a Friday, or else the next Friday."""
    return day + timedelta((4 - day.weekday()) % 7)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
