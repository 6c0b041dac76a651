"""What the pages of the audit log and the access log have in common: columns, filters, pages and files."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from quart import Response, abort, current_app, request

from quart_enroll.domain.audit import About, LogFilter
from quart_enroll.forms.staff.logs import AccessLogForm
from quart_enroll.i18n.language import Sentence, TermName, Value, gettext
from quart_enroll.pages.paging import page_url
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, R, export, requested_format
from quart_enroll.services.staff import named_entries
from quart_enroll.services.staff.named_entries import NamedEntry
from quart_enroll.state import database
from quart_enroll.web.compression import RenderedPage

FindPage = Callable[[LogFilter, str, int], Awaitable[tuple[Sequence[R], str]]]
LogResponse: TypeAlias = RenderedPage | tuple[RenderedPage, int] | Response
FindAll = Callable[[LogFilter], AsyncGenerator[list[R], None]]


def time_column() -> Column[NamedEntry[Any]]:
    """Return the column of the time."""
    return Column("at", Sentence("Time"), lambda row: row.entry.at)


def actor_columns() -> Sequence[Column[NamedEntry[Any]]]:
    """Return the columns of the person who did it."""
    return _person_columns("actor", Sentence("Done by"), lambda row: (row.entry.actor, row.actor_name))


def person_columns() -> Sequence[Column[NamedEntry[Any]]]:
    """Return the columns of the person it is about."""
    return _person_columns("person", Sentence("Person"), lambda row: (row.entry.user_id, row.person_name))


def _person_columns(
    key: str, label: Sentence, person: Callable[[NamedEntry[Any]], tuple[int | None, str]]
) -> Sequence[Column[NamedEntry[Any]]]:
    """Return a column with the name, which leads to the other entries of the person, and for files one with the ID."""

    def name(row: NamedEntry[Any]) -> str | Sentence:
        user_id, name = person(row)
        if user_id is None or name:
            return name
        return Sentence("Deleted account %(user_id)s", user_id=str(user_id))

    def url(row: NamedEntry[Any]) -> str:
        user_id, _ = person(row)
        return "" if user_id is None else page_url(**{key: user_id}, before=None)

    id_label = Sentence("%(column)s (ID)", column=label)
    return [
        Column(key, label, name, url=url),
        Column(f"{key}_id", id_label, lambda row: person(row)[0], only_in_files=True),
    ]


def about_text(about: About | None, titles: Mapping[str, str]) -> str | Sentence:
    """Return what an entry is about; `titles` are those of the courses by courseID."""
    if about is None:
        return ""
    where: dict[str, Value] = {
        "title": titles.get(about.courseID, about.courseID),
        "section": about.section,
        "term": TermName(about.term),
    }
    if about.section:
        return Sentence("%(title)s, section %(section)s, %(term)s", **where)
    return about.name or titles.get(about.courseID, about.courseID) or str(TermName(about.term))


async def log_page(
    template: str, listing: Listing[R], form: AccessLogForm, find_page: FindPage[R], find_all: FindAll[R]
) -> LogResponse:
    """Return the page of a log, or the log as a file if the URL asks for one."""
    form.validate()
    user_ids = await _find_people(form)
    endpoint = request.endpoint or ""
    facts = {"form": form, "listing": listing, "page_url": page_url, "timezone": current_app.config["TIMEZONE"]}
    if form.errors:
        return render_staff(template, endpoint, rows=[], earlier="", **facts), 422
    wanted = form.wanted(user_ids)
    if requested_format():
        return await export(listing, find_all(wanted))
    try:
        rows, earlier = await find_page(wanted, request.args.get("before", ""), ROWS_PER_PAGE)
    except ValueError:
        abort(404)
    return render_staff(template, endpoint, rows=rows, earlier=earlier, **facts)


async def _find_people(form: AccessLogForm) -> dict[str, int]:
    """Return the user_ids of the people in the form; where there is nobody, the form shows the error."""
    found = {}
    for name, text in form.people.items():
        user_id = await named_entries.find_person(database(), text)
        if user_id is None:
            form[name].errors = [gettext("No account has this email or ID.")]
        else:
            found[name] = user_id
    return found
