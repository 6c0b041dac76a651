"""The reports about the opening: second by second, refusals by reason, and the load of the serving process."""

import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from quart_enroll.charts import Bar, Line, LineChart
from quart_enroll.domain.models import Term
from quart_enroll.forms.staff.dashboard import WHOLE_TERM
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.observability.sampler import Sample
from quart_enroll.pages.staff.listing import Column, Listing
from quart_enroll.pages.staff.report import Choice, ReportContent, bar_chart, cached
from quart_enroll.pages.staff.sections import sort_rows
from quart_enroll.services.staff import reports as service
from quart_enroll.services.staff.report_cache import CachedReport
from quart_enroll.services.staff.reports import PERIODS, ActivityInterval, EventFilter, ReasonCount
from quart_enroll.state import database, load_history, now, report_cache

WHOLE_TERM_PART_SECONDS = 24 * 3600
"""The parts in which the curve of a whole term is drawn."""

REASON_NAMES = {
    "not_open_yet": Sentence("Not open yet"),
    "closed": Sentence("Enrollment closed"),
    "appointment_not_begun": Sentence("Before the appointment"),
    "appointment_ended": Sentence("After the appointment"),
    "no_appointment": Sentence("No appointment"),
    "section_full": Sentence("Section full"),
    "seats_reserved": Sentence("Reserved for others"),
    "section_closed": Sentence("Section closed"),
    "restricted": Sentence("Restricted to others"),
    "repeat_limit": Sentence("Repeat limit"),
    "consent_required": Sentence("No consent"),
    "waitlist_full": Sentence("Waitlist full"),
    "time_conflict": Sentence("Time conflict"),
    "credit_limit": Sentence("Credit limit"),
    "prerequisite_missing": Sentence("Prerequisite missing"),
    "corequisite_missing": Sentence("Corequisite missing"),
    "corequisites_would_go": Sentence("Required as a corequisite"),
    "hold": Sentence("Hold"),
    "not_active": Sentence("Not an active student"),
    "drop_closed": Sentence("Withdrawal deadline passed"),
}
"""What staff call the reasons; the student's history has sentences that say "you"."""

REASONS: Listing[ReasonCount] = Listing(
    "refusals",
    [
        Column("reason", Sentence("Reason"), lambda row: reason_name(row.reason)),
        Column("attempts", Sentence("Attempts"), lambda row: row.attempts, is_sortable=True),
        Column("students", Sentence("Students"), lambda row: row.students, is_sortable=True),
        Column("code", Sentence("Code"), lambda row: row.reason, only_in_files=True),
    ],
)

LOAD: Listing[tuple[float, Sample]] = Listing(
    "load",
    [
        Column("second", Sentence("Second"), lambda row: round(row[0], 1)),
        Column("cores", Sentence("Cores"), lambda row: round(row[1].cores, 2)),
        Column("delay", Sentence("Delay (ms)"), lambda row: round(row[1].loop_delay * 1000, 1)),
        Column("changes", Sentence("Changes waiting"), lambda row: row[1].pending_changes),
        Column("hashes", Sentence("Passwords waiting"), lambda row: row[1].pending_hashes),
        Column("pages", Sentence("Live pages"), lambda row: row[1].live_pages),
        Column("lag", Sentence("Catalog delay (s)"), lambda row: round(row[1].catalog_lag, 2)),
    ],
)


def reason_name(code: str) -> str:
    """Return what staff call the reason for a refusal."""
    return str(REASON_NAMES.get(code, code))


def events_of(choice: Choice) -> tuple[EventFilter, int]:
    """Return the filter for the events of the chosen period, and the seconds of each of its parts."""
    term, name = choice.term, choice.form.period.data
    if name == WHOLE_TERM:
        return EventFilter(term.term, term.opens_at, term.withdraw_deadline, choice.courseIDs), WHOLE_TERM_PART_SECONDS
    period = PERIODS[name]
    wanted = EventFilter(term.term, term.opens_at, term.opens_at + period.length, choice.courseIDs)
    return wanted, period.part_seconds


async def opening(choice: Choice) -> ReportContent[ActivityInterval]:
    """Show what happened second by second after the opening."""
    wanted, part_seconds = events_of(choice)
    found, as_of = await _moments(choice.term, wanted, part_seconds)
    totals = [
        (Sentence("seats taken"), sum(row.seats for row in found.rows)),
        (Sentence("waitlist places taken"), sum(row.joins for row in found.rows)),
        (Sentence("drops"), sum(row.drops for row in found.rows)),
        (Sentence("refusals"), sum(row.refused for row in found.rows)),
    ]
    charts = [_curve(found.rows, part_seconds)] if found.rows else []
    return ReportContent(_moments_listing(choice.term), found.rows, charts, totals, as_of, str(found.computed_at))


