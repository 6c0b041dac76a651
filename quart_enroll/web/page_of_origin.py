"""Find the page that a form was on.

A form in a school's own template was written for the Flask site and may name no term: then the term of its page counts.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from quart import current_app, request
from werkzeug.exceptions import HTTPException

from quart_enroll.domain import terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionRequest
from quart_enroll.web.templating import is_overridden

LISTS_OF_SECTIONS = {"courses", "course", "plan", "enrollment"}
"""The endpoints of pages with buttons for several sections."""

MAX_TERM_LENGTH = 100
"""Longest name of a term that a form or a URL may have, in characters."""


def with_page_term(section_request: SectionRequest, offered: Catalog | None) -> SectionRequest:
    """Return the request with the term of the page that the form is on, if the form doesn't name one.

    A form names no term if it sends none, or if it sends the course's own "Fall, Spring".
    """
    if section_request.term:
        course = offered.find(section_request.courseID) if offered else None
        is_own_text = course is not None and section_request.term == course.term.strip()
        if not offered or not is_own_text or len(terms.named(section_request.term, offered.terms)) == 1:
            return section_request
    return replace(section_request, term=term_of_page())


def term_of_page() -> str:
    """Return the term of the page that the request comes from; empty if that isn't a page of a term on this site."""
    _, endpoint, values = _page_of_origin()
    named = str(values.get("term", "")) if endpoint == "courses" else ""
    return named if len(named) <= MAX_TERM_LENGTH else ""


def url_of_list() -> str:
    """Return the URL of the page that the request comes from, with its query; empty if that lists no sections.

    A page that asks for confirmation names the page before it as `back`. A school's own template has no place to return
    to.
    """
    before = _page_before()
    page, endpoint, _ = _find_page(before) if before else _page_of_origin()
    if page is None or endpoint not in LISTS_OF_SECTIONS or is_overridden(f"{endpoint}.html"):
        return ""
    return urlunsplit(("", "", page.path, page.query, ""))


def _page_before() -> SplitResult | None:
    try:
        before = urlsplit(request.args.get("back", ""))
    except ValueError:
        return None
    is_path = before.path.startswith("/") and not before.path.startswith("//")
    return before if is_path and not before.scheme and not before.netloc else None


def _page_of_origin() -> tuple[SplitResult | None, str, Mapping[str, Any]]:
    """Return the page that the request comes from, its endpoint and the values in its path, if it is on this site."""
    try:
        page = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return None, "", {}
    return _find_page(page) if (page.scheme, page.netloc) == (request.scheme, request.host) else (None, "", {})


def _find_page(page: SplitResult) -> tuple[SplitResult | None, str, Mapping[str, Any]]:
    """Return the page, its endpoint and the values in its path, if it is one of the site's."""
    try:
        adapter = current_app.create_url_adapter(request)
        if adapter is None:
            return None, "", {}
        endpoint, values = adapter.match(unquote(page.path), method="GET")
    except HTTPException:
        return None, "", {}
    return page, str(endpoint), values
