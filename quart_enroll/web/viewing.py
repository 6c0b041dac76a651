"""Staff see the site as a student sees it: whose pages a request gets, and what it may do.

Pages for students then belong to the student; pages for staff and the API still belong to the staff member.
Nothing can be changed. Such requests never take the fast path, and the banner is added to the finished page, so that
no cache of pages or their parts knows about it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from quart import Response, flash
from quart.typing import ResponseTypes
from quart.wrappers.response import DataBody

from quart_enroll.db.client import Database
from quart_enroll.domain.errors import HiddenFromViewers, OnlyViewing, ViewEnded
from quart_enroll.domain.models import Login, User
from quart_enroll.services.staff import access, view_as
from quart_enroll.state import database, now, user_cache
from quart_enroll.web import problem_details
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.request import SiteRequest, current_globals, current_request
from quart_enroll.web.route import Audience
from quart_enroll.web.templating import render

BANNER_TEMPLATE = "includes/view_banner.html"


@dataclass(frozen=True, slots=True)
class View:
    """A staff member, and the student as whom they see the site."""

    staff: User
    student: User

    async def is_open(self, db: Database, login: Login, staff: User, now: datetime) -> bool:
        """Return whether the sign-in still has this view."""
        student = login.viewing and await view_as.find_student(db, staff, login.viewing, now)
        return student is not None and student.user_id == self.student.user_id


def current() -> View | None:
    """Return the view of this request's sign-in, or None."""
    return cast("View | None", current_globals().get("view"))


def was_begun() -> bool:
    """Tell whether the sign-in has a view, even if it is over and only not removed yet."""
    login: Login | None = current_globals().get("login")
    return login is not None and login.viewing is not None


async def apply(login: Login, staff: User) -> None:
    """Let the request belong to the student as whom the sign-in sees the site, if there is one.

    The student's notices are shown, and not those of the staff member.
    """
    student = await view_as.find_student(database(), staff, login.viewing, now()) if login.viewing else None
    if student is None:
        return
    context = current_globals()
    context.view = view = View(staff, student)
    if not _is_for_staff(current_request()):
        context.user, context.has_notices = view.student, True


async def check(request: SiteRequest) -> None:
    """Log the page that is opened; raise OnlyViewing or HiddenFromViewers for what is not possible in a view."""
    route, view = request.route, current()
    is_change = request.method not in SAFE_METHODS
    if view is None and was_begun():
        await _remove(is_change=is_change and not route.works_in_views and not _is_for_staff(request))
    if view is None or route.works_in_views or request.routing_exception is not None:
        return
    if is_change:
        raise OnlyViewing(view.student.full_name)
    if _is_for_staff(request):
        return
    if route.opens_record is None:
        raise HiddenFromViewers(view.student.full_name)
    await access.open_record(database(), view.staff, view.student.user_id, route.endpoint, now())


async def _remove(*, is_change: bool) -> None:
    """Remove a view that is over; raise ViewEnded for a change, whose page was the student's."""
    await end()
    over = ViewEnded()
    if is_change:
        raise over
    await flash(over.text, "info")


async def end() -> None:
    """End the view of this request's sign-in, if it has one."""
    context = current_globals()
    if was_begun():
        await view_as.end(database(), user_cache(), context.login, now())
        context.view = None


async def add_banner(response: ResponseTypes) -> ResponseTypes:
    """Add to a page the banner that says whom the reader is seeing it as."""
    view = current()
    body = response.response if isinstance(response, Response) else None
    if view is not None and isinstance(body, DataBody) and isinstance(body.data, RenderedPage):
        banner = render(BANNER_TEMPLATE, name=view.student.full_name).parts
        response.set_data(RenderedPage.of([*_insert(banner, body.data.parts)]))
    return response


def _insert(banner: Sequence[bytes], parts: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the parts of the page with the banner at the beginning of its body; of a page without one, at its end."""
    remaining = iter(parts)
    for part in remaining:
        before, tag, after = part.partition(b"<body")
        attributes, close, content = after.partition(b">")
        if close:
            kind = type(part)
            yield from (kind(before + tag + attributes + close), *banner, kind(content))
            yield from remaining
            return
        yield part
    yield from banner


def _is_for_staff(request: SiteRequest) -> bool:
    """Tell whether the request still belongs to the staff member."""
    return request.route.audience is Audience.STAFF or problem_details.is_api_request()
