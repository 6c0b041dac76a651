"""What a student must be told of a seat, at the top of the next page."""

from quart import flash

from quart_enroll import auth
from quart_enroll.asked import Asked
from quart_enroll.context import database
from quart_enroll.language import TermName, gettext
from quart_enroll.models import Notice
from quart_enroll.repositories import notices, sections

PAGES = {
    *("index", "courses", "course", "enrollment", "enrollment_form", "history", "plan", "account", "help", "user"),
}
"""Endpoints that end in a page when somebody signed in asks for them."""

CATEGORIES = {"promote": "success", "skip": "warning", "alert": "info"}


async def show(request: Asked) -> None:
    """Put the student's unseen notices on the page that is asked for."""
    user = auth.user()
    if user is None or not auth.has_notices() or not _is_a_page(request):
        return
    for notice in await notices.take_unseen(database(), user.user_id):
        await flash(await _words(notice), CATEGORIES.get(notice.action, "info"))


async def _words(notice: Notice) -> str:
    """Return what is true now: the seat that opened may be taken again."""
    if notice.action != "alert" or not await _is_full(notice):
        return notice.sentence
    return gettext(
        "A seat opened in %(title)s, section %(section)s, for %(term)s, and is taken again. "
        "If you ask again, we tell you of the next one.",
        title=notice.title,
        section=notice.section,
        term=TermName(notice.term),
    )


async def _is_full(notice: Notice) -> bool:
    section = await sections.find(database(), notice.key)
    return section is not None and not section.open_seats


def _is_a_page(request: Asked) -> bool:
    """Tell whether a page is asked for to be looked at now."""
    in_advance = "prefetch" in request.sent.get("sec-purpose", "")
    return request.method == "GET" and request.endpoint in PAGES and not in_advance
