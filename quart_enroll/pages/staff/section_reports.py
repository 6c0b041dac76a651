"""The reports about sections: fill and demand, small sections, and plans that conflict."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from quart_enroll.charts import Bar, BarChart
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages.staff.effects import section_name, value_text
from quart_enroll.pages.staff.listing import Column, Listing, Sort
from quart_enroll.pages.staff.report import MAX_BARS, Choice, ReportContent, bar_chart, cached
from quart_enroll.pages.staff.sections import section_url, sort_rows
from quart_enroll.services.staff import reports as service
from quart_enroll.services.staff.report_cache import CachedReport
from quart_enroll.services.staff.reports import PlanConflict, SectionDemand, SubjectDemand
from quart_enroll.state import database, now

TAKEN, OPEN, WAITING, PLANNED = Sentence("taken"), Sentence("open"), Sentence("waiting"), Sentence("planned")

SIZES = ((0, 0), (1, 4), (5, 9), (10, 19), (20, 49), (50, None))
"""The groups of the chart of small sections, by their first and last number of students."""

SUBJECTS: Listing[SubjectDemand] = Listing(
    "seats-by-subject",
    [
        Column("subject", Sentence("Subject"), lambda row: _subject_name(row.subject), is_sortable=True),
        Column("sections", Sentence("Sections"), lambda row: row.sections, is_sortable=True),
        Column("seats", Sentence("Seats"), lambda row: row.seats, is_sortable=True),
        Column("taken", Sentence("Taken"), lambda row: row.taken, is_sortable=True),
        Column("open", Sentence("Open"), lambda row: row.open, is_sortable=True),
        Column("full", Sentence("Full sections"), lambda row: row.full, is_sortable=True),
        Column("waiting", Sentence("Waiting"), lambda row: row.waiting, is_sortable=True),
        Column("alerts", Sentence("Alerts"), lambda row: row.alerts, is_sortable=True),
        Column("planned", Sentence("Plans"), lambda row: row.planned, is_sortable=True),
    ],
)

SECTIONS: Listing[SectionDemand] = Listing(
    "seats-by-section",
    [
        Column(
            "section",
            Sentence("Section"),
            lambda row: section_name(row.section.key),
            url=lambda row: section_url(row.section.key),
            is_sortable=True,
        ),
        Column("title", Sentence("Title"), lambda row: row.course.title, is_sortable=True),
        Column("subject", Sentence("Subject"), lambda row: row.course.subject, only_in_files=True),
        Column("seats", Sentence("Seats"), lambda row: row.section.capacity, is_sortable=True),
        Column("taken", Sentence("Taken"), lambda row: row.section.seats_taken, is_sortable=True),
        Column("open", Sentence("Open"), lambda row: row.section.open_seats, is_sortable=True),
        Column("waiting", Sentence("Waiting"), lambda row: row.section.waiting, is_sortable=True),
        Column("alerts", Sentence("Alerts"), lambda row: row.alerts, is_sortable=True),
        Column("planned", Sentence("Plans"), lambda row: row.planned, is_sortable=True),
    ],
)

SMALL: Listing[SectionDemand] = Listing(
    "small-sections", [*SECTIONS.columns[:5], *SECTIONS.columns[6:]], default_sort=Sort("taken")
)

CONFLICTS: Listing[PlanConflict] = Listing(
    "conflicting-plans",
    [
        Column("one", Sentence("Section"), lambda row: section_name(row.one), url=lambda row: section_url(row.one)),
        Column(
            "other",
            Sentence("Conflicts with"),
            lambda row: section_name(row.other),
            url=lambda row: section_url(row.other),
        ),
        Column("when", Sentence("When"), lambda row: value_text((row.meeting,))),
        Column("students", Sentence("Students who plan both"), lambda row: row.students),
    ],
)


async def subjects(choice: Choice) -> ReportContent[SubjectDemand]:
    """Show fill and demand by subject."""
    found, as_of = await _demand(choice)
    rows = service.by_subject(_included(choice, found.rows))
    totals = [
        (Sentence("seats"), sum(row.seats for row in rows)),
        (Sentence("taken"), sum(row.taken for row in rows)),
        (Sentence("open"), sum(row.open for row in rows)),
        (Sentence("full sections"), sum(row.full for row in rows)),
        (Sentence("waiting"), sum(row.waiting for row in rows)),
        (Sentence("alerts"), sum(row.alerts for row in rows)),
        (Sentence("planned"), sum(row.planned for row in rows)),
    ]
    largest = sorted(rows, key=lambda row: -_demand_of(choice, row))
    bars = [
        _bar(choice, str(_subject_name(row.subject)), row.taken, row.open, row.waiting, row.planned) for row in largest
    ]
    charts = _demand_chart(choice, Sentence("Seats and demand by subject"), bars)
    return ReportContent(SUBJECTS, sort_rows(SUBJECTS, rows), charts, totals, as_of, str(found.computed_at))


async def sections(choice: Choice) -> ReportContent[SectionDemand]:
    """Show fill and demand by section."""
    found, as_of = await _demand(choice)
    rows = _included(choice, found.rows)
    wanted = sorted(rows, key=lambda row: (-(row.section.waiting + row.alerts + row.planned), row.section.key))
    bars = [
        _bar(
            choice,
            section_name(row.section.key),
            row.section.seats_taken,
            row.section.open_seats,
            row.section.waiting,
            row.planned,
        )
        for row in wanted[:MAX_BARS]
    ]
    charts = _demand_chart(choice, Sentence("The sections with the most demand"), bars)
    return ReportContent(SECTIONS, sort_rows(SECTIONS, rows), charts, (), as_of, str(found.computed_at))


async def small(choice: Choice) -> ReportContent[SectionDemand]:
    """Show the sections with few students."""
    found, as_of = await _demand(choice)
    rows = _included(choice, found.rows)
    limit = int(choice.form.students.data)
    sizes = Counter(next(first for first, last in reversed(SIZES) if row.section.seats_taken >= first) for row in rows)
    bars = [Bar(_size_name(first, last), (sizes[first],)) for first, last in SIZES] if rows else []
    charts = bar_chart(Sentence("Sections by number of students"), [Sentence("sections")], bars)
    few = [row for row in rows if row.section.seats_taken < limit]
    return ReportContent(SMALL, sort_rows(SMALL, few), charts, (), as_of, str(found.computed_at))


async def conflicts(choice: Choice) -> ReportContent[PlanConflict]:
    """Show the sections that students plan together although they are at the same time."""
    compute = partial(service.plan_conflicts, database(), choice.offered, choice.term)
    found, as_of = await cached(("conflicts", choice.term.term), compute)
    subjects = {course.courseID: course.subject for course in choice.offered.courses}
    rows = [row for row in found.rows if any(choice.includes(subjects.get(key.courseID, "")) for key in row[:2])]
    bars = [Bar(f"{section_name(row.one)} + {section_name(row.other)}", (row.students,)) for row in rows[:MAX_BARS]]
    charts = bar_chart(Sentence("Planned together, but at the same time"), [Sentence("students")], bars)
    return ReportContent(CONFLICTS, rows, charts, (), as_of, str(found.computed_at))


async def _demand(choice: Choice) -> tuple[CachedReport[SectionDemand], datetime]:
    compute = partial(service.section_demand, database(), choice.offered, choice.term)
    return await cached(("demand", choice.term.term), compute)


def _included(choice: Choice, rows: Sequence[SectionDemand]) -> list[SectionDemand]:
    return [row for row in rows if choice.includes(row.course.subject)]


def _demand_of(choice: Choice, row: SubjectDemand) -> int:
    return row.planned if _is_to_come(choice) else row.taken + row.waiting


def _is_to_come(choice: Choice) -> bool:
    """Return whether the term has not opened: until then, plans are what shows the demand."""
    return now() < choice.term.opens_at


def _bar(choice: Choice, label: str, taken: int, free: int, waiting: int, planned: int) -> Bar:
    return Bar(label, (planned,) if _is_to_come(choice) else (taken, free, waiting))


def _demand_chart(choice: Choice, title: Sentence, bars: Sequence[Bar]) -> list[BarChart]:
    return bar_chart(title, [PLANNED] if _is_to_come(choice) else [TAKEN, OPEN, WAITING], bars)


def _subject_name(subject: str) -> str | Sentence:
    return subject or Sentence("No subject")


def _size_name(first: int, last: int | None) -> str:
    return f"{first}+" if last is None else str(first) if first == last else f"{first}–{last}"
