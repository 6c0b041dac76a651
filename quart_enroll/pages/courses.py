"""The catalog of a term, looked through; and one course of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from quart import request, url_for
from werkzeug.datastructures import MultiDict

from quart_enroll import auth
from quart_enroll.context import catalog, now
from quart_enroll.forms.search import SearchForm
from quart_enroll.models import Term
from quart_enroll.pages import choices, standing
from quart_enroll.pages.choices import Choice
from quart_enroll.pages.standing import Standing
from quart_enroll.pages.windows import window
from quart_enroll.rendering import is_overridden, render
from quart_enroll.services import search, terms
from quart_enroll.services.catalog import Catalog
from quart_enroll.services.search import Found, Search

PAGE = 25
"""Courses on a page."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many: page `number` of `last`, from 1."""

    items: Sequence[T]
    number: int
    last: int
    total: int


@dataclass(frozen=True, slots=True)
class Looser:
    """A search with one wish less: how many courses it finds, and where."""

    label: str
    total: int
    address: str


async def courses(term: str | None = None) -> str:
    moment = now()
    offered = await catalog()
    coming = offered.coming(moment)
    chosen = terms.find(term, coming, moment) if term else offered.current_term(moment)
    if chosen is None:  # a school without terms
        return render("courses.html", courses=True, course_data=[], term="", terms=[], choices={})
    form = SearchForm.from_address(search.subjects(offered, chosen), search.credits(offered, chosen))
    mine = await standing.in_term(auth.user(), chosen, offered)
    found = _found(offered, chosen, form.wanted(), mine if form.fits.data else None)
    # A school's own template knows no pages: it gets everything.
    page = page_of(found, form.page(), len(found) if is_overridden("courses.html") else PAGE)
    return render(
        "courses.html",
        courses=True,
        course_data=[one.course for one in page.items],
        term=str(chosen),
        terms=[str(known) for known in coming],
        choices={one.course.courseID: _choices(chosen, one, mine, moment) for one in page.items},
        window=window(chosen, moment),
        form=form,
        page=page,
        address=_address,
        used=form.used(),
        filtered=bool(form.used().keys() - {"q"} or form.wanted().sort),
        looser=[] if found else _looser(offered, chosen, form, mine),
    )


def page_of(items: Sequence[T], number: int, size: int) -> Page[T]:
    """Return that page; past the last one, the last."""
    last = max(1, -(-len(items) // max(1, size)))
    number = min(number, last)
    return Page(items[(number - 1) * size : number * size], number, last, len(items))


def _found(offered: Catalog, term: Term, wanted: Search, mine: Standing | None) -> Sequence[Found]:
    """Return what is wanted; of that what fits to what the student has, if `mine` tells."""
    found = search.search(offered, term, wanted)
    return found if mine is None else search.fitting(found, term, mine.enrolled)


def _choices(term: Term, one: Found, mine: Standing, moment: datetime) -> list[Choice]:
    return choices.of_course(term, one.course, one.sections, mine, moment)


def _looser(offered: Catalog, term: Term, form: SearchForm, mine: Standing) -> list[Looser]:
    """Return the searches with one wish less that find something."""
    looser = []
    for name, label in form.used().items():
        fits = form.fits.data and name != "fits"
        total = len(_found(offered, term, form.wanted(without=name), mine if fits else None))
        if total:
            looser.append(Looser(label, total, _address(**{name: None})))
    return looser


def _address(**changed: Any) -> str:
    """Return the address of this page with other values; None takes one out. The page number never stays."""
    kept = MultiDict((name, value) for name, value in request.args.items(multi=True) if value and name != "page")
    for name, value in changed.items():
        kept.poplist(name)
        if value is not None:
            kept[name] = str(value)
    path = url_for("courses", **(request.view_args or {}))
    return f"{path}?{urlencode(list(kept.items(multi=True)))}" if kept else path
