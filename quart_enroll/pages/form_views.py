"""Views of forms that are sent by a button: they see valid forms only, and their refusals are flashed.

Forms that people fill in show what is wrong beside their fields; see form_errors.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar
from urllib.parse import urlsplit

from quart import Response, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug import Response as Redirect

from quart_enroll.domain.errors import AlreadyEnrolled, AlreadyWaiting, Refused
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.forms.base import SiteForm
from quart_enroll.forms.enrollment import SectionRequestForm
from quart_enroll.state import catalog
from quart_enroll.web import access_log, error_pages
from quart_enroll.web.jinja_environment import section_mark
from quart_enroll.web.page_of_origin import url_of_list
from quart_enroll.web.request import wants_json

F = TypeVar("F", bound=SiteForm)
S = TypeVar("S", bound=SectionRequestForm)

View = Callable[[], Awaitable[ResponseReturnValue]]

RefusalUrl = Callable[[Refused, SectionRequest], str]
"""Returns the URL of the page that shows a refusal."""


def valid_form(form_class: type[F]) -> Callable[[Callable[[F], Awaitable[ResponseReturnValue]]], View]:
    """Call the view with the form of the request; answer 422 instead if the form is not valid."""

    def decorate(view: Callable[[F], Awaitable[ResponseReturnValue]]) -> View:
        @wraps(view)
        async def validated() -> ResponseReturnValue:
            form = await form_class.from_request()
            return await view(form) if form.validate() else await malformed(form)

        return validated

    return decorate


def section_form(
    form_class: type[S], refused_to: RefusalUrl
) -> Callable[[Callable[[S, SectionRequest], Awaitable[ResponseReturnValue]]], View]:
    """Call the view with a valid form and the section that it requests, by the course's number in the catalog.

    A refusal is flashed on the page to which `refused_to` leads.
    """

    def decorate(view: Callable[[S, SectionRequest], Awaitable[ResponseReturnValue]]) -> View:
        @valid_form(form_class)
        @wraps(view)
        async def resolved(form: S) -> ResponseReturnValue:
            requested = form.section_request()
            try:
                requested = (await catalog()).resolve(requested)
                return await view(form, requested)
            except Refused as refusal:
                return await flash_refusal(refusal, refused_to(refusal, requested))

        return resolved

    return decorate


async def malformed(form: SiteForm) -> Response:
    """Refuse a form that no button of the site sends, with the errors of each field."""
    wrong = [field for field in form if field.errors]
    sentences = [f"{field.label.text}: {' '.join(map(str, field.errors))}" for field in wrong]
    fields = {field.name: [str(error) for error in field.errors] for field in wrong}
    return await error_pages.malformed(" ".join(sentences), fields)


async def flash_refusal(refusal: Refused, url: str) -> Redirect:
    """Show the refusal on the page at `url`; programs that want JSON get the refusal itself."""
    if wants_json():
        raise refusal
    access_log.note(code=refusal.code)
    await flash(refusal.text, refusal.severity)
    return redirect(url, 303)


def to_schedule(refusal: Refused, requested: SectionRequest) -> str:
    """Return the URL of the row of the button, or of the schedule in the term of the request."""
    return row_url(requested, url_for("enrollment", term=requested.term[:100] or None))


def to_row_or_page(endpoint: str) -> RefusalUrl:
    """Return what leads to the row of the button, or to the page of that endpoint if the row is on none."""
    return lambda refusal, requested: row_url(requested, url_for(endpoint))


def to_alternatives(refusal: Refused, requested: SectionRequest) -> str:
    """Return the URL of the row of the button, or else of the form with the student's options, or of the schedule if
    nothing had to change."""
    if refusal.severity == "info" or isinstance(refusal, AlreadyEnrolled | AlreadyWaiting):
        return to_schedule(refusal, requested)
    return row_url(requested, form_url(requested))


def form_url(requested: SectionRequest) -> str:
    """Return the URL of the enrollment form for the course; texts are cut to a length that fits in a URL."""
    return url_for("enrollment_form", courseID=requested.courseID[:100], term=requested.term[:100])


def row_url(requested: SectionRequest, page: str) -> str:
    """Return the URL of the row of the button on the page that it was on, with its search and filters; or else `page`.

    The schedule and the plan are opened anew, in the term of `page`. A button that changes only its row finds it on the
    page of the course, which is smaller.
    """
    if request.headers.get("HX-Request") == "true":
        return url_for("course", courseID=requested.courseID[:20], term=requested.term[:100])
    origin = url_of_list()
    if not origin:
        return page
    mark = section_mark(SectionKey(requested.term, requested.courseID, requested.section))
    return f"{page if urlsplit(origin).path == urlsplit(page).path else origin}#{mark}"
