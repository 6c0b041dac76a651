"""The student's week beside the sections of the catalog, on screens that are wide enough."""

from collections.abc import Sequence
from datetime import datetime

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Term
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.i18n.language import current_formats
from quart_enroll.pages import student_state
from quart_enroll.pages.enrollment import plan_rows, plan_week, week_texts
from quart_enroll.pages.student_state import WaitlistedSection
from quart_enroll.web import auth
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.request import is_from_phone
from quart_enroll.web.templating import render_shared

WEEK_NAME, WEEK_LEVEL = "own-week", 2
"""The ID of the week's heading, and its level."""


def gaps(snapshot: StudentSnapshot | None, term: Term, offered: Catalog, now: datetime) -> dict[str, Sequence[bytes]]:
    """Return the week for a page of the term, as its gap.

    There is none for visitors or phones, without courses in the term, or after its deadline to enroll.
    """
    if snapshot is None or now >= term.add_deadline or is_from_phone():
        return {}
    keys = [one.key for part in (snapshot.seats, snapshot.waiting, snapshot.plan) for one in part]
    sections = [offered.sections_in(key.courseID, term.term) for key in keys if key.term == term.term]
    if not sections:
        return {}
    cache_key = "week", term.term, current_formats()
    courses, cached_sections, parts = snapshot.derived.get(cache_key, (None, (), ()))
    if courses is not offered.courses or cached_sections != sections:
        parts = _render(snapshot, term, offered)
        snapshot.derived[cache_key] = offered.courses, sections, parts
    return {"week": [InputFreeText(b"".join(parts))]} if parts else {}


def _render(snapshot: StudentSnapshot, term: Term, offered: Catalog) -> Sequence[bytes]:
    """Return the texts of the week, which students share."""
    waitlisted = [WaitlistedSection(one, 0, 0) for one in snapshot.waiting if one.key.term == term.term]
    state = student_state.build(snapshot, auth.signed_in().attributes, term, offered, waitlisted)
    planned, _ = plan_rows.find(snapshot, term, offered)
    entries = plan_week.entries([offering for _, offering in planned], state, offered)
    if week := week_texts.render(WEEK_NAME, term, entries, WEEK_LEVEL, listed=False):
        week.append(render_shared(week_texts.WEEK_MACROS, "week_links", term.term, term))
    return week
