"""Releases reserved seats when their date has come; each section is one transaction, which promotes the waitlist."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from quart_enroll.domain.catalog import Catalog
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.swap_cycles import release_pools
from quart_enroll.system.background import work_at_dates
from quart_enroll.system.clock import Clock


async def release_due_forever(
    context: EnrollmentContext, read_catalog: Callable[[], Awaitable[Catalog]], clock: Clock
) -> None:
    """Release pools as soon as they are due, until cancelled.

    Several processes may do so: each pool is released once, and a change of the section may release it before.
    """

    async def work() -> datetime | None:
        now, coming = clock(), list[datetime]()
        catalog = await read_catalog()
        timezones = {term.term: term.timezone for term in catalog.terms}
        for section in [one for one in catalog.sections if one.pools and one.term in timezones]:
            timezone = timezones[section.term]
            dates = [one.releases_at(timezone) for one in section.pools if not one.is_released]
            if any(one.is_due(timezone, now) for one in section.pools):
                await release_pools(context.locks, section.key, now)
            coming += [date for date in dates if date and date > now]
        return min(coming, default=None)

    await work_at_dates("pools", work, clock)
