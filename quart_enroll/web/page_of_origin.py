"""The forms of a school's own templates, which were written for the Flask site, and the terms they mean."""

from dataclasses import replace
from urllib.parse import unquote, urlsplit

from quart import current_app, request
from werkzeug.exceptions import HTTPException

from quart_enroll.domain import terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionRequest

MAX_TEXT = 100
"""Longest name of a term that a form or a URL may have, in characters."""


def meant(wish: SectionRequest, offered: Catalog | None) -> SectionRequest:
    """Return the wish with the term of the page that its button is on, if the form doesn't name one.

    A form names no term if it sends none, or if it sends the course's own "Fall, Spring".
    """
    if wish.term:
        course = offered.find(wish.courseID) if offered else None
        is_own_text = course is not None and wish.term == course.term.strip()
        if not offered or not is_own_text or len(terms.named(wish.term, offered.terms)) == 1:
            return wish
    return replace(wish, term=term_of_page())


def term_of_page() -> str:
    """Return the term of the page that the request comes from; empty if that isn't a page of a term on this site."""
    try:
        page = urlsplit(request.headers.get("Referer", ""))
        adapter = current_app.create_url_adapter(request)
        if adapter is None or (page.scheme, page.netloc) != (request.scheme, request.host):
            return ""
        endpoint, values = adapter.match(unquote(page.path), method="GET")
    except (ValueError, HTTPException):  # not a URL at all, or one without a page
        return ""
    named = str(values.get("term", "")) if endpoint == "courses" else ""
    return named if len(named) <= MAX_TEXT else ""
