"""Show students their new notices about seats at the top of the next page."""

from markupsafe import Markup
from quart import flash, url_for

from quart_enroll.domain.models import SEAT_OPENED, Notice
from quart_enroll.i18n.language import Sentence, TermName
from quart_enroll.services.notifications import notices
from quart_enroll.state import database
from quart_enroll.web import auth, viewing
from quart_enroll.web.request import SiteRequest

FLASH_CATEGORIES = {
    "promote": "success",
    "skip": "warning",
    "alert": "info",
    "moved": "warning",
    "cancelled": "warning",
    "no_show": "warning",
}

TAKEN_AGAIN = Sentence(
    "A seat opened in %(title)s, section %(section)s, for %(term)s, but it’s already taken. "
    "Set another alert to hear about the next one."
)


async def show(request: SiteRequest) -> None:
    """Flash the user's unseen notices, if the request is for a page that shows them.

    Staff who see the site as a student see them without marking them as seen.
    """
    user = auth.user()
    if user is None or not auth.has_notices() or not _is_page_view(request):
        return
    find = notices.find_unseen if viewing.current() else notices.take_unseen
    for notice in await find(database(), user.user_id):
        await flash(await _text(notice), FLASH_CATEGORIES.get(notice.action, "info"))


async def _text(notice: Notice) -> str:
    """Return the notice in words; an alert says if the seat has been taken since, and links to the course."""
    if notice.action != "alert":
        return notice.sentence
    has_seats = await notices.has_open_seats(database(), notice.key, auth.signed_in().attributes)
    sentence = SEAT_OPENED if has_seats else TAKEN_AGAIN
    url = url_for("course", courseID=notice.courseID, term=notice.term)
    link = Markup('<a href="{}">{}</a>').format(url, notice.title)
    return Markup.escape(sentence) % {"title": link, "section": notice.section, "term": TermName(notice.term)}


def _is_page_view(request: SiteRequest) -> bool:
    """Tell whether the request is for a page that the user will see now."""
    is_prefetch = "prefetch" in request.header_map.get("sec-purpose", "")
    return request.method == "GET" and request.route.shows_notices and not is_prefetch
