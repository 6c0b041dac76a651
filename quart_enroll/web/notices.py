"""What a student must be told of a seat, at the top of the next page."""

from markupsafe import Markup
from quart import flash, url_for

from quart_enroll.db.collections import notices, sections
from quart_enroll.domain.models import SEAT_OPENED, Notice
from quart_enroll.i18n.language import Sentence, TermName
from quart_enroll.state import database
from quart_enroll.web import auth
from quart_enroll.web.request import SiteRequest

CATEGORIES = {"promote": "success", "skip": "warning", "alert": "info", "moved": "warning"}

TAKEN_AGAIN = Sentence(
    "A seat opened in %(title)s, section %(section)s, for %(term)s, but it’s already taken. "
    "Set another alert to hear about the next one."
)


async def show(request: SiteRequest) -> None:
    """Put the student's unseen notices on the page that is asked for."""
    user = auth.user()
    if user is None or not auth.has_notices() or not _is_a_page(request):
        return
    for notice in await notices.take_unseen(database(), user.user_id):
        await flash(await _words(notice), CATEGORIES.get(notice.action, "info"))


async def _words(notice: Notice) -> str:
    """Return what is true now, as the seat that opened may be taken again, with a link to the course."""
    if notice.action != "alert":
        return notice.sentence
    section = await sections.find(database(), notice.key)
    sentence = TAKEN_AGAIN if section and not section.open_seats else SEAT_OPENED
    address = url_for("course", courseID=notice.courseID, term=notice.term)
    link = Markup('<a href="{}">{}</a>').format(address, notice.title)
    return Markup.escape(sentence) % {"title": link, "section": notice.section, "term": TermName(notice.term)}


def _is_a_page(request: SiteRequest) -> bool:
    """Tell whether a page is asked for to be looked at now."""
    in_advance = "prefetch" in request.header_map.get("sec-purpose", "")
    return request.method == "GET" and request.route.shows_notices and not in_advance
