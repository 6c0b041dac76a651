"""The catalog of a term, looked through; and one course of it."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quart import current_app, request

from quart_enroll.bounded_cache import size_of
from quart_enroll.domain import search, terms
from quart_enroll.domain.catalog import Catalog, CourseSections
from quart_enroll.domain.models import Term
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.fastpath.per_catalog import cached_per_catalog
from quart_enroll.fastpath.response_cache import cache_private, cache_public
from quart_enroll.forms.search import SearchForm
from quart_enroll.pages import student_state
from quart_enroll.pages.catalog.course_rows import ROW_BYTES, SECTION_BYTES, Common, Row, common, row_bytes, since
from quart_enroll.pages.catalog.course_rows import rows as own_rows
from quart_enroll.pages.paging import Page, address, page_of, wanted
from quart_enroll.pages.student_state import Standing
from quart_enroll.pages.term_window import window
from quart_enroll.state import catalog, now
from quart_enroll.web import auth
from quart_enroll.web.templating import is_overridden, render

PAGE = 25
"""Courses on a page."""


@dataclass(frozen=True, slots=True)
class Looser:
    """A search with one wish less: how many courses it finds, and where."""

    label: str
    total: int
    address: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Which part of what was found is shown, and whether to somebody who is signed in."""

    signed_in: bool
    number: int
    size: int


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What an address asks of a catalog, and what it finds. `used` are the wishes that narrow the search, each with
    what to call it. Equal only to itself; `mark` stands for it in cache keys, where all results would be too large."""

    form: SearchForm
    found: Sequence[CourseSections]
    used: Mapping[str, str]
    filtered: bool
    mark: object = field(default_factory=object)


LOOK_BYTES = 40_000
"""Bytes of a search besides its results: its form, with choices of subjects and credits."""

PAGE_BYTES = 500
"""Bytes of a page besides its rows."""


def _look_size(key: object, look: Look) -> int:
    ours = sum(100 + 8 * len(one.sections) for one in look.found)  # courses of which only some sections match
    return size_of(key) + LOOK_BYTES + ours


def _page_size(_: object, page: Page[Common]) -> int:
    return PAGE_BYTES + sum(map(row_bytes, page.items))


def _rows_size(key: tuple[str, tuple[str, datetime, object, StudentSnapshot | None]], rows: Sequence[Row]) -> int:
    known = key[1][-1]
    return PAGE_BYTES + (known.size if known else 0) + sum(ROW_BYTES + SECTION_BYTES * len(one.choices) for one in rows)


def _page_key(name: str, begun: datetime, look: Look, shown: Shown) -> Hashable:
    return name, begun, look.mark, shown


def _rows_key(name: str, begun: datetime, page: Page[Common], known: StudentSnapshot | None) -> Hashable:
    return name, begun, page.mark, known


async def courses(term: str | None = None) -> bytes:
    moment = now()
    offered = await catalog()
    coming = offered.active_terms(moment)
    chosen = terms.find(term, coming, moment) if term else offered.current_term(moment)
    if chosen is None:  # a school without terms
        return render("courses.html", courses=True, course_data=[], term="", terms=[], rows=[])
    look = _look(offered, chosen.term, SearchForm.asked(request.args))
    user = auth.user()
    known = await student_state.facts(user.user_id) if user else None
    page, rows, stays = await _shown(offered, chosen, look, moment, known)
    shown = [str(known) for known in coming]
    # A page of what fits is nobody else's.
    is_own = look.form.fits.data or not rows
    fragment_key = None if is_own else (look.mark, request.path, page.number, *(one.key for one in rows))
    closed = window(chosen, moment)
    # Who counts down to the opening has a clock of its own, and a school's own templates may show what they like.
    if auth.user() is None and not (closed and closed.opens) and not current_app.config["TEMPLATE_OVERRIDES"]:
        cache_public(moment, offered)
    if stays and known and not (closed and closed.opens):
        cache_private(moment, offered, known)
    return render(
        "courses.html",
        courses=True,
        course_data=[one.course for one in rows],
        term=str(chosen),
        terms=shown,
        rows=rows,
        fragment_key=fragment_key,
        window=closed,
        look=look,
        page=page,
        sign=known.fingerprint if known else "",
        address=address,
        looser=[] if rows else await _looser(offered, chosen, look),
    )


@cached_per_catalog("searches", _look_size)
def _look(offered: Catalog, name: str, asked: tuple[tuple[str, str], ...]) -> Look:
    """Look through the term of that name; what many ask of the same catalog is found once."""
    term = _term(offered, name)
    form = SearchForm.from_address(asked, search.subjects(offered, term), search.credits(offered, term))
    used, wanted = form.used(), form.wanted()
    return Look(form, search.search(offered, term, wanted), used, bool(used.keys() - {"q"} or wanted.sort))


async def _shown(
    offered: Catalog, term: Term, look: Look, moment: datetime, known: StudentSnapshot | None
) -> tuple[Page[Common], Sequence[Row], bool]:
    """Return the page that is asked for, its rows as the visitor sees them of whom that is `known`, and whether these
    depend on nothing of the visitor's besides."""
    user, begun = auth.user(), since(term, moment)
    part = Shown(user is not None, *_page_wanted(len(look.found)))
    if look.form.fits.data:
        mine = await student_state.in_term(user, term, offered, known)
        page = _page(term, begun, search.fitting(look.found, term, mine.enrolled), part)
        return page, own_rows(term, page.items, mine, begun), False
    page = _in_common(offered, term.term, begun, look, part)
    if known and any(one.key.term == term.term for one in known.waiting):  # the lines move by themselves
        mine = await student_state.in_term(user, term, offered, known)
        return page, own_rows(term, page.items, mine, begun), False
    return page, _same_rows(offered, term.term, begun, page, known), True


