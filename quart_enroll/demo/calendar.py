"""The terms of the demo school: one is open whenever it is made."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from quart_enroll.domain.models import Term

OPENING_TIME, DEADLINE_TIME = time(9), time(17)
"""When a term opens, and when a deadline is over, by the school's clock."""

REGISTRATION_OPENINGS = {"Spring": (-1, 11, 9), "Fall": (0, 4, 13)}
DEADLINES = {"Spring": ((2, 20), (3, 6), (4, 10)), "Fall": ((9, 18), (10, 9), (11, 13))}
"""The days about which a term opens (with the year before or the same), and those of its three deadlines."""

TEACHING = {"Spring": ((1, 18), (5, 8)), "Fall": ((8, 25), (12, 12))}
"""The days about which courses meet first, on a Monday, and last, on a Friday."""

FEBRUARY, SEPTEMBER = 2, 9
"""From these months on students look for seats in the term after."""


def calendar(now: datetime, timezone: str, max_credits: int | float) -> list[Term]:
    """Return four terms in the order of time: two in which no seat can be taken any more, an open one, the next.

    The open one has been so for a week or two, and the next opens in as long: a registration to watch.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    monday = today - timedelta(today.weekday())
    half = 2 * today.year + (today.month >= FEBRUARY) + (today.month >= SEPTEMBER)
    opens = {half: monday - timedelta(weeks=1), half + 1: monday + timedelta(weeks=2)}
    return [_term(one, today, opens.get(one), zone, max_credits) for one in range(half - 2, half + 2)]


def _term(half: int, today: date, opens: date | None, zone: ZoneInfo, max_credits: int | float) -> Term:
    """Return the term of a half-year, numbered from Spring of the year 0; without `opens` it is over for newcomers."""
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
    """Return the day if it is a Friday, else the next one."""
    return day + timedelta((4 - day.weekday()) % 7)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
