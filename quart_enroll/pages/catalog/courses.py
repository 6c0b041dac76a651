"""The catalog of a term: search, filters, pages of results."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from quart import current_app, request

from quart_enroll.bounded_cache import size_of
from quart_enroll.domain import search, terms
from quart_enroll.domain.catalog import Catalog, CourseSections
from quart_enroll.domain.filter_choices import FilterChoices
from quart_enroll.domain.models import Term
from quart_enroll.domain.search_words import match_words
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.fastpath.per_catalog import cached_per_catalog
from quart_enroll.fastpath.response_cache import cache_public
from quart_enroll.forms.search import SearchForm
from quart_enroll.pages import hold_banner, student_state
from quart_enroll.pages.catalog import own_week
from quart_enroll.pages.catalog.course_rows import (
    RowPage,
    RowRenderer,
    last_boundary,
    personal_rows,
    row_bytes,
    shared_row,
)
from quart_enroll.pages.paging import page_of, page_url, requested_page
from quart_enroll.pages.student_state import StudentState, WaitlistedSection
from quart_enroll.pages.term_window import closed_window
from quart_enroll.state import catalog, now, past_catalog
from quart_enroll.web import auth
from quart_enroll.web.templating import is_overridden, render, render_frame

COURSES_PER_PAGE = 25

CATALOG_SEARCH_BYTES = 40_000
"""Bytes of a search besides its results: its form, with choices of subjects and credits."""

PAGE_BYTES = 500
"""Bytes of a page besides its rows."""


@dataclass(frozen=True, slots=True)
class BroaderSearch:
    """The same search without one of its filters, or with nothing but that one: how many courses it finds, its URL."""

    label: str
    total: int
    url: str
    is_only: bool


class RequestedPage(NamedTuple):
    """A page of results, by number and size; rows differ between visitors and students."""

    signed_in: bool
    number: int
    size: int


@dataclass(frozen=True, eq=False, slots=True)
class CatalogSearch:
    """A search in the catalog and its results; `active_filters` are labels by parameter.

    `respelled` are the words if they were found only in another spelling; `choices` depend on the term's sections.
    Equal only to itself; `mark` stands for it in cache keys, where all results would be too large.
    """

    form: SearchForm
    found: Sequence[CourseSections]
    active_filters: Mapping[str, str]
    has_filters: bool
    respelled: str
    choices: FilterChoices
    attributes: StudentAttributes | None
    mark: object = field(default_factory=object)


def _search_size(key: object, results: CatalogSearch) -> int:
    partial = sum(100 + 8 * len(one.sections) for one in results.found)  # courses of which only some sections match
    return size_of(key) + CATALOG_SEARCH_BYTES + partial


def _page_size(_: object, page: RowPage) -> int:
    return PAGE_BYTES + sum(map(row_bytes, page.items))


def _page_key(name: str, boundary: datetime, results: CatalogSearch, requested: RequestedPage) -> Hashable:
    return name, boundary, results.mark, requested


async def courses(term: str | None = None) -> bytes:
    moment = now()
    offered = await catalog()
    user = auth.user()
    snapshot = await student_state.load_snapshot(user.user_id) if user else None
    past = student_state.past_terms(snapshot, offered, moment)
    choices = [*offered.active_terms(moment), *past]
    chosen = terms.find(term, choices, moment) if term else offered.current_term(moment)
    if chosen is None:  # a school without terms
        return render("courses.html", courses=True, course_data=[], term="", terms=[], rows=[])
    if chosen in past:
        offered = await past_catalog(chosen.term)
    parameters = SearchForm.parameters_of(request.args)
    groups = user.attributes if user and "open" in dict(parameters) and offered.has_pools else None
    results = _search(offered, chosen.term, parameters, groups)
    boundary = last_boundary(chosen, moment)
    page = await _load_page(offered, chosen, results, boundary, snapshot)
    window = closed_window(chosen, moment, snapshot)
    # The countdown to the opening needs the current time, and a school's own templates may show anything.
    if user is None and not (window and window.opens) and not current_app.config["TEMPLATE_OVERRIDES"]:
        cache_public(moment, offered)
    broader_searches = [] if page.items else await _broader_searches(offered, chosen, results)

    term_names = tuple(one.term for one in choices)

    def facts() -> dict[str, Any]:
        return {
            "courses": True,
            "course_data": [one.found.course for one in page.items],
            "term": str(chosen),
            "terms": term_names,
            "window": window,
            "results": results,
            "page": page,
            "page_url": page_url,
            "broader_searches": broader_searches,
        }

    if is_overridden("courses.html"):
        state, holds = await student_state.load(user, chosen, offered, snapshot), hold_banner.variables(snapshot)
        return render("courses.html", **facts(), rows=personal_rows(chosen, page.items, state, boundary), **holds)
    # A filter like "fits" finds other courses for each student. While seats move, nothing changes the frame: the index
    # of courses and the choices stay the same. The choices are new ones when a room or an instructor changes.
    is_shared = bool(page.items) and not results.form.is_personal
    where = request.path, request.query_string
    shown = page.number, page.total, page.courseIDs
    gaps = {"rows": await _rows(offered, chosen, page, boundary, snapshot), **(window.gaps if window else {})}
    gaps |= hold_banner.gaps(snapshot) | own_week.gaps(snapshot, chosen, offered, moment)
    key = where, offered.course_index, results.choices, boundary, window, parameters, term_names, *shown, *gaps
    if snapshot:
        gaps["fingerprint"] = [snapshot.fingerprint.encode()]
    return render_frame("courses.html", key if is_shared else None, gaps, facts)


@cached_per_catalog("searches", _search_size)
def _search(
    offered: Catalog, name: str, parameters: tuple[tuple[str, str], ...], attributes: StudentAttributes | None
) -> CatalogSearch:
    """Search the term of that name; a search that many visitors make runs once per catalog.

    With the `attributes` of a student, seats of their pools count as open.
    """
    term = _term(offered, name)
    choices = search.choices(offered, term)
    form = SearchForm.from_parameters(parameters, choices)
    active_filters, wanted = form.active_filters(), replace(form.search(), attributes=attributes)
    has_filters = bool(active_filters.keys() - {"q"} or wanted.sort)
    match = match_words(offered, term, wanted.words)
    found = search.search(offered, term, replace(wanted, sort=wanted.sort or _default_sort(wanted.words)), match)
    respelled = match.words if match.words != wanted.words else ""
    return CatalogSearch(form, found, active_filters, has_filters, respelled, choices, attributes)


def _default_sort(words: str) -> str:
    """Return the order without a choice: by number, or for words the best matches first.

    A school's own template may show the courseIDs, and has them in order.
    """
    return "" if words or is_overridden("courses.html") else "number"


async def _load_page(
    offered: Catalog, term: Term, results: CatalogSearch, boundary: datetime, snapshot: StudentSnapshot | None
) -> RowPage:
    """Return the requested page of results."""
    user = auth.user()
    requested = RequestedPage(user is not None, *_requested_page(len(results.found)))
    if not results.form.is_personal:
        return _shared_page(offered, term.term, boundary, results, requested)
    state = await student_state.load(user, term, offered, snapshot)
    return _page(term, boundary, _for_student(results.form, results.found, term, state), requested)


def _for_student(
    form: SearchForm, found: Sequence[CourseSections], term: Term, state: StudentState, without: Collection[str] = ()
) -> Sequence[CourseSections]:
    """Return what the personal filters leave for the student, `without` some of them; everything for a visitor."""
    if form.fits.data and "fits" not in without:
        found = search.fitting(found, state.own_term(term), state.enrolled)
    if form.unmet.data and "unmet" not in without and state.taken is not None:
        found = search.with_met_prerequisites(found, term, state.taken, state.enrolled, state.attributes)
    return found


async def _rows(
    offered: Catalog, term: Term, page: RowPage, boundary: datetime, snapshot: StudentSnapshot | None
) -> Sequence[bytes]:
    """Return the texts of the rows as the visitor sees them."""
    if snapshot is None:
        return [page.text]
    waiting = {entry.key.courseID for entry in snapshot.waiting if entry.key.term == term.term}
    positions: Sequence[WaitlistedSection] | None = None
    if waiting and not waiting.isdisjoint(page.courseIDs):  # they change by themselves
        positions = await student_state.load_waitlist_positions(snapshot.waiting[0].user_id, snapshot, [term])
    attributes = auth.signed_in().attributes
    return [RowRenderer(offered, term, boundary, snapshot, attributes, positions).render(page)]


@cached_per_catalog("pages of rows", _page_size, _page_key)
def _shared_page(
    offered: Catalog, name: str, boundary: datetime, results: CatalogSearch, requested: RequestedPage
) -> RowPage:
    """Return a page of results before anything personal is added."""
    return _page(_term(offered, name), boundary, results.found, requested)


def _term(offered: Catalog, name: str) -> Term:
    return next(one for one in offered.terms if one.term == name)


def _page(term: Term, boundary: datetime, found: Sequence[CourseSections], requested: RequestedPage) -> RowPage:
    page = page_of(found, requested.number, requested.size)
    rows = [shared_row(term, one, boundary, signed_in=requested.signed_in) for one in page.items]
    return RowPage(rows, page.number, page.last, page.total)


def _requested_page(total: int) -> tuple[int, int]:
    """Return the number of the requested page, from 1 to the last one, and how many courses a page has."""
    size = total if is_overridden("courses.html") else COURSES_PER_PAGE  # a school's own template has no paging
    return requested_page(total, size), size


async def _broader_searches(offered: Catalog, term: Term, results: CatalogSearch) -> list[BroaderSearch]:
    """Return the searches without one of the filters that find something, or else those with only one of them."""
    state = await student_state.load(auth.user(), term, offered)
    labels = results.active_filters

    def total(without: Collection[str]) -> int:
        found = search.search(offered, term, replace(results.form.search(without), attributes=results.attributes))
        return len(_for_student(results.form, found, term, state, without))

    def broader(name: str, without: Collection[str], *, is_only: bool) -> BroaderSearch:
        return BroaderSearch(labels[name], total(without), page_url(**dict.fromkeys(without)), is_only)

    searches = [broader(name, {name}, is_only=False) for name in labels]
    if len(labels) > 2 and not any(one.total for one in searches):
        searches = [broader(name, labels.keys() - {name}, is_only=True) for name in labels]
    return [one for one in searches if one.total]
