"""Pages that ask for confirmation: before a withdrawal, and before a seat or position goes to another student."""

from collections.abc import Mapping

from quart import url_for

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionRequest
from quart_enroll.i18n.language import gettext
from quart_enroll.pages import student_state
from quart_enroll.pages.form_views import row_url
from quart_enroll.state import catalog, now
from quart_enroll.web import auth
from quart_enroll.web.page_of_origin import url_of_list
from quart_enroll.web.templating import render


async def before_drop(requested: SectionRequest) -> bytes:
    """Return the page that asks before a drop or a withdrawal."""
    offered = await catalog()
    title = _title(requested, offered.titles)
    if is_withdrawal(requested, offered):
        heading = gettext("Withdraw from %(title)s?", title=title)
        sentence = gettext("It stays on your schedule with a W and no credits. This can’t be undone.")
        return _page("enrollment_drop", requested, heading, sentence, gettext("Withdraw"), _keep(title))
    heading = gettext("Drop %(title)s?", title=title)
    return _page("enrollment_drop", requested, heading, _lost_seat(title), gettext("Drop"), _keep(title))


async def before_swap(requested: SectionRequest, dropped: str) -> bytes | None:
    """Return the page that asks before a swap; None if the dropped seat has no waitlist."""
    offered = await catalog()
    term = next((term for term in offered.terms if term.term == requested.term), None)
    state = await student_state.load(auth.signed_in(), term, offered) if term else student_state.StudentState()
    old = next((one for one in state.enrolled if one.courseID == dropped and one.section.waiting), None)
    if old is None:
        return None
    new = _title(requested, offered.titles)
    title = old.course.title
    heading = gettext("Swap %(old)s for %(new)s?", old=title, new=new)
    fields = {"drop": dropped, "add": requested.courseID, "term": requested.term, "section": requested.section}
    return _question("enrollment_swap", requested, fields, heading, _lost_seat(title), gettext("Swap"), _keep(title))


async def before_leaving(requested: SectionRequest) -> bytes:
    """Return the page that asks before leaving a waitlist."""
    title = _title(requested, (await catalog()).titles)
    heading = gettext("Leave the waitlist for %(title)s?", title=title)
    sentence = gettext("You’ll lose your place. If you join again, you’ll go to the end of the line.")
    return _page("waitlist_leave", requested, heading, sentence, gettext("Leave waitlist"), gettext("Keep my place"))


def is_withdrawal(requested: SectionRequest, offered: Catalog) -> bool:
    """Return whether dropping now means a withdrawal: the course stays on the schedule with a W."""
    return any(term.term == requested.term and now() >= term.drop_deadline for term in offered.terms)


def _title(requested: SectionRequest, titles: Mapping[str, str]) -> str:
    return titles.get(requested.courseID, requested.courseID)


def _lost_seat(title: str) -> str:
    return gettext(
        "Others are waiting for %(title)s. Your seat goes to the first student in line immediately. "
        "This can’t be undone.",
        title=title,
    )


def _keep(title: str) -> str:
    return gettext("Keep %(title)s", title=title)


def _page(endpoint: str, requested: SectionRequest, heading: str, sentence: str, yes: str, no: str) -> bytes:
    fields = {"courseID": requested.courseID, "term": requested.term}
    return _question(endpoint, requested, fields, heading, sentence, yes, no)


def _question(
    endpoint: str,
    requested: SectionRequest,
    fields: dict[str, str],
    heading: str,
    sentence: str,
    yes: str,
    no: str,
) -> bytes:
    schedule = url_for("enrollment", term=requested.term or None)
    where = {"back": url_of_list() or None, "row_url": row_url(requested, schedule)}
    words = {"heading": heading, "sentence": sentence, "yes": yes, "no": no}
    return render("sure.html", enrollment=True, endpoint=endpoint, fields=fields, **where, **words)