@cached_per_catalog("pages of rows", _page_size, _page_key)
def _in_common(offered: Catalog, name: str, begun: datetime, look: Look, shown: Shown) -> Page[Common]:
    """Return a page of results, with nothing of one student's own on it."""
    return _page(_term(offered, name), begun, look.found, shown)


@cached_per_catalog("rows of a student", _rows_size, _rows_key)
def _same_rows(
    offered: Catalog, name: str, begun: datetime, page: Page[Common], known: StudentSnapshot | None
) -> Sequence[Row]:
    """Return the rows of a page for who looks at it again, or of a visitor's page; a student's own may be 100 kB."""
    term = _term(offered, name)
    mine = student_state.of(known, term, offered) if known else Standing()
    return own_rows(term, page.items, mine, begun)


def _term(offered: Catalog, name: str) -> Term:
    return next(one for one in offered.terms if one.term == name)


def _page(term: Term, begun: datetime, found: Sequence[CourseSections], shown: Shown) -> Page[Common]:
    page = page_of(found, shown.number, shown.size)
    rows = [common(term, one, begun, signed_in=shown.signed_in) for one in page.items]
    return Page(rows, page.number, page.last, page.total)


def _page_wanted(total: int) -> tuple[int, int]:
    """Return the number of the page that is asked for, from 1 to the last one, and how many courses one has."""
    # A school's own template knows no pages: it gets everything.
    size = total if is_overridden("courses.html") else PAGE
    return wanted(total, size), size


async def _looser(offered: Catalog, term: Term, look: Look) -> list[Looser]:
    """Return the searches with one wish less that find something."""
    mine = await student_state.in_term(auth.user(), term, offered)
    looser = []
    for name, label in look.used.items():
        found = search.search(offered, term, look.form.wanted(without=name))
        if look.form.fits.data and name != "fits":
            found = search.fitting(found, term, mine.enrolled)
        if found:
            looser.append(Looser(label, len(found), address(**{name: None})))
    return looser
