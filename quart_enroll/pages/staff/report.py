"""What the reports of the dashboard have in common: the choice, and the rows and charts that a page shows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Generic

from quart_enroll.charts import Bar, BarChart, LineChart
from quart_enroll.domain import permissions
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Term, User
from quart_enroll.domain.roles import Role
from quart_enroll.forms.staff.dashboard import DashboardForm
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages.staff.listing import Listing, R
from quart_enroll.services.staff.report_cache import CachedReport
from quart_enroll.state import now, report_cache

MAX_BARS = 15
"""Bars of a chart; the table beside it has all rows."""

OVERSEERS = frozenset({Role.REGISTRAR, Role.AUDITOR})
READERS = OVERSEERS | {Role.SCHEDULER}


async def _as_they_are(rows: Sequence[Any]) -> Sequence[Any]:
    return rows


@dataclass(frozen=True, eq=False)
class Choice:
    """Whose report it is, of which term, with which filters."""

    staff: User
    offered: Catalog
    term: Term
    form: DashboardForm

    @property
    def subject(self) -> str:
        return self.form.subject.data or ""

    def includes(self, subject: str) -> bool:
        """Return whether the report is about the subject, which a scheduler must be responsible for."""
        is_readable = permissions.can_read_all_students(self.staff) or subject in self.staff.subjects
        return is_readable and self.subject in ("", subject)

    @cached_property
    def courseIDs(self) -> tuple[str, ...] | None:  # noqa: N802  # the stored name
        """The courses that the report is about; None for all."""
        if permissions.can_read_all_students(self.staff) and not self.subject:
            return None
        return tuple(one.courseID for one in self.offered.courses if self.includes(one.subject))


@dataclass(frozen=True, eq=False)
class ReportContent(Generic[R]):
    """A report as a page shows it: the rows of a list, charts that say the same, and totals on top.

    `mark` differs for each computation. `complete` adds to rows what is only read for those that are shown, and in
    files leaves out those that must not be in one.
    """

    listing: Listing[R]
    rows: Sequence[R]
    charts: Sequence[LineChart | BarChart] = ()
    totals: Sequence[tuple[Sentence, int]] = ()
    as_of: datetime = field(default_factory=now)
    mark: str = ""
    complete: Callable[[Sequence[R]], Awaitable[Sequence[R]]] = _as_they_are
    complete_file: Callable[[Sequence[R]], Awaitable[Sequence[R]]] = _as_they_are


@dataclass(frozen=True)
class Report:
    """A report: its key in the URL, its name and what it answers, who may read it, and which filters it has."""

    key: str
    name: Sentence
    purpose: Sentence
    show: Callable[[Choice], Awaitable[ReportContent[Any]]]
    filters: Sequence[str] = ("term",)
    roles: frozenset[Role] = READERS
    follows_opening: bool = True
    """Whether its page is up to date by itself while the term opens."""


async def cached(
    key: tuple[object, ...], compute: Callable[[], Awaitable[Sequence[R]]]
) -> tuple[CachedReport[R], datetime]:
    """Return the rows of a report, which several readers share, and when they were computed."""
    cache = report_cache()
    found = await cache.get_or_compute(key, compute)
    return found, now() - timedelta(seconds=cache.age(found))


def bar_chart(title: Sentence, names: Sequence[Sentence], bars: Sequence[Bar]) -> list[BarChart]:
    """Return a chart of the first bars; none without bars."""
    return [BarChart(str(title), [str(one) for one in names], bars[:MAX_BARS])] if bars else []
