"""Lists of the staff pages: their columns, how they are sorted, and the same rows as a file."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from quart import Response, current_app, request

from quart_enroll.domain.errors import PleaseWait
from quart_enroll.domain.models import day_ending_at
from quart_enroll.fastpath import streaming
from quart_enroll.i18n.language import (
    Sentence,
    current_language,
    format_day,
    format_timestamp,
    format_value,
    use_language,
)
from quart_enroll.pages.paging import page_url
from quart_enroll.services.staff import audit
from quart_enroll.services.staff.spreadsheets import FORMATS, Cell
from quart_enroll.state import database, download_limiter, now
from quart_enroll.web import auth
from quart_enroll.web.request import current_request

R = TypeVar("R")
Value: TypeAlias = str | int | float | datetime | Sentence | None

ROWS_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """A column: its `key` in the URL, its label, and how to `read` its value from a row.

    `url` returns where a value leads, or an empty text. `only_on_pages` and `only_in_files` are for values that are
    together on the page and in columns of their own in files. `is_end` is for a moment at which something ends: the
    page names the last day if it ends with a day. `order` is what rows are sorted by, if not by the value.
    """

    key: str
    label: Sentence
    read: Callable[[R], Value]
    _: KW_ONLY
    url: Callable[[R], str] = lambda _: ""
    is_sortable: bool = False
    only_on_pages: bool = False
    only_in_files: bool = False
    is_end: bool = False
    order: Callable[[R], Any] | None = None

    def text(self, row: R) -> str:
        """Return the value as text for the page."""
        value = self.read(row)
        if isinstance(value, datetime):
            last_day = day_ending_at(value, _school().key) if self.is_end else None
            return format_day(last_day) if last_day else format_timestamp(value, _school().key)
        return "" if value is None else format_value(value)

    def cell(self, row: R, zone: ZoneInfo) -> Cell:
        """Return the value for a file, with times in the timezone."""
        value = self.read(row)
        if isinstance(value, datetime):
            return value.astimezone(zone).replace(tzinfo=None)
        return str(value) if isinstance(value, Sentence) else value


class Sort(NamedTuple):
    """The key of the column by which a list is sorted, and the direction."""

    key: str
    descending: bool = False


UNSORTED = Sort("")
"""The order of a list that can't be sorted."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[R]):
    """A list: the `name` of its files, and its columns, of which the first names the row.

    If rows can be selected, `select` returns the value of the box.
    """

    name: str
    columns: Sequence[Column[R]]
    default_sort: Sort = UNSORTED
    select: Callable[[R], str] | None = None

    @property
    def shown(self) -> Sequence[Column[R]]:
        """The columns on the page."""
        return [column for column in self.columns if not column.only_in_files]

    @property
    def exported(self) -> Sequence[Column[R]]:
        """The columns in files."""
        return [column for column in self.columns if not column.only_on_pages]

    @property
    def sort(self) -> Sort:
        """The order that the URL asks for with `sort=key`, or `sort=-key` for the reverse; by default, its own."""
        text = request.args.get("sort", "")
        asked = Sort(text.removeprefix("-"), text.startswith("-"))
        is_known = any(column.is_sortable and column.key == asked.key for column in self.columns)
        return asked if is_known else self.default_sort

    def sort_url(self, column: Column[R]) -> str:
        """Return the URL of the list sorted by the column, in reverse if it already is."""
        return page_url(sort=f"-{column.key}" if self.sort == Sort(column.key) else column.key, format=None)

    def file_urls(self, **parameters: str) -> Sequence[tuple[str, str]]:
        """Return the name of each file format, and the URL of the list in it with the same filters, or with more."""
        return [(name.upper(), page_url(format=name, before=None, **parameters)) for name in FORMATS]


def requested_format() -> str:
    """Return the file format that the URL asks for; empty for the page."""
    asked = request.args.get("format", "")
    return asked if asked in FORMATS else ""


async def export(listing: Listing[R], batches: AsyncGenerator[Sequence[R], None]) -> Response:
    """Return the rows as a file in the requested format, and record that they were exported.

    The route must not have `shows_notices`, with which a view may run twice. Raises PleaseWait for someone who exports
    one list after the other.
    """
    staff = auth.signed_in()
    if wait := download_limiter().take(staff.user_id):
        raise PleaseWait(timedelta(seconds=wait))
    format = requested_format()
    content_type, make_pieces = FORMATS[format]
    header = [str(column.label) for column in listing.exported]
    # Before anything is sent, a page can still say that the database is unavailable. After that, the file just ends.
    rows = _cells(listing, await anext(batches, []), batches, current_language(), _school())
    await audit.record_export(database(), staff.user_id, current_request().full_path, now())
    response = streaming.stream_response(make_pieces(header, rows), content_type)
    day = now().astimezone(_school()).date()
    response.headers.set("Content-Disposition", "attachment", **_file_names(f"{listing.name}-{day}.{format}"))
    return response


def _file_names(name: str) -> dict[str, str]:
    """Return the parameters of a header with the name of a file: headers are in ASCII, names of courses may not be."""
    if name.isascii():
        return {"filename": name}
    return {"filename": name.encode("ascii", "replace").decode(), "filename*": f"UTF-8''{quote(name, safe='')}"}


async def _cells(
    listing: Listing[R], first: Sequence[R], others: AsyncGenerator[Sequence[R], None], language: str, zone: ZoneInfo
) -> AsyncGenerator[Sequence[Sequence[Cell]], None]:
    """Yield the cells of each batch in the language, which the request that asked for them no longer knows."""

    columns = listing.exported

    def cells(rows: Sequence[R]) -> Sequence[Sequence[Cell]]:
        with use_language(language):
            return [[column.cell(row, zone) for column in columns] for row in rows]

    async with aclosing(others):
        yield cells(first)
        async for rows in others:
            yield cells(rows)


def _school() -> ZoneInfo:
    return ZoneInfo(current_app.config["TIMEZONE"])
