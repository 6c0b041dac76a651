"""The banner about what blocks a student, holds and the status, on the pages where the student meets it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from markupsafe import Markup
from quart import current_app

from quart_enroll.domain import moments
from quart_enroll.domain.errors import NotActive
from quart_enroll.domain.holds import Hold
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.i18n.language import LastDay, Moment, Sentence
from quart_enroll.state import now
from quart_enroll.web import auth
from quart_enroll.web.templating import render_shared

GAP = "hold_banner"
"""The gap of the layout, and the variable of templates."""


class HoldNotice(NamedTuple):
    """A hold with its dates in words."""

    hold: Hold
    period: str


def gaps(known: StudentSnapshot | None) -> dict[str, Sequence[bytes]]:
    """Return the gap with the banner; none for a student whom nothing blocks, whose page stays as it is."""
    status = _status()
    if known is None or not (known.holds or status):
        return {}
    moment = now()
    shown = tuple(one for one in known.holds if one.ends_at is None or moment < one.ends_at)
    if not shown and not status:
        return {}
    rows = tuple(HoldNotice(one, str(period(one, moment) or "")) for one in shown)
    return {GAP: [render_shared("macros/holds.html", "banner", (rows, status), rows, status)]}


def _status() -> str:
    """Return what the status keeps the student from; empty for an active one."""
    user = auth.user()
    if user is None or user.attributes.is_active:
        return ""
    return NotActive(user.attributes.status).text


def variables(known: StudentSnapshot | None) -> dict[str, Markup]:
    """Return the same as a variable of a school's own template."""
    return {name: Markup(b"".join(parts).decode()) for name, parts in gaps(known).items()}  # noqa: S704  # our own


def period(hold: Hold, moment: datetime) -> Sentence | None:
    """Return in words from when and until when the hold is in effect, unless it has begun and ends when it's lifted."""
    begins = hold.begins_at if hold.begins_at and moment < hold.begins_at else None
    if begins and hold.ends_at:
        return Sentence("In effect from %(begins)s until %(ends)s.", begins=_begin(begins), ends=_end(hold.ends_at))
    if begins:
        return Sentence("In effect from %(begins)s.", begins=_begin(begins))
    if hold.ends_at:
        return Sentence("In effect until %(ends)s.", ends=_end(hold.ends_at))
    return None


def _end(ends_at: datetime) -> LastDay | Moment:
    return moments.localized_end(ends_at, current_app.config["TIMEZONE"])


def _begin(begins_at: datetime) -> Moment:
    return Moment(begins_at, current_app.config["TIMEZONE"])
