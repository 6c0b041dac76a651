"""The FAQ, with the dates of the terms."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.domain import moments, terms
from quart_enroll.domain.models import Term
from quart_enroll.i18n.language import LastDay, gettext
from quart_enroll.pages import student_state
from quart_enroll.state import catalog, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render


@dataclass(frozen=True, slots=True)
class TermDates:
    """The opening and the deadlines of a term, in words."""

    term: Term
    opens: str
    add: str
    drop: str
    withdraw: str


async def help_page() -> bytes:
    offered = await catalog()
    coming = terms.active(offered.terms, now())
    user = auth.user()
    known = await student_state.load_snapshot(user.user_id) if user else None
    has_holds = bool(known and known.holds)  # a school without holds has nothing to explain
    is_inactive = bool(user and not user.attributes.is_active)
    dates = [_dates(term) for term in coming]
    has_consent = any(one.needs_consent for one in offered.sections)
    facts = {"has_holds": has_holds, "has_pools": offered.has_pools, "has_consent": has_consent}
    return render("help.html", dates=dates, is_inactive=is_inactive, **facts)


def _dates(term: Term) -> TermDates:
    opens, *deadlines = term.boundaries
    return TermDates(term, moments.moment_text(term, opens), *(_spoken(term, deadline) for deadline in deadlines))


def _spoken(term: Term, deadline: datetime) -> str:
    moment = moments.localized_deadline(term, deadline)
    return gettext("the end of %(day)s", day=moment) if isinstance(moment, LastDay) else str(moment)
