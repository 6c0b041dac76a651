"""Asking once more before what can't be undone: to withdraw, and to leave a seat or a place to those behind."""

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionRequest
from quart_enroll.i18n.language import gettext
from quart_enroll.pages import student_state
from quart_enroll.state import catalog, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render


async def before_drop(wish: SectionRequest) -> bytes:
    """Ask whether the student really gives the seat back."""
    offered = await catalog()
    title = _title(wish, {course.courseID: course.title for course in offered.courses})
    if is_withdrawal(wish, offered):
        heading = gettext("Withdraw from %(title)s?", title=title)
        sentence = gettext("It stays on your schedule with a W and no credits. This can’t be undone.")
        return _page("enrollment_drop", wish, heading, sentence, gettext("Withdraw"), _keep(title))
    heading = gettext("Drop %(title)s?", title=title)
    return _page("enrollment_drop", wish, heading, _to_the_line(title), gettext("Drop"), _keep(title))


async def before_swap(wish: SectionRequest, given_up: str) -> bytes | None:
    """Ask whether the student really gives that seat up for another one; None where nobody waits for it."""
    offered = await catalog()
    term = next((term for term in offered.terms if term.term == wish.term), None)
    mine = await student_state.in_term(auth.signed_in(), term, offered) if term else student_state.Standing()
    old = next((one for one in mine.enrolled if one.courseID == given_up and one.section.waiting), None)
    if old is None:
        return None
    new = _title(wish, {course.courseID: course.title for course in offered.courses})
    title = old.course.title
    heading = gettext("Swap %(old)s for %(new)s?", old=title, new=new)
    fields = {"drop": given_up, "add": wish.courseID, "term": wish.term, "section": wish.section}
    return _asked("enrollment_swap", fields, heading, _to_the_line(title), gettext("Swap"), _keep(title))


async def before_leaving(wish: SectionRequest) -> bytes:
    """Ask whether the student really leaves the line."""
    title = _title(wish, {course.courseID: course.title for course in (await catalog()).courses})
    heading = gettext("Leave the waitlist for %(title)s?", title=title)
    sentence = gettext("You’ll lose your place. If you join again, you’ll go to the end of the line.")
    return _page("waitlist_leave", wish, heading, sentence, gettext("Leave waitlist"), gettext("Keep my place"))


def is_withdrawal(wish: SectionRequest, offered: Catalog) -> bool:
    """Return whether a course that the student drops now stays on the schedule with a W."""
    return any(term.term == wish.term and now() >= term.drop_deadline for term in offered.terms)


def _title(wish: SectionRequest, titles: dict[str, str]) -> str:
    return titles.get(wish.courseID, wish.courseID)


def _to_the_line(title: str) -> str:
    return gettext(
        "Others are waiting for %(title)s. Your seat goes to the first student in line immediately. "
        "This can’t be undone.",
        title=title,
    )


def _keep(title: str) -> str:
    return gettext("Keep %(title)s", title=title)


def _page(endpoint: str, wish: SectionRequest, heading: str, sentence: str, yes: str, no: str) -> bytes:
    return _asked(endpoint, {"courseID": wish.courseID, "term": wish.term}, heading, sentence, yes, no)


def _asked(endpoint: str, fields: dict[str, str], heading: str, sentence: str, yes: str, no: str) -> bytes:
    words = {"heading": heading, "sentence": sentence, "yes": yes, "no": no}
    return render("sure.html", enrollment=True, endpoint=endpoint, fields=fields, **words)
