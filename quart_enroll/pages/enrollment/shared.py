"""What a shared link shows: the courses of one term as a page, as text and as a calendar.

The link reveals the student's first name and nothing else about the student.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup
from quart import Response, abort, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import calendar_file, week
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration, ScheduledCourse, SharedContent, SharedLink, Term
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.i18n.language import TermName, gettext, plural
from quart_enroll.pages.enrollment import plan_rows, schedule_rows, week_grid, week_texts
from quart_enroll.pages.enrollment.calendar import absolute_url, subscribe_link
from quart_enroll.services.accounts import shared_links
from quart_enroll.services.enrollment import student
from quart_enroll.state import catalog, database, now, registrations_of, user_cache
from quart_enroll.web.templating import render

WEEK_NAME, WEEK_LEVEL = "week", 2
"""The ID of the week's heading, and its level."""


@dataclass(frozen=True, slots=True)
class SharedTerm:
    """What a link shows, with the student's preferred or else first name, which may be empty."""

    link: SharedLink
    first_name: str
    term: Term
    courses: Sequence[Registration]

    @property
    def title(self) -> str:
        """The title of the page, with the student's first name if there is one."""
        name, term = self.first_name, TermName(self.term.term)
        if self.link.content is SharedContent.PLAN:
            if not name:
                return gettext("Plan for %(term)s", term=term)
            return gettext("%(name)s’s plan for %(term)s", name=name, term=term)
        if not name:
            return gettext("Schedule for %(term)s", term=term)
        return gettext("%(name)s’s schedule for %(term)s", name=name, term=term)

    @property
    def credits(self) -> str:
        """The sum of the credits in words."""
        return str(plural("%(number)s credit", "%(number)s credits", sum(one.course.credits for one in self.courses)))


async def page(token: str) -> ResponseReturnValue:
    """Show the week and the list of courses."""
    shared = await _find(token)
    entries = week.with_colors([*map(schedule_rows.enrolled_entry, shared.courses)])
    texts = week_texts.render(WEEK_NAME, shared.term, entries, WEEK_LEVEL, own=False)
    url = absolute_url(url_for("shared_calendar", token=token))
    return render(
        "shared.html",
        shared=shared,
        courses=[ScheduledCourse.of(one) for one in shared.courses],
        week=Markup(b"".join(texts).decode()),  # noqa: S704  # our own
        text_url=url_for("shared_text", token=token),
        calendar_url=url_for("shared_calendar", token=token),
        subscribe_url=subscribe_link(url),
    )


async def text(token: str) -> ResponseReturnValue:
    """Send the courses as plain text."""
    shared = await _find(token)
    courses = [_paragraph(ScheduledCourse.of(one)) for one in shared.courses]
    total = shared.credits if courses else gettext("There are no courses yet.")
    content = "\n\n".join([shared.title, *courses, total])
    return Response(f"{content}\n", content_type="text/plain; charset=utf-8")


async def calendar(token: str) -> ResponseReturnValue:
    """Send the courses as a calendar, whose events have UIDs that can't be computed without the link."""
    shared = await _find(token)
    courses = [
        replace(ScheduledCourse.of(one), title=week_grid.name_in_week(schedule_rows.enrolled_entry(one)))
        for one in shared.courses
    ]
    uids = calendar_file.secret_uids(token)
    file = calendar_file.schedule(uids, courses, [shared.term], now(), name=shared.title)
    return Response(file, content_type="text/calendar; charset=utf-8")


async def _find(token: str) -> SharedTerm:
    """Return what the link shows; a revoked link looks like one that never existed."""
    found = await shared_links.find(database(), token, now())
    offered = await catalog()
    term = next((one for one in offered.terms if found and one.term == found[0].term), None)
    if found is None or term is None:
        abort(404)
    link, owner = found
    snapshot = await student.snapshot(user_cache(), owner.user_id)
    courses = await _enrolled(snapshot, term)
    if link.content is SharedContent.PLAN:
        courses += _planned(snapshot, term, offered, {one.courseID for one in courses})
    return SharedTerm(link, owner.preferred_name or owner.first_name, term, courses)


async def _enrolled(snapshot: StudentSnapshot, term: Term) -> list[Registration]:
    found = await registrations_of([one for one in snapshot.seats if one.key.term == term.term])
    return [one for one in found if one.status == "enrolled"]


def _planned(snapshot: StudentSnapshot, term: Term, offered: Catalog, enrolled: set[str]) -> list[Registration]:
    found, _ = plan_rows.find(snapshot, term, offered)
    wanted = [offering for _, offering in found if offering.course.courseID not in enrolled]
    return [Registration(one.course, one.section, "planned") for one in wanted]


def _paragraph(course: ScheduledCourse) -> str:
    """Return the course as lines of text."""
    number = f"{course.courseID}-{course.section}"
    status = gettext("only planned") if course.status == "planned" else ""
    times = ", ".join(map(str, course.meetings)) or gettext("No fixed times")
    lines = [f"{course.heading} ({', '.join(filter(None, [number, status]))})", times, course.room, course.instructor]
    return "\n".join(filter(None, lines))