async def _moments(
    term: Term, wanted: EventFilter, part_seconds: int
) -> tuple[CachedReport[ActivityInterval], datetime]:
    """Return the parts of the period; those that have settled by the last time are not counted again."""
    key = ("opening", wanted, part_seconds)

    async def compute() -> Sequence[ActivityInterval]:
        cache = report_cache()
        known: Sequence[ActivityInterval] = ()
        if (last := cache.last(key)) is not None:
            read_at = now() - timedelta(seconds=cache.age(last))
            known = service.settled(last.rows, part_seconds, read_at - term.opens_at)
        return await service.moments(database(), wanted, part_seconds, known)

    return await cached(key, compute)


def _curve(rows: Sequence[ActivityInterval], part_seconds: int) -> LineChart:
    """Draw the numbers of each part."""

    def line(name: Sentence, read: Callable[[ActivityInterval], int]) -> Line:
        return Line(str(name), [(row.second, read(row)) for row in rows])

    lines = [
        line(Sentence("seats taken"), lambda row: row.seats),
        line(Sentence("waitlist places taken"), lambda row: row.joins),
        line(Sentence("refusals"), lambda row: row.refused),
    ]
    return LineChart(gettext("After the opening"), _part_name(part_seconds), lines, gettext("the opening is at 0 s"))


def _part_name(seconds: int) -> str:
    """Return what the numbers of a part are, as a unit."""
    if seconds == 1:
        return gettext("per second")
    if seconds < 60:
        return gettext("per %(seconds)s seconds", seconds=seconds)
    if seconds < WHOLE_TERM_PART_SECONDS:
        return gettext("per %(minutes)s minutes", minutes=seconds // 60)
    return gettext("per day")


def _moments_listing(term: Term) -> Listing[ActivityInterval]:
    def at(row: ActivityInterval) -> datetime:
        return term.opens_at + timedelta(seconds=row.second)

    return Listing(
        "opening",
        [
            Column("second", Sentence("Second"), lambda row: row.second),
            Column("at", Sentence("Time"), at),
            Column("seats", Sentence("Seats taken"), lambda row: row.seats),
            Column("joins", Sentence("Waitlist places taken"), lambda row: row.joins),
            Column("drops", Sentence("Drops"), lambda row: row.drops),
            Column("refused", Sentence("Refusals"), lambda row: row.refused),
        ],
    )


async def refusals(choice: Choice) -> ReportContent[ReasonCount]:
    """Show why students were refused."""
    wanted, _ = events_of(choice)
    found, as_of = await cached(("refusals", wanted), partial(service.refusal_reasons, database(), wanted))
    bars = [Bar(reason_name(row.reason), (row.attempts,)) for row in found.rows]
    charts = bar_chart(Sentence("Refusals by reason"), [Sentence("attempts")], bars)
    return ReportContent(REASONS, sort_rows(REASONS, list(found.rows)), charts, (), as_of, str(found.computed_at))


async def load(_: Choice) -> ReportContent[tuple[float, Sample]]:
    """Show the load of the process that answers, which is one of several."""
    samples = list(load_history())
    latest = samples[-1].at if samples else 0.0
    rows = [(one.at - latest, one) for one in samples]

    def chart(title: str, unit: str, *lines: tuple[str, Callable[[Sample], float]]) -> LineChart:
        drawn = [Line(name, [(at, read(one)) for at, one in rows]) for name, read in lines]
        return LineChart(title, unit, drawn, gettext("now is 0 s"))

    process = f"{os.environ.get('DYNO') or socket.gethostname()}, {os.getpid()}"
    charts = [
        chart(
            gettext("CPU use of process %(process)s", process=process),
            gettext("cores"),
            (gettext("cores"), lambda one: one.cores),
        ),
        chart(gettext("Delay of the event loop"), "ms", (gettext("delay"), lambda one: one.loop_delay * 1000)),
        chart(
            gettext("Queues"),
            gettext("number"),
            (gettext("changes of seats"), lambda one: one.pending_changes),
            (gettext("passwords"), lambda one: one.pending_hashes),
        ),
    ]
    return ReportContent(LOAD, rows[::-1], charts if rows else [], (), now(), str(latest))
