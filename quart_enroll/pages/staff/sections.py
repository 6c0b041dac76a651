"""The list of sections, as far as the person may see them."""

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from quart import Response, request, url_for
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from quart_enroll.domain import permissions
from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Course, Section, SectionKey, Term, User
from quart_enroll.domain.pools import to_text
from quart_enroll.domain.roles import Role
from quart_enroll.domain.section_edits import CONSENT_NAMES, STATUS_NAMES
from quart_enroll.forms.staff.sections import SectionListForm
from quart_enroll.i18n.language import Sentence, TermName, gettext
from quart_enroll.pages.paging import page_of, page_url, requested_page
from quart_enroll.pages.staff.effects import section_name, value_text
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, R, export, requested_format
from quart_enroll.services.staff import sections as service
from quart_enroll.state import catalog, database, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

EXPORT_BATCH = 500
"""Rows of a file that are written at a time."""


class SectionRow(NamedTuple):
    """A section with its course."""

    course: Course
    section: Section


def section_url(key: SectionKey, endpoint: str = "staff_section") -> str:
    """Return the URL of the page about a section, or of another one, such as its roster."""
    return url_for(endpoint, term=key.term, courseID=key.courseID, section=key.section)


def _times_on_lines(row: SectionRow) -> str:
    """Return each meeting on a line of its own."""
    return "\n".join(map(str, row.section.meetings)) or gettext("No fixed times")


LISTING: Listing[SectionRow] = Listing(
    "sections",
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
        Column("term", Sentence("Term"), lambda row: row.section.term, only_in_files=True),
        Column("times", Sentence("Times"), lambda row: value_text(row.section.meetings), only_in_files=True),
        Column("lines", Sentence("Times"), _times_on_lines, only_on_pages=True),
        Column("room", Sentence("Room"), lambda row: row.section.room, only_in_files=True),
        Column("instructor", Sentence("Instructor"), lambda row: row.section.instructor, is_sortable=True),
        Column("capacity", Sentence("Capacity"), lambda row: row.section.capacity, is_sortable=True),
        Column("enrolled", Sentence("Enrolled"), lambda row: row.section.seats_taken, is_sortable=True),
        Column("waiting", Sentence("Waiting"), lambda row: row.section.waiting, is_sortable=True),
        Column("status", Sentence("Status"), lambda row: STATUS_NAMES[row.section.status], is_sortable=True),
        Column("restriction", Sentence("Restrictions"), lambda row: row.section.restriction, only_in_files=True),
        Column("pools", Sentence("Reserved seats"), lambda row: to_text(row.section.pools), only_in_files=True),
        Column(
            "consent",
            Sentence("Consent to enroll"),
            lambda row: CONSENT_NAMES[row.section.consent] if row.section.needs_consent else "",
            only_in_files=True,
        ),
        Column(
            "roster",
            Sentence("Students"),
            lambda _: Sentence("Roster"),
            url=lambda row: section_url(row.section.key, "staff_roster"),
            only_on_pages=True,
        ),
    ],
)


async def sections() -> RenderedPage | Response:
    offered = await catalog()
    form = SectionListForm(request.args)
    term = _chosen_term(offered.terms, form, offered.current_term(now()))
    found = await service.find_offered(database(), term.term) if term else []
    readable = _readable(auth.signed_in(), found)
    subjects = sorted({row.course.subject for row in readable} - {""})
    form.subject.choices = [SelectChoice("", gettext("Any")), *(SelectChoice(one, one) for one in subjects)]
    rows = sort_rows(LISTING, [row for row in readable if _is_wanted(row, form)])
    if requested_format():
        return await export(LISTING, in_batches(rows))
    page = page_of(rows, requested_page(len(rows), ROWS_PER_PAGE), ROWS_PER_PAGE)
    return render_staff(
        "staff/sections.html",
        "staff_sections",
        form=form,
        listing=LISTING,
        page=page,
        page_url=page_url,
        term=term,
        can_add=_can_add(auth.signed_in()),
    )


def _can_add(staff: User) -> bool:
    """Return whether the person may add sections, to some course at least."""
    return not staff.roles.isdisjoint((Role.REGISTRAR, Role.SCHEDULER))


def _chosen_term(terms: Sequence[Term], form: SectionListForm, current: Term | None) -> Term | None:
    """Return the term of the URL, or else the current one; fill in the choices."""
    form.term.choices = [SelectChoice(term.term, str(TermName(term.term))) for term in reversed(terms)]
    term = next((one for one in terms if one.term == form.term.data), current)
    form.term.data = term.term if term else ""
    return term


def _readable(staff: User, found: Sequence[tuple[Course, Section]]) -> list[SectionRow]:
    return [
        SectionRow(course, section)
        for course, section in found
        if permissions.can_read_section(staff, course.subject, section.instructors)
    ]


def _is_wanted(row: SectionRow, form: SectionListForm) -> bool:
    section = row.section
    text = fold(f"{section_name(section.key)} {row.course.title} {section.instructor} {section.room}")
    match form.seats.data:
        case "open":
            has_seats = section.open_seats > 0
        case "full":
            has_seats = section.seats_taken >= section.capacity
        case "waiting":
            has_seats = section.waiting > 0
        case _:
            has_seats = True
    return (
        has_seats
        and form.subject.data in (None, "", row.course.subject)
        and form.status.data in (None, "", section.status)
        and all(word in text for word in fold(form.q.data or "").split())
    )


def sort_rows(listing: Listing[R], rows: list[R]) -> list[R]:
    """Return the rows in the order that the URL asks for; without one, as they are."""
    sort = listing.sort
    column = next((one for one in listing.columns if one.key == sort.key), None)
    if column is None:
        return rows

    def key(row: R) -> tuple[float, str]:
        value = column.read(row)
        return (value, "") if isinstance(value, int | float) else (0, str(value or "").casefold())

    return sorted(rows, key=column.order or key, reverse=sort.descending)


async def in_batches(rows: Sequence[R]) -> AsyncGenerator[Sequence[R], None]:
    """Yield the rows of a file in batches."""
    for start in range(0, len(rows), EXPORT_BATCH):
        yield rows[start : start + EXPORT_BATCH]
