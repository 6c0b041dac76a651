"""The dashboard: reports about a term, each with its own URL, as charts, tables and files."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from quart import Response, abort, current_app, request

from quart_enroll.domain import permissions
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Term, User
from quart_enroll.forms.staff.dashboard import DashboardForm
from quart_enroll.i18n.language import Sentence, format_timestamp
from quart_enroll.pages.paging import page_of, page_url, requested_page
from quart_enroll.pages.staff import opening_reports, section_reports, student_reports
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, export, requested_format
from quart_enroll.pages.staff.report import OVERSEERS, Choice, Report, ReportContent
from quart_enroll.pages.staff.sections import in_batches
from quart_enroll.state import catalog, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

REFRESH_SECONDS = 5
"""How often a page asks for newer figures while it is live."""

LIVE_BEFORE, LIVE_AFTER = timedelta(minutes=10), timedelta(hours=1)
"""The time around the opening in which pages are live by default."""

SHOWN_MARK = "Shown-Report"
"""The header with the mark of the report that the page already shows."""

REPORTS = [
    Report(
        "subjects",
        Sentence("Subjects"),
        Sentence("How full each subject is, and how much demand is left."),
        section_reports.subjects,
        ("term", "subject"),
    ),
    Report(
        "sections",
        Sentence("Sections"),
        Sentence("How full each section is, and how many students are waiting for it or planning to take it."),
        section_reports.sections,
        ("term", "subject"),
    ),
    Report(
        "opening",
        Sentence("Opening"),
        Sentence("How many seats were taken in each second after the opening."),
        opening_reports.opening,
        ("term", "period", "subject"),
    ),
    Report(
        "refusals",
        Sentence("Refusals"),
        Sentence("Why students could not enroll."),
        opening_reports.refusals,
        ("term", "period", "subject"),
    ),
    Report(
        "unserved",
        Sentence("Students without a seat"),
        Sentence("Which students tried to enroll, were refused, and have no seat in the term."),
        student_reports.unserved,
        ("term", "period", "subject"),
        OVERSEERS,
    ),
    Report(
        "small",
        Sentence("Small sections"),
        Sentence("Which sections have few students."),
        section_reports.small,
        ("term", "subject", "students"),
        follows_opening=False,
    ),
    Report(
        "credits",
        Sentence("Few credits"),
        Sentence("Which students have few credits in the term."),
        student_reports.few_credits,
        ("term", "credits"),
        OVERSEERS,
        follows_opening=False,
    ),
    Report(
        "conflicts",
        Sentence("Conflicting plans"),
        Sentence("Which sections students plan to take together although they meet at the same time."),
        section_reports.conflicts,
        ("term", "subject"),
        follows_opening=False,
    ),
    Report(
        "load",
        Sentence("Server load"),
        Sentence("How busy the server process that answered has been in the last five minutes."),
        opening_reports.load,
        (),
        OVERSEERS,
    ),
]
"""All reports, in the order of the menu; the first is the page itself."""

PARAMETERS = (*DashboardForm().data, "report", "live", "sort", "page", "format")
"""The query parameters of the page."""


async def dashboard() -> RenderedPage | Response:
    staff, offered = auth.signed_in(), await catalog()
    readable = [report for report in REPORTS if not report.roles.isdisjoint(staff.roles)]
    report = next((one for one in readable if one.key == request.args.get("report", REPORTS[0].key)), None)
    if report is None:
        abort(404)
    form = DashboardForm.from_query(request.args, offered.terms, offered.current_term(now()), _subjects(staff, offered))
    term = next((one for one in offered.terms if one.term == form.term.data), None)
    fields = [form[name] for name in report.filters]
    facts = {"reports": readable, "report": report, "form": form, "fields": fields, "page_url": page_url}
    if term is None:
        return render_staff("staff/dashboard.html", "staff_dashboard", shown=None, **facts)
    shown = await report.show(Choice(staff, offered, term, form))
    if requested_format():
        return await export(shown.listing, _file_rows(shown))
    if shown.mark == request.headers.get(SHOWN_MARK):
        return Response(status=204)
    page = page_of(shown.rows, requested_page(len(shown.rows), ROWS_PER_PAGE), ROWS_PER_PAGE)
    return render_staff(
        "staff/dashboard.html",
        "staff_dashboard",
        shown=shown,
        page=page,
        rows=await shown.complete(page.items),
        as_of=format_timestamp(shown.as_of, current_app.config["TIMEZONE"]),
        is_live=_is_live(term, report),
        refresh_seconds=REFRESH_SECONDS,
        shown_mark=SHOWN_MARK,
        **facts,
    )


def _subjects(staff: User, offered: Catalog) -> Sequence[str]:
    """Return the subjects of which the person sees reports."""
    subjects = {course.subject for course in offered.courses} - {""}
    return sorted(subjects if permissions.can_read_all_students(staff) else subjects & {*staff.subjects})


def _is_live(term: Term, report: Report) -> bool:
    """Return whether the page is kept up to date: as the URL says, or else around the opening."""
    asked = request.args.get("live")
    is_opening = term.opens_at - LIVE_BEFORE <= now() < term.opens_at + LIVE_AFTER
    return asked == "y" or (asked != "n" and report.follows_opening and is_opening)


async def _file_rows(shown: ReportContent[Any]) -> AsyncGenerator[Sequence[Any], None]:
    async with aclosing(in_batches(shown.rows)) as batches:
        async for rows in batches:
            yield await shown.complete_file(rows)
